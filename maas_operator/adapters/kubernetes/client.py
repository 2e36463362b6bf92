"""The calls of `engine.cluster.Cluster` over the dynamic client, without discovery and with our own retries."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException
from kubernetes.aio.dynamic import DynamicClient
from kubernetes.aio.dynamic.resource import Resource

from maas_operator.adapters.kubernetes.answers import broken, error_of, refused_name
from maas_operator.domain.kinds import EVENT, LEASE, TABLE, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cluster import MANAGER, at_version
from maas_operator.engine.errors import ApiError, NotLeading, Unavailable
from maas_operator.engine.fence import WriteSeconds, always

TRIES: Final = 4
TRY_SECONDS: Final = 15.0
CALL_SECONDS: Final = 40.0
"""All tries of one call together; well below the time-out of a pass."""
FIRST_PAUSE_SECONDS: Final = 0.2
PAGE_SIZE: Final = 500
WATCH_SECONDS: Final = 60
"""The server ends a watch after this time: a connection that died unnoticed is deaf no longer than that."""

_FENCED: Final = frozenset({"apply", "patch", "delete"})
_PASSING: Final = frozenset({0, 429, 503, 504})

JSON_PATCH: Final = "application/json-patch+json"

RequestObserver: TypeAlias = Callable[[str, Kind, int, float], None]
"""Told of each try: verb, kind, HTTP status (0 = no answer), seconds."""

Request: TypeAlias = Callable[[dict[str, Any]], Awaitable[Any]]
"""A call of the dynamic client that still lacks the options that all calls share."""


def ignore_request(verb: str, kind: Kind, code: int, seconds: float) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which objects are listed or watched: of one kind, by what of namespace, labels and fields is not empty."""

    kind: Kind
    namespace: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def ref(self) -> Ref:
        """Address errors by; it names no object."""
        return Ref(self.kind, self.namespace, "")

    @property
    def options(self) -> dict[str, str | None]:
        """Return the client's arguments."""
        return {
            "namespace": self.namespace or None,
            "label_selector": self.labels or None,
            "field_selector": self.fields or None,
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of one list, and the version from which a watch sees all that happens after it."""

    objects: list[Manifest]
    resource_version: str


class KubernetesCluster:
    """A `Cluster` on a real API server. Objects go in and come out as plain dicts."""

    def __init__(
        self, client: ApiClient, *, on_request: RequestObserver = ignore_request, may_write: WriteSeconds = always
    ) -> None:
        dynamic = DynamicClient(client)
        self.resources: Final = {kind: _resource(kind, dynamic) for kind in [*TABLE, EVENT, LEASE]}
        self._on_request: Final = on_request
        self._may_write: Final = may_write

    async def get(self, ref: Ref) -> Manifest:
        """Read one object live; NotFound if it is not there."""
        resource = self.resources[ref.kind]
        return await self._call("get", ref, lambda options: resource.get(**_address(ref), **options))

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Read all objects of a kind that carry these labels, in all namespaces if none is given."""
        selector = ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
        return (await self.select(Scope(kind=kind, namespace=namespace, labels=selector))).objects

    async def select(self, scope: Scope) -> Listing:
        """Read all objects of a scope, in pages; a list that expires half way is begun anew."""
        objects: list[Manifest] = []
        token = ""
        while True:
            try:
                page = await self._page(scope, token)
            except ApiError as error:
                if error.status != 410 or not token:
                    raise
                objects, token = [], ""
                continue
            objects += [_typed(scope.kind, item) for item in page["items"] or ()]
            token = page["metadata"].get("continue", "")
            if not token:
                return Listing(objects, page["metadata"]["resourceVersion"])

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = MANAGER,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply; return the object as it is then, or in a dry run as it would be."""
        ref = ref_of(manifest)
        resource = self.resources[ref.kind]
        target = resource.subresources[subresource] if subresource else resource
        return await self._call(
            "apply",
            ref,
            lambda options: target.server_side_apply(
                body=manifest,
                **_address(ref),
                field_manager=manager,
                force_conflicts=force,
                dry_run=_dry(dry_run),
                **options,
            ),
        )

    async def json_patch(
        self, ref: Ref, operations: Sequence[Manifest], *, resource_version: str, dry_run: bool = False
    ) -> Manifest:
        """Patch an object that is still at this version, else Conflict; return it as it is then."""
        resource = self.resources[ref.kind]
        body = at_version(resource_version, operations)
        return await self._call(
            "patch",
            ref,
            lambda options: resource.patch(
                **_address(ref),
                body=body,
                content_type=JSON_PATCH,
                field_manager=MANAGER,
                dry_run=_dry(dry_run),
                **options,
            ),
        )

    async def delete(self, ref: Ref, *, uid: str, resource_version: str = "") -> None:
        """Delete in the background this very object: Conflict if uid or version differ, NotFound if it is gone."""
        preconditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        resource = self.resources[ref.kind]
        await self._call("delete", ref, lambda options: resource.delete(**_address(ref), body=body, **options))

    async def watch(self, scope: Scope, *, since: str) -> AsyncGenerator[tuple[str, Manifest], None]:
        """Yield (type, object) for each change after version `since`, until the server ends the watch.

        Types are ADDED, MODIFIED, DELETED and BOOKMARK. An ApiError with status 410 asks for a new list.
        """
        resource = self.resources[scope.kind]
        response: aiohttp.ClientResponse = await self._try(
            "watch",
            scope.ref,
            lambda options: resource.get(**scope.options, watch=True, resource_version=since, **options),
            {
                "timeout_seconds": WATCH_SECONDS,
                "query_params": [("allowWatchBookmarks", "true")],
                "serialize": False,
                "_request_timeout": WATCH_SECONDS + TRY_SECONDS,
            },
        )
        async with response:
            try:
                async for line in response.content:
                    yield _watch_event(scope, json.loads(line))
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise broken(scope.ref, error) from None

    async def _page(self, scope: Scope, token: str) -> dict[str, Any]:
        resource = self.resources[scope.kind]
        return await self._call(
            "list",
            scope.ref,
            lambda options: resource.get(**scope.options, limit=PAGE_SIZE, _continue=token or None, **options),
        )

    async def _call(self, verb: str, ref: Ref, request: Request) -> Manifest:
        """Try until an answer is final, the tries are used up, or the next one would begin after the deadline."""
        if (refusal := refused_name(ref)) is not None:
            raise refusal
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CALL_SECONDS
        for tried in range(1, TRIES + 1):
            seconds = min(TRY_SECONDS, deadline - loop.time())
            if verb in _FENCED:
                # Not one that may still arrive when another process leads.
                seconds = min(seconds, self._may_write())
                if seconds <= 0:
                    raise NotLeading(f"{ref} is not written: this process does not lead any more")
            try:
                reply: Manifest = await self.attempt(verb, ref, request, seconds=seconds)
            except Unavailable as error:
                pause = _pause_seconds(tried, error)
                if error.status not in _PASSING or tried == TRIES or loop.time() + pause >= deadline:
                    raise
            else:
                return reply
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def attempt(self, verb: str, ref: Ref, request: Request, *, seconds: float) -> Manifest:
        """Make one request, and no other if it fails."""
        options = {"serializer": lambda _client, body: body, "_request_timeout": seconds}
        reply: Manifest = await self._try(verb, ref, request, options)
        return reply

    async def _try(self, verb: str, ref: Ref, request: Request, options: dict[str, Any]) -> Any:
        """Make one request; raise an `ApiError` without a cause if it fails, since the client's errors hold bodies."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        failure: ApiError | None = None
        reply = None
        try:
            reply = await request(options)
        except ApiException as error:
            failure = error_of(ref, error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            failure = broken(ref, error)
        self._on_request(verb, ref.kind, failure.status if failure else 200, loop.time() - started)
        if failure is not None:
            raise failure
        return reply


def _resource(kind: Kind, client: DynamicClient) -> Resource:
    return Resource(
        prefix="apis" if kind.group else "api",
        group=kind.group,
        api_version=kind.version,
        kind=kind.name,
        name=kind.plural,
        namespaced=kind.namespaced,
        client=client,
        subresources={"status": {"kind": kind.name, "name": f"{kind.plural}/status", "namespaced": kind.namespaced}},
    )


def _dry(dry_run: bool) -> str | None:
    return "All" if dry_run else None


def _address(ref: Ref) -> dict[str, str | None]:
    return {"name": ref.name, "namespace": ref.namespace or None}


def _pause_seconds(tried: int, error: Unavailable) -> float:
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return FIRST_PAUSE_SECONDS * float(2 ** (tried - 1)) * random.uniform(0.8, 1.2)


def _watch_event(scope: Scope, event: dict[str, Any]) -> tuple[str, Manifest]:
    if event["type"] == "ERROR":
        code = event["object"].get("code", 0)
        raise Unavailable(f"the watch of {scope.kind.plural} in {scope.namespace} ended: code {code}", status=code)
    return event["type"], _typed(scope.kind, event["object"])


def _typed(kind: Kind, item: Manifest) -> Manifest:
    # The items of a list of a built-in kind lack both.
    return {**item, "apiVersion": kind.api_version, "kind": kind.name}

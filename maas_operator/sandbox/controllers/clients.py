"""The two ways to an API: straight into the embedded one, and over HTTP to any."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from copy import deepcopy
from types import TracebackType
from typing import Any, Final, TypeAlias

import aiohttp
from kubernetes.aio.client import ApiException

from maas_operator.adapters.kubernetes.answers import error_of
from maas_operator.domain.kinds import Kind
from maas_operator.domain.labels import labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cluster import MANAGER, at_version
from maas_operator.engine.errors import Unavailable

from ..kubeapi.api import FieldValidation, WriteOptions
from ..kubeapi.faults import Faults, Verb
from ..kubeapi.in_process import InProcessCluster
from ..kubeapi.kubeapi import KubeApi
from ..kubeapi.patch import PatchType
from .client import Change, ChangeType

_Page: TypeAlias = tuple[list[Manifest], str]
_WRITER: Final = "sandbox"
_STRICT: Final = WriteOptions(manager=_WRITER, validation=FieldValidation.STRICT)
_PAGE: Final = "500"
_CALL_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 300
_LONGEST_LINE: Final = 4 * 1024 * 1024
_CHANGES: Final = frozenset(map(str, ChangeType))
_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
"""The content type of a server-side apply."""


class InProcessClient(InProcessCluster):
    """A `Client` on the embedded API. Faults on its calls are meant for the operator under test, not for stand-ins."""

    def __init__(self, kubeapi: KubeApi) -> None:
        super().__init__(kubeapi)
        self._faults = Faults()

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object; Conflict if it is there."""
        ref, body = ref_of(manifest), deepcopy(manifest)
        resource = self._resource(ref.kind)
        return await self._do(Verb.CREATE, ref, lambda: self._api.create(resource, ref.namespace, body, _STRICT))

    async def replace(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Write the whole object; Conflict if its resourceVersion is not the newest."""
        ref, body = ref_of(manifest), deepcopy(manifest)
        resource = self._resource(ref.kind)
        return await self._do(
            Verb.UPDATE,
            ref,
            lambda: self._api.update(resource, ref.namespace, ref.name, body, _STRICT, subresource),
            subresource,
        )

    async def merge_patch(self, ref: Ref, patch: Mapping[str, Any], *, subresource: str = "") -> Manifest:
        """Apply a JSON merge patch."""
        resource, body = self._resource(ref.kind), deepcopy(dict(patch))
        return await self._do(
            Verb.PATCH,
            ref,
            lambda: self._api.patch(resource, ref.namespace, ref.name, PatchType.MERGE, body, _STRICT, subresource),
            subresource,
        )

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield each object that is there as ADDED, then each change, without an end."""
        changes: asyncio.Queue[Change] = asyncio.Queue()
        unsubscribe = self.subscribe(kind, lambda type_, o: changes.put_nowait(Change(ChangeType(type_), o)))
        try:
            for manifest in await self.list(kind):
                yield Change(ChangeType.ADDED, manifest)
            while True:
                yield await changes.get()
        finally:
            unsubscribe()


class HttpClient:
    """A `Client` over HTTP, for the embedded API or a real one; an asynchronous context manager."""

    def __init__(self, url: str, *, token: str = "", tls: ssl.SSLContext | bool = True) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpClient:
        # A watch sends one object per line, however long.
        connector = aiohttp.TCPConnector(ssl=self._tls)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, read_bufsize=_LONGEST_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.close()

    async def get(self, ref: Ref) -> Manifest:
        """Read one object live; NotFound if it is not there."""
        return await self.call("GET", ref, path_of(ref))

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Read all objects of a kind, in all namespaces if none is given; each with apiVersion and kind set."""
        return (await self._list(kind, namespace, labels or {}))[0]

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = MANAGER,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply; return the object as it is then, or would be."""
        ref = ref_of(manifest)
        query = {"fieldManager": manager, "force": str(force).lower(), **_dry(dry_run)}
        return await self.call("PATCH", ref, path_of(ref, subresource), query, manifest, APPLY_PATCH)

    async def json_patch(
        self, ref: Ref, operations: Sequence[Manifest], *, resource_version: str, dry_run: bool = False
    ) -> Manifest:
        """Patch an object that is still at this version, else Conflict; return it as it is then."""
        body, query = at_version(resource_version, operations), {"fieldManager": MANAGER, **_dry(dry_run)}
        return await self.call("PATCH", ref, path_of(ref), query, body, PatchType.JSON)

    async def delete(self, ref: Ref, *, uid: str, resource_version: str = "") -> None:
        """Delete in the background this very object."""
        preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
        options = {"propagationPolicy": "Background", "preconditions": preconditions}
        await self.call("DELETE", ref, path_of(ref), None, options)

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object; Conflict if it is there."""
        ref = ref_of(manifest)
        path = path_of(Ref(ref.kind, ref.namespace, ""))
        return await self.call("POST", ref, path, {"fieldManager": _WRITER}, manifest)

    async def replace(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Write the whole object; Conflict if its resourceVersion is not the newest."""
        ref = ref_of(manifest)
        return await self.call("PUT", ref, path_of(ref, subresource), {"fieldManager": _WRITER}, manifest)

    async def merge_patch(self, ref: Ref, patch: Mapping[str, Any], *, subresource: str = "") -> Manifest:
        """Apply a JSON merge patch."""
        query = {"fieldManager": _WRITER}
        return await self.call("PATCH", ref, path_of(ref, subresource), query, patch, _MERGE_PATCH)

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield each object that is there as ADDED, then each change; ends when the server ends the stream."""
        objects, version = await self._list(kind, "", {})
        for manifest in objects:
            yield Change(ChangeType.ADDED, manifest)
        ref = Ref(kind, "", "")
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(_WATCH_SECONDS)}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=2 * _WATCH_SECONDS)
        try:
            async with self._open.get(self._url + path_of(ref), params=query, timeout=timeout) as response:
                await _check(ref, response)
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] not in _CHANGES:
                        return
                    yield Change(ChangeType(event["type"]), event["object"])
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"watch of {kind}: {error!r}") from error

    @property
    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "enter the client first"
        return self._session

    async def _list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> _Page:
        ref = Ref(kind, namespace, "")
        query = {"limit": _PAGE, "labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        objects = []
        while True:
            page = await self.call("GET", ref, path_of(ref), query)
            objects += [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in page["items"]]
            query["continue"] = page["metadata"].get("continue") or ""
            if not query["continue"]:
                return objects, page["metadata"]["resourceVersion"]

    async def call(
        self,
        method: str,
        ref: Ref,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        content_type: str = _JSON,
        *,
        accept: str = _JSON,
    ) -> Manifest:
        """Make a call and return its answer; `ref` is what errors speak of."""
        data = json.dumps(body) if body is not None else None
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        headers = {"Accept": accept, **({"Content-Type": content_type} if data else {})}
        try:
            async with self._open.request(
                method, self._url + path, params=query, data=data, headers=headers, timeout=timeout
            ) as response:
                await _check(ref, response)
                return dict(await response.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{method} {ref}: {error!r}") from error


class InformedClient(HttpClient):
    """Lists a kind from what its watch has told, as controllers with informers do; live while nobody watches it.

    For one watch of a kind at a time. What is listed is shared: copy before you change it.
    """

    def __init__(self, url: str, *, token: str = "", tls: ssl.SSLContext | bool = True) -> None:
        super().__init__(url, token=token, tls=tls)
        self._told: dict[Kind, dict[Ref, Manifest]] = {}

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Return all objects of a kind as last told; errors only if nobody watches it."""
        if kind not in self._told:
            return await super().list(kind, namespace=namespace, labels=labels)
        return [
            manifest
            for ref, manifest in self._told[kind].items()
            if namespace in ("", ref.namespace) and labels_of(manifest).items() >= (labels or {}).items()
        ]

    async def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield as `HttpClient.watch` does, and remember."""
        told: dict[Ref, Manifest] = {}
        try:
            async with aclosing(super().watch(kind)) as changes:
                async for change in changes:
                    if change.type is ChangeType.DELETED:
                        told.pop(ref_of(change.object), None)
                    else:
                        told[ref_of(change.object)] = change.object
                    # The first change is one of a whole list that is told without a pause: nobody sees a part of it.
                    self._told[kind] = told
                    yield change
        finally:
            self._told.pop(kind, None)


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def path_of(ref: Ref, subresource: str = "") -> str:
    """Return the path of an object; of the collection if the reference names none."""
    kind = ref.kind
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    namespace = f"/namespaces/{ref.namespace}" if kind.namespaced and ref.namespace else ""
    return base + namespace + "".join(f"/{part}" for part in (kind.plural, ref.name, subresource) if part)


async def _check(ref: Ref, response: aiohttp.ClientResponse) -> None:
    if response.status >= 400:
        body = await response.text()
        raise error_of(ref, ApiException(status=response.status, reason=response.reason, body=body))

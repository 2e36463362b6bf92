"""The engine's `Cluster` straight on the embedded API: no HTTP, no delays but those that faults make."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kubernetes.aio.client import ApiException

from maas_operator.adapters.kubernetes.answers import error_of
from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cluster import MANAGER, at_version
from maas_operator.engine.errors import ApiError as EngineError

from .api import DeleteOptions, FieldValidation, WriteOptions
from .errors import ApiError
from .faults import Call, Verb
from .kubeapi import KubeApi
from .patch import PatchType
from .resources import Resource
from .store import Event, EventType

T = TypeVar("T")

Listener = Callable[[EventType, Manifest], None]
"""Told of each change of a kind, within the write that makes it."""


class InProcessCluster:
    """A `Cluster` on a `KubeApi`. What it returns belongs to the store: do not change it."""

    def __init__(self, kubeapi: KubeApi) -> None:
        self._api = kubeapi.api
        self._faults = kubeapi.faults

    async def get(self, ref: Ref) -> Manifest:
        """Read one object live; NotFound if it is not there."""
        resource = self._resource(ref.kind)
        return await self._do(Verb.GET, ref, lambda: self._api.get(resource, ref.namespace, ref.name))

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Read all objects of a kind, in all namespaces if none is given."""
        resource = self._resource(kind)
        selector = ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        listing = await self._do(
            Verb.LIST, Ref(kind, namespace, ""), lambda: self._api.list(resource, namespace, labels=selector)
        )
        return listing.objects

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = MANAGER,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply with strict validation; return the object as it is then, or would be."""
        ref = ref_of(manifest)
        resource = self._resource(ref.kind)
        options = WriteOptions(manager=manager, force=force, validation=FieldValidation.STRICT, dry_run=dry_run)
        body = _sent(manifest)
        return await self._do(
            Verb.APPLY,
            ref,
            lambda: self._api.apply(resource, ref.namespace, ref.name, body, options, subresource),
            subresource,
            dry_run=dry_run,
        )

    async def json_patch(
        self, ref: Ref, operations: Sequence[Manifest], *, resource_version: str, dry_run: bool = False
    ) -> Manifest:
        """Patch an object that is still at this version, else Conflict; return it as it is then."""
        resource, body = self._resource(ref.kind), _sent(at_version(resource_version, operations))
        options = WriteOptions(manager=MANAGER, validation=FieldValidation.STRICT, dry_run=dry_run)
        return await self._do(
            Verb.PATCH,
            ref,
            lambda: self._api.patch(resource, ref.namespace, ref.name, PatchType.JSON, body, options),
            dry_run=dry_run,
        )

    async def delete(self, ref: Ref, *, uid: str, resource_version: str = "") -> None:
        """Delete in the background this very object: Conflict if uid or version differ, NotFound if it is gone."""
        resource = self._resource(ref.kind)
        options = DeleteOptions(uid=uid, resource_version=resource_version)
        await self._do(Verb.DELETE, ref, lambda: self._api.delete(resource, ref.namespace, ref.name, options))

    def subscribe(self, kind: Kind, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of every later change of a kind; return how to stop that. The CRD may come later."""

        def tell(event: Event) -> None:
            resource = self._api.registry.of_kind(kind.api_version, kind.name)
            if resource is not None and event.key.storage == resource.storage:
                listener(event.type, resource.present(event.object))

        return self._api.store.subscribe(tell)

    def _resource(self, kind: Kind) -> Resource:
        try:
            return self._api.registry.find(kind.group, kind.version, kind.plural)
        except ApiError as error:
            raise _translated(Ref(kind, "", ""), error) from None

    async def _do(
        self, verb: Verb, ref: Ref, operation: Callable[[], T], subresource: str = "", *, dry_run: bool = False
    ) -> T:
        call = Call(verb, ref.kind.group, ref.kind.name, ref.namespace, ref.name, subresource, dry_run=dry_run)
        try:
            return await self._faults.around(call, operation)
        except ApiError as error:
            raise _translated(ref, error) from error


def _sent(body: Any) -> Any:
    """Return a body as it would arrive by HTTP: a copy of its own, of plain JSON values."""
    return json.loads(json.dumps(body))


def _translated(ref: Ref, error: ApiError) -> EngineError:
    """The error that the real adapter makes of the same answer."""
    return error_of(ref, ApiException(status=error.code, reason=error.reason, body=json.dumps(error.status())))

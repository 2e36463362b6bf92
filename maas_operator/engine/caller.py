"""A Kubernetes API in the hands of a person: what they may not do is their own lack, and no fault of an object."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref

from .cluster import MANAGER, Cluster
from .errors import Forbidden, NamespaceTerminating, OperatorError

T = TypeVar("T")


class NotAllowed(OperatorError):
    """The API denied a call to the person who runs a command."""

    def __init__(self, error: Forbidden) -> None:
        super().__init__(
            f"{error}: a plan reads objects and patches them by dry runs, for which it needs your permission to get,"
            " list and patch; spec.managementPolicy Observe has the operator plan with its own"
        )


class Caller:
    """A `Cluster` whose Forbidden is a NotAllowed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def get(self, ref: Ref) -> Manifest:
        """Read one object live."""
        return await _allowed(self._cluster.get(ref))

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Read all objects of a kind."""
        return await _allowed(self._cluster.list(kind, namespace=namespace, labels=labels))

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = MANAGER,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply."""
        return await _allowed(
            self._cluster.apply(manifest, manager=manager, force=force, subresource=subresource, dry_run=dry_run)
        )

    async def json_patch(
        self, ref: Ref, operations: Sequence[Manifest], *, resource_version: str, dry_run: bool = False
    ) -> Manifest:
        """Patch an object."""
        return await _allowed(
            self._cluster.json_patch(ref, operations, resource_version=resource_version, dry_run=dry_run)
        )

    async def delete(self, ref: Ref, *, uid: str, resource_version: str = "") -> None:
        """Delete an object."""
        await _allowed(self._cluster.delete(ref, uid=uid, resource_version=resource_version))


async def _allowed(call: Awaitable[T]) -> T:
    try:
        return await call
    except NamespaceTerminating:
        raise
    except Forbidden as error:
        raise NotAllowed(error) from None

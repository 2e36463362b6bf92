"""A Kubernetes API on which nothing happens: it tells what each write would bring about, and writes it down.

The same applier and the same pruner work on it as on the real one, so that what is told is what would be done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import NAMESPACE_URL, uuid5

from maas_operator.domain.kinds import Kind
from maas_operator.domain.labels import labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.plan.changes import Write
from maas_operator.domain.plan.expectation import expected

from .applier import Applied
from .cache import without_managed_fields
from .cluster import FINALIZER_MANAGER, MANAGER, STATUS_MANAGER, Cluster
from .errors import KindNotServed, NotFound


class Rehearsal:
    """A `Cluster` that reads from the real one and writes by dry runs; what it would have written it reads back.

    `new_namespaces`: namespaces that are still to be made; the API can not be asked about what is to be in them.
    """

    def __init__(self, cluster: Cluster, *, new_namespaces: Collection[str] = ()) -> None:
        self._cluster = cluster
        self._new_namespaces = new_namespaces
        self._writes: dict[Ref, Write] = {}
        self._became: dict[Ref, Manifest | None] = {}

    @property
    def writes(self) -> tuple[Write, ...]:
        """Return the writes so far, those without an effect included."""
        return tuple(self._writes.values())

    @property
    def live(self) -> dict[Ref, Manifest]:
        """Return what is there of what was to be written or deleted."""
        return {ref: write.before for ref, write in self._writes.items() if write.before is not None}

    async def get(self, ref: Ref) -> Manifest:
        """Read an object as it would be."""
        if ref not in self._became:
            return await self._cluster.get(ref)
        became = self._became[ref]
        if became is None:
            raise NotFound(f"{ref} would be gone", status=404)
        return became

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Read the objects of a kind as they would be."""
        found = await self._cluster.list(kind, namespace=namespace, labels=labels)
        known = {ref_of(one): one for one in found} | self._became
        return [one for ref, one in known.items() if one is not None and _is_in(one, kind, namespace, labels or {})]

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = MANAGER,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = True,
    ) -> Manifest:
        """Return what would come of a server-side apply; statuses and finalizers of owners are no part of a plan."""
        ref = ref_of(manifest)
        if manager in (STATUS_MANAGER, FINALIZER_MANAGER):
            return await self.get(ref)
        before = await self._before(ref)
        try:
            after = await self._cluster.apply(manifest, manager=manager, force=force, dry_run=True)
        except KindNotServed:
            raise
        except NotFound:
            if ref.namespace not in self._new_namespaces:
                raise
            after = _unborn(manifest)
        return self.note(before, after)

    async def json_patch(
        self, ref: Ref, operations: Sequence[Manifest], *, resource_version: str, dry_run: bool = True
    ) -> Manifest:
        """Return what would come of a patch."""
        before = await self._cluster.get(ref)
        after = await self._cluster.json_patch(ref, operations, resource_version=resource_version, dry_run=True)
        return self.note(before, after)

    async def delete(self, ref: Ref, *, uid: str, resource_version: str = "") -> None:
        """Note that this very object would be deleted."""
        self._writes[ref] = Write(await self._cluster.get(ref), None)
        self._became[ref] = None

    def note(self, before: Manifest | None, after: Manifest) -> Manifest:
        """Note a write, and return what would be read then."""
        ref, after = ref_of(after), without_managed_fields(after)
        self._writes[ref] = Write(before, after)
        self._became[ref] = became = expected(before, after)
        return became

    async def _before(self, ref: Ref) -> Manifest | None:
        try:
            return await self._cluster.get(ref)
        except NotFound:
            return None


class NobodyCounts:
    """An observer of children that were not written."""

    def child_applied(self, ref: Ref, applied: Applied) -> None:
        """Count nothing."""


def _unborn(manifest: Manifest) -> Manifest:
    """Return an object as the API would take it at the earliest; its uid is another one then."""
    uid = str(uuid5(NAMESPACE_URL, str(ref_of(manifest))))
    return manifest | {"metadata": manifest["metadata"] | {"uid": uid, "generation": 1}}


def _is_in(manifest: Manifest, kind: Kind, namespace: str, labels: Mapping[str, str]) -> bool:
    ref = ref_of(manifest)
    return ref.kind == kind and namespace in ("", ref.namespace) and labels.items() <= labels_of(manifest).items()

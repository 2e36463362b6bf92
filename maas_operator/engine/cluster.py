"""The seam to Kubernetes: the calls that the engine makes, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref

MANAGER = "maas-operator"
"""The field manager of children and events."""
STATUS_MANAGER = "maas-operator-status"
FINALIZER_MANAGER = "maas-operator-finalizer"


def at_version(resource_version: str, operations: Sequence[Manifest]) -> list[Manifest]:
    """Return a JSON patch that meets a conflict if the object is at another version."""
    # Not the operation `test`: where that fails, the answer is the same 422 as for an object that is not valid.
    return [{"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version}, *operations]


class Cluster(Protocol):
    """A Kubernetes API. Each call raises an `ApiError` of `engine.errors`; none retries for ever."""

    async def get(self, ref: Ref) -> Manifest:
        """Read one object live; NotFound if it is not there."""

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Read all objects of a kind, in all namespaces if none is given; each with apiVersion and kind set."""

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = MANAGER,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply; return the object as it is then. The `status` subresource is applied by name.

        A dry run goes the same way, admission included, and stores nothing: what it returns would have come of it.
        """

    async def json_patch(
        self, ref: Ref, operations: Sequence[Manifest], *, resource_version: str, dry_run: bool = False
    ) -> Manifest:
        """Patch an object that is still at this version, else Conflict; return it as it is then."""

    async def delete(self, ref: Ref, *, uid: str, resource_version: str = "") -> None:
        """Delete in the background this very object: Conflict if uid or version differ, NotFound if it is gone."""

"""What the stand-ins ask of a Kubernetes API: our `Cluster`, and the calls that ordinary controllers make besides."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.cluster import Cluster


class ChangeType(StrEnum):
    """What happened to an object; the words of the watch protocol."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch."""

    type: ChangeType
    object: Manifest


class Client(Cluster, Protocol):
    """A Kubernetes API as controllers written in Go use it; errors as in `Cluster`."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object; Conflict if it is there."""

    async def replace(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Write the whole object; Conflict if its resourceVersion is not the newest."""

    async def merge_patch(self, ref: Ref, patch: Mapping[str, Any], *, subresource: str = "") -> Manifest:
        """Apply a JSON merge patch."""

    def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield each object that is there as ADDED, then each change; ends when the server ends the stream."""

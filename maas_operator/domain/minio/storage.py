"""The MinIO of a platform over its whole life: wanted, taken out of the spec, or going with the platform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition
from maas_operator.domain.decision import World
from maas_operator.domain.kinds import STATEFUL_SET
from maas_operator.domain.objects import Manifest, Ref

from .progress import MinIOEvidence, Server


@dataclass(frozen=True, kw_only=True)
class PlatformMinIO:
    """What follows for the platform from its MinIO. `leaving`: nobody needs the platform any more."""

    platform: ModelPlatform
    world: World
    evidence: MinIOEvidence
    leaving: bool

    @cached_property
    def _server(self) -> Server | None:
        minio = self.platform.spec.storage.minio
        # One that was taken out while models use it is not replaced by another one elsewhere.
        if minio is None or self.leaving or (self._orphans and self.evidence.users):
            return None
        return Server(platform=self.platform, minio=minio, world=self.world, evidence=self.evidence)

    @property
    def children(self) -> tuple[Manifest, ...]:
        """Return what must be there."""
        return self._server.children if self._server else ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return StorageReady, if there is something to say."""
        if self._server is not None:
            return (self._server.condition,)
        if not self._orphans or not self.evidence.users:
            return ()
        users, places = ", ".join(sorted(self.evidence.users)), ", ".join(map(str, self._orphans))
        message = (
            f"spec.storage.minio was taken out, but models of {users} have buckets in {places}: put it back, or"
            " delete these models or their spec.storage first"
        )
        return (Condition(ConditionType.STORAGE_READY, ConditionStatus.FALSE, Reason.STORAGE_IN_USE, message),)

    @property
    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is: all of a MinIO that was taken out while models use it."""
        kept = self._server.keep if self._server else frozenset()
        if self.leaving or not self.evidence.users:
            return kept
        places = {ref.namespace for ref in self._orphans}
        return kept | frozenset(ref for ref in self.world.seen if ref.namespace in places)

    @property
    def namespaces(self) -> frozenset[str]:
        """Return where there is something of it, or will be."""
        minio = self.platform.spec.storage.minio
        return frozenset(ref.namespace for ref in self._orphans) | ({minio.namespace} if minio else set())

    @cached_property
    def _orphans(self) -> tuple[Ref, ...]:
        """Return the StatefulSets that the spec does not ask for any more."""
        minio = self.platform.spec.storage.minio
        wanted = minio.namespace if minio else ""
        found = (ref for ref in self.world.seen if ref.kind == STATEFUL_SET and ref.namespace != wanted)
        return tuple(sorted(found))

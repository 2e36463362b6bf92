"""The stand-ins on an embedded API, on a clock that only the test moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.conditions import conditions_of
from maas_operator.sandbox.controllers.surroundings import Surroundings
from tests.sandbox.controllers.objects import GATEWAY


@dataclass
class ManualClock:
    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class World:
    """What a test needs: it writes as our operator does, lets the others work, and looks."""

    client: InProcessClient
    around: Surroundings
    clock: ManualClock

    async def apply(self, *manifests: Manifest) -> None:
        for manifest in manifests:
            await self.client.apply(manifest)

    async def settle(self, *manifests: Manifest, retries: bool = True) -> None:
        await self.apply(*manifests)
        await self.around.runner.settle(retries=retries)

    async def get(self, kind: Kind, name: str, namespace: str = GATEWAY) -> Manifest:
        return await self.client.get(Ref(kind, namespace, name))

    async def patch(self, manifest: Manifest, patch: Mapping[str, Any]) -> None:
        await self.client.merge_patch(ref_of(manifest), patch)

    async def delete(self, manifest: Manifest) -> None:
        ref = ref_of(manifest)
        await self.client.delete(ref, uid=(await self.client.get(ref))["metadata"]["uid"])

    async def is_gone(self, manifest: Manifest) -> bool:
        try:
            await self.client.get(ref_of(manifest))
        except NotFound:
            return True
        return False

    async def status(self, manifest: Manifest) -> Mapping[str, Any]:
        """Return an object's status."""
        return dict((await self.client.get(ref_of(manifest))).get("status") or {})

    async def conditions(self, manifest: Manifest) -> Mapping[str, str]:
        """Return the statuses of an object's conditions by type."""
        found = conditions_of(await self.client.get(ref_of(manifest)))
        return {name: condition["status"] for name, condition in found.items()}

    async def message(self, manifest: Manifest, condition: str) -> str:
        found = conditions_of(await self.client.get(ref_of(manifest)))
        return str(found[condition].get("message", ""))

"""The run that nothing disturbs, to which the others are compared (property P2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from maas_operator.sandbox.kubeapi.faults import Call
from tests.scenarios.harness import SERVICE, World, a_settled_world, a_world, apart, sample
from tests.scenarios.snapshot import Snapshot

QUIET_SECONDS = 130.0


@dataclass(frozen=True)
class Undisturbed:
    """A run without a crash: the writes of each phase, with whether they had an effect, and the state between them."""

    create: list[tuple[Call, bool]]
    delete: list[tuple[Call, bool]]
    created: Snapshot
    deleted: Snapshot


async def create(world: World) -> None:
    await world.apply(*sample())
    await world.settle(quiet_seconds=QUIET_SECONDS)


async def delete(world: World) -> None:
    await world.delete(SERVICE)
    await world.settle(quiet_seconds=QUIET_SECONDS)


async def _run_undisturbed() -> Undisturbed:
    async with a_world(ends=False) as world:
        await create(world)
        first, created = world.operator.records.writes(), world.snapshot()
    async with a_settled_world(ends=False) as world:
        calls = len(world.operator.records.calls)
        await delete(world)
        return Undisturbed(first, world.operator.records.writes(calls), created, world.snapshot())


@cache
def undisturbed() -> Undisturbed:
    """Return it; each process needs it once."""
    return apart(_run_undisturbed())

"""The run that nothing disturbs, to which the others are compared (property P2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache

from maas_operator.sandbox.kubeapi.faults import Call
from tests.scenarios.harness import SERVICE, World, a_world, sample
from tests.scenarios.snapshot import Snapshot
from tests.virtual_time import VirtualTimeLoop

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
    async with a_world() as world:
        await create(world)
        records, created = world.operator.records, world.snapshot()
        first, calls = records.writes(), len(records.calls)
        await delete(world)
        return Undisturbed(first, records.writes(calls), created, world.snapshot())


@cache
def undisturbed() -> Undisturbed:
    """Return it; not from inside of a loop, unless somebody has asked before."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_run_undisturbed())

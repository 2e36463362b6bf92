"""SIGKILL before and after every write of create and of delete (fault F1): the same end, the same key, nothing left.

Events are no state, so that a crash around one is a crash around the status that it follows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache

import pytest

from maas_operator.sandbox.kubeapi.faults import Call, Moment
from tests.scenarios.harness import CONSUMER_KEY, SERVICE, World, a_world, sample
from tests.scenarios.operator import Fault, Killed, is_write
from tests.scenarios.oracles import leftovers
from tests.scenarios.snapshot import Snapshot, differences
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
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_run_undisturbed())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    phase = metafunc.function.__name__.removeprefix("test_a_crash_during_").split("_")[0]
    if phase not in ("create", "delete"):
        return
    cases = [
        pytest.param(number, moment, id=f"{number + 1}-{moment}-{call.verb}-{call.kind}-{call.subresource}".strip("-"))
        for number, (call, had_effect) in enumerate(getattr(undisturbed(), phase))
        for moment in Moment
        if had_effect or moment is Moment.BEFORE
    ]
    metafunc.parametrize(("number", "moment"), cases)


def a_crash(number: int, moment: Moment) -> Fault:
    return Fault(is_write, Killed, moment=moment, skip=number)


async def test_a_crash_during_create_changes_nothing(number: int, moment: Moment) -> None:
    async with a_world() as world:
        crash = a_crash(number, moment)
        world.operator.faults.append(crash)
        await create(world)
        assert (crash.hits, world.operator.records.starts) == (1, 2)
        assert "\n".join(differences(undisturbed().created, world.snapshot())) == ""
        (application,) = next(iter(world.around.porta)).people.applications.values()
        assert application.user_key == await world.key(CONSUMER_KEY)


async def test_a_crash_during_delete_leaves_nothing(number: int, moment: Moment) -> None:
    async with a_world() as world:
        await create(world)
        crash = a_crash(number, moment)
        world.operator.faults.append(crash)
        await delete(world)
        assert (crash.hits, world.operator.records.starts) == (1, 2)
        assert "\n".join(differences(undisturbed().deleted, world.snapshot())) == ""
        assert not list(leftovers(world.objects(), world.around.porta, but="ModelPlatform"))

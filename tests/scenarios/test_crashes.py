"""SIGKILL before and after every write of create and of delete (fault F1): the same end, the same key, nothing left.

Events are no state, so that a crash around one is a crash around the status that it follows.
"""

from __future__ import annotations

import pytest

from maas_operator.sandbox.kubeapi.faults import Moment
from tests.scenarios.harness import CONSUMER_KEY, a_settled_world, a_world
from tests.scenarios.operator import Fault, Killed, is_write
from tests.scenarios.oracles import leftovers
from tests.scenarios.snapshot import differences
from tests.scenarios.undisturbed import Undisturbed, create, delete, undisturbed


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


@pytest.mark.matrix
async def test_a_crash_during_create_changes_nothing(number: int, moment: Moment, calm: Undisturbed) -> None:
    async with a_world() as world:
        crash = a_crash(number, moment)
        world.operator.faults.append(crash)
        await create(world)
        assert (crash.hits, world.operator.records.starts) == (1, 2)
        assert "\n".join(differences(calm.created, world.snapshot())) == ""
        (application,) = next(iter(world.around.porta)).people.applications.values()
        assert application.user_key == await world.key(CONSUMER_KEY)


@pytest.mark.matrix
async def test_a_crash_during_delete_leaves_nothing(number: int, moment: Moment, calm: Undisturbed) -> None:
    async with a_settled_world() as world:
        crash = a_crash(number, moment)
        world.operator.faults.append(crash)
        await delete(world)
        assert (crash.hits, world.operator.records.starts) == (1, 2)
        assert "\n".join(differences(calm.deleted, world.snapshot())) == ""
        assert not list(leftovers(world.objects(), world.around.porta, but="ModelPlatform"))

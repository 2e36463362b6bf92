"""Faults on purpose: whatever is lost, broken or killed, the end is that of the undisturbed run.

The play: an owner is made, edited, loses a child, and is deleted. A fault strikes at one call, by its number.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from maas_operator.domain.kinds import SECRET
from maas_operator.domain.labels import OWNER_UID
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from maas_operator.sandbox.kubeapi.store import EventType
from tests.engine.stage import KEY, OWNER, Stage, toy
from tests.virtual_time import VirtualTimeLoop

Fault: TypeAlias = Callable[[], None]
ACTS = 4


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Play:
    """One run of the play on a stage of its own, with faults at numbered calls."""

    faults: dict[tuple[int, Moment], Fault] = field(default_factory=dict)
    only_writes: bool = True
    act_seconds: float = 60.0
    calls: int = 0
    ends: list[Any] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    prepare: Callable[[Stage], None] = lambda stage: None

    async def run(self) -> Play:
        stage = Stage()
        await stage.set_up()
        self.prepare(stage)
        stage.kubeapi.faults.add(self._strike)
        stage.cluster.subscribe(SECRET, self._note_key)
        await self._act(stage, stage.user.apply(toy(text="a", backends=["x", "y"])))
        await self._act(stage, stage.user.apply(toy(text="b", backends=["x", "y"])))
        await self._act(stage, stage.user.apply(toy(text="b", backends=["x"])))
        await self._act(stage, stage.user.delete(OWNER))
        return self

    async def _act(self, stage: Stage, action: Awaitable[object]) -> None:
        await action
        while not await self._survives(stage):
            pass
        self.ends.append(await _end(stage))

    async def _survives(self, stage: Stage) -> bool:
        alive = True
        try:
            await stage.run(self.act_seconds)
        except* Killed:
            alive = False
        return alive

    async def _strike(self, call: Call) -> None:
        if call.verb is Verb.LIST or (self.only_writes and not call.writes):
            return
        self.calls += call.moment is Moment.BEFORE
        # A call that the API refuses has no moment after it: the fault strikes after the next one.
        due = [key for key in self.faults if key[0] <= self.calls and key[1] is call.moment]
        if due:
            self.faults.pop(due[0])()

    def _note_key(self, type_: EventType, secret: Manifest) -> None:
        if ref_of(secret) == KEY and type_ is not EventType.DELETED:
            self.keys.add(secret["data"]["key"])


async def _end(stage: Stage) -> dict[Ref, Any]:
    """What an act leaves behind, without uids, versions and times."""
    return {ref: _lasting(found) for ref, found in (await stage.snapshot()).items()}


def _lasting(found: Manifest) -> Any:
    metadata = found["metadata"]
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key != OWNER_UID}
    owners = [reference["name"] for reference in metadata.get("ownerReferences", ())]
    status = found.get("status", {})
    conditions = [(one["type"], one["status"], one.get("reason")) for one in status.get("conditions", ())]
    children = sorted((one["kind"], one["name"], one["ready"]) for one in status.get("children") or ())
    content = found["data"].keys() if "data" in found else found["spec"]
    return labels, owners, conditions, children, metadata.get("finalizers"), content


def kill() -> None:
    raise Killed


def answer(status: int, reason: str) -> Fault:
    def fail() -> None:
        raise api.ApiError(status, reason, "on purpose")

    return fail


def play(**setting: Any) -> Play:
    """Run the play in a loop of its own: there are hundreds of them in one test."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(Play(**setting).run())


@pytest.fixture(scope="module")
def undisturbed() -> Play:
    return play()


def sample(size: int, of: int, *, seed: int) -> list[int]:
    """Return some of the numbers from 1: the same ones each time."""
    return sorted(random.Random(seed).sample(range(1, of + 1), size))


def differences(undisturbed: Play, plans: dict[str, dict[str, Any]]) -> list[str]:
    """Run plans; return those with another end, another key or a fault that never struck."""
    return [name for name, plan in plans.items() if not _same_end(undisturbed, play(**plan))]


def _same_end(undisturbed: Play, disturbed: Play) -> bool:
    return (disturbed.ends, len(disturbed.keys), disturbed.faults) == (undisturbed.ends, 1, {})


def test_the_undisturbed_play_ends_ready_and_then_with_nothing(undisturbed: Play) -> None:
    *acts, last = undisturbed.ends
    assert len(acts) == ACTS - 1
    assert [act[OWNER][2] for act in acts] == [[("Ready", "True", "Ready")]] * 3
    assert last == {}
    assert len(undisturbed.keys) == 1
    assert undisturbed.calls > 30


@pytest.mark.parametrize("moment", Moment)
def test_killed_at_any_write_the_end_is_the_same(undisturbed: Play, moment: Moment) -> None:
    plans = {f"kill {moment} {n}": {"faults": {(n, moment): kill}} for n in range(1, undisturbed.calls + 1)}
    assert differences(undisturbed, plans) == []


def test_killed_twice_the_end_is_the_same(undisturbed: Play) -> None:
    moments = itertools.cycle(Moment)
    pairs = [sample(2, undisturbed.calls, seed=seed) for seed in range(12)]
    plans = {f"kill {pair}": {"faults": {(n, next(moments)): kill for n in pair}} for pair in pairs}
    assert differences(undisturbed, plans) == []


ERRORS = [(409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")]


@pytest.mark.parametrize(("status", "reason"), ERRORS)
def test_an_error_instead_of_a_call_changes_nothing_in_the_end(undisturbed: Play, status: int, reason: str) -> None:
    calls = play(only_writes=False).calls
    plans = {
        f"{status} instead of {n}": {"faults": {(n, Moment.BEFORE): answer(status, reason)}, "only_writes": False}
        for n in sample(10, calls, seed=status)
    }
    assert differences(undisturbed, plans) == []


def test_a_lost_answer_to_a_write_changes_nothing_in_the_end(undisturbed: Play) -> None:
    lost = answer(504, "Timeout")
    plans = {f"lost {n}": {"faults": {(n, Moment.AFTER): lost}} for n in sample(15, undisturbed.calls, seed=1)}
    assert differences(undisturbed, plans) == []


def test_a_lost_event_changes_nothing_after_the_next_list(undisturbed: Play) -> None:
    def deaf_to(number: int) -> Callable[[Stage], None]:
        return lambda stage: stage.deaf_to.add(number)

    plans = {f"event {n}": {"prepare": deaf_to(n), "act_seconds": 2500.0} for n in sample(20, 60, seed=1)}
    assert differences(undisturbed, plans) == []


@pytest.mark.parametrize("seconds", [0.5, 5, 20])
def test_events_that_come_late_change_nothing_in_the_end(undisturbed: Play, seconds: float) -> None:
    def slow(stage: Stage) -> None:
        stage.lag_seconds = seconds

    assert differences(undisturbed, {"late": {"prepare": slow, "act_seconds": 300.0}}) == []

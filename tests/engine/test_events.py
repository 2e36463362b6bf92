import asyncio
import logging
from typing import Any

import pytest

from maas_operator.domain.kinds import EVENT, MODEL_PLATFORM, MODEL_SERVICE
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.events import Events, transitions
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call
from tests.engine.stage import HOME, Stage, manifest, toy
from tests.virtual_time import run_for


def condition(status: str, reason: str = "X", *, type_: str = "ModelReady", message: str = "words") -> Manifest:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def kinds(before: list[Manifest], after: list[Manifest]) -> list[str]:
    return [type_ for _, type_ in transitions(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([condition("True")], [condition("True", message="other")], []),
        ([condition("False", "A")], [condition("False", "B")], []),
        ([condition("Unknown")], [condition("False")], []),
        ([condition("True")], [condition("False")], ["Warning"]),
        ([condition("True")], [condition("Unknown")], ["Normal"]),
        ([condition("False")], [condition("True")], ["Normal"]),
        ([], [condition("Unknown")], []),
        ([], [condition("True")], ["Normal"]),
        ([], [condition("False")], []),
        ([], [condition("True", type_="Reconciling")], []),
        ([condition("False", type_="Stalled")], [condition("True", type_="Stalled")], ["Warning"]),
        ([condition("True", type_="Stalled")], [condition("False", type_="Stalled")], ["Normal"]),
        ([condition("True", "A", type_="Stalled")], [condition("True", "B", type_="Stalled")], ["Warning"]),
    ],
)
def test_what_becomes_true_or_was_true_is_told_and_losses_are_warnings(
    before: list[Manifest], after: list[Manifest], told: list[str]
) -> None:
    assert kinds(before, after) == told


async def events(stage: Stage, namespace: str = HOME) -> list[Manifest]:
    return await stage.cluster.list(EVENT, namespace=namespace)


async def tell(stage: Stage, subject: Manifest, before: str, after: str, **more: Any) -> None:
    await Events(stage.cluster).tell_transitions(subject, [condition(before)], [condition(after, **more)], stage.now())


async def test_an_event_says_of_whom_what_and_why(stage: Stage) -> None:
    subject = await stage.user.apply(toy())
    await tell(stage, subject, "True", "False", message="no node has room")
    [event] = await events(stage)
    assert event["note"] == "ModelReady is False: no node has room"
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "X", "Reconcile")
    assert event["regarding"]["uid"] == subject["metadata"]["uid"]
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert "series" not in event


async def test_a_long_note_is_cut_to_the_bytes_that_the_api_takes(stage: Stage) -> None:
    subject = await stage.user.apply(toy())
    await tell(stage, subject, "True", "False", message="ü" * 1024)
    [event] = await events(stage)
    assert len(event["note"].encode()) in (1023, 1024)
    assert event["note"].endswith("ü")


async def test_other_reasons_and_other_objects_have_events_of_their_own(stage: Stage) -> None:
    subject = await stage.user.apply(toy())
    other = await stage.user.apply(manifest(Ref(MODEL_SERVICE, HOME, "other"), spec={}))
    for one in (subject, other):
        for reason in ("A", "B"):
            after = condition("False", reason)
            await Events(stage.cluster).tell_transitions(one, [condition("True")], [after], stage.now())
    assert len({event["metadata"]["name"] for event in await events(stage)}) == 4


async def test_a_new_process_goes_on_with_the_event_of_the_one_before(stage: Stage) -> None:
    async def flip() -> None:
        for number in (1, 2):
            await asyncio.sleep(20)
            await stage.user.apply(toy(text=f"{number}"))

    await stage.user.apply(toy(text="0"))
    await run_for(61, stage.run(60), flip())
    await run_for(61, stage.run(60), flip())
    told = {(event["type"], event["reason"]): event["series"]["count"] for event in await events(stage)}
    assert told == {("Normal", "Ready"): 5, ("Warning", "Waiting"): 4}


async def test_repetitions_count_in_the_series_of_one_event(stage: Stage) -> None:
    subject = await stage.user.apply(toy())
    for message in ("first", "second", "third"):
        await tell(stage, subject, "True", "False", message=message)
    [event] = await events(stage)
    assert event["series"] == {"count": 3, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}
    assert event["note"] == "ModelReady is False: first"


async def test_an_event_costs_one_call_also_when_it_is_repeated(stage: Stage) -> None:
    subject, told = await stage.user.apply(toy()), Events(stage.cluster)
    for message in ("first", "second", "third"):
        await told.tell_transitions(subject, [condition("True")], [condition("False", message=message)], stage.now())
    assert [str(call.verb) for call in stage.calls] == ["apply"] * 3
    [event] = await events(stage)
    assert (event["series"]["count"], event["note"]) == (3, "ModelReady is False: first")


async def test_an_event_that_the_server_has_dropped_begins_anew_with_what_is_true_now(stage: Stage) -> None:
    subject, told = await stage.user.apply(toy()), Events(stage.cluster)
    for message in ("of yesterday", "of today"):
        for old in await events(stage):
            await stage.user.delete(ref_of(old))
        await told.tell_transitions(subject, [condition("True")], [condition("False", message=message)], stage.now())
        await asyncio.sleep(86_400)
    [event] = await events(stage)
    assert event["note"] == "ModelReady is False: of today"
    assert event["eventTime"] == "2026-01-02T00:00:00.000000Z"
    assert "series" not in event


async def test_only_so_many_events_are_remembered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maas_operator.engine.events.REMEMBERED", 1)
    subject, told = await stage.user.apply(toy()), Events(stage.cluster)
    for reason, message in (("A", "first"), ("B", "first"), ("A", "second")):
        now_true = condition("False", reason, message=message)
        await told.tell_transitions(subject, [condition("True")], [now_true], stage.now())
    assert {one["reason"]: one.get("series", {}).get("count") for one in await events(stage)} == {"A": 2, "B": None}


async def test_events_on_cluster_scoped_objects_live_in_the_default_namespace(stage: Stage) -> None:
    subject = await stage.user.apply(manifest(Ref(MODEL_PLATFORM, "", "default"), spec={}))
    await tell(stage, subject, "False", "True")
    [event] = await events(stage, "default")
    assert event["regarding"]["name"] == "default"


async def test_in_a_namespace_that_goes_nobody_misses_an_event(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(call: Call) -> None:
        causes = {"causes": [{"reason": "NamespaceTerminating"}]}
        raise api.ApiError(403, "Forbidden", "it is being terminated", causes)

    subject = await stage.user.apply(toy())
    stage.kubeapi.faults.add(refuse)
    await tell(stage, subject, "True", "False")
    assert caplog.text == ""


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (404, "NotFound"), (409, "Conflict")])
async def test_a_lost_event_is_only_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture, code: int, reason: str
) -> None:
    async def refuse(call: Call) -> None:
        raise api.ApiError(code, reason, "no events for you")

    subject = await stage.user.apply(toy())
    stage.kubeapi.faults.add(refuse)
    with caplog.at_level(logging.WARNING):
        await tell(stage, subject, "True", "False")
    assert "event on ModelService llm/toy is lost" in caplog.text

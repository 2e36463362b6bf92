"""The engine at work on the toy: queue, workers, watches and passes together, in virtual time."""

import asyncio
import itertools
import logging
from typing import Any

import pytest

from maas_operator.domain.kinds import BACKEND, MODEL_SERVICE, PRODUCT
from maas_operator.domain.labels import MANAGED_BY, OPERATOR
from maas_operator.domain.objects import Ref
from maas_operator.engine import engine as engine_module
from maas_operator.engine.applier import Applied
from maas_operator.engine.engine import PASS_SECONDS, WORKERS, PassResult
from maas_operator.engine.relist import INTERVAL_SECONDS
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from tests.engine.stage import BACK, FRONT, GATEWAY, HOME, KEY, OWNER, RUNTIME, Stage, manifest, toy
from tests.virtual_time import now, run_for


async def later(seconds: float, action: Any) -> None:
    await asyncio.sleep(seconds)
    await action


async def test_a_new_owner_becomes_ready_by_itself(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    await stage.run(10)
    assert await stage.ready() == ("True", "Ready")
    assert stage.counts.applied[Applied.CREATED] == 5


async def test_an_owner_made_while_the_engine_runs_is_served_at_once(stage: Stage) -> None:
    made: list[float] = []

    async def note(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY:
            made.append(now())

    stage.kubeapi.faults.add(note)
    await run_for(9, stage.run(8), later(5, stage.user.apply(toy())))
    assert 5 <= made[0] < 5.1


async def test_a_settled_owner_is_looked_at_each_ten_minutes_and_never_written(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    await stage.run(60)
    engine = stage.restart()
    await stage.run(60, engine)
    stage.calls.clear()
    passes = stage.counts.passes["toy", PassResult.DONE]
    engine = stage.restart()
    await stage.run(3500, engine)
    assert [call for call in stage.writes if "apply" not in call] == []
    assert stage.counts.applied[Applied.CHANGED] == 0
    assert passes <= 2
    assert stage.counts.passes["toy", PassResult.DONE] == 6


async def test_a_restart_changes_nothing(stage: Stage) -> None:
    await stage.user.apply(toy(text="a", backends=["x"]))
    await stage.run(30)
    before = await stage.snapshot()
    await stage.run(700)
    assert await stage.snapshot() == before


@pytest.mark.parametrize("ref", [KEY, BACK, RUNTIME, FRONT], ids=str)
async def test_a_deleted_child_is_made_anew(stage: Stage, ref: Ref) -> None:
    await stage.user.apply(toy(text="a"))
    await run_for(21, stage.run(20), later(10, stage.user.delete(ref)))
    assert await stage.find(ref) is not None
    assert await stage.ready() == ("True", "Ready")


@pytest.mark.parametrize("ref", [BACK, RUNTIME, FRONT], ids=str)
async def test_a_changed_child_is_changed_back_within_two_seconds(stage: Stage, ref: Ref) -> None:
    await stage.user.apply(toy(text="a"))
    theirs = manifest(ref, spec={"text": "theirs"})
    await run_for(12.5, stage.run(12), later(10, stage.user.apply(theirs)))
    assert (await stage.cluster.get(ref))["spec"] == {"text": "a"}


async def test_a_child_without_the_labels_that_prove_it_ours_counts_as_foreign(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    await stage.run(10)
    stage.change(RUNTIME, lambda bare: bare["metadata"].pop("labels"))
    await stage.run(10)
    assert await stage.ready() == ("False", "Conflict")


async def test_deleting_an_owner_leaves_nothing(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    await run_for(31, stage.run(30), later(10, stage.user.delete(OWNER)))
    assert await stage.everything() == []
    assert stage.counts.passes["toy", PassResult.GONE] >= 1


async def test_deleting_while_an_owner_is_being_made_leaves_nothing(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    await run_for(31, stage.run(30), later(1.0, stage.user.delete(OWNER)))
    assert await stage.everything() == []


async def test_an_owner_made_anew_under_its_name_gets_children_of_its_own(stage: Stage) -> None:
    async def replace() -> None:
        await asyncio.sleep(10)
        await stage.user.delete(OWNER)
        await asyncio.sleep(5)
        await stage.user.apply(toy(text="b"))

    await stage.user.apply(toy(text="a"))
    await run_for(31, stage.run(30), replace())
    assert await stage.ready() == ("True", "Ready")
    assert (await stage.cluster.get(FRONT))["spec"] == {"text": "b"}


async def test_an_api_that_is_down_is_asked_less_and_less_and_then_all_goes_on(stage: Stage) -> None:
    asked: list[float] = []

    async def down(call: Call) -> None:
        if call.verb is Verb.APPLY and call.moment is Moment.BEFORE:
            asked.append(now())
            if now() < 100:
                raise api.ApiError(503, "ServiceUnavailable", "down")

    await stage.user.apply(toy(text="a"))
    stage.kubeapi.faults.add(down)
    await stage.run(300)
    waits = [round(then - before) for before, then in itertools.pairwise(asked) if before < 100]
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert await stage.ready() == ("True", "Ready")
    assert stage.counts.passes["toy", PassResult.RETRIED] == 7


async def test_the_time_that_the_server_asks_for_is_granted(stage: Stage) -> None:
    asked: list[float] = []

    async def busy(call: Call) -> None:
        if call.verb is Verb.APPLY and call.moment is Moment.BEFORE:
            asked.append(now())
            if len(asked) == 1:
                raise api.ApiError(429, "TooManyRequests", "busy", retry_after=42)

    await stage.user.apply(toy(text="a"))
    stage.kubeapi.faults.add(busy)
    await stage.run(60)
    assert asked[1] - asked[0] >= 42


async def test_a_new_spec_ends_the_back_off(stage: Stage) -> None:
    await stage.user.apply(toy(crash=True))
    await run_for(101, stage.run(100), later(70, stage.user.apply(toy(text="good"))))
    assert stage.counts.passes["toy", PassResult.CRASHED] == 7
    assert await stage.ready() == ("True", "Ready")


async def test_a_crash_is_logged_with_its_trace_and_expected_errors_without(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.user.apply(toy(crash=True))
    with caplog.at_level(logging.INFO):
        await stage.run(0.5)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert "s3cret" not in record.getMessage()


def of_passes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == engine_module.__name__]


async def test_each_pass_that_changes_something_is_one_line_and_the_others_are_none(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await stage.user.apply(toy(text="a"))
    await stage.run(3000)
    made = ["created Secret 3scale/toy.key", "created Backend 3scale/toy", "created ServingRuntime llm/toy"]
    assert of_passes(caplog) == [
        f"{OWNER}: {', '.join([*made, 'Ready is False (Waiting)'])}",
        f"{OWNER}: created Product 3scale/toy",
        f"{OWNER}: created Secret llm/toy-key, Ready is True (Ready)",
    ]
    [first, *_] = [record for record in caplog.records if record.name == engine_module.__name__]
    assert (first.outcome, first.levelno) == (PassResult.DONE, logging.INFO)
    assert first.duration >= 0


async def test_corrections_deletions_and_the_end_are_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await stage.user.apply(toy(text="a", backends=["more"]))
    await stage.run(10)
    engine = stage.restart()

    async def meddle() -> None:
        await asyncio.sleep(10)
        caplog.set_level(logging.INFO)
        await stage.user.apply(manifest(BACK, spec={"text": "theirs"}))
        await asyncio.sleep(10)
        await stage.user.apply(toy(text="a"))
        await asyncio.sleep(10)
        caplog.clear()
        await stage.user.delete(OWNER)

    async def look() -> None:
        await asyncio.sleep(29)
        told = " ".join(of_passes(caplog))
        assert "corrected Backend 3scale/toy" in told
        assert "deleted Backend 3scale/more" in told

    await run_for(61, stage.run(60, engine), meddle(), look())
    assert of_passes(caplog)[-1].endswith(", let go")


async def test_what_a_pass_changed_before_it_failed_is_told_with_the_failure(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY and call.moment is Moment.BEFORE and now() < 1:
            raise api.ApiError(503, "ServiceUnavailable", "down")

    caplog.set_level(logging.INFO)
    await stage.user.apply(toy(text="a"))
    stage.kubeapi.faults.add(fail)
    await stage.run(0.9)
    [line] = of_passes(caplog)
    assert line == (
        f"{OWNER}: Unavailable: Backend 3scale/toy: ServiceUnavailable: down,"
        " after this: created Secret 3scale/toy.key; again in 1 s"
    )


async def test_many_changes_do_not_make_a_long_line(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await stage.user.apply(toy(text="a", backends=[f"back-{number}" for number in range(30)]))
    await stage.run(0.9)
    [line] = of_passes(caplog)
    assert line.endswith("and 14 more")


async def test_an_owner_that_is_only_observed_changes_nothing_in_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await stage.user.apply(toy(text="a", managementPolicy="Observe"))
    await stage.run(10)
    assert not any("created" in line for line in of_passes(caplog))


async def test_poisoned_keys_do_not_delay_the_others(stage: Stage) -> None:
    for number in range(WORKERS + 2):
        poisoned = Ref(MODEL_SERVICE, HOME, f"poisoned-{number}")
        await stage.user.apply(manifest(poisoned, spec={"crash": True}))
    await stage.user.apply(toy(text="a"))
    await stage.run(4)
    assert await stage.ready() == ("True", "Ready")


async def test_a_pass_that_hangs_is_ended_and_tried_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hanging: list[float] = []

    async def hang(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY and not hanging:
            hanging.append(now())
            await asyncio.sleep(1e6)

    await stage.user.apply(toy(text="a"))
    stage.kubeapi.faults.add(hang)
    await stage.run(PASS_SECONDS + 10)
    assert "TimeoutError: the pass took more than 120 s, after this: " in of_passes(caplog)[0]
    assert stage.counts.passes["toy", PassResult.RETRIED] == 1
    assert await stage.ready() == ("True", "Ready")


async def test_an_odd_object_of_somebody_costs_no_watch_and_is_named(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.user.apply(toy(text="a"))
    engine = stage.restart()
    odd = manifest(Ref(PRODUCT, GATEWAY, "odd"), status={"conditions": ["s3cret"]})
    odd["metadata"] |= {"uid": "u1", "resourceVersion": "1"}
    engine.notify(odd)
    await stage.run(10, engine)
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage() == "Product 3scale/odd is not understood: nobody is told of it"
    assert await stage.ready() == ("True", "Ready")


async def test_an_odd_object_in_a_fresh_list_ends_nothing_and_is_named(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def appear() -> None:
        odd = manifest(Ref(PRODUCT, GATEWAY, "odd"), status={"conditions": ["s3cret"]})
        odd["metadata"]["labels"] = {MANAGED_BY: OPERATOR}
        await asyncio.sleep(1)
        for subresource in ("", "status"):
            await stage.user.apply(odd, subresource=subresource)

    stage.gateway_works = False
    stage.deaf.add(PRODUCT)
    await run_for(INTERVAL_SECONDS + 60, stage.run(INTERVAL_SECONDS + 30), appear())
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage() == "Product 3scale/odd is not understood: nobody is told of it"


async def test_what_only_a_fresh_list_tells_as_gone_is_as_forgotten_as_what_a_watch_told(stage: Stage) -> None:
    async def vanish() -> None:
        await asyncio.sleep(60)
        stage.deaf.add(BACKEND)
        await stage.user.apply(toy(text="a", paused=True))
        await asyncio.sleep(60)
        await stage.user.delete(BACK)

    await stage.user.apply(toy(text="a"))
    engine = stage.restart()
    await run_for(INTERVAL_SECONDS + 60, stage.run(INTERVAL_SECONDS + 30, engine), vanish())
    assert stage.counts.ghosts[BACKEND] == 1
    assert BACK not in engine._applier._memos


async def test_an_end_in_the_midst_of_a_pass_is_no_failure(stage: Stage) -> None:
    async def hang(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY:
            await asyncio.sleep(1e6)

    await stage.user.apply(toy(text="a"))
    stage.kubeapi.faults.add(hang)
    await stage.run(10)
    assert (stage.counts.passes, stage.counts.errors) == ({}, {})


async def test_a_cancellation_that_nobody_asked_for_costs_no_worker(stage: Stage) -> None:
    async def break_off(call: Call) -> None:
        if call.name.startswith("other"):
            raise asyncio.CancelledError

    for number in range(2 * WORKERS):
        await stage.user.apply(manifest(Ref(MODEL_SERVICE, HOME, f"other-{number}"), spec={}))
    stage.kubeapi.faults.add(break_off)
    await run_for(61, stage.run(60), later(30, stage.user.apply(toy(text="a"))))
    assert await stage.ready() == ("True", "Ready")
    assert stage.counts.errors["InternalError"] > WORKERS


async def test_a_foreign_object_is_waited_out(stage: Stage) -> None:
    await stage.user.apply(manifest(BACK, spec={"theirs": True}))
    await stage.user.apply(toy(text="a"))
    await run_for(101, stage.run(100), later(10, stage.user.delete(BACK)))
    assert await stage.ready() == ("True", "Ready")


async def test_while_a_child_is_refused_there_is_a_pass_a_minute(stage: Stage) -> None:
    await stage.user.apply(manifest(BACK, spec={"theirs": True}))
    await stage.user.apply(toy(text="a"))
    await stage.run(600)
    assert stage.counts.passes["toy", PassResult.DONE] <= 13


async def test_a_hidden_deletion_is_found_by_the_next_list(stage: Stage) -> None:
    async def delete_unheard() -> None:
        await asyncio.sleep(30)
        stage.deaf = {PRODUCT}
        await stage.user.delete(FRONT)

    await stage.user.apply(toy(text="a"))
    await run_for(2001, stage.run(2000), delete_unheard())
    assert await stage.find(FRONT) is not None
    assert stage.counts.ghosts[PRODUCT] == 1


async def test_a_watch_that_begins_anew_has_its_kind_listed(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    engine = stage.restart()

    async def interrupt() -> None:
        await asyncio.sleep(30)
        stage.deaf = {PRODUCT}
        await stage.user.delete(FRONT)
        await stage.user.apply(manifest(Ref(PRODUCT, GATEWAY, "other"), spec={}))
        engine.notify(stage.cache.of_kind(PRODUCT)[0], listed=True)
        stage.deaf = set()

    await run_for(61, stage.run(60, engine), interrupt())
    assert await stage.find(FRONT) is not None
    assert stage.counts.lists == {PRODUCT: 1}


async def test_secrets_are_never_listed_though_their_watch_begins_anew(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    engine = stage.restart()

    async def interrupt() -> None:
        await asyncio.sleep(30)
        for _ in range(2):
            engine.notify(await stage.cluster.get(KEY), listed=True)

    await run_for(61, stage.run(60, engine), interrupt())
    assert stage.cache.get(KEY) is not None
    assert stage.counts.lists == {}


async def test_a_creation_costs_few_writes(stage: Stage) -> None:
    await stage.user.apply(toy(text="a"))
    await stage.run(60)
    children, status, hold = 5, 6, 1
    assert len(stage.writes) <= children + status + hold


async def test_the_errors_of_passes_are_named_by_their_types(stage: Stage) -> None:
    failures = iter([api.ApiError(503, "ServiceUnavailable", "down"), api.ApiError(503, "ServiceUnavailable", "down")])

    async def fail(call: Call) -> None:
        if call.verb is Verb.APPLY and call.moment is Moment.BEFORE and (failure := next(failures, None)):
            raise failure

    await stage.user.apply(toy())
    stage.kubeapi.faults.add(fail)
    await run_for(31, stage.run(30), later(20, stage.user.apply(toy(crash=True))))
    assert stage.counts.errors == {"Unavailable": 2, "InternalError": 4}


async def test_from_a_new_spec_to_ready_is_measured_once_for_each_spec(stage: Stage) -> None:
    async def edit() -> None:
        await asyncio.sleep(100)
        await stage.user.apply(toy(text="b"))
        await asyncio.sleep(100)
        stage.gateway_works = False
        await stage.user.apply(toy(text="c"))
        await asyncio.sleep(30)
        await stage.user.apply(toy(text="d"))
        await asyncio.sleep(40)
        stage.gateway_works = True
        stage.sync(BACK)

    await stage.user.apply(toy(text="a"))
    await run_for(1501, stage.run(1500), edit())
    assert await stage.ready() == ("True", "Ready")
    assert stage.counts.ready_after == [2, 2, 41]


async def test_of_an_owner_that_goes_before_it_is_ready_nothing_is_measured(stage: Stage) -> None:
    stage.gateway_works = False
    await stage.user.apply(toy(text="a"))
    await run_for(61, stage.run(60), later(10, stage.user.delete(OWNER)))
    assert stage.counts.ready_after == []
    assert stage.counts.waits


async def test_of_an_object_that_somebody_deletes_nothing_is_remembered(stage: Stage) -> None:
    engine = stage.restart()

    async def clear_away() -> None:
        await asyncio.sleep(10)
        await stage.user.apply(toy(text="a", paused=True))
        await asyncio.sleep(10)
        assert RUNTIME in engine._applier._memos
        await stage.user.delete(RUNTIME)

    await stage.user.apply(toy(text="a"))
    await run_for(31, stage.run(30, engine), clear_away())
    assert RUNTIME not in engine._applier._memos
    assert BACK in engine._applier._memos

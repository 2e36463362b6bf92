"""Single passes over the toy, without queue and workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from maas_operator.domain.decision import Decision
from maas_operator.domain.kinds import BACKEND, EVENT, MODEL_SERVICE
from maas_operator.domain.labels import FINALIZER
from maas_operator.domain.objects import Ref
from maas_operator.engine.applier import Applied, Applier
from maas_operator.engine.cache import Cache
from maas_operator.engine.controller import (
    GOING_SECONDS,
    REFUSED_SECONDS,
    RESYNC_SECONDS,
    Behaviour,
    Controller,
    Tools,
)
from maas_operator.engine.errors import Conflict, InvalidSpec, Rejected, Unavailable
from maas_operator.engine.events import Events
from maas_operator.engine.informer import Informer
from maas_operator.engine.pruner import Pruner
from maas_operator.engine.queue import WorkQueue
from maas_operator.engine.status import APPLIED_HASH
from maas_operator.engine.triggers import references
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from tests.engine.stage import (
    BACK,
    COPY,
    FRONT,
    GATEWAY,
    HOME,
    KEY,
    OWNER,
    RUNTIME,
    Counts,
    Stage,
    ToyWorld,
    decide,
    manifest,
    toy,
)

Decide = Callable[[ToyWorld], Decision]


class Bench:
    """A controller whose cache is told everything before each pass."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.decide: Decide = decide
        self.restart()

    def restart(self) -> None:
        self.counts = Counts()
        self.cache = Cache(references)
        self.queue: WorkQueue[Ref] = WorkQueue(lambda: 0.5)
        self.informer = Informer(self.cache, self.queue)
        learn, cluster = self.informer.learn, self.stage.cluster
        applier = Applier(cluster, self.cache, learn)
        tools = Tools(
            cluster, self.cache, learn, applier, Pruner(cluster), Events(cluster), self.counts, self.stage.now
        )
        behaviour = Behaviour(MODEL_SERVICE, self.stage.gather, lambda world: self.decide(world))
        self.controller = Controller(behaviour, tools)

    async def see(self) -> None:
        for ref in (OWNER, BACK, FRONT, RUNTIME):
            found = await self.stage.find(ref)
            if found is not None:
                self.cache.put(found)
        self.stage.calls.clear()

    async def reconcile(self) -> float | None:
        await self.see()
        return await self.controller.reconcile(OWNER)

    async def settle(self) -> None:
        for _ in range(3):
            await self.reconcile()
            for ref in (BACK, FRONT):
                self.stage.sync(ref)
        await self.reconcile()

    def calls(self, verb: Verb) -> list[str]:
        return [call.kind for call in self.stage.calls if call.verb is verb]


@pytest.fixture
async def bench(stage: Stage) -> Bench:
    stage.gateway_works = False
    await stage.user.apply(toy(text="a"))
    return Bench(stage)


def no_children(world: ToyWorld) -> Decision:
    return replace(decide(world), children=())


async def test_the_first_pass_holds_the_owner_then_names_the_children_and_then_makes_them(bench: Bench) -> None:
    await bench.reconcile()
    assert bench.stage.writes == [
        "apply ModelService toy",
        "apply ModelService toy status",
        "apply Secret toy.key",
        "apply Backend toy",
        "apply ServingRuntime toy",
        "apply ModelService toy status",
    ]
    owner = await bench.stage.owner()
    assert owner["metadata"]["finalizers"] == [FINALIZER]
    assert [entry["ready"] for entry in owner["status"]["children"]] == [True, False, True]


async def test_one_pass_goes_as_far_as_the_answers_allow(bench: Bench) -> None:
    await bench.reconcile()
    bench.stage.sync(BACK)
    await bench.reconcile()
    assert bench.calls(Verb.APPLY) == ["ModelService", "Product", "ModelService"]
    bench.stage.sync(FRONT)
    await bench.reconcile()
    assert bench.calls(Verb.APPLY) == ["ModelService", "Secret", "ModelService", "Event"]
    assert await bench.stage.ready() == ("True", "Ready")


async def test_a_settled_owner_costs_no_write_and_no_look_at_what_is_watched(bench: Bench) -> None:
    await bench.settle()
    assert await bench.reconcile() == RESYNC_SECONDS
    assert {call.kind for call in bench.stage.calls} == {"Secret"}
    assert bench.stage.writes == []


async def test_after_a_restart_a_settled_owner_costs_no_write(bench: Bench) -> None:
    await bench.settle()
    before = await bench.stage.snapshot()
    bench.restart()
    await bench.reconcile()
    assert set(bench.counts.applied) == {Applied.SKIPPED}
    assert bench.stage.writes == []
    assert await bench.stage.snapshot() == before


async def test_an_owner_that_is_not_cached_is_read(bench: Bench) -> None:
    assert await bench.controller.reconcile(OWNER) == RESYNC_SECONDS
    assert await bench.stage.find(BACK) is not None


async def test_an_owner_that_never_was_is_forgotten(bench: Bench) -> None:
    assert await bench.controller.reconcile(Ref(MODEL_SERVICE, "llm", "nobody")) is None


async def test_a_ghost_writes_nothing_and_is_let_be(bench: Bench) -> None:
    await bench.see()
    await bench.stage.user.delete(OWNER)
    assert await bench.controller.reconcile(OWNER) is None
    assert bench.stage.writes == []


async def test_a_stale_owner_writes_nothing_and_the_live_one_does(bench: Bench) -> None:
    await bench.see()
    await bench.stage.user.apply(toy(text="b"))
    await bench.controller.reconcile(OWNER)
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "b"}
    assert bench.counts.applied == {Applied.CREATED: 3}


async def test_an_owner_that_changes_during_its_pass_gets_no_status_of_what_it_was(bench: Bench) -> None:
    async def edit(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY and call.moment is Moment.AFTER:
            await bench.stage.user.apply(toy(text="b"))

    stop = bench.stage.kubeapi.faults.add(edit)
    with pytest.raises(Conflict):
        await bench.reconcile()
    stop()
    assert "conditions" not in (await bench.stage.owner())["status"]
    await bench.reconcile()
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "b"}
    assert (await bench.stage.owner())["status"]["observedGeneration"] == 2


async def told_as_written(bench: Bench) -> set[str]:
    children = (await bench.stage.owner())["status"]["children"]
    return {entry["kind"] for entry in children if APPLIED_HASH in entry}


async def test_what_a_pass_dies_over_is_not_told_as_written(bench: Bench) -> None:
    async def die(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY and call.moment is Moment.AFTER:
            raise api.internal("the process is no more")

    await bench.settle()
    assert await told_as_written(bench) == {"Secret", "Backend", "ServingRuntime", "Product"}
    await bench.stage.user.apply(toy(text="b"))
    stop = bench.stage.kubeapi.faults.add(die)
    with pytest.raises(Unavailable):
        await bench.reconcile()
    stop()
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "b"}
    assert await told_as_written(bench) == set()


async def test_an_edit_costs_one_more_status_than_it_says(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.user.apply(toy(text="b"))
    await bench.reconcile()
    first = ["apply ModelService toy status", "apply Backend toy", "apply ServingRuntime toy"]
    assert bench.stage.writes[:3] == first
    assert bench.stage.writes.count("apply ModelService toy status") == 2
    assert await told_as_written(bench) == {"Secret", "Backend", "ServingRuntime"}


async def test_after_a_restart_only_what_differs_is_written(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.user.apply(manifest(RUNTIME, spec={"text": "theirs"}))
    bench.restart()
    await bench.reconcile()
    written = [call.kind for call in bench.stage.calls if call.verb is Verb.APPLY]
    assert written == ["ModelService", "ServingRuntime", "ModelService"]


@pytest.mark.parametrize("gone", [False, True])
async def test_an_owner_that_changes_before_an_edit_is_written_has_nothing_written_for_it(
    bench: Bench, gone: bool
) -> None:
    async def change(call: Call) -> None:
        if call.kind == MODEL_SERVICE.name and call.subresource == "status" and call.moment is Moment.BEFORE:
            stop()
            await (bench.stage.user.delete(OWNER) if gone else bench.stage.user.apply(toy(text="c")))

    await bench.settle()
    await bench.stage.user.apply(toy(text="b"))
    stop = bench.stage.kubeapi.faults.add(change)
    await bench.reconcile()
    assert (await bench.stage.find(BACK) or {}).get("spec") == (None if gone else {"text": "c"})


async def test_what_can_not_be_told_first_is_not_written(bench: Bench) -> None:
    async def refuse(call: Call) -> None:
        if call.kind == MODEL_SERVICE.name and call.subresource == "status":
            raise api.ApiError(409, "Conflict", "busy")

    await bench.settle()
    await bench.stage.user.apply(toy(text="b"))
    bench.stage.kubeapi.faults.add(refuse)
    with pytest.raises(Conflict):
        await bench.reconcile()
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "a"}


async def test_a_child_that_is_not_wanted_any_more_goes(bench: Bench) -> None:
    extra = Ref(BACKEND, GATEWAY, "extra")
    await bench.stage.user.apply(toy(backends=["extra"]))
    await bench.reconcile()
    assert await bench.stage.find(extra) is not None
    await bench.stage.user.apply(toy(backends=[]))
    await bench.reconcile()
    assert await bench.stage.find(extra) is None
    assert "extra" not in str((await bench.stage.owner())["status"])


async def test_a_child_that_only_the_inventory_remembers_goes_too(bench: Bench) -> None:
    await bench.settle()
    bench.restart()
    bench.decide = no_children
    await bench.see()
    for ref in (BACK, FRONT, RUNTIME):
        bench.cache.remove(bench.cache.get(ref) or {})
    await bench.controller.reconcile(OWNER)
    assert [await bench.stage.find(ref) for ref in (KEY, BACK, FRONT, RUNTIME, COPY)] == [None] * 5


async def test_what_is_kept_is_neither_written_nor_deleted(bench: Bench) -> None:
    await bench.settle()
    bench.decide = lambda world: replace(no_children(world), keep=frozenset({BACK, FRONT}))
    await bench.reconcile()
    assert sorted(bench.calls(Verb.DELETE)) == ["Secret", "Secret", "ServingRuntime"]
    assert await bench.stage.find(FRONT) is not None
    assert len((await bench.stage.owner())["status"]["children"]) == 2


async def test_a_paused_owner_leaves_all_as_it_is(bench: Bench) -> None:
    await bench.settle()
    before = (await bench.stage.owner())["status"]["children"]
    await bench.stage.user.apply(toy(paused=True))
    await bench.reconcile()
    assert bench.calls(Verb.DELETE) == []
    assert (await bench.stage.owner())["status"]["children"] == before


async def test_shared_objects_are_dropped_by_the_uid_of_their_true_owner(bench: Bench) -> None:
    shared = Ref(BACKEND, GATEWAY, "shared")

    def sharing(world: ToyWorld) -> Decision:
        child = manifest(shared, spec={})
        child["metadata"]["labels"] = {"maas-operator.io/owner-uid": "of-the-namespace"}
        return replace(decide(world), children=(child,))

    bench.decide = sharing
    await bench.reconcile()
    bench.decide = no_children
    await bench.reconcile()
    assert await bench.stage.find(shared) is not None
    bench.decide = lambda world: replace(no_children(world), drop={shared: "of-the-namespace"})
    await bench.reconcile()
    assert await bench.stage.find(shared) is None


async def test_a_refused_child_is_told_and_tried_again_each_minute(bench: Bench) -> None:
    await bench.stage.user.apply(manifest(BACK, spec={"theirs": True}))
    assert await bench.reconcile() == REFUSED_SECONDS
    assert await bench.stage.ready() == ("False", "Conflict")
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"theirs": True}
    await bench.stage.user.delete(BACK)
    await bench.reconcile()
    assert await bench.stage.ready() == ("False", "Waiting")


async def test_the_decision_may_ask_to_be_woken(bench: Bench) -> None:
    bench.decide = lambda world: replace(decide(world), wake_after=timedelta(seconds=7))
    assert await bench.reconcile() == 7


async def test_deleting_takes_the_children_in_order_and_lets_go_of_the_owner_last(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() is None
    assert bench.stage.writes[-1] == "apply ModelService toy"
    assert bench.calls(Verb.DELETE).index("Product") < bench.calls(Verb.DELETE).index("Backend")
    assert await bench.stage.everything() == []


async def test_a_child_that_does_not_go_is_named_and_holds_the_owner(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.hold(FRONT)
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() == GOING_SECONDS
    owner = await bench.stage.owner()
    [ready] = owner["status"]["conditions"]
    assert ready["reason"] == "Deleting"
    assert "Product 3scale/toy" in ready["message"]
    assert [entry["reason"] for entry in owner["status"]["children"]] == ["Deleting", "Deleting"]
    await bench.stage.let_go(FRONT)
    assert await bench.reconcile() is None
    assert await bench.stage.everything() == []


async def test_an_owner_is_held_while_its_deletion_is_refused(bench: Bench) -> None:
    async def refuse(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.GET:
            raise api.ApiError(403, "Forbidden", "no")

    await bench.settle()
    await bench.stage.user.delete(OWNER)
    await bench.see()
    stop = bench.stage.kubeapi.faults.add(refuse)
    assert await bench.controller.reconcile(OWNER) == GOING_SECONDS
    stop()
    assert await bench.reconcile() is None


async def test_an_owner_that_is_forced_goes_at_once_and_names_what_it_leaves(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.hold(FRONT)
    bench.decide = lambda world: replace(decide(world), forced=world.deleting, releasable=False)
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() is None
    assert await bench.stage.find(OWNER) is None
    left = await bench.stage.cluster.get(FRONT)
    assert "deletionTimestamp" in left["metadata"]
    assert await bench.stage.find(BACK) is None
    (event,) = [one for one in await bench.stage.cluster.list(EVENT) if one["reason"] == "DeletionForced"]
    assert event["note"].endswith("these are left: Product 3scale/toy")


async def test_an_owner_that_is_forced_names_what_is_out_of_reach(bench: Bench) -> None:
    await bench.settle()
    bench.decide = lambda world: replace(decide(world), forced=world.deleting, namespaces=frozenset({HOME}))
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() is None
    (event,) = [one for one in await bench.stage.cluster.list(EVENT) if one["reason"] == "DeletionForced"]
    assert "Backend 3scale/toy" in event["note"]
    assert await bench.stage.find(BACK) is not None


async def test_an_owner_that_is_forced_and_leaves_nothing_says_nothing(bench: Bench) -> None:
    await bench.settle()
    bench.decide = lambda world: replace(decide(world), forced=world.deleting)
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() is None
    assert not [one for one in await bench.stage.cluster.list(EVENT) if one["reason"] == "DeletionForced"]


async def test_an_owner_may_be_held_without_children(bench: Bench) -> None:
    bench.decide = lambda world: replace(no_children(world), releasable=False)
    await bench.reconcile()
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() == RESYNC_SECONDS
    bench.decide = no_children
    assert await bench.reconcile() is None
    assert await bench.stage.find(OWNER) is None


async def test_an_owner_is_not_let_go_by_a_decision_that_prunes_nothing(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.user.delete(OWNER)
    bench.decide = lambda world: replace(decide(world), prune=False)
    assert await bench.reconcile() is not None
    assert await bench.stage.find(FRONT) is not None


async def test_an_owner_that_others_hold_is_none_of_our_business(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.hold(OWNER)
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() is None
    assert await bench.reconcile() is None
    assert bench.stage.writes == []
    assert FINALIZER not in (await bench.stage.owner())["metadata"]["finalizers"]


@pytest.mark.parametrize("held", [False, True])
async def test_an_owner_that_was_brought_back_from_a_copy_is_let_go_although_somebody_wrote_our_finalizer(
    bench: Bench, held: bool
) -> None:
    copy = toy()
    copy["metadata"]["finalizers"] = [FINALIZER]
    await bench.stage.user.apply(copy, manager="kubectl-create")
    await bench.settle()
    if held:
        await bench.stage.hold(OWNER)
    await bench.stage.user.delete(OWNER)
    assert await bench.reconcile() is None
    left = await bench.stage.find(OWNER)
    assert (left["metadata"]["finalizers"] if left else []) == ["example.com/hold"] * held


async def test_where_an_older_server_says_null_the_owner_has_no_finalizer(bench: Bench) -> None:
    await bench.settle()
    known = bench.cache.get(OWNER) or {}
    going = {"finalizers": None, "deletionTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "999999"}
    bench.cache.put(known | {"metadata": known["metadata"] | going})
    assert await bench.reconcile() is None


async def test_a_child_under_deletion_is_waited_for_and_made_anew(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.hold(FRONT)
    await bench.stage.user.delete(FRONT)
    assert await bench.reconcile() == GOING_SECONDS
    assert await bench.stage.ready() == ("False", "Waiting")
    await bench.stage.let_go(FRONT)
    bench.cache.remove(bench.cache.get(FRONT) or {})
    await bench.reconcile()
    assert await bench.stage.find(FRONT) is not None


async def test_a_crash_is_told_without_its_words_and_once(bench: Bench) -> None:
    await bench.settle()
    await bench.stage.user.apply(toy(crash=True))
    with pytest.raises(ValueError, match="s3cret"):
        await bench.reconcile()
    owner = await bench.stage.owner()
    told = {one["type"]: (one["status"], one["reason"]) for one in owner["status"]["conditions"]}
    assert told == {"Ready": ("False", "InternalError"), "Stalled": ("True", "InternalError")}
    assert owner["status"]["observedGeneration"] == 2
    assert owner["status"]["children"]
    assert "ValueError" in str(owner["status"])
    assert "s3cret" not in str(owner)
    with pytest.raises(ValueError, match="s3cret"):
        await bench.reconcile()
    assert bench.stage.writes == []


async def test_what_a_crash_told_is_taken_back_by_the_next_good_pass(bench: Bench) -> None:
    await bench.stage.user.apply(toy(crash=True))
    with pytest.raises(ValueError, match="s3cret"):
        await bench.reconcile()
    await bench.stage.user.apply(toy(crash=False))
    await bench.reconcile()
    assert [one["type"] for one in (await bench.stage.owner())["status"]["conditions"]] == ["Ready"]


async def test_a_crash_over_an_owner_that_is_gone_tells_nobody(bench: Bench) -> None:
    def vanish(world: ToyWorld) -> Decision:
        bench.stage.erase(OWNER)
        raise ValueError("gone")

    bench.decide = vanish
    with pytest.raises(ValueError, match="gone"):
        await bench.reconcile()
    assert await bench.stage.find(OWNER) is None


async def test_a_crash_that_can_not_be_told_is_still_the_crash(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(call: Call) -> None:
        if call.subresource == "status":
            raise api.ApiError(503, "ServiceUnavailable", "busy")

    await bench.stage.user.apply(toy(crash=True))
    bench.stage.kubeapi.faults.add(refuse)
    with pytest.raises(ValueError, match="s3cret"):
        await bench.reconcile()
    assert "the failure can not be told" in caplog.text


async def test_an_owner_that_can_not_be_read_is_told_why(bench: Bench) -> None:
    def unreadable(world: ToyWorld) -> Decision:
        raise InvalidSpec(OWNER, "spec.text: too short")

    bench.decide = unreadable
    with pytest.raises(InvalidSpec):
        await bench.reconcile()
    assert await bench.stage.ready() == ("False", "InvalidSpec")


async def test_a_failure_that_stalls_an_owner_is_an_event_once(bench: Bench) -> None:
    def unreadable(world: ToyWorld) -> Decision:
        raise InvalidSpec(OWNER, "spec.text: too short")

    bench.decide = unreadable
    for _ in range(2):
        with pytest.raises(InvalidSpec):
            await bench.reconcile()
    [event] = await bench.stage.cluster.list(EVENT, namespace=HOME)
    assert (event["type"], event["reason"]) == ("Warning", "InvalidSpec")
    assert "spec.text: too short" in event["note"]
    assert "series" not in event


async def test_a_decision_that_never_settles_is_a_crash(bench: Bench) -> None:
    asked: list[int] = []

    def fickle(world: ToyWorld) -> Decision:
        asked.append(1)
        return replace(decide(world), children=(manifest(BACK, spec={"text": str(len(asked))}),))

    bench.decide = fickle
    with pytest.raises(RuntimeError, match="does not settle"):
        await bench.reconcile()


async def test_a_busy_api_ends_the_pass_and_says_nothing(bench: Bench) -> None:
    async def busy(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY:
            raise api.ApiError(503, "ServiceUnavailable", "busy")

    bench.stage.kubeapi.faults.add(busy)
    with pytest.raises(Unavailable):
        await bench.reconcile()
    assert "conditions" not in (await bench.stage.owner())["status"]


async def test_the_status_of_a_successor_is_not_written(bench: Bench) -> None:
    async def replace_owner(call: Call) -> None:
        if call.kind == BACKEND.name and call.verb is Verb.APPLY and call.moment is Moment.AFTER:
            bench.stage.erase(OWNER)
            await bench.stage.user.apply(toy(text="successor"))

    bench.stage.kubeapi.faults.add(replace_owner)
    with pytest.raises((Conflict, Rejected)):
        await bench.reconcile()
    assert "status" not in await bench.stage.owner()


async def test_an_observed_owner_gets_a_status_and_nothing_else(bench: Bench) -> None:
    seen: list[ToyWorld] = []

    def watched(world: ToyWorld) -> Decision:
        seen.append(world)
        return decide(world)

    await bench.stage.user.apply(toy(managementPolicy="Observe", backends=["more"]))
    bench.decide = watched
    bench.stage.calls.clear()
    assert await bench.reconcile() == RESYNC_SECONDS
    assert bench.stage.writes == ["apply ModelService toy status"]
    owner = await bench.stage.owner()
    assert "finalizers" not in owner["metadata"]
    assert "children" not in owner["status"]
    last = seen[-1]
    assert [world.rehearsed for world in seen] == [True] * (len(seen) - 1) + [False]
    assert [str(write.ref) for write in last.pending] == [
        str(ref) for ref in (KEY, BACK, Ref(BACKEND, GATEWAY, "more"), RUNTIME)
    ]
    assert last.children.live == {}


async def test_an_owner_that_is_observed_later_keeps_its_inventory_and_what_is_not_wanted_any_more(
    bench: Bench,
) -> None:
    await bench.stage.user.apply(toy(backends=["more"]))
    await bench.reconcile()
    before = {entry["name"] for entry in (await bench.stage.owner())["status"]["children"]}
    await bench.stage.user.apply(toy(managementPolicy="Observe", text="new"))
    bench.stage.calls.clear()
    await bench.reconcile()
    assert bench.stage.writes == ["apply ModelService toy status"]
    assert {entry["name"] for entry in (await bench.stage.owner())["status"]["children"]} == before
    assert await bench.stage.find(Ref(BACKEND, GATEWAY, "more"))
    bench.stage.calls.clear()
    await bench.reconcile()
    assert bench.stage.writes == []


async def test_what_an_observed_owner_could_not_have_written_is_tried_again_sooner(bench: Bench) -> None:
    async def refuse(call: Call) -> None:
        if call.verb is Verb.APPLY and call.kind == BACKEND.name:
            raise api.bad_request("no")

    bench.stage.kubeapi.faults.add(refuse)
    await bench.stage.user.apply(toy(managementPolicy="Observe"))
    assert await bench.reconcile() == REFUSED_SECONDS
    assert await bench.stage.ready() == ("False", "Rejected")
    assert not (await bench.stage.find(KEY))


async def test_an_observed_owner_is_deleted_as_any_other(bench: Bench) -> None:
    await bench.stage.user.apply(toy(text="a"))
    await bench.reconcile()
    await bench.stage.user.apply(toy(managementPolicy="Observe"))
    await bench.reconcile()
    await bench.stage.user.delete(OWNER)
    await bench.reconcile()
    assert await bench.stage.find(OWNER) is None
    assert await bench.stage.find(BACK) is None


async def test_a_rehearsal_in_which_every_pass_deletes_more_is_given_up(bench: Bench) -> None:
    names = [f"b{number:02}" for number in range(35)]

    def receding(world: ToyWorld) -> Decision:
        left = [Ref(BACKEND, GATEWAY, name) for name in names[len(world.gone) + 1 :]]
        return replace(decide(world), children=(), keep=frozenset([KEY, BACK, RUNTIME, *left]))

    await bench.stage.user.apply(toy(text="a", backends=names))
    await bench.reconcile()
    await bench.stage.user.apply(toy(managementPolicy="Observe"))
    bench.decide = receding
    with pytest.raises(RuntimeError, match="the rehearsal of ModelService llm/toy does not settle"):
        await bench.reconcile()
    assert await bench.stage.find(Ref(BACKEND, GATEWAY, "b00"))

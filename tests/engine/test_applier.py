import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from maas_operator.domain import labels
from maas_operator.domain.kinds import (
    BACKEND,
    CUSTOM_RESOURCE_DEFINITION,
    MODEL_SERVICE,
    NAMESPACE,
    SECRET,
    SERVING_RUNTIME,
)
from maas_operator.domain.objects import Manifest, Ref, RefusalReason, ref_of
from maas_operator.engine.applier import CORRECTIONS, CORRECTIONS_WINDOW_SECONDS, Applied, Applier, Outcome, adopted
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import Conflict, Unavailable
from maas_operator.engine.status import APPLIED_HASH
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from tests.engine.stage import BACK, GATEWAY, HOME, KEY, OWNER, RUNTIME, Stage, manifest, secret, toy


class Bench:
    """One applier for one owner, with what its watches would tell."""

    def __init__(self, stage: Stage, owner: Manifest) -> None:
        self.stage = stage
        self.owner = owner
        self.cache = Cache()
        self.guarded = 0
        self.restart()

    def restart(self, *, believes: bool = True) -> None:
        self.applier = Applier(self.stage.cluster, self.cache, self._learn, believes=believes)
        self.stage.calls.clear()

    async def written(self, child: Manifest) -> None:
        """Have it written by a process that is no more, and the inventory tell of it."""
        outcome = await self.apply(child)
        assert outcome.live is not None
        ref = ref_of(child)
        entry = {"apiVersion": child["apiVersion"], "kind": child["kind"], "namespace": ref.namespace, "name": ref.name}
        told = {"uid": outcome.live["metadata"]["uid"], APPLIED_HASH: outcome.hash}
        self.owner = self.owner | {"status": {"children": [entry | told]}}
        self.restart()

    async def apply(self, child: Manifest) -> Outcome:
        return await self.applier.apply(self.owner, child, self._guard)

    async def see(self, ref: Ref) -> Manifest:
        """Tell the cache what a watch would tell."""
        found = await self.stage.cluster.get(ref)
        self.cache.put(found)
        return found

    def _learn(self, found: Manifest, by: Ref) -> None:
        assert by == OWNER
        self.cache.put(found)

    async def _guard(self) -> None:
        self.guarded += 1


@pytest.fixture
async def bench(stage: Stage) -> Bench:
    stage.gateway_works = False
    owner = await stage.user.apply(toy())
    return Bench(stage, owner)


def backend(text: str = "a") -> Manifest:
    return manifest(BACK, spec={"text": text})


def marked(mark: str) -> Manifest:
    child = backend()
    return child | {"metadata": {**child["metadata"], "annotations": {labels.CORRECTED_AT: mark}}}


@contextmanager
def failing(stage: Stage, error: Exception, verb: Verb = Verb.APPLY, moment: Moment = Moment.BEFORE) -> Iterator[None]:
    async def fail(call: Call) -> None:
        if (call.verb, call.moment) == (verb, moment):
            raise error

    stop = stage.kubeapi.faults.add(fail)
    yield
    stop()


def verbs(stage: Stage) -> list[str]:
    found = [str(call.verb) for call in stage.calls]
    stage.calls.clear()
    return found


async def test_a_new_child_is_looked_for_and_then_made_with_our_labels(bench: Bench) -> None:
    outcome = await bench.apply(backend())
    assert outcome.applied is Applied.CREATED
    assert verbs(bench.stage) == ["get", "apply"]
    assert outcome.live is not None
    assert labels.is_owned_by(outcome.live, bench.owner["metadata"]["uid"])
    assert outcome.live == bench.cache.get(BACK)
    assert "managedFields" not in outcome.live["metadata"]


async def test_a_child_that_is_as_wanted_costs_no_call(bench: Bench) -> None:
    first = await bench.apply(backend())
    verbs(bench.stage)
    assert await bench.apply(backend()) == Outcome(Applied.SKIPPED, first.live, hash=first.hash)
    assert verbs(bench.stage) == []
    assert bench.guarded == 1


async def test_the_progress_of_a_child_is_no_reason_to_write_it(bench: Bench) -> None:
    await bench.apply(backend())
    bench.stage.sync(BACK)
    seen = await bench.see(BACK)
    verbs(bench.stage)
    outcome = await bench.apply(backend())
    assert outcome.applied is Applied.SKIPPED
    assert outcome.live is not None
    assert outcome.live["status"] == seen["status"]
    assert verbs(bench.stage) == []


async def test_a_changed_wish_is_written_by_one_call(bench: Bench) -> None:
    await bench.apply(backend())
    verbs(bench.stage)
    outcome = await bench.apply(backend("b"))
    assert outcome.applied is Applied.CHANGED
    assert outcome.live is not None
    assert outcome.live["spec"] == {"text": "b"}
    assert verbs(bench.stage) == ["apply"]


async def test_what_somebody_else_changed_is_changed_back(bench: Bench) -> None:
    await bench.apply(backend())
    await bench.stage.user.apply(backend("theirs"))
    await bench.see(BACK)
    outcome = await bench.apply(backend())
    assert outcome.applied is Applied.CORRECTED
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "a"}


async def test_what_another_spec_changes_is_no_correction(bench: Bench) -> None:
    await bench.apply(backend("a"))
    assert (await bench.apply(backend("b"))).applied is Applied.CHANGED
    assert (await bench.apply(backend("a"))).applied is Applied.CHANGED


async def test_what_another_process_did_is_no_correction(bench: Bench) -> None:
    await bench.apply(backend("a"))
    bench.restart()
    assert (await bench.apply(backend("b"))).applied is Applied.CHANGED


async def test_a_child_that_is_touched_since_3scale_has_something_else_is_a_correction_there(bench: Bench) -> None:
    await bench.apply(backend())
    assert (await bench.apply(marked("2026-01-01T00:00:00Z"))).applied is Applied.CORRECTED_IN_3SCALE
    assert (await bench.apply(marked("2026-01-01T00:00:00Z"))).applied is Applied.SKIPPED
    assert (await bench.apply(marked("2026-01-01T00:10:00Z"))).applied is Applied.CORRECTED_IN_3SCALE


async def test_what_somebody_else_changed_is_changed_back_whatever_mark_they_leave_on_it(bench: Bench) -> None:
    await bench.apply(secret(KEY, "one"))
    theirs = secret(KEY, "theirs")
    theirs["metadata"]["annotations"] = {labels.CORRECTED_AT: "9"}
    await bench.stage.user.apply(theirs)
    await bench.see(KEY)
    assert (await bench.apply(secret(KEY, "one"))).applied is Applied.CORRECTED
    assert (await bench.apply(secret(KEY, "two"))).applied is Applied.CHANGED


async def test_what_somebody_else_adds_is_left_to_them(bench: Bench) -> None:
    await bench.apply(backend())
    await bench.stage.user.apply(manifest(BACK, spec={"more": 1}))
    await bench.see(BACK)
    assert (await bench.apply(backend())).applied is Applied.SKIPPED
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "a", "more": 1}


async def test_a_child_that_somebody_made_anew_becomes_ours_by_one_call(bench: Bench) -> None:
    await bench.apply(backend())
    known = await bench.stage.cluster.get(BACK)
    await bench.stage.user.delete(BACK)
    made = {key: known["metadata"][key] for key in ("name", "namespace", "labels")}
    await bench.stage.user.apply(known | {"metadata": made})
    await bench.see(BACK)
    assert (await bench.apply(backend())).applied is not Applied.SKIPPED
    assert (await bench.apply(backend())).applied is Applied.SKIPPED


async def test_after_a_restart_one_call_settles_a_child_of_which_the_inventory_tells_nothing(bench: Bench) -> None:
    await bench.apply(backend())
    bench.restart()
    assert (await bench.apply(backend())).applied is Applied.NOOP
    assert (await bench.apply(backend())).applied is Applied.SKIPPED
    assert verbs(bench.stage) == ["apply"]


async def test_after_a_restart_a_child_that_is_as_the_inventory_tells_costs_no_call(bench: Bench) -> None:
    await bench.written(backend())
    first = await bench.apply(backend())
    assert first.applied is Applied.SKIPPED
    assert first.live is not None
    assert await bench.apply(backend()) == first
    assert verbs(bench.stage) == []
    assert bench.guarded == 1


async def test_after_a_restart_a_secret_that_is_as_it_was_is_read_and_not_written(bench: Bench) -> None:
    await bench.apply(secret(KEY, "one"))
    await bench.see(KEY)
    await bench.written(secret(KEY, "one"))
    told = [(await bench.apply(secret(KEY, "one"))).applied for _ in range(2)]
    assert told == [Applied.SKIPPED, Applied.SKIPPED]
    assert verbs(bench.stage) == ["get"]


@pytest.mark.parametrize("seen", [True, False])
async def test_a_secret_that_changed_while_nobody_looked_is_written_back(bench: Bench, seen: bool) -> None:
    await bench.written(secret(KEY, "one"))
    await bench.stage.user.apply(secret(KEY, "theirs"))
    if seen:
        await bench.see(KEY)
    assert (await bench.apply(secret(KEY, "one"))).applied is Applied.CHANGED
    assert (await bench.stage.cluster.get(KEY))["data"] == secret(KEY, "one")["data"]


async def test_a_secret_that_went_while_nobody_looked_is_made_anew(bench: Bench) -> None:
    await bench.apply(secret(KEY, "one"))
    await bench.see(KEY)
    await bench.written(secret(KEY, "one"))
    await bench.stage.user.delete(KEY)
    assert (await bench.apply(secret(KEY, "one"))).live is not None
    assert (await bench.stage.cluster.get(KEY))["data"] == secret(KEY, "one")["data"]


async def test_what_the_inventory_tells_of_a_secret_does_not_hang_on_its_values(bench: Bench) -> None:
    one, other = await bench.apply(secret(KEY, "one")), await bench.apply(secret(KEY, "other"))
    assert one.hash == other.hash != ""


async def test_another_wish_than_the_inventory_tells_of_is_written(bench: Bench) -> None:
    await bench.written(backend())
    assert (await bench.apply(backend("b"))).applied is Applied.CHANGED


async def test_what_changed_while_nobody_looked_is_written_back(bench: Bench) -> None:
    await bench.written(backend())
    await bench.stage.user.apply(backend("theirs"))
    await bench.see(BACK)
    assert (await bench.apply(backend())).applied is Applied.CHANGED
    assert (await bench.stage.cluster.get(BACK))["spec"] == {"text": "a"}


async def test_a_successor_with_the_same_words_is_written_since_its_fields_are_not_ours(bench: Bench) -> None:
    await bench.written(backend())
    live = await bench.stage.cluster.get(BACK)
    await bench.stage.user.delete(BACK)
    kept = {key: live["metadata"][key] for key in ("name", "namespace", "labels")}
    await bench.stage.user.apply({**live, "metadata": kept})
    await bench.see(BACK)
    verbs(bench.stage)
    await bench.apply(backend())
    assert verbs(bench.stage) == ["apply"]


@pytest.mark.parametrize(
    ("rules", "calls"),
    [
        ([{"path": "/", "added": "by the server"}], []),
        ([{"path": "/"}, {"path": "/theirs"}], ["apply"]),
        ([{"path": "/theirs"}], ["apply"]),
        ([{}], ["apply"]),
        (None, ["apply"]),
    ],
)
async def test_in_lists_as_well_only_what_we_want_counts(bench: Bench, rules: Any, calls: list[str]) -> None:
    child = manifest(BACK, spec={"rules": [{"path": "/"}]})
    await bench.written(child)
    live = bench.cache.get(BACK)
    assert live is not None
    version = str(int(live["metadata"]["resourceVersion"]) + 1)
    bench.cache.put({**live, "spec": {"rules": rules}, "metadata": live["metadata"] | {"resourceVersion": version}})
    await bench.apply(child)
    assert verbs(bench.stage) == calls


async def test_who_does_not_believe_the_inventory_asks(bench: Bench) -> None:
    await bench.written(backend())
    bench.restart(believes=False)
    assert (await bench.apply(backend())).applied is Applied.NOOP


async def test_what_no_watch_shows_is_read_live_each_time_and_written_only_if_needed(bench: Bench) -> None:
    await bench.apply(secret(KEY, "one"))
    assert verbs(bench.stage) == ["get", "apply"]
    assert bench.cache.get(KEY) is None
    assert (await bench.apply(secret(KEY, "one"))).applied is Applied.SKIPPED
    assert verbs(bench.stage) == ["get"]
    await bench.stage.user.apply(secret(KEY, "theirs"))
    assert (await bench.apply(secret(KEY, "one"))).applied is Applied.CORRECTED


async def test_a_secret_that_a_watch_tells_of_costs_no_call_while_it_is_at_the_version_that_we_wrote(
    bench: Bench,
) -> None:
    await bench.apply(secret(KEY, "one"))
    await bench.see(KEY)
    verbs(bench.stage)
    assert (await bench.apply(secret(KEY, "one"))).applied is Applied.SKIPPED
    assert (await bench.apply(secret(KEY, "two"))).applied is Applied.CHANGED
    assert (await bench.apply(secret(KEY, "two"))).applied is Applied.SKIPPED
    assert verbs(bench.stage) == ["apply"]
    assert "data" not in (bench.cache.get(KEY) or {})


async def test_a_secret_that_somebody_changed_is_changed_back_and_one_that_is_labelled_is_looked_at_once(
    bench: Bench,
) -> None:
    await bench.apply(secret(KEY, "one"))
    await bench.stage.user.apply(secret(KEY, "theirs"))
    await bench.see(KEY)
    assert (await bench.apply(secret(KEY, "one"))).applied is Applied.CORRECTED
    theirs = manifest(KEY)
    theirs["metadata"]["labels"] = {"more": "theirs"}
    await bench.stage.user.apply(theirs, manager="another")
    await bench.see(KEY)
    told = [(await bench.apply(secret(KEY, "one"))).applied for _ in range(2)]
    assert told == [Applied.NOOP, Applied.SKIPPED]


async def test_the_memo_of_a_child_that_is_gone_can_be_dropped(bench: Bench) -> None:
    await bench.apply(backend())
    bench.applier.forget(BACK)
    bench.applier.forget(BACK)
    assert (await bench.apply(backend())).applied is Applied.NOOP


async def test_a_foreign_object_is_named_and_not_touched(bench: Bench) -> None:
    theirs = await bench.stage.user.apply(backend("theirs"))
    outcome = await bench.apply(backend())
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.CONFLICT
    assert "Backend 3scale/toy exists and is not ours" in outcome.refusal.message
    assert await bench.stage.cluster.get(BACK) == theirs
    assert bench.guarded == 0


async def test_a_foreign_object_in_the_cache_is_believed_only_when_seen_live(bench: Bench) -> None:
    await bench.stage.user.apply(backend("theirs"))
    await bench.see(BACK)
    await bench.stage.user.delete(BACK)
    assert (await bench.apply(backend())).applied is Applied.CREATED


async def test_the_child_of_an_owner_of_the_same_name_that_is_gone_is_foreign(bench: Bench) -> None:
    await bench.apply(backend())
    bench.owner = bench.owner | {"metadata": bench.owner["metadata"] | {"uid": "another"}}
    outcome = await bench.apply(backend())
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.CONFLICT


async def test_a_ghost_in_the_cache_does_not_keep_a_child_from_being_made(bench: Bench) -> None:
    await bench.apply(backend())
    await bench.stage.user.delete(BACK)
    outcome = await bench.apply(backend("b"))
    assert outcome.applied is Applied.CREATED


async def test_a_foreign_successor_of_our_child_is_not_touched_though_the_cache_shows_ours(bench: Bench) -> None:
    await bench.apply(backend())
    await bench.stage.user.delete(BACK)
    theirs = await bench.stage.user.apply(backend("theirs"))
    outcome = await bench.apply(backend("b"))
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.CONFLICT
    assert await bench.stage.cluster.get(BACK) == theirs


async def test_an_object_that_appears_while_we_look_is_not_taken_over(bench: Bench) -> None:
    made: list[Manifest] = []

    async def race(call: Call) -> None:
        if (call.verb is Verb.GET and call.moment is Moment.BEFORE) or call.verb is not Verb.APPLY or made:
            return
        made.append({})
        made[0] = await bench.stage.user.apply(backend("theirs"))

    bench.stage.kubeapi.faults.add(race)
    outcome = await bench.apply(backend())
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.CONFLICT
    assert await bench.stage.cluster.get(BACK) == made[0]


async def test_a_conflict_that_stays_is_raised(bench: Bench) -> None:
    with failing(bench.stage, api.ApiError(409, "Conflict", "again")), pytest.raises(Conflict):
        await bench.apply(backend())


async def test_a_child_under_deletion_counts_as_not_there_and_is_not_written(bench: Bench) -> None:
    await bench.apply(backend())
    await bench.stage.hold(BACK)
    await bench.stage.user.delete(BACK)
    assert await bench.apply(backend("b")) == Outcome(Applied.DELETING)
    await bench.see(BACK)
    verbs(bench.stage)
    assert await bench.apply(backend("c")) == Outcome(Applied.DELETING)
    assert verbs(bench.stage) == []


@pytest.mark.parametrize(
    "error", [api.ApiError(503, "ServiceUnavailable", "busy"), api.ApiError(429, "TooManyRequests", "busy")]
)
async def test_what_may_pass_later_is_raised(bench: Bench, error: api.ApiError) -> None:
    with failing(bench.stage, error), pytest.raises(Unavailable):
        await bench.apply(backend())


async def test_an_answer_that_was_lost_is_made_good_by_the_next_call(bench: Bench) -> None:
    with failing(bench.stage, api.ApiError(504, "Timeout", "lost"), moment=Moment.AFTER), pytest.raises(Unavailable):
        await bench.apply(backend())
    assert (await bench.apply(backend())).applied is Applied.NOOP


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (api.ApiError(403, "Forbidden", "quota exceeded"), RefusalReason.FORBIDDEN, "RBAC"),
        (api.ApiError(422, "Invalid", "spec.text: no"), RefusalReason.REJECTED, "change the field"),
    ],
)
async def test_what_only_a_person_can_end_is_a_refusal_in_the_words_of_the_api(
    bench: Bench, error: api.ApiError, reason: RefusalReason, remedy: str
) -> None:
    with failing(bench.stage, error):
        outcome = await bench.apply(backend())
    assert outcome.applied is Applied.REFUSED
    assert outcome.refusal is not None
    assert outcome.refusal.reason is reason
    for words in (str(BACK), error.message, remedy):
        assert words in outcome.refusal.message


async def test_what_the_api_says_of_a_secret_stays_secret(bench: Bench) -> None:
    with failing(bench.stage, api.ApiError(422, "Invalid", "Invalid value: s3cret")):
        outcome = await bench.apply(secret(KEY, "s3cret"))
    assert outcome.refusal is not None
    assert str(KEY) in outcome.refusal.message
    assert "s3cret" not in outcome.refusal.message


async def test_a_missing_namespace_is_named(bench: Bench) -> None:
    outcome = await bench.apply(manifest(Ref(BACKEND, "nowhere", "x"), spec={}))
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.NAMESPACE_MISSING
    assert "create its namespace" in outcome.refusal.message


async def test_a_namespace_that_is_going_is_told_apart_from_a_missing_permission(bench: Bench) -> None:
    await bench.apply(backend())
    await bench.stage.hold(BACK)
    await bench.stage.user.delete(Ref(NAMESPACE, "", GATEWAY))
    outcome = await bench.apply(manifest(Ref(BACKEND, GATEWAY, "new"), spec={}))
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.NAMESPACE_TERMINATING


async def test_a_kind_that_is_not_installed_is_a_missing_dependency(bench: Bench) -> None:
    await bench.stage.user.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{BACKEND.plural}.{BACKEND.group}"))
    outcome = await bench.apply(backend())
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.DEPENDENCY_MISSING


async def fight(bench: Bench, times: int) -> Outcome:
    for number in range(times):
        await bench.stage.user.apply(backend(f"theirs {number}"), manager="rival")
        await bench.see(BACK)
        outcome = await bench.apply(backend())
        await asyncio.sleep(1)
    return outcome


async def test_a_fight_over_a_field_ends_with_the_name_of_the_rival(bench: Bench) -> None:
    await bench.apply(backend())
    assert (await fight(bench, CORRECTIONS)).applied is Applied.CORRECTED
    outcome = await fight(bench, 1)
    assert outcome.refusal is not None
    assert outcome.refusal.reason is RefusalReason.CONTENDED
    assert "by rival" in outcome.refusal.message
    assert (await bench.stage.cluster.get(BACK))["spec"] != {"text": "a"}


async def test_a_fight_goes_on_after_ten_minutes_or_with_a_new_wish(bench: Bench) -> None:
    await bench.apply(backend())
    await fight(bench, CORRECTIONS + 1)
    assert (await bench.apply(backend("new"))).applied is Applied.CHANGED
    await bench.apply(backend())
    await fight(bench, CORRECTIONS + 1)
    await asyncio.sleep(CORRECTIONS_WINDOW_SECONDS)
    assert (await bench.apply(backend())).applied is Applied.CORRECTED


async def test_a_rival_that_hides_is_an_unknown_writer(bench: Bench) -> None:
    await bench.apply(backend())
    await fight(bench, CORRECTIONS)
    await bench.stage.user.delete(BACK)
    bench.cache.remove(bench.cache.get(BACK) or {})
    await bench.apply(backend())
    seen = bench.cache.get(BACK)
    assert seen is not None
    bench.cache.put(seen | {"spec": {}, "metadata": seen["metadata"] | {"resourceVersion": "999999"}})
    outcome = await bench.apply(backend())
    assert outcome.refusal is not None
    assert "an unknown writer" in outcome.refusal.message


def owner(**metadata: Any) -> Manifest:
    return manifest(OWNER) | {"metadata": {"name": "toy", "namespace": HOME, "uid": "u", **metadata}}


def test_a_child_beside_its_owner_refers_to_it_and_dies_with_it() -> None:
    metadata = adopted(manifest(RUNTIME), owner())["metadata"]
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": MODEL_SERVICE.api_version,
            "kind": "ModelService",
            "name": "toy",
            "uid": "u",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert metadata["labels"] == labels.owner_labels(owner())


def test_a_child_in_another_namespace_has_labels_only_and_never_a_finalizer_of_ours() -> None:
    metadata = adopted(backend(), owner())["metadata"]
    assert metadata.keys() == {"name", "namespace", "labels"}


def test_a_shared_child_keeps_the_labels_that_it_brings() -> None:
    shared = manifest(Ref(SECRET, HOME, "portal"))
    shared["metadata"]["labels"] = {labels.OWNER_UID: "of the namespace", "more": "yes"}
    metadata = adopted(shared, owner())["metadata"]
    assert metadata["labels"] == labels.owner_labels(owner()) | {labels.OWNER_UID: "of the namespace", "more": "yes"}
    assert "ownerReferences" not in metadata


def test_adoption_does_not_change_the_given_manifest() -> None:
    child = manifest(Ref(SERVING_RUNTIME, HOME, "x"))
    adopted(child, owner())
    assert child == manifest(Ref(SERVING_RUNTIME, HOME, "x"))

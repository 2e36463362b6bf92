"""The end of an owner: what is not deleted without its provider account, what a status says meanwhile, and force."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain import model_platform, model_service, model_subscription
from maas_operator.domain.decision import Decision
from maas_operator.domain.farewell import Obstacles
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.labels import FORCE_DELETE
from maas_operator.domain.objects import Manifest, Ref, ref_of
from tests.domain import worlds
from tests.domain.worlds import NOW, a_model_world, a_service, a_subscription, a_subscription_world, child, told

ACCOUNT = Ref(SECRET, "3scale", "threescale-provider-account")
GONE = {"deletionTimestamp": "2026-01-01T11:59:58Z"}
FORCED = {"annotations": {FORCE_DELETE: "true"}}
PRODUCT, BACKEND = child("Product", "llm.tiny"), child("Backend", "llm.tiny")
IN_3SCALE = {ref_of(one): one for one in (PRODUCT, BACKEND)}


def leave(*, meta: dict[str, Any] | None = None, **known: Any) -> Decision:
    """Return the decision on a ModelService under deletion."""
    service = a_service()
    document = service.dump()
    document["metadata"] |= GONE | (meta or {})
    service = type(service).model_validate(document)
    return model_service.decide(a_model_world(service, **known))


def leave_subscription(*, meta: dict[str, Any] | None = None, **known: Any) -> Decision:
    """Return the decision on the last subscription of an account, under deletion."""
    leaving = a_subscription(meta=GONE | (meta or {}))
    return model_subscription.decide(a_subscription_world(leaving, siblings=(), **known))


def message_of(decision: Decision) -> str:
    return worlds.condition_of(decision, Type.READY).message


def going(one: Manifest, *, since: timedelta = timedelta(0)) -> Manifest:
    metadata = one["metadata"] | {"deletionTimestamp": worlds.stamp(NOW - since)}
    return {**one, "metadata": metadata}


# --- without the provider account ------------------------------------------------------------------------------------


def test_without_its_provider_account_nothing_of_3scale_is_deleted_and_the_secret_is_named() -> None:
    decision = leave(seen=IN_3SCALE, obstacles=Obstacles(missing=frozenset({ACCOUNT})))
    assert decision.keep >= IN_3SCALE.keys()
    assert not decision.releasable
    assert told(decision, Type.READY) == ("False", "DeletionBlocked")
    assert f"{ACCOUNT} does not exist" in message_of(decision)
    assert "Product 3scale/llm.tiny" in message_of(decision)


def test_what_only_the_status_knows_is_held_as_well() -> None:
    left = {"children": [{"apiVersion": PRODUCT["apiVersion"], "kind": "Product", "namespace": "3scale", "name": "x"}]}
    leaving = a_subscription(meta=GONE, status=left)
    world = a_subscription_world(leaving, siblings=(), obstacles=Obstacles(missing=frozenset({ACCOUNT})))
    decision = model_subscription.decide(world)
    assert {ref.name for ref in decision.keep} == {"x"}


def test_the_account_stays_as_long_as_its_provider_account_is_missing() -> None:
    account = child("DeveloperAccount", "llm.dev1")
    held = leave_subscription(seen={ref_of(account): account}, obstacles=Obstacles(missing=frozenset({ACCOUNT})))
    assert ref_of(account) not in held.drop
    assert ref_of(account) in leave_subscription(seen={ref_of(account): account}).drop


def test_a_missing_provider_account_holds_nobody_who_has_nothing_in_3scale() -> None:
    decision = leave(obstacles=Obstacles(missing=frozenset({ACCOUNT})))
    assert decision.releasable
    assert told(decision, Type.READY) == ("False", "Deleting")


def test_a_long_list_of_what_is_held_is_cut() -> None:
    many = {ref_of(one): one for one in (child("Product", f"llm.tiny-{number}") for number in range(5))}
    assert "and others" in message_of(leave(seen=many, obstacles=Obstacles(missing=frozenset({ACCOUNT}))))


# --- why it does not go on -------------------------------------------------------------------------------------------


def test_3scales_words_are_told_for_what_it_has_to_delete() -> None:
    obstacles = Obstacles(problem="no answer from 3scale: connection refused")
    decision = leave(remaining=(PRODUCT,), obstacles=obstacles)
    assert told(decision, Type.READY) == ("False", "DeletionBlocked")
    assert "can not delete Product 3scale/llm.tiny: no answer from 3scale" in message_of(decision)
    assert told(leave(obstacles=obstacles), Type.READY) == ("False", "Deleting")


@pytest.mark.parametrize(
    ("one", "hint"), [(PRODUCT, "last one"), (child("DeveloperAccount", "llm.dev1"), "invoices"), (BACKEND, "")]
)
def test_the_words_of_the_3scale_operator_are_told_with_what_may_be_behind_them(one: Manifest, hint: str) -> None:
    obstacles = Obstacles(words={ref_of(one): "at 12:00: Forbidden - code: 403"})
    decision = leave(remaining=(one,), obstacles=obstacles)
    assert told(decision, Type.READY) == ("False", "DeletionBlocked")
    assert f"{ref_of(one)}: the 3scale-operator said at 12:00: Forbidden - code: 403" in message_of(decision)
    assert hint in message_of(decision)


@pytest.mark.parametrize(("seconds", "reason"), [(59, "Deleting"), (60, "DeletionBlocked")])
def test_a_3scale_operator_that_says_nothing_for_a_minute_is_suspected(seconds: int, reason: str) -> None:
    decision = leave(remaining=(BACKEND, going(PRODUCT, since=timedelta(seconds=seconds))))
    assert told(decision, Type.READY) == ("False", reason)
    assert ("check that it runs" in message_of(decision)) is (seconds == 60)


def test_others_words_are_nothing_about_what_is_left() -> None:
    obstacles = Obstacles(words={ref_of(BACKEND): "no"})
    assert told(leave(remaining=(PRODUCT,), obstacles=obstacles), Type.READY) == ("False", "Deleting")


def test_a_child_that_is_blocked_blocks_its_owner() -> None:
    conditions = [{"type": "Ready", "status": "False", "reason": "DeletionBlocked", "message": "3scale is down"}]
    blocked = a_subscription(status={"observedGeneration": 1}).dump()
    blocked["status"]["conditions"] = conditions
    decision = leave(remaining=(blocked,))
    assert told(decision, Type.READY) == ("False", "DeletionBlocked")
    assert "3scale is down" in message_of(decision)


# --- by force --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decide", [leave, leave_subscription])
def test_by_force_an_owner_goes_with_all_deletions_asked_for(decide: Any) -> None:
    obstacles = Obstacles(missing=frozenset({ACCOUNT}))
    decision = decide(meta=FORCED, seen=IN_3SCALE, obstacles=obstacles)
    assert decision.forced
    assert not decision.keep & IN_3SCALE.keys()


@pytest.mark.parametrize("value", ["", "false", "True", "yes"])
def test_only_true_is_force(value: str) -> None:
    assert not leave(meta={"annotations": {FORCE_DELETE: value}}).forced


def test_force_takes_nobody_elses_access() -> None:
    decision = leave(meta=FORCED, seen=IN_3SCALE, applications=("Application 3scale/team-a.x",))
    assert not decision.forced
    assert ref_of(PRODUCT) in decision.keep


def test_force_means_nothing_without_a_deletion() -> None:
    document = a_service().dump()
    document["metadata"] |= FORCED
    service = type(a_service()).model_validate(document)
    assert not worlds.settle(model_service.decide, a_model_world(service)).forced


@pytest.mark.parametrize(("tenants", "forced"), [((), True), (("ModelService llm/tiny",), False)])
def test_a_platform_is_forced_only_when_nobody_needs_it(tenants: tuple[str, ...], forced: bool) -> None:
    document = worlds.a_platform().dump()
    document["metadata"] |= GONE | FORCED
    platform = type(worlds.a_platform()).model_validate(document)
    assert model_platform.decide(worlds.a_platform_world(platform, tenants=tenants)).forced is forced

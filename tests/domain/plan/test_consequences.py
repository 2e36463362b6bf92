from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.domain.model_service import decide, what_follows
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.plan.changes import Write
from maas_operator.domain.plan.consequences import (
    ClosesPath,
    ClosesPlan,
    LosesAccess,
    LowersLimit,
    MovesPlan,
    NeedsPromotion,
    OpensModel,
    RenamesModel,
    RestartsModel,
    RollsGateways,
    StopsModel,
    consequences,
)
from tests import strategies
from tests.domain import worlds

WIDE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MODEL, PRODUCT = "InferenceService llm/tiny", "Product 3scale/llm.tiny"
PLAN = {"name": "standard"}
LIMIT = {"metric": "Requests", "period": "Day", "value": 100}
DEVELOPER = {"name": "dev1", "email": "dev1@example.com", "plan": "standard"}


def children(service: ModelService) -> dict[Any, Manifest]:
    """Return what a service becomes when everybody is content."""
    decision = worlds.settle(decide, worlds.a_model_world(service))
    return {ref_of(one): one for one in decision.children}


def writes(before: ModelService | None, after: ModelService) -> list[Write]:
    old, new = children(before) if before else {}, children(after)
    return [Write(old.get(ref), new.get(ref)) for ref in dict.fromkeys([*old, *new])]


def follow(old: dict[str, Any], new: dict[str, Any]) -> list[Any]:
    """Return what follows from an edit, the promotion aside."""
    found = consequences(writes(worlds.a_service(**old), worlds.a_service(**new)))
    return [one for one in found if not isinstance(one, NeedsPromotion)]


@WIDE
@given(strategies.model_services())
def test_nothing_follows_from_what_stays_as_it_is(service: ModelService) -> None:
    active = _active(service)
    assert consequences(writes(active, active)) == ()


@WIDE
@given(strategies.model_services(), strategies.model_services())
def test_whatever_follows_can_be_told_in_words_and_as_json(one: ModelService, other: ModelService) -> None:
    same_place = other.model_copy(update={"metadata": one.metadata})
    found = consequences(writes(_active(one), _active(same_place)))
    told = [json.loads(json.dumps(consequence.details())) for consequence in found]
    assert all(entry["message"] and entry["type"] and entry["subject"] for entry in told)


def _active(service: ModelService) -> ModelService:
    return service.model_copy(
        update={"spec": service.spec.model_copy(update={"management_policy": ManagementPolicy.ACTIVE})}
    )


def test_a_new_model_takes_nothing_from_anybody_and_is_promoted() -> None:
    found = consequences(writes(None, worlds.a_service(plans=[PLAN], developers=[DEVELOPER])))
    assert [type(one) for one in found] == [NeedsPromotion]
    assert str(found[0]).startswith(f"{PRODUCT} needs a promotion: configuration ")


def test_other_pods_are_a_restart_and_the_hash_of_their_configuration_is_no_field_of_its_own() -> None:
    assert follow({}, {"serving": {"resources": {"limits": {"cpu": "3"}}}}) == [
        RestartsModel(MODEL, ("spec.predictor.model.resources.limits.cpu",))
    ]


def test_a_change_of_the_runtime_alone_is_a_restart_too() -> None:
    (found,) = follow({}, {"serving": {"startupTimeout": "45m"}})
    assert isinstance(found, RestartsModel)
    assert all("startupProbe" in field for field in found.fields)


def test_a_restart_of_which_only_the_hash_is_known_names_the_hash() -> None:
    (write,) = [one for one in writes(worlds.a_service(), worlds.a_service()) if str(one.ref) == MODEL]
    assert write.after is not None
    marked = json.loads(json.dumps(write.after))
    marked["spec"]["predictor"]["annotations"]["maas-operator.io/config-hash"] = "other"
    (found,) = consequences([Write(write.before, marked)])
    assert str(found).endswith("spec.predictor.annotations[maas-operator.io/config-hash]")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"replicas": 1}, {"replicas": 3}, []),
        ({"replicas": 1}, {"replicas": 0}, [StopsModel(MODEL)]),
        ({"replicas": 0}, {"replicas": 1}, []),
        ({"replicas": 0}, {"replicas": 0, "startupTimeout": "45m"}, []),
    ],
)
def test_replicas_stop_a_model_and_restart_none(old: Any, new: Any, expected: list[Any]) -> None:
    assert follow({"serving": old}, {"serving": new}) == expected


CPU = {"autoscaling": {"maxReplicas": 3, "metric": "CPU"}}
CLASS = RestartsModel(MODEL, ("metadata.annotations[serving.kserve.io/autoscalerClass]",))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, CPU, [CLASS]),
        (CPU, {}, [CLASS]),
        (CPU, {"autoscaling": {"maxReplicas": 5, "metric": "Memory", "target": 9}}, []),
        (CPU, {**CPU, "replicas": 0}, [StopsModel(MODEL)]),
        ({}, {"rolloutStrategy": "Recreate"}, []),
    ],
)
def test_only_another_class_of_autoscaler_restarts_pods(old: Any, new: Any, expected: list[Any]) -> None:
    assert follow({"serving": old}, {"serving": new}) == expected


def test_another_model_id_is_a_new_name_for_clients() -> None:
    found = follow({}, {"model": {"name": "llama", "source": worlds.SOURCE}})
    assert found[0] == RenamesModel(MODEL, "tiny", "llama")
    assert isinstance(found[1], RestartsModel)


def test_a_model_without_a_served_name_is_not_renamed() -> None:
    before = {**_inference_service(), "spec": {"predictor": {"model": {"args": []}}}}
    assert [type(one) for one in consequences([Write(before, _inference_service())])] == [RestartsModel]


def _inference_service() -> Manifest:
    return next(one for one in children(worlds.a_service()).values() if one["kind"] == "InferenceService")


def test_a_model_that_goes_or_comes_does_not_restart() -> None:
    assert consequences([Write(_inference_service(), None), Write(None, _inference_service())]) == ()


def test_a_developer_who_is_taken_out_loses_access_and_one_with_another_plan_moves() -> None:
    plans = [PLAN, {"name": "premium"}]
    one, two = {**DEVELOPER, "name": "one"}, {**DEVELOPER, "name": "two"}
    before = {"plans": plans, "developers": [one, two]}
    other_mail = {**two, "email": "other@example.com"}
    assert follow({**before, "developers": [two]}, {"plans": plans, "developers": [other_mail]}) == []
    assert follow(before, {"plans": plans, "developers": [{**two, "plan": "premium"}]}) == [
        LosesAccess("ModelSubscription llm/tiny-one"),
        MovesPlan("ModelSubscription llm/tiny-two", "standard", "premium"),
    ]


def test_a_plan_that_goes_or_is_not_published_any_more_can_not_be_chosen() -> None:
    premium = {"name": "premium"}
    before = {"plans": [PLAN, premium, {"name": "hidden", "published": False}]}
    assert follow(before, {"plans": [{**PLAN, "published": False}]}) == [
        ClosesPlan(PRODUCT, "hidden", ""),
        ClosesPlan(PRODUCT, "premium", ""),
        ClosesPlan(PRODUCT, "standard", ""),
    ]


def test_who_is_on_a_plan_that_goes_is_told() -> None:
    written = writes(worlds.a_service(plans=[PLAN, {"name": "premium"}]), worlds.a_service(plans=[PLAN]))
    (found,) = consequences(written, plans_in_use={"premium": "Application llm.x uses it"})
    assert str(found).endswith("it stays for those who are on it: Application llm.x uses it")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([LIMIT], [{**LIMIT, "value": 50}], [LowersLimit(PRODUCT, "standard", "hits", "day", 100, 50)]),
        ([], [LIMIT], [LowersLimit(PRODUCT, "standard", "hits", "day", None, 100)]),
        ([LIMIT], [{**LIMIT, "value": 500}], []),
        ([LIMIT], [], []),
    ],
)
def test_only_a_lower_limit_or_a_new_one_takes_something_away(old: Any, new: Any, expected: list[Any]) -> None:
    assert follow({"plans": [{**PLAN, "limits": old}]}, {"plans": [{**PLAN, "limits": new}]}) == expected


def test_a_limit_that_is_new_is_told_as_such() -> None:
    (found,) = follow({"plans": [PLAN]}, {"plans": [{**PLAN, "limits": [LIMIT]}]})
    assert str(found).endswith("plan standard gets a lower limit of hits per day: no limit -> 100")


def test_a_task_that_is_taken_away_closes_its_paths() -> None:
    before = {"model": {"source": worlds.SOURCE, "tasks": ["Chat", "Tokenize"]}}
    after = {"model": {"source": worlds.SOURCE, "tasks": ["Chat"]}}
    assert follow(before, after) == [ClosesPath(PRODUCT, ("POST /tokenize", "POST /detokenize"))]


def test_a_model_without_its_network_policy_is_open() -> None:
    assert follow({}, {"api": {"networkPolicy": "None"}}) == [OpensModel("NetworkPolicy llm/tiny-api")]


def test_a_changed_apimanager_rolls_out_the_gateways_of_all() -> None:
    def installation(policies: list[str]) -> Manifest:
        metadata = {"name": "apim", "namespace": "3scale"}
        return {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "metadata": metadata, "spec": policies}

    (found,) = consequences([Write(installation([]), installation(["x"]))])
    assert (found, "for all APIs" in str(found)) == (RollsGateways("APIManager 3scale/apim"), True)


def test_what_the_gateways_serve_waits_for_a_promotion_from_one_hash_to_the_other() -> None:
    written = writes(worlds.a_service(), worlds.a_service(api={"timeouts": {"read": "10s"}}))
    (found,) = consequences(written)
    assert isinstance(found, NeedsPromotion)
    assert None not in (found.before, found.after)
    assert str(found) == f"{PRODUCT} needs a promotion: configuration {found.before} -> {found.after}"


def test_a_promotion_that_can_not_be_named_yet_follows() -> None:
    written = writes(worlds.a_service(), worlds.a_service(api={"timeouts": {"read": "10s"}}))
    without = [one for one in written if one.ref.kind.name != "ProxyConfigPromote"]
    assert [str(one) for one in consequences(without)] == [
        f"{PRODUCT} needs a promotion: it follows when 3scale has taken the change"
    ]


def test_texts_and_plans_of_a_product_need_no_promotion() -> None:
    assert consequences(writes(worlds.a_service(), worlds.a_service(description="Another"))) == ()


def test_a_product_or_subscription_that_goes_with_everything_is_told_by_who_loses_access() -> None:
    gone = [Write(one, None) for one in children(worlds.a_service(plans=[PLAN], developers=[DEVELOPER])).values()]
    assert [type(one) for one in consequences(gone)] == [LosesAccess, OpensModel]


def test_a_promotion_that_somebody_must_approve_waits_for_the_hash_of_the_configuration() -> None:
    manual = {"promotion": {"mode": "Manual"}}
    live = {ref: worlds.content(one) for ref, one in children(worlds.a_service()).items()}
    service = worlds.a_service(api={**manual, "timeouts": {"read": "10s"}})
    world = worlds.a_model_world(service, seen=live)
    decision = worlds.settle(decide, world)
    after = {ref_of(one): one for one in decision.children}
    found = what_follows(world, decision, [Write(one, after.get(ref, one)) for ref, one in live.items()])
    candidate = decision.status["gateway"]["candidateHash"]
    assert [str(one) for one in found] == [
        f"{PRODUCT} needs a promotion, which waits for spec.api.promotion.approved: {candidate}"
    ]

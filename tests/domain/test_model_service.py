"""Decisions on ModelServices: what is written when, and what the conditions say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import ConditionType as Type
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict
from maas_operator.domain.decision import Decision
from maas_operator.domain.gateway.remote import Remote
from maas_operator.domain.kinds import PROXY_CONFIG_PROMOTE
from maas_operator.domain.labels import CORRECTED_AT
from maas_operator.domain.model_service import ModelServiceWorld, decide
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, RefusalReason, ref_of
from maas_operator.domain.serving.inference_service import CONFIG_HASH

from . import worlds
from .worlds import NOW, a_model_world, a_platform, a_service, condition_of, kept, kinds, settle, stamp, told

SERVING = ["ServingRuntime", "NetworkPolicy", "Service", "InferenceService"]
GATEWAY = ["Backend", "Product", "ProxyConfigPromote"]
DOCUMENT = ["Secret", "ActiveDoc"]
TOKENS = [{"name": "standard", "limits": [{"metric": "TotalTokens", "period": "Day", "value": 1000}]}]


def serving_well(world: ModelServiceWorld) -> ModelServiceWorld:
    """Return the world with a Deployment that has rolled out what this spec wants."""
    service = next(one for one in decide(world).children if one["kind"] == "InferenceService")
    predictor = service["spec"]["predictor"]
    replicas = predictor["minReplicas"]
    deployment: Manifest = {
        "metadata": {"name": "tiny-predictor", "generation": 1},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": predictor["annotations"]}}},
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "availableReplicas": replicas,
        },
    }
    return _replace(world, deployment=deployment)


def _replace(world: ModelServiceWorld, **changes: Any) -> ModelServiceWorld:
    from dataclasses import replace

    return replace(world, **changes)


def content(one: Manifest) -> Manifest:
    if one["kind"] == "InferenceService":
        return worlds.with_status(one, conditions=[worlds.condition("Ready")])
    return worlds.content(one)


def but(kind: str, answer: worlds.Answer) -> worlds.Answer:
    return lambda one: answer(one) if one["kind"] == kind else content(one)


def promoting(*, at: timedelta, fails: str = "") -> worlds.Answer:
    """Answer a promotion that ended some time ago."""
    ended = worlds.condition("Failed" if fails else "Ready", fails, at=NOW - at)
    return but("ProxyConfigPromote", lambda one: worlds.with_status(one, conditions=[ended]))


def a_pod(**status: Any) -> Manifest:
    service = next(one for one in decide(a_model_world()).children if one["kind"] == "InferenceService")
    annotations = {CONFIG_HASH: service["spec"]["predictor"]["annotations"][CONFIG_HASH]}
    return {
        "metadata": {"name": "tiny-predictor-1", "annotations": annotations, "creationTimestamp": stamp(NOW)},
        "status": status,
    }


def unschedulable() -> Manifest:
    no_room = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no cpu"}
    return a_pod(phase="Pending", conditions=[no_room])


def unready(reason: str = "ModelStarting", **spec: Any) -> ModelService:
    """Return a service of which it was told just now that its model does not serve."""
    since = {"type": "ModelReady", "status": "False", "reason": reason, "lastTransitionTime": stamp(NOW)}
    return a_service(status={"conditions": [since]}, **spec)


def promotion_of(decision: Decision) -> Ref:
    return next(ref_of(one) for one in decision.children if one["kind"] == "ProxyConfigPromote")


def test_a_model_is_ready_when_it_serves_and_its_configuration_is_promoted() -> None:
    decision = settle(decide, serving_well(a_model_world(routes=(worlds.a_route(),))), content)
    assert kinds(decision) == SERVING + GATEWAY + DOCUMENT
    assert told(decision, Type.READY) == ("True", "Ready")
    assert told(decision, Type.STALLED) == told(decision, Type.RECONCILING) == ("False", "Settled")
    assert decision.status["url"] == "https://tiny.example.com/v1"
    assert decision.status["gateway"]["productID"] == 7
    assert decision.status["gateway"]["productionVersion"] == 3
    assert decision.wake_after is None


def test_without_its_platform_a_model_waits_and_names_it() -> None:
    decision = settle(decide, a_model_world(platform=None))
    assert told(decision, Type.READY) == ("False", "PlatformMissing")
    assert "ModelPlatform default" in condition_of(decision, Type.PLATFORM_READY).message
    assert (decision.children, decision.prune) == ((), False)


def test_3scale_gets_nothing_before_it_can_be_used_but_the_model_starts() -> None:
    decision = settle(decide, a_model_world(platform=a_platform(problem="Secret 3scale/x does not exist")))
    assert kinds(decision) == SERVING
    assert told(decision, Type.GATEWAY_READY) == ("False", "PlatformNotReady")
    assert "Secret 3scale/x" in condition_of(decision, Type.GATEWAY_READY).message
    assert kept(decision) == {"Backend", "Product", "ActiveDoc"}


def test_3scale_gets_nothing_before_somebody_has_looked_whether_it_can_be_used() -> None:
    platform = a_platform()
    unknown = platform.status.model_copy(update={"conditions": ()})
    decision = settle(decide, a_model_world(platform=platform.model_copy(update={"status": unknown})))
    assert kinds(decision) == SERVING
    assert told(decision, Type.GATEWAY_READY) == ("False", "PlatformNotReady")


def test_a_platform_on_its_way_out_is_named() -> None:
    platform = a_platform()
    going = platform.metadata.model_copy(update={"deletion_timestamp": NOW})
    decision = settle(decide, a_model_world(platform=platform.model_copy(update={"metadata": going})))
    assert told(decision, Type.PLATFORM_READY) == ("False", "PlatformNotReady")
    assert "is being deleted" in condition_of(decision, Type.PLATFORM_READY).message


@pytest.mark.parametrize("observed", [None, 1])
def test_the_product_waits_for_the_backend_at_its_current_generation(observed: int | None) -> None:
    answer = but("Backend", lambda one: worlds.synced(one, generation=2, observed=observed or 0))
    decision = settle(decide, a_model_world(), answer)
    assert kinds(decision) == [*SERVING, "Backend"]
    assert kept(decision) >= {"Product"}


def test_the_promotion_waits_for_the_product_at_its_current_generation() -> None:
    old = content(worlds.child("ProxyConfigPromote", "llm.tiny-00000000"))
    world = a_model_world(seen={ref_of(old): old})
    decision = settle(decide, world, but("Product", lambda one: worlds.synced(one, generation=2, observed=1)))
    assert kinds(decision) == [*SERVING, "Backend", "Product"]
    assert told(decision, Type.GATEWAY_READY) == ("False", "GatewaySyncing")
    assert kept(decision) == {"ProxyConfigPromote", "ActiveDoc"}


def test_texts_plans_and_limits_need_no_promotion() -> None:
    plans = [{"name": "gold", "limits": [{"metric": "Requests", "period": "Day", "value": 5}]}]
    one = settle(decide, a_model_world(a_service()), content)
    other = settle(decide, a_model_world(a_service(plans=plans, displayName="Other", description="Text")), content)
    assert promotion_of(one) == promotion_of(other)


@pytest.mark.parametrize(
    "api", [{"timeouts": {"read": "60s"}}, {"cors": {"allowedOrigins": ["https://app.example.com"]}}]
)
def test_another_policy_needs_another_promotion(api: dict[str, Any]) -> None:
    one = settle(decide, a_model_world(a_service()), content)
    other = settle(decide, a_model_world(a_service(api=api)), content)
    assert promotion_of(one) != promotion_of(other)


def test_an_older_promotion_is_not_kept_since_it_might_publish_something_later() -> None:
    old = worlds.child("ProxyConfigPromote", "llm.tiny-00000000")
    decision = settle(decide, a_model_world(seen={ref_of(old): old}), content)
    assert all(ref.name != "llm.tiny-00000000" for ref in decision.keep)


def test_while_nothing_can_be_rendered_promotions_stay() -> None:
    old = worlds.child("ProxyConfigPromote", "llm.tiny-00000000")
    decision = settle(decide, a_model_world(a_service(plans=TOKENS), seen={ref_of(old): old}), content)
    assert ref_of(old) in decision.keep


def test_nobody_is_served_unmetered_token_limits_hold_back_the_gateway() -> None:
    decision = settle(decide, serving_well(a_model_world(a_service(plans=TOKENS))), content)
    assert kinds(decision) == SERVING
    assert told(decision, Type.GATEWAY_READY) == ("False", "TokenPolicyMissing")
    assert told(decision, Type.STALLED) == ("True", "TokenPolicyMissing")
    assert "standard" in condition_of(decision, Type.GATEWAY_READY).message


def test_a_default_plan_of_the_platform_with_token_limits_holds_back_too() -> None:
    decision = settle(decide, a_model_world(platform=a_platform(defaultPlans=TOKENS)), content)
    assert told(decision, Type.GATEWAY_READY) == ("False", "TokenPolicyMissing")


def a_product(*policies: str) -> dict[Ref, Manifest]:
    """Return the Product as an earlier pass saw it, with these policies."""
    found = worlds.synced(worlds.child("Product", "llm.tiny")) | {
        "spec": {"policies": [{"name": one} for one in policies]}
    }
    return {ref_of(found): found}


METERED = a_product("apicast", "maas-llm-metering")


def product_of(decision: Decision) -> dict[str, Any]:
    return next(child["spec"] for child in decision.children if child["kind"] == "Product")


def test_where_tokens_are_counted_their_limits_are_published() -> None:
    world = a_model_world(a_service(plans=TOKENS), platform=a_platform(metering="1.0.0"))
    decision = settle(decide, serving_well(world), content)
    assert told(decision, Type.GATEWAY_READY) == ("True", "Ready")
    spec = product_of(decision)
    assert "maas-llm-metering" in [policy["name"] for policy in spec["policies"]]
    (limit,) = spec["applicationPlans"]["standard"]["limits"]
    assert limit["metricMethodRef"] == {"systemName": "total_tokens"}


@pytest.mark.parametrize("plans", [TOKENS, []])
def test_what_is_metered_stays_as_it_is_when_the_policy_fails(plans: list[Any]) -> None:
    old = worlds.child("ProxyConfigPromote", "llm.tiny-00000000")
    platform = a_platform(unmetered="the mount is gone")
    world = a_model_world(a_service(plans=plans), platform=platform, seen=METERED | {ref_of(old): old})
    decision = settle(decide, serving_well(world), content)
    assert kinds(decision) == SERVING
    assert {*METERED, ref_of(old)} <= decision.keep
    assert told(decision, Type.GATEWAY_READY) == ("False", "TokenPolicyMissing")
    assert "the mount is gone" in condition_of(decision, Type.GATEWAY_READY).message


def test_switched_off_a_model_without_token_limits_is_published_without_the_policy() -> None:
    off = a_platform(gateway={"tokenPolicy": {"mode": "None"}})
    decision = settle(decide, serving_well(a_model_world(platform=off, seen=METERED)), content)
    assert "maas-llm-metering" not in [policy["name"] for policy in product_of(decision)["policies"]]
    held = settle(decide, a_model_world(a_service(plans=TOKENS), platform=off, seen=METERED), content)
    assert told(held, Type.GATEWAY_READY) == ("False", "TokenPolicyMissing")
    assert "Product" not in kinds(held)


def test_a_platform_that_never_had_the_policy_publishes_limits_of_requests() -> None:
    decision = settle(decide, serving_well(a_model_world(seen=a_product("apicast"))), content)
    assert told(decision, Type.GATEWAY_READY) == ("True", "Ready")


def test_a_ready_policy_without_a_version_is_none() -> None:
    platform = a_platform(metering="1.0.0", status={"tokenPolicyVersion": None})
    decision = settle(decide, a_model_world(a_service(plans=TOKENS), platform=platform), content)
    assert told(decision, Type.GATEWAY_READY) == ("False", "TokenPolicyMissing")


def test_another_version_of_the_policy_is_promoted_anew() -> None:
    one, other = (
        settle(decide, a_model_world(platform=a_platform(metering=version)), content) for version in ("1.0.0", "1.1.0")
    )
    assert promotion_of(one) != promotion_of(other)


@pytest.mark.parametrize(
    ("before", "at", "shown"),
    [
        (None, NOW, "1.1.0"),
        ("1.0.0", NOW, "1.0.0"),
        ("1.0.0", NOW - timedelta(hours=1), "1.1.0"),
    ],
)
def test_the_version_that_gateways_may_use_is_the_old_one_until_the_new_one_is_live(
    before: str | None, at: datetime, shown: str
) -> None:
    def answer(one: Manifest) -> Manifest:
        if one["kind"] != "ProxyConfigPromote":
            return content(one)
        return worlds.with_status(one, conditions=[worlds.condition("Ready", at=at)])

    service = a_service(status={"gateway": {"tokenPolicyVersion": before}} if before else None)
    decision = settle(decide, a_model_world(service, platform=a_platform(metering="1.1.0")), answer)
    assert decision.status["gateway"]["tokenPolicyVersion"] == shown


@pytest.mark.parametrize(("kind", "type_"), [("Invalid", "GatewayInvalid"), ("Failed", "GatewayFailed")])
def test_3scales_own_words_are_told(kind: str, type_: str) -> None:
    words = "error: mapping rule: pattern is invalid"
    answer = but(
        "Product",
        lambda one: worlds.with_status(one, observedGeneration=1, conditions=[worlds.condition(kind, words)]),
    )
    decision = settle(decide, serving_well(a_model_world()), answer)
    assert told(decision, Type.READY) == ("False", type_)
    assert f"Product 3scale/llm.tiny: 3scale says: {words}" in condition_of(decision, Type.READY).message


def test_a_3scale_operator_that_says_nothing_for_a_minute_is_suspected() -> None:
    def silent(one: Manifest) -> Manifest:
        created = {"creationTimestamp": stamp(NOW - timedelta(minutes=1))}
        return one | {"metadata": one["metadata"] | created | {"generation": 1}}

    decision = settle(decide, a_model_world(), but("Backend", silent))
    assert told(decision, Type.GATEWAY_READY) == ("False", "GatewaySilent")
    assert "provider account" in condition_of(decision, Type.GATEWAY_READY).message


@pytest.mark.parametrize(
    ("ago", "truth", "wake"),
    [
        (timedelta(seconds=299), "False", timedelta(seconds=1)),
        (timedelta(seconds=300), "True", None),
        (timedelta(seconds=10), "False", timedelta(seconds=30)),
    ],
)
def test_a_configuration_is_live_when_the_gateways_have_dropped_the_one_before(
    ago: timedelta, truth: str, wake: timedelta | None
) -> None:
    world = serving_well(a_model_world(routes=(worlds.a_route(),)))
    decision = settle(decide, world, promoting(at=ago))
    assert told(decision, Type.LIVE)[0] == truth
    assert told(decision, Type.READY)[0] == "True"
    assert decision.wake_after == wake


def test_a_model_without_a_route_is_not_live() -> None:
    decision = settle(decide, serving_well(a_model_world()), content)
    assert told(decision, Type.LIVE) == ("False", "RouteMissing")
    assert "url" not in decision.status


@pytest.mark.parametrize(("ago", "stays"), [(29, True), (30, False)])
def test_a_failed_promotion_is_made_anew_after_half_a_minute(ago: int, stays: bool) -> None:
    answer = promoting(at=timedelta(seconds=ago), fails="cannot promote to production: timeout")
    decision = settle(decide, a_model_world(), answer)
    assert ("ProxyConfigPromote" in kinds(decision)) is stays
    assert any(ref.kind == PROXY_CONFIG_PROMOTE for ref in decision.keep) is stays
    assert told(decision, Type.PROMOTED)[1] == "PromotionFailed"


def test_a_pod_that_can_not_be_scheduled_is_told_in_the_schedulers_words() -> None:
    decision = settle(decide, a_model_world(pods=(unschedulable(),)), content)
    assert told(decision, Type.READY) == ("False", "Unschedulable")
    assert "0/3 nodes: no cpu" in condition_of(decision, Type.READY).message
    assert told(decision, Type.STALLED)[0] == "False"


def test_a_model_that_does_not_start_in_time_stalls_with_its_cause() -> None:
    world = a_model_world(unready(serving={"startupTimeout": "10m"}), pods=(unschedulable(),))
    decision = settle(decide, _replace(world, now=NOW + timedelta(minutes=10)), content)
    assert told(decision, Type.MODEL_READY)[1] == "StartupTimeout"


def test_a_model_without_pods_stalls_as_well() -> None:
    world = a_model_world(unready(serving={"startupTimeout": "10m"}))
    assert told(settle(decide, _replace(world, now=NOW + timedelta(minutes=10)), content), Type.STALLED)[0] == "True"


def test_a_model_that_breaks_after_days_has_its_time_from_then_on() -> None:
    pod = unschedulable()
    pod["metadata"]["creationTimestamp"] = stamp(NOW - timedelta(days=9))
    world = a_model_world(unready("Unschedulable"), pods=(pod,))
    assert told(settle(decide, _replace(world, now=NOW + timedelta(minutes=29)), content), Type.MODEL_READY) == (
        "False",
        "Unschedulable",
    )
    fresh = a_model_world(pods=(pod,))
    assert told(settle(decide, fresh, content), Type.MODEL_READY) == ("False", "Unschedulable")


@pytest.mark.parametrize(
    ("before", "told_anew"),
    [
        ({"model": {"source": {"uri": "oci://registry.example.com/models/tiny:wrong"}}}, True),
        ({"serving": {"replicas": 0}}, True),
        ({"serving": {"replicas": 2}}, False),
        ({}, False),
    ],
    ids=str,
)
def test_the_time_of_a_model_that_did_not_serve_counts_from_the_edit_that_starts_it(
    before: dict[str, Any], told_anew: bool
) -> None:
    (was,) = (one for one in decide(a_model_world(a_service(**before))).children if one["kind"] == "InferenceService")
    world = a_model_world(unready("StartupTimeout"), inference_service=was)
    decision = settle(decide, _replace(world, now=NOW + timedelta(days=9)), content)
    status, reason = told(decision, Type.MODEL_READY)
    assert (status, reason) == (("Unknown", "ModelStarting") if told_anew else ("False", "StartupTimeout"))
    assert told(decision, Type.READY)[0] == "False"
    assert told(decision, Type.STALLED)[0] == ("False" if told_anew else "True")


def test_a_model_that_is_stopped_does_not_start_anew() -> None:
    (was,) = (one for one in decide(a_model_world()).children if one["kind"] == "InferenceService")
    world = a_model_world(unready("Stopped", serving={"replicas": 0}), inference_service=was)
    assert told(settle(decide, world, content), Type.MODEL_READY)[0] == "False"


def test_a_kserve_that_does_nothing_is_told_after_five_minutes() -> None:
    for minutes, reason in ((4, "ModelStarting"), (5, "KServeSilent")):
        world = _replace(a_model_world(unready()), now=NOW + timedelta(minutes=minutes))
        decision = settle(decide, world, content)
        assert told(decision, Type.MODEL_READY) == ("False", reason)
    assert "InferenceService llm/tiny waits for KServe" in condition_of(decision, Type.MODEL_READY).message


def test_a_kserve_that_has_begun_is_not_suspected() -> None:
    world = serving_well(a_model_world(unready(), pods=(a_pod(phase="Running"),)))
    assert world.deployment is not None
    loading = world.deployment | {"status": world.deployment["status"] | {"availableReplicas": 0}}
    world = _replace(world, deployment=loading, now=NOW + timedelta(minutes=20))
    assert told(settle(decide, world, content), Type.MODEL_READY) == ("False", "ModelLoading")


def test_before_its_time_is_up_a_model_only_loads() -> None:
    world = a_model_world(pods=(a_pod(phase="Running"),))
    decision = settle(decide, _replace(world, now=NOW + timedelta(minutes=29)), content)
    assert told(decision, Type.MODEL_READY)[1] != "StartupTimeout"


def test_a_rollout_may_take_longer_than_a_start_since_the_old_replicas_serve() -> None:
    world = serving_well(a_model_world(unready(), pods=(a_pod(phase="Running"),)))
    assert world.deployment is not None
    behind = world.deployment["status"] | {"updatedReplicas": 0}
    world = _replace(world, deployment=world.deployment | {"status": behind}, now=NOW + timedelta(days=1))
    assert told(settle(decide, world, content), Type.MODEL_READY) == ("False", "RollingOut")


def test_a_stopped_model_is_at_rest_neither_working_nor_stalled() -> None:
    decision = settle(decide, a_model_world(a_service(serving={"replicas": 0})), content)
    assert told(decision, Type.READY) == ("False", "Stopped")
    assert told(decision, Type.RECONCILING) == told(decision, Type.STALLED) == ("False", "Settled")


def test_an_unknown_runtime_stops_nothing_that_runs_and_lists_the_known_ones() -> None:
    decision = settle(decide, a_model_world(a_service(serving={"runtime": "triton"})), content)
    assert kinds(decision) == GATEWAY
    assert kept(decision) >= set(SERVING)
    assert "vllm-cpu" in condition_of(decision, Type.MODEL_READY).message


def test_a_name_that_kserve_can_not_serve_is_told_before_anything_runs() -> None:
    service = a_service("n" * 36)
    metadata = service.metadata.model_copy(update={"namespace": "a-rather-long-namespace"})
    decision = settle(decide, a_model_world(service.model_copy(update={"metadata": metadata})), content)
    assert told(decision, Type.STALLED) == ("True", "NameTooLong")
    assert not set(kinds(decision)) & set(SERVING)


def test_a_task_that_the_runtime_does_not_know_is_told() -> None:
    service = a_service(model={"source": worlds.SOURCE, "tasks": ["Responses"]})
    decision = settle(decide, a_model_world(service), content)
    assert told(decision, Type.MODEL_READY) == ("False", "RuntimeRefused")
    assert "Responses" in condition_of(decision, Type.MODEL_READY).message


def product_with(*plans: str) -> Manifest:
    """Return a Product as the cache has it."""
    spec = {"applicationPlans": {name: {"name": name, "published": True} for name in plans}}
    return worlds.child("Product", "llm.tiny") | {"spec": spec}


@pytest.mark.parametrize(("in_use", "plans"), [({"old"}, {"old", "new"}), (set(), {"new"})])
def test_a_renamed_plan_stays_closed_to_others_until_its_applications_have_moved(
    in_use: set[str], plans: set[str]
) -> None:
    product = product_with("old", "older")
    service = a_service(plans=[{"name": "new"}])
    decision = settle(
        decide,
        a_model_world(service, seen={ref_of(product): product}, remote=Remote(plans_in_use=dict.fromkeys(in_use, "7"))),
    )
    written = next(one for one in decision.children if one["kind"] == "Product")["spec"]["applicationPlans"]
    assert written.keys() == plans
    assert written["new"]["published"]
    assert not any(plan["published"] for name, plan in written.items() if name == "old")


# --- approvals --------------------------------------------------------------------------------------------------------

MANUAL = {"promotion": {"mode": "Manual"}}
BEFORE = {
    "configHash": "0" * 16,
    "promotedGeneration": 4,
    "promotedAt": "2026-01-01T11:00:00Z",
    "liveAfter": "2026-01-01T11:05:00Z",
    "stagingVersion": 2,
    "productionVersion": 2,
}


def approved(hash_: str) -> dict[str, Any]:
    return {"promotion": {"mode": "Manual", "approved": hash_}}


def test_nothing_is_promoted_that_nobody_has_approved_and_the_message_says_how_to() -> None:
    decision = settle(decide, serving_well(a_model_world(a_service(api=MANUAL))), content)
    candidate = decision.status["gateway"]["candidateHash"]
    assert "ProxyConfigPromote" not in kinds(decision)
    assert told(decision, Type.PROMOTED) == ("False", "PromotionNotApproved")
    words = f"set spec.api.promotion.approved to {candidate} to publish"
    assert condition_of(decision, Type.PROMOTED).message == words
    assert condition_of(decision, Type.READY).message == f"Promoted: {words}"
    assert told(decision, Type.LIVE)[0] == "Unknown"


def test_an_approval_that_is_waited_for_is_neither_work_nor_a_fault() -> None:
    """Nothing is wrong: who is called when something is Stalled is not called for a gate that works as it is meant."""
    decision = settle(decide, serving_well(a_model_world(a_service(api=MANUAL))), content)
    assert told(decision, Type.READY) == ("False", "PromotionNotApproved")
    assert told(decision, Type.STALLED) == told(decision, Type.RECONCILING) == ("False", "Settled")


def test_what_is_approved_is_promoted_and_named() -> None:
    candidate = settle(decide, a_model_world(a_service(api=MANUAL)), content).status["gateway"]["candidateHash"]
    decision = settle(decide, serving_well(a_model_world(a_service(api=approved(candidate)))), content)
    assert told(decision, Type.READY) == ("True", "Ready")
    assert decision.status["gateway"]["configHash"] == candidate
    assert "candidateHash" not in decision.status["gateway"]


@pytest.mark.parametrize("other", ["f" * 16, "0" * 16])
def test_an_approval_of_another_configuration_approves_nothing(other: str) -> None:
    decision = settle(decide, a_model_world(a_service(api=approved(other))), content)
    assert "ProxyConfigPromote" not in kinds(decision)


def test_what_was_promoted_before_is_told_while_another_configuration_waits() -> None:
    old = content(worlds.child("ProxyConfigPromote", "llm.tiny-00000000"))
    service = a_service(api=MANUAL, status={"gateway": BEFORE})
    decision = settle(decide, a_model_world(service, seen={ref_of(old): old}), content)
    gateway = decision.status["gateway"]
    assert {key: gateway[key] for key in BEFORE} == BEFORE
    assert gateway["candidateHash"] not in ("", BEFORE["configHash"])
    assert ref_of(old) in decision.keep


def test_what_is_published_without_an_approval_stays_published_when_approvals_begin() -> None:
    published = promotion_of(settle(decide, a_model_world(), content))
    done = content(worlds.child("ProxyConfigPromote", published.name))
    decision = settle(decide, a_model_world(a_service(api=MANUAL), seen={published: done}), content)
    assert told(decision, Type.PROMOTED) == ("True", "Promoted")
    assert published in decision.keep


def test_plans_and_limits_need_no_approval() -> None:
    published = promotion_of(settle(decide, a_model_world(), content))
    done = content(worlds.child("ProxyConfigPromote", published.name))
    service = a_service(api=MANUAL, plans=[{"name": "gold"}])
    decision = settle(decide, a_model_world(service, seen={published: done}), content)
    assert product_of(decision)["applicationPlans"].keys() == {"gold"}
    assert told(decision, Type.PROMOTED) == ("True", "Promoted")


def test_the_product_is_not_written_while_a_promotion_of_another_configuration_may_still_publish_it() -> None:
    pending = worlds.child("ProxyConfigPromote", "llm.tiny-00000000")
    decision = settle(decide, a_model_world(seen={ref_of(pending): pending}), content)
    assert "Product" not in kinds(decision)
    assert ref_of(pending) not in decision.keep


def test_after_something_else_was_promoted_in_3scale_the_configuration_is_promoted_again() -> None:
    published = promotion_of(settle(decide, a_model_world(), content))
    done = content(worlds.child("ProxyConfigPromote", published.name))
    world = a_model_world(seen={published: done}, remote=Remote(overtaken=done["metadata"]["uid"]))
    decision = settle(decide, world, content)
    assert told(decision, Type.PROMOTED) == ("False", "Promoting")
    assert "something else was promoted" in condition_of(decision, Type.PROMOTED).message
    assert published not in decision.keep
    assert "ProxyConfigPromote" not in kinds(decision)


def test_a_promotion_of_another_configuration_that_can_not_be_deleted_is_told() -> None:
    old = content(worlds.child("ProxyConfigPromote", "llm.tiny-00000000"))
    refusal = Refusal(RefusalReason.FORBIDDEN, "may not delete")
    world = a_model_world(seen={ref_of(old): old})
    live = {ref_of(one): content(one) for one in settle(decide, world, content).children}
    decision = decide(_replace(world, children=Children(live, {ref_of(old): refusal})))
    assert told(decision, Type.PROMOTED) == ("False", "Forbidden")


def test_an_object_of_somebody_else_is_named_and_the_rest_goes_on() -> None:
    refusal = Refusal(RefusalReason.CONFLICT, "Service llm/tiny-api exists and is not ours")
    decision = settle(decide, a_model_world(), lambda one: refusal if one["kind"] == "Service" else content(one))
    assert told(decision, Type.MODEL_READY) == ("False", "Conflict")
    assert told(decision, Type.PROMOTED)[0] == "True"


def test_a_management_of_the_network_by_the_user_drops_our_policy() -> None:
    decision = settle(decide, a_model_world(a_service(api={"networkPolicy": "None"})), content)
    assert "NetworkPolicy" not in kinds(decision)
    assert all(ref.kind.name != "NetworkPolicy" for ref in decision.keep)


DEVELOPER = {"developers": [{"name": "dev1", "email": "dev1@example.com", "plan": "standard"}]}


def developer_is(*, ready: bool, stalled: bool = False) -> worlds.Answer:
    def answer(one: Manifest) -> Manifest:
        truths = {"Ready": ready, "Stalled": stalled}
        conditions = [
            worlds.condition(type_, "AccountReady: taken")
            | {"status": str(truth), "observedGeneration": 1, "reason": "Any"}
            for type_, truth in truths.items()
        ]
        return worlds.with_status(one, conditions=conditions)

    return but("ModelSubscription", answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (developer_is(ready=True), ("True", "Ready")),
        (developer_is(ready=False), ("False", "DevelopersPending")),
        (developer_is(ready=False, stalled=True), ("False", "DevelopersFailed")),
        (content, ("False", "DevelopersPending")),
    ],
)
def test_developers_have_a_condition_of_their_own_and_do_not_hold_back_the_model(
    answer: worlds.Answer, expected: tuple[str, str]
) -> None:
    decision = settle(decide, serving_well(a_model_world(a_service(**DEVELOPER))), answer)
    assert told(decision, Type.DEVELOPERS_READY) == expected
    assert told(decision, Type.READY) == ("True", "Ready")


def test_a_developers_subscription_carries_name_mail_and_plan() -> None:
    decision = settle(decide, a_model_world(a_service(**DEVELOPER)), content)
    subscription = next(one for one in decision.children if one["kind"] == "ModelSubscription")
    assert subscription["metadata"]["name"] == "tiny-dev1"
    assert subscription["spec"] == {
        "modelRef": {"name": "tiny"},
        "plan": "standard",
        "account": "dev1",
        "user": {"username": "dev1", "email": "dev1@example.com"},
    }


def test_a_paused_model_is_left_alone_and_nothing_is_claimed_of_it() -> None:
    status = {"url": "https://tiny.example.com/v1", "observedGeneration": 1}
    decision = settle(decide, a_model_world(a_service(managementPolicy="Paused", status=status)), content)
    assert (decision.children, decision.prune) == ((), False)
    assert told(decision, Type.READY) == ("Unknown", "Paused")
    assert decision.status == {"url": "https://tiny.example.com/v1"}


def leaving(**spec: Any) -> Any:
    service = a_service(**spec)
    metadata = service.metadata.model_copy(update={"deletion_timestamp": NOW})
    return service.model_copy(update={"metadata": metadata})


def test_a_paused_model_can_be_deleted() -> None:
    decision = decide(a_model_world(leaving(managementPolicy="Paused")))
    assert (decision.children, decision.prune, decision.releasable) == ((), True, True)


def test_deleting_says_what_it_waits_for_in_3scales_words() -> None:
    stuck = worlds.child(
        "Product", "llm.tiny", observedGeneration=1, conditions=[worlds.condition("Failed", "503 Service Unavailable")]
    )
    decision = decide(a_model_world(leaving(), remaining=(stuck,)))
    assert told(decision, Type.READY) == ("False", "Deleting")
    assert "Product 3scale/llm.tiny (503 Service Unavailable)" in condition_of(decision, Type.READY).message


def test_the_product_stays_while_other_namespaces_use_it() -> None:
    product = worlds.child("Product", "llm.tiny")
    world = a_model_world(leaving(), seen={ref_of(product): product}, applications=("Application 3scale/team-a.x",))
    decision = decide(world)
    assert ref_of(product) in decision.keep
    assert not decision.releasable
    assert "Application 3scale/team-a.x" in condition_of(decision, Type.READY).message


LEFT = {"children": [{"apiVersion": "v1", "kind": "Secret", "namespace": "3scale", "name": "x"}]}


def test_a_model_whose_children_are_out_of_reach_is_not_let_go() -> None:
    decision = decide(a_model_world(leaving(status=LEFT), platform=None, threescale_namespaces=frozenset()))
    assert not decision.releasable
    assert "namespace 3scale" in condition_of(decision, Type.READY).message


def test_children_may_live_in_the_models_and_the_3scale_namespaces_only() -> None:
    assert decide(a_model_world()).namespaces == {"llm", "3scale"}


TAKEN = Verdict(ConditionStatus.FALSE, Reason.REMOTE_NAME_TAKEN, "3scale has a product tiny-4f9d4e already")
THERE = {ref_of(one): one for one in (worlds.child("Backend", "llm.tiny"), product_with("standard"))}
ADMIN_API = ["AuthorityMissing", "TokenRefused", "AdminAPIUnavailable", "AdminAPIRefused"]


def test_a_name_that_somebody_else_has_in_3scale_stops_the_gateway_alone() -> None:
    decision = settle(decide, a_model_world(remote=Remote(barrier=TAKEN)), content)
    assert told(decision, Type.GATEWAY_READY) == ("False", "RemoteNameTaken")
    assert kinds(decision) == SERVING


@pytest.mark.parametrize("reason", ADMIN_API)
def test_without_the_admin_api_nothing_is_written_for_the_first_time(reason: str) -> None:
    platform = a_platform(problem="3scale answers 403", reason=reason)
    decision = settle(decide, a_model_world(platform=platform), content)
    assert kinds(decision) == SERVING
    assert told(decision, Type.GATEWAY_READY) == ("False", "PlatformNotReady")
    assert "3scale answers 403" in condition_of(decision, Type.GATEWAY_READY).message


@pytest.mark.parametrize("reason", ADMIN_API)
def test_without_the_admin_api_what_is_in_3scale_is_kept_up(reason: str) -> None:
    platform = a_platform(problem="3scale answers 403", reason=reason)
    decision = settle(decide, a_model_world(platform=platform, seen=THERE), content)
    assert set(GATEWAY) <= set(kinds(decision))
    assert told(decision, Type.GATEWAY_READY) == ("True", "Ready")


def test_without_a_provider_account_nothing_is_written_at_all() -> None:
    platform = a_platform(problem="Secret 3scale/x does not exist", reason="ProviderSecretMissing")
    decision = settle(decide, a_model_world(platform=platform, seen=THERE), content)
    assert kinds(decision) == SERVING


def test_a_plan_in_use_is_named_with_its_users_and_holds_up_nothing() -> None:
    product = product_with("old")
    remote = Remote(plans_in_use={"old": "3scale has 2 applications on it: 12 of account 3"})
    decision = settle(decide, a_model_world(seen={ref_of(product): product}, remote=remote), content)
    found = condition_of(decision, Type.GATEWAY_READY)
    assert (str(found.status), found.reason) == ("True", "PlanInUse")
    assert "plan old stays, closed for others: 3scale has 2 applications on it: 12 of account 3" in found.message
    assert "ProxyConfigPromote" in kinds(decision)
    assert decision.wake_after is not None


def refused_by_3scale(one: Manifest) -> Manifest:
    words = "This application plan cannot be deleted"
    told = [worlds.condition("Failed", words)]
    return worlds.with_status(one, observedGeneration=1, productId=7, conditions=told)


@pytest.mark.parametrize("answer", [but("Product", refused_by_3scale), content])
def test_a_plan_that_was_made_in_3scale_is_named_with_its_users_where_it_is_in_the_way(
    answer: worlds.Answer,
) -> None:
    remote = Remote(stray_plans={"lunch": "3scale has 1 applications on it: 12 of account 3"})
    found = condition_of(settle(decide, a_model_world(remote=remote), answer), Type.GATEWAY_READY)
    if answer is content:
        assert (str(found.status), found.reason) == ("True", "Ready")
        return
    assert (str(found.status), found.reason) == ("False", "GatewayFailed")
    assert "plan lunch was made in 3scale and can not go: 3scale has 1 applications on it: 12 of account 3" in (
        found.message
    )
    assert "3scale says: This application plan cannot be deleted" in found.message


def test_what_was_edited_in_3scale_is_marked_so_that_it_is_written_anew() -> None:
    decision = settle(decide, a_model_world(remote=Remote(edited_at={"Product": NOW})), content)
    marks = {one["kind"]: one["metadata"].get("annotations", {}).get(CORRECTED_AT) for one in decision.children}
    assert marks["Product"] == stamp(NOW)
    assert marks["Backend"] is None

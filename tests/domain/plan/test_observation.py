from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maas_operator.api.meta import CONSEQUENCES_LIMIT, PENDING_LIMIT, ConditionStatus
from maas_operator.api.model_service import ModelServiceStatus
from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.decision import Decision
from maas_operator.domain.gateway.remote import Remote
from maas_operator.domain.model_service import decide
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, RefusalReason, ref_of
from maas_operator.domain.plan.changes import Write
from maas_operator.domain.plan.consequences import LosesAccess
from maas_operator.domain.plan.observation import observed
from tests.domain import worlds
from tests.domain.worlds import a_model_world, a_service, condition_of, settle, told

KEPT = {"url": "https://old.example.com/v1", "modelName": "tiny", "pendingChanges": []}


def children(**spec: Any) -> dict[Ref, Manifest]:
    """Return what an active service has, synced and promoted."""
    decision = settle(decide, a_model_world(a_service(**spec)))
    return {ref_of(one): worlds.content(one) for one in decision.children}


def observe(
    live: dict[Ref, Manifest], *writes: Write, refused: dict[Ref, Refusal] | None = None, **known: Any
) -> Decision:
    service = known.pop("service", None) or a_service(managementPolicy="Observe", status=KEPT)
    world = a_model_world(service, seen=live, **known)
    return decide(replace(world, children=Children(live, refused or {}), pending=writes))


def test_what_is_there_is_told_as_in_an_active_pass_and_that_nothing_is_changed() -> None:
    decision = observe(children())
    assert told(decision, Type.GATEWAY_READY) == ("True", "Ready")
    assert told(decision, Type.PROMOTED) == ("True", "Promoted")
    assert told(decision, Type.MODEL_READY) == ("False", "ModelStarting")
    assert told(decision, Type.READY) == ("False", "ModelStarting")
    assert told(decision, Type.RECONCILING) == ("False", "Observing")
    assert condition_of(decision, Type.RECONCILING).message.endswith("no changes are pending")
    assert decision.wake_after is None
    assert "pendingChanges" not in decision.status


def test_what_is_not_there_is_told_by_what_would_be_created() -> None:
    made = children(developers=[{"name": "dev1", "email": "dev1@example.com", "plan": "standard"}])
    service = a_service(
        managementPolicy="Observe", developers=[{"name": "dev1", "email": "dev1@example.com", "plan": "standard"}]
    )
    decision = observe({}, *(Write(None, one) for one in made.values()), service=service)
    stages = (Type.MODEL_READY, Type.GATEWAY_READY, Type.PROMOTED, Type.DEVELOPERS_READY, Type.READY)
    assert {told(decision, type_) for type_ in stages} == {("False", "ChangesPending")}
    assert told(decision, Type.STALLED) == ("False", "Settled")
    message = condition_of(decision, Type.GATEWAY_READY).message
    assert message == (
        "spec.managementPolicy is Observe: Backend 3scale/llm.tiny, Product 3scale/llm.tiny would be created"
    )
    assert "8 changes are pending, see status.pendingChanges: " in condition_of(decision, Type.READY).message
    assert condition_of(decision, Type.READY).message.endswith(" and 5 more")


def test_a_change_of_what_is_there_leaves_its_stage_as_it_is_and_ready_false() -> None:
    live = children()
    (product,) = [one for one in live.values() if one["kind"] == "Product"]
    other = product | {"spec": product["spec"] | {"description": "Another"}}
    decision = observe(live, Write(product, other), deployment=None)
    assert told(decision, Type.GATEWAY_READY) == ("True", "Ready")
    assert decision.status["pendingChanges"] == [
        {
            "action": "Change",
            "kind": "Product",
            "namespace": "3scale",
            "name": "llm.tiny",
            "message": "spec.description: tiny -> Another",
        }
    ]


def test_a_fault_is_told_before_what_is_pending() -> None:
    live = children()
    (product,) = [ref for ref in live if ref.kind.name == "Product"]
    refusal = Refusal(RefusalReason.REJECTED, "no")
    decision = observe(live, Write(live[product], None), refused={product: refusal})
    assert told(decision, Type.GATEWAY_READY) == ("False", "Rejected")


def test_a_service_that_is_ready_is_not_ready_for_what_is_pending() -> None:
    ready = Decision(
        conditions=tuple(
            replace(one, status=ConditionStatus.TRUE)
            for one in settle(decide, a_model_world()).conditions
            if one.type not in (Type.RECONCILING, Type.STALLED)
        )
    )
    (backend,) = [one for one in children().values() if one["kind"] == "Backend"]
    decision = observed(ready, [Write(backend, None)], (), {})
    assert told(decision, Type.READY) == ("False", "ChangesPending")
    assert condition_of(decision, Type.READY).message == (
        "1 change is pending, see status.pendingChanges: Backend 3scale/llm.tiny"
    )
    assert told(observed(ready, [], (), {}), Type.READY)[0] == "True"


def test_of_the_status_stays_what_was_made_and_what_is_seen_is_new() -> None:
    service = a_service(managementPolicy="Observe", status=KEPT, model={"name": "other", "source": worlds.SOURCE})
    decision = observe(children(), service=service, routes=(worlds.a_route(),))
    assert decision.status["modelName"] == "tiny"
    assert decision.status["url"] == "https://tiny.example.com/v1"
    assert decision.status["replicas"] == 0


@pytest.mark.parametrize("platform", [None, worlds.a_platform()])
def test_without_a_platform_the_truth_is_told_as_well(platform: Any) -> None:
    decision = observe({}, platform=platform)
    assert told(decision, Type.RECONCILING) == ("False", "Observing")
    assert told(decision, Type.PLATFORM_READY)[0] == ("True" if platform else "False")


def test_a_rehearsal_decides_as_an_active_pass_and_goes_on_without_3scales_answer() -> None:
    world = replace(a_model_world(a_service(managementPolicy="Observe")), rehearsed=True)
    active = a_model_world()
    silent = settle(decide, world, worlds.with_status)
    assert worlds.kinds(silent) == [
        kind for kind in worlds.kinds(settle(decide, active)) if kind != "ProxyConfigPromote"
    ]
    assert "Product" not in worlds.kinds(settle(decide, active, worlds.with_status))


def test_who_is_on_a_plan_that_goes_is_part_of_the_consequences() -> None:
    live = children(plans=[{"name": "aa"}, {"name": "bb"}])
    (product,) = [one for one in live.values() if one["kind"] == "Product"]
    plans = product["spec"]["applicationPlans"]
    other = product | {"spec": product["spec"] | {"applicationPlans": {"aa": plans["aa"]}}}
    remote = Remote(plans_in_use={"bb": "Application x uses it"})
    decision = observe(live, Write(product, other), remote=remote)
    assert decision.status["pendingConsequences"] == [
        "Product 3scale/llm.tiny: plan bb can not be chosen any more; it stays for those who are on it: Application x"
        " uses it"
    ]


def test_what_is_told_fits_into_the_status() -> None:
    (product,) = [one for one in children().values() if one["kind"] == "Product"]
    wide = {f"field{number}": "x" * 300 for number in range(20)}
    many = [
        Write(None, {**product, "metadata": {"name": f"n{number}", "namespace": "3scale"}})
        for number in range(PENDING_LIMIT + 5)
    ]
    changed = Write(product, product | {"spec": product["spec"] | wide})
    consequences = [LosesAccess(f"ModelSubscription {'n' * 2000}/{number}") for number in range(CONSEQUENCES_LIMIT + 5)]
    decision = observed(observe({}), [*many, changed], consequences, {})
    ModelServiceStatus.model_validate(decision.status)
    assert len(decision.status["pendingChanges"]) == PENDING_LIMIT
    assert len(decision.status["pendingConsequences"]) == CONSEQUENCES_LIMIT
    messages = [entry["message"] for entry in decision.status["pendingChanges"] if "message" in entry]
    assert messages[0].endswith("…")


def test_more_fields_than_a_line_takes_are_counted() -> None:
    (product,) = [one for one in children().values() if one["kind"] == "Product"]
    changed = Write(product, product | {"spec": product["spec"] | {f"field{number}": 1 for number in range(9)}})
    decision = observed(observe({}), [changed], (), {})
    (entry,) = decision.status["pendingChanges"]
    assert entry["message"].endswith("; and 3 more fields")
    platform = {"apiVersion": "maas-operator.io/v1alpha1", "kind": "ModelPlatform", "metadata": {"name": "default"}}
    (without,) = observed(observe({}), [Write(None, platform)], (), {}).status["pendingChanges"]
    assert without == {"action": "Create", "kind": "ModelPlatform", "name": "default"}

"""The name of a ServingRuntime: as it is while nothing else is to run, else that of its content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maas_operator.domain.kinds import INFERENCE_SERVICE, SERVING_RUNTIME
from maas_operator.domain.model_service import ModelServiceWorld, decide
from maas_operator.domain.objects import Manifest, Ref, Refusal, RefusalReason
from maas_operator.domain.plan.changes import Write
from maas_operator.domain.plan.consequences import RestartsModel, consequences
from maas_operator.domain.serving.inference_service import CONFIG_HASH
from tests.domain.worlds import a_model_world, a_service, kept, refusing, settle, with_status

OLD = Ref(SERVING_RUNTIME, "llm", "tiny")


def runtime_of(world: ModelServiceWorld) -> tuple[str, str]:
    """Return the runtime's name, and the name by which the InferenceService asks for it."""
    children = {one["kind"]: one for one in decide(world).children}
    asked = children["InferenceService"]["spec"]["predictor"]["model"]["runtime"]
    return children["ServingRuntime"]["metadata"]["name"], asked


def told(*, runtime: str = "tiny", **spec: Any) -> Manifest:
    """Return the InferenceService of a service that runs, as an operator has left it that named the runtime so."""
    (made,) = (
        one for one in decide(a_model_world(a_service(**spec))).children if one["kind"] == INFERENCE_SERVICE.name
    )
    predictor = made["spec"]["predictor"]
    named = predictor | {"model": predictor["model"] | {"runtime": runtime}}
    return with_status(made | {"spec": {"predictor": named}})


def edited() -> ModelServiceWorld:
    """Return the world of an edit of what the pods of `told` run."""
    seen = {OLD: {"apiVersion": OLD.kind.api_version, "kind": OLD.kind.name, "metadata": {"name": OLD.name}}}
    service = a_service(serving={"startupTimeout": "45m"})
    return replace(a_model_world(service, inference_service=told()), seen=seen)


def a_deployment_of(world: ModelServiceWorld) -> Manifest:
    (made,) = (one for one in decide(world).children if one["kind"] == INFERENCE_SERVICE.name)
    marked = {CONFIG_HASH: made["spec"]["predictor"]["annotations"][CONFIG_HASH]}
    template = {"metadata": {"annotations": marked}}
    return {"metadata": {"name": "tiny-predictor", "generation": 1}, "spec": {"template": template}, "status": {}}


def test_another_content_has_another_name_and_the_same_content_the_same() -> None:
    first, again = runtime_of(a_model_world()), runtime_of(a_model_world(a_service(displayName="Tiny")))
    other = runtime_of(a_model_world(a_service(serving={"startupTimeout": "45m"})))
    assert first == again
    assert first[0] == first[1]
    assert other[0] == other[1] != first[0]
    assert first[0].startswith("tiny-")


def test_what_runs_keeps_the_name_that_an_older_operator_gave() -> None:
    assert runtime_of(a_model_world(inference_service=told())) == ("tiny", "tiny")


def test_an_edit_of_what_runs_brings_a_name_of_its_content() -> None:
    name, asked = runtime_of(edited())
    assert name == asked != "tiny"


def test_the_runtime_before_stays_until_kserve_goes_by_the_new_one() -> None:
    world = edited()
    assert OLD in settle(decide, world).keep
    refusal = Refusal(RefusalReason.REJECTED, "no")
    assert OLD in settle(decide, world, refusing(INFERENCE_SERVICE.name, refusal)).keep
    assert OLD not in settle(decide, replace(world, deployment=a_deployment_of(world))).keep


def test_a_stopped_model_needs_no_runtime_of_before() -> None:
    world = replace(edited(), service=a_service(serving={"startupTimeout": "45m", "replicas": 0}))
    assert OLD not in settle(decide, world).keep


def test_where_nothing_can_be_rendered_the_runtime_stays() -> None:
    world = replace(edited(), service=a_service(serving={"runtime": "unknown"}))
    decision = settle(decide, world)
    assert "ServingRuntime" in kept(decision)
    assert OLD in decision.keep


def test_a_plan_names_the_fields_of_a_runtime_that_has_another_name() -> None:
    before = {one["kind"]: one for one in decide(a_model_world()).children}
    after = {one["kind"]: one for one in decide(a_model_world(a_service(serving={"startupTimeout": "45m"}))).children}
    writes = [
        Write(before["InferenceService"], after["InferenceService"]),
        Write(None, after["ServingRuntime"]),
        Write(before["ServingRuntime"], None),
    ]
    (restart,) = (one for one in consequences(writes) if isinstance(one, RestartsModel))
    assert "startupProbe" in str(restart)
    assert "spec.predictor.model.runtime" not in str(restart)

"""How an InferenceService says who scales the model, and on what."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from maas_operator.api.meta import Condition as StoredCondition
from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.decision import Decision
from maas_operator.domain.model_service import decide
from maas_operator.domain.serving.autoscaling import (
    Autoscalers,
    Scaling,
    Unscalable,
    horizontal_pod_autoscaler_ref,
    scaled_object_ref,
    scaling,
)
from maas_operator.domain.serving.inference_service import CONFIG_HASH, inference_service
from maas_operator.domain.serving.words import HIDDEN, LIMIT
from tests.domain.children import a_platform, a_service, profile_of
from tests.domain.worlds import NOW, a_model_world, condition_of, kept, kinds, settle, told, with_status
from tests.domain.worlds import a_platform as a_ready_platform
from tests.domain.worlds import a_service as a_stored_service

URL = "https://prometheus.example.com:9090"
OPENSHIFT = "https://thanos-querier.openshift-monitoring.svc.cluster.local:9092"
CLASS = "serving.kserve.io/autoscalerClass"


def asking(url: str = URL, **spec: Any) -> ModelPlatform:
    return a_platform(monitoring={"prometheus": {"url": url}}, **spec)


def scaled(metric: str, **more: Any) -> ModelService:
    return a_service(serving={"autoscaling": {"maxReplicas": 3, "metric": metric, **more}})


def manifest_of(service: ModelService, platform: ModelPlatform | None = None) -> dict[str, Any]:
    platform = platform or asking()
    profile = profile_of(service, platform)
    replicas = scaling(service, platform, profile, keda=True)
    assert isinstance(replicas, Scaling)
    return dict(inference_service(service, profile, deployment_mode=None, scaling=replicas))


def external_of(service: ModelService, platform: ModelPlatform | None = None) -> dict[str, Any]:
    (metric,) = manifest_of(service, platform)["spec"]["predictor"]["autoScaling"]["metrics"]
    assert metric["type"] == "External"
    return dict(metric["external"])


@pytest.mark.parametrize(
    ("metric", "word"),
    [("CPU", "hpa"), ("Memory", "hpa"), ("Concurrency", "keda"), ("WaitingRequests", "keda"), ("KVCache", "keda")],
)
def test_the_metric_decides_who_scales(metric: str, word: str) -> None:
    manifest = manifest_of(scaled(metric, minReplicas=2))
    assert manifest["metadata"]["annotations"][CLASS] == word
    predictor = manifest["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 3)
    # KServe refuses a scaleMetric beside KEDA.
    assert ("scaleMetric" in predictor) == (word == "hpa")
    assert ("autoScaling" in predictor) == (word == "keda")


@pytest.mark.parametrize(("metric", "name"), [("CPU", "cpu"), ("Memory", "memory")])
@pytest.mark.parametrize(("given", "target"), [({}, 80), ({"target": 55}, 55)])
def test_a_resource_is_scaled_on_by_its_utilization(metric: str, name: str, given: Any, target: int) -> None:
    predictor = manifest_of(scaled(metric, **given))["spec"]["predictor"]
    assert (predictor["scaleMetric"], predictor["scaleTarget"]) == (name, target)


@pytest.mark.parametrize(
    ("metric", "query", "target"),
    [
        ("Concurrency", "sum(vllm:num_requests_running{pods})", "32"),
        ("WaitingRequests", "sum(vllm:num_requests_waiting{pods})", "5"),
        ("KVCache", "100 * sum(avg by (pod) (vllm:gpu_cache_usage_perc{pods}))", "80"),
    ],
)
def test_prometheus_is_asked_about_this_model_alone(metric: str, query: str, target: str) -> None:
    pods = '{namespace="llm",pod=~"tiny-predictor-[0-9a-z]+-[0-9a-z]+"}'
    external = external_of(scaled(metric))
    assert external["metric"] == {
        "backend": "prometheus",
        "serverAddress": URL,
        "namespace": "llm",
        "query": query.replace("{pods}", pods),
    }
    assert external["target"] == {"type": "Value", "value": target}


@pytest.mark.parametrize(
    ("version", "name"),
    [("0.9.1", "gpu_cache_usage_perc"), ("0.9.2", "kv_cache_usage_perc"), ("0.13.0", "kv_cache_usage_perc")],
)
def test_the_metric_of_the_cache_has_the_name_of_the_runtimes_version(version: str, name: str) -> None:
    runtimes = [{"name": "vllm-cpu", "image": "vllm", "version": version, "resources": {}}]
    assert f"vllm:{name}{{" in external_of(scaled("KVCache"), asking(runtimes=runtimes))["metric"]["query"]


def test_no_text_of_a_user_is_part_of_the_question() -> None:
    hostile = 'x"} or vector(1000)'
    model = {"name": "other/model", "source": {"uri": "oci://registry.example.com/models/tiny:1"}}
    serving = {"autoscaling": {"maxReplicas": 3, "metric": "WaitingRequests"}}
    service = a_service(model=model, displayName=hostile.translate(str.maketrans("", "", "{}")), serving=serving)
    assert external_of(service) == external_of(scaled("WaitingRequests"))
    # Even a name that no server would accept stays inside of its quotes.
    metadata = service.metadata.model_copy(update={"name": hostile, "namespace": hostile})
    forged = service.model_copy(update={"metadata": metadata})
    query = external_of(forged)["metric"]["query"]
    assert query.startswith(
        'sum(vllm:num_requests_waiting{namespace="x\\"} or vector(1000)",pod=~"x\\"} or vector(1000)-'
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (OPENSHIFT, True),
        ("https://thanos-querier.openshift-monitoring.svc:9092", True),
        (URL, False),
        ("https://openshift-monitoring.svc.example.com", False),
    ],
)
def test_a_token_is_shown_to_openshifts_prometheus_only(url: str, shown: bool) -> None:
    reference = {"authModes": "bearer", "authenticationRef": {"name": "inference-prometheus-auth"}}
    external = external_of(scaled("WaitingRequests"), asking(url))
    assert external.get("authenticationRef") == (reference if shown else None)


def test_what_a_replica_does_not_request_can_not_be_measured() -> None:
    bare = RuntimeProfile(name="bare", image="vllm", version="0.13.0")
    found = scaling(scaled("CPU"), a_platform(), bare, keda=False)
    assert isinstance(found, Unscalable)
    assert "set spec.serving.resources.requests.cpu" in found.message
    limited = a_service(
        serving={"autoscaling": {"maxReplicas": 3, "metric": "CPU"}, "resources": {"limits": {"cpu": "2"}}}
    )
    assert isinstance(scaling(limited, a_platform(), bare, keda=False), Scaling)


def test_scaling_says_nothing_of_what_the_pods_run() -> None:
    hashes = {
        manifest_of(service)["spec"]["predictor"]["annotations"][CONFIG_HASH]
        for service in (a_service(), scaled("CPU"), scaled("WaitingRequests"), scaled("KVCache", target=9))
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
@pytest.mark.parametrize("limits", [{}, {"nvidia.com/gpu": "1"}])
def test_the_users_strategy_wins_over_that_of_the_accelerator(strategy: str, limits: dict[str, str]) -> None:
    service = a_service(serving={"rolloutStrategy": strategy, "resources": {"limits": limits}})
    assert manifest_of(service)["spec"]["predictor"]["deploymentStrategy"] == {"type": strategy}


# --- in a pass -------------------------------------------------------------------------------------------------------

QUEUE = {"autoscaling": {"maxReplicas": 3, "metric": "WaitingRequests"}}
PROMETHEUS = {"prometheus": {"url": URL}}


def a_scaled_object(status: str = "False", message: str = "connection refused") -> dict[str, Any]:
    ready = {"type": "Ready", "status": status, "reason": "ScaledObjectCheckFailed", "message": message}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "tiny-predictor", "namespace": "llm"},
        "status": {"conditions": [ready]},
    }


@pytest.mark.parametrize(("keda", "monitoring"), [(False, PROMETHEUS), (True, {})])
def test_what_can_not_be_scaled_is_not_half_made(keda: bool, monitoring: dict[str, Any]) -> None:
    world = a_model_world(
        a_stored_service(serving=QUEUE),
        platform=a_ready_platform(monitoring=monitoring),
        autoscalers=Autoscalers(keda=keda),
    )
    decision = settle(decide, world)
    assert told(decision, ConditionType.MODEL_READY) == ("False", Reason.AUTOSCALING_UNAVAILABLE)
    assert told(decision, ConditionType.STALLED) == ("True", Reason.AUTOSCALING_UNAVAILABLE)
    assert "InferenceService" not in kinds(decision)
    assert "InferenceService" in kept(decision)


def test_a_stopped_model_asks_for_no_autoscaler() -> None:
    decision = settle(decide, a_model_world(a_stored_service(serving={**QUEUE, "replicas": 0})))
    (manifest,) = (one for one in decision.children if one["kind"] == "InferenceService")
    assert manifest["metadata"]["annotations"][CLASS] == "none"
    assert "autoScaling" not in manifest["spec"]["predictor"]


def the_service_told(service: ModelService, before: dict[str, Any] | None = None) -> dict[str, Any]:
    decision = settle(decide, a_model_world(service, inference_service=before))
    return dict(next(one for one in decision.children if one["kind"] == "InferenceService"))


@pytest.mark.parametrize("serving", [{}, {"autoscaling": {"maxReplicas": 3, "metric": "CPU"}}], ids=["fixed", "cpu"])
def test_pods_that_know_no_class_keep_knowing_none_until_they_go_anyway(serving: dict[str, Any]) -> None:
    before = the_service_told(a_stored_service())
    del before["metadata"]["annotations"][CLASS]
    service = a_stored_service(serving=serving)
    assert CLASS not in the_service_told(service, before)["metadata"]["annotations"]
    other = before | {"spec": {"predictor": before["spec"]["predictor"] | {"annotations": {CONFIG_HASH: "other"}}}}
    assert CLASS in the_service_told(service, other)["metadata"]["annotations"]
    assert CLASS in the_service_told(service)["metadata"]["annotations"]


def test_what_kserve_left_behind_is_swept_if_our_inference_service_controls_it() -> None:
    service = a_stored_service()
    found = with_status(the_service_told(service))
    for ref in (scaled_object_ref(service), horizontal_pod_autoscaler_ref(service)):
        decision = settle(
            decide, a_model_world(service, autoscalers=Autoscalers(leftover=ref), inference_service=found)
        )
        assert decision.sweep == {ref: "uid-tiny"}
    assert settle(decide, a_model_world(service, inference_service=found)).sweep == {}


def decided(service: ModelService, known: Autoscalers) -> Decision:
    """Decide about a model of which one replica answers, while another one loads."""
    platform = a_ready_platform(monitoring=PROMETHEUS)
    world = a_model_world(service, platform=platform, autoscalers=known)
    (manifest,) = (one for one in settle(decide, world).children if one["kind"] == "InferenceService")
    runs = {"annotations": manifest["spec"]["predictor"]["annotations"]}
    pod = {
        "metadata": {"name": "tiny-1", "creationTimestamp": "2026-01-01T00:00:00Z", **runs},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    deployment = {
        "metadata": {"name": "tiny-predictor", "generation": 2},
        "spec": {"replicas": 2, "template": {"metadata": runs}},
        "status": {"observedGeneration": 1, "replicas": 1, "availableReplicas": 1},
    }
    return settle(decide, replace(world, deployment=deployment, pods=(pod,)))


@pytest.mark.parametrize(
    ("status", "reason"), [("False", "AutoscalerFailing"), ("True", "Ready"), ("Unknown", "Ready")]
)
def test_keda_that_fails_is_told_of_a_model_that_answers(status: str, reason: str) -> None:
    known = Autoscalers(keda=True, scaled_object=a_scaled_object(status))
    decision = decided(a_stored_service(serving=QUEUE), known)
    assert told(decision, ConditionType.MODEL_READY) == ("True", reason)
    assert ("connection refused" in condition_of(decision, ConditionType.MODEL_READY).message) == (status == "False")


def an_autoscaler(message: str = "no metrics", **conditions: str) -> dict[str, Any]:
    found = [
        {"type": type_, "status": status, "reason": "Failed", "message": message}
        for type_, status in conditions.items()
    ]
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "tiny-predictor", "namespace": "llm"},
        "status": {"conditions": found},
    }


def ready_for(seconds: int, service: ModelService) -> ModelService:
    """Return a service of which the status says that the model has been ready for so long."""
    since = NOW - timedelta(seconds=seconds)
    ready = StoredCondition(
        type="ModelReady", status=ConditionStatus.TRUE, reason="Ready", message="", last_transition_time=since
    )
    return service.model_copy(update={"status": service.status.model_copy(update={"conditions": (ready,)})})


@pytest.mark.parametrize(
    ("conditions", "seconds", "reason"),
    [
        ({"AbleToScale": "True", "ScalingActive": "False"}, 120, "AutoscalerFailing"),
        ({"AbleToScale": "False"}, 120, "AutoscalerFailing"),
        ({"AbleToScale": "True", "ScalingActive": "True"}, 120, "Ready"),
        ({"ScalingActive": "Unknown"}, 120, "Ready"),
        ({}, 120, "Ready"),
        # Of what has just started there are no metrics yet.
        ({"ScalingActive": "False"}, 119, "Ready"),
    ],
)
def test_an_autoscaler_of_kubernetes_that_fails_is_told_when_there_should_be_metrics(
    conditions: dict[str, str], seconds: int, reason: str
) -> None:
    service = ready_for(seconds, a_stored_service(serving={"autoscaling": {"maxReplicas": 3, "metric": "CPU"}}))
    decision = decided(service, Autoscalers(horizontal_pod_autoscaler=an_autoscaler(**conditions)))
    assert told(decision, ConditionType.MODEL_READY) == ("True", reason)
    message = condition_of(decision, ConditionType.MODEL_READY).message
    words = "HorizontalPodAutoscaler llm/tiny-predictor does not scale it: Failed: no metrics"
    assert (words in message) == (reason == "AutoscalerFailing")


def test_what_an_autoscaler_says_is_cleaned_before_it_is_told() -> None:
    scaled = a_scaled_object("False")
    scaled["status"]["conditions"][0]["message"] = "GET https://me:s3cret@prometheus/api?token=s3cret failed"
    decision = decided(a_stored_service(serving=QUEUE), Autoscalers(keda=True, scaled_object=scaled))
    message = condition_of(decision, ConditionType.MODEL_READY).message
    assert "failed" in message
    assert "s3cret" not in message


def test_an_autoscaler_that_fails_without_metrics_of_a_model_that_was_not_ready_is_not_told() -> None:
    service = a_stored_service(serving={"autoscaling": {"maxReplicas": 3, "metric": "CPU"}})
    decision = decided(service, Autoscalers(horizontal_pod_autoscaler=an_autoscaler(ScalingActive="False")))
    assert told(decision, ConditionType.MODEL_READY) == ("True", "Ready")


@pytest.mark.parametrize("of", ["KEDA", "Kubernetes"])
def test_what_an_autoscaler_says_is_cut_and_cleaned_as_all_words_of_others(of: str) -> None:
    words = f"GET https://me:swordfish@prometheus:\nBearer abc.def.ghi{' and so on' * 200}"
    if of == "KEDA":
        service, known = (
            a_stored_service(serving=QUEUE),
            Autoscalers(keda=True, scaled_object=a_scaled_object("False", words)),
        )
    else:
        service = ready_for(120, a_stored_service(serving={"autoscaling": {"maxReplicas": 3, "metric": "CPU"}}))
        known = Autoscalers(horizontal_pod_autoscaler=an_autoscaler(words, ScalingActive="False"))
    decision = decided(service, known)
    assert told(decision, ConditionType.MODEL_READY) == ("True", Reason.AUTOSCALER_FAILING)
    message = condition_of(decision, ConditionType.MODEL_READY).message
    assert f"GET https://{HIDDEN}@prometheus: Bearer {HIDDEN} and so on" in message
    assert len(message) < LIMIT + 200

"""The InferenceService."""

from typing import Any

import pytest

from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.domain.serving.inference_service import CONFIG_HASH, inference_service
from tests.domain.children import a_platform, a_service, children_of, profile_of

MODEL = {"source": {"uri": "oci://registry.example.com/models/tiny:1"}}


def predictor_of(**spec: Any) -> dict[str, Any]:
    return dict(children_of(a_service(**spec))["InferenceService"]["spec"]["predictor"])


def hash_of(**spec: Any) -> str:
    return str(predictor_of(**spec)["annotations"][CONFIG_HASH])


def test_replicas_are_fixed() -> None:
    predictor = predictor_of(serving={"replicas": 3})
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (3, 3)


def test_no_replicas_stop_the_model_by_an_annotation() -> None:
    stopped = children_of(a_service(serving={"replicas": 0}))["InferenceService"]
    assert stopped["metadata"]["annotations"]["serving.kserve.io/stop"] == "true"
    assert stopped["spec"]["predictor"]["minReplicas"] == 1
    running = children_of(a_service())["InferenceService"]
    assert "serving.kserve.io/stop" not in running["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("observed", "sent"),
    [
        (None, "RawDeployment"),
        ("RawDeployment", "RawDeployment"),
        ("Standard", "Standard"),
    ],
)
def test_the_deployment_mode_follows_kserves_word_for_it(observed: str | None, sent: str) -> None:
    service = a_service()
    manifest = inference_service(service, profile_of(service), deployment_mode=observed)
    assert manifest["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == sent


def test_kserves_own_authentication_is_off() -> None:
    annotations = children_of(a_service())["InferenceService"]["metadata"]["annotations"]
    assert annotations["security.opendatahub.io/enable-auth"] == "false"


def test_kserve_leads_no_public_host_around_the_gateway() -> None:
    labels = children_of(a_service())["InferenceService"]["metadata"]["labels"]
    assert labels["networking.kserve.io/visibility"] == "cluster-local"


def test_arguments_are_the_model_id_and_the_context_length() -> None:
    model = MODEL | {"name": "org/tiny", "contextLength": 2000}
    assert predictor_of(model=model)["model"]["args"] == ["--served-model-name=org/tiny", "--max-model-len=2000"]


def test_the_models_own_context_length_is_left_to_the_model() -> None:
    assert predictor_of()["model"]["args"] == ["--served-model-name=tiny"]


@pytest.mark.parametrize(
    ("gpus", "flags"), [("1", []), ("2", ["--tensor-parallel-size=2"]), ("4", ["--tensor-parallel-size=4"])]
)
def test_tensor_parallelism_follows_the_gpus(gpus: str, flags: list[str]) -> None:
    serving = {"resources": {"limits": {"nvidia.com/gpu": gpus}}}
    assert predictor_of(serving=serving)["model"]["args"][1:] == flags


def test_a_gpu_is_tolerated_and_given_back_before_it_is_taken_again() -> None:
    predictor = predictor_of(serving={"resources": {"limits": {"nvidia.com/gpu": "1"}}})
    assert predictor["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert predictor["deploymentStrategy"] == {"type": "Recreate"}


def test_a_cpu_model_is_replaced_without_a_gap() -> None:
    predictor = predictor_of()
    assert "tolerations" not in predictor
    assert predictor["deploymentStrategy"] == {"type": "RollingUpdate"}


def test_resources_are_always_set() -> None:
    assert predictor_of()["model"]["resources"] == {
        "requests": {"cpu": "2", "memory": "6Gi"},
        "limits": {"cpu": "4", "memory": "8Gi"},
    }


def test_the_pods_get_no_token_and_no_service_variables() -> None:
    predictor = predictor_of()
    assert predictor["automountServiceAccountToken"] is False
    assert predictor["enableServiceLinks"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"model": MODEL | {"contextLength": 1}},
        {"model": {"source": {"uri": "oci://registry.example.com/models/tiny:2"}}},
        {"model": MODEL | {"name": "other"}},
        {"serving": {"startupTimeout": "31m"}},
        {"serving": {"resources": {"limits": {"cpu": "5"}}}},
        {"serving": {"runtime": "vllm-rocm"}},
    ],
    ids=str,
)
def test_what_the_pods_run_changes_the_hash(change: dict[str, Any]) -> None:
    assert hash_of(**change) != hash_of()


def test_another_image_of_the_platform_changes_the_hash() -> None:
    platform = a_platform(runtimes=[{"name": "vllm-cpu", "image": "other", "version": "0.7.3"}])
    predictor = children_of(a_service(), platform)["InferenceService"]["spec"]["predictor"]
    assert predictor["annotations"][CONFIG_HASH] != hash_of()


@pytest.mark.parametrize("replicas", [0, 2, 100])
def test_scaling_keeps_the_pods_that_run(replicas: int) -> None:
    assert hash_of(serving={"replicas": replicas}) == hash_of()


def test_no_text_of_a_user_stands_where_it_would_restart_the_pods() -> None:
    plain = children_of(a_service())["InferenceService"]
    assert children_of(a_service(displayName="Other", description="Other"))["InferenceService"] == plain


def test_where_nobody_asks_for_resources_none_are_written() -> None:
    profile = RuntimeProfile(name="bare", image="registry.example.com/vllm:1", version="0.13.0")
    spec = inference_service(a_service(), profile, deployment_mode=None)["spec"]
    assert "resources" not in spec["predictor"]["model"]

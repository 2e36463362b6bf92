"""A runtime that somebody else has made for KServe."""

from copy import deepcopy
from typing import Any

import pytest

from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.domain.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.serving.inference_service import CONFIG_HASH, inference_service
from maas_operator.domain.serving.referred_runtime import ReferredRuntime, candidates, chosen_runtime
from maas_operator.domain.serving.runtime_profiles import Feature, UnknownRuntime, supports
from tests.domain.children import PLATFORM, a_service

GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def a_runtime(kind: str = "ServingRuntime", *, version: str = "", pod: Any = None, **container: Any) -> Manifest:
    metadata = {"name": "theirs", "namespace": "llm", "annotations": {"opendatahub.io/runtime-version": version}}
    if kind == "ClusterServingRuntime":
        del metadata["namespace"]
    containers = [{"name": "sidecar"}, {"name": "kserve-container", "image": "theirs:1", **container}]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": {"containers": containers, **(pod or {})},
    }


def a_guest(kind: str = "ServingRuntime", **serving: Any) -> ModelService:
    return a_service(serving={"runtimeRef": {"kind": kind, "name": "theirs"}, **serving})


def chosen(service: ModelService, *found: Manifest) -> RuntimeProfile:
    runtime = chosen_runtime(service, PLATFORM, found)
    assert isinstance(runtime, ReferredRuntime)
    return runtime


def refusal(service: ModelService, *found: Manifest) -> UnknownRuntime:
    runtime = chosen_runtime(service, PLATFORM, found)
    assert isinstance(runtime, UnknownRuntime)
    assert runtime.field == "spec.serving.runtimeRef"
    return runtime


def predictor_of(service: ModelService, *found: Manifest) -> dict[str, Any]:
    manifest = inference_service(service, chosen(service, *found), deployment_mode=None)
    return dict(manifest["spec"]["predictor"])


def test_a_service_without_reference_looks_nowhere_and_has_a_profile() -> None:
    assert candidates(a_service()) == ()
    assert not isinstance(chosen_runtime(a_service(), PLATFORM, ()), ReferredRuntime | UnknownRuntime)


def test_no_other_namespace_is_looked_at() -> None:
    local, clusterwide = Ref(SERVING_RUNTIME, "llm", "theirs"), Ref(CLUSTER_SERVING_RUNTIME, "", "theirs")
    assert candidates(a_guest()) == (local,)
    assert candidates(a_guest("ClusterServingRuntime")) == (local, clusterwide)


def test_the_model_says_what_must_be_and_the_runtime_the_rest() -> None:
    predictor = predictor_of(a_guest(args=["--seed=1"]), a_runtime())
    assert predictor["model"] == {
        "modelFormat": {"name": "vLLM"},
        "runtime": "theirs",
        "storageUri": "oci://registry.example.com/models/tiny:1",
        "args": ["--port=8080", "--served-model-name=tiny", "--seed=1"],
        "env": [{"name": "VLLM_CPU_KVCACHE_SPACE", "value": "1"}],
        "startupProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 180,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    assert not {"volumes", "tolerations", "nodeSelector"} & predictor.keys()


def test_what_the_runtime_has_already_is_left_to_it() -> None:
    runtime = a_runtime(
        env=[{"name": "VLLM_CPU_KVCACHE_SPACE", "value": "9"}], startupProbe={"tcpSocket": {"port": 8080}}
    )
    model = predictor_of(a_guest(), runtime)["model"]
    assert not {"env", "startupProbe"} & model.keys()


def test_the_runtimes_accelerators_count_with_their_shared_memory_and_taint() -> None:
    runtime = a_runtime(resources={"requests": {"cpu": 4, "memory": "1e9"}, "limits": {"nvidia.com/gpu": "2"}})
    predictor = predictor_of(a_guest(), runtime)
    assert "--tensor-parallel-size=2" in predictor["model"]["args"]
    assert predictor["model"]["resources"] == {"requests": {"cpu": "4"}, "limits": {"nvidia.com/gpu": "2"}}
    assert predictor["tolerations"] == [GPU]
    assert predictor["deploymentStrategy"] == {"type": "Recreate"}
    assert predictor["volumes"] == [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}]
    assert predictor["model"]["volumeMounts"] == [{"name": "shm", "mountPath": "/dev/shm"}]
    assert "env" not in predictor["model"]


def test_shared_memory_of_the_runtime_is_enough() -> None:
    runtime = a_runtime(
        resources={"limits": {"nvidia.com/gpu": "2"}}, volumeMounts=[{"name": "dshm", "mountPath": "/dev/shm"}]
    )
    predictor = predictor_of(a_guest(), runtime)
    assert "volumes" not in predictor
    assert "volumeMounts" not in predictor["model"]


def test_tolerations_of_the_runtime_stay_unless_the_service_has_some() -> None:
    runtime = a_runtime(pod={"tolerations": [{"operator": "Exists"}]}, resources={"limits": {"nvidia.com/gpu": "1"}})
    assert "tolerations" not in predictor_of(a_guest(), runtime)
    spot = {"key": "spot", "operator": "Exists"}
    assert predictor_of(a_guest(tolerations=[spot]), runtime)["tolerations"] == [GPU, spot]


@pytest.mark.parametrize(
    ("declared", "version"),
    [("v0.11.0.3", "0.11.0"), ("0.7.3", "0.7.3"), ("v0.9", "0.9"), ("", ""), ("latest", ""), ("v12345.1", "")],
)
def test_the_version_is_what_the_runtime_declares(declared: str, version: str) -> None:
    profile = chosen(a_guest(), a_runtime(version=declared))
    assert profile.version == version
    forced = "--enable-force-include-usage" in predictor_of(a_guest(), a_runtime(version=declared))["model"]["args"]
    assert forced == supports(profile, Feature.FORCED_USAGE) == (version == "0.11.0")


def test_a_change_of_the_runtime_is_kserves_to_roll_out_and_not_ours_a_second_time() -> None:
    before, after = a_runtime(), deepcopy(a_runtime(image="theirs:2"))
    hashes = [predictor_of(a_guest(), one)["annotations"][CONFIG_HASH] for one in (before, after)]
    assert hashes[0] == hashes[1]


def test_a_runtime_that_is_not_there_is_named() -> None:
    missing = refusal(a_guest(), a_runtime("ClusterServingRuntime"))
    assert missing.reason is Reason.RUNTIME_MISSING
    assert missing.message == "there is no ServingRuntime llm/theirs: create it, or name another"
    elsewhere = refusal(a_guest("ClusterServingRuntime"), a_runtime())
    assert elsewhere.message == "there is no ClusterServingRuntime theirs: create it, or name another"


def test_a_runtime_of_the_namespace_hides_that_of_the_cluster() -> None:
    hidden = refusal(a_guest("ClusterServingRuntime"), a_runtime("ClusterServingRuntime"), a_runtime())
    assert hidden.reason is Reason.RUNTIME_REFUSED
    assert hidden.message.startswith("ServingRuntime llm/theirs hides ClusterServingRuntime theirs")


def test_a_runtime_of_the_operators_own_is_none_to_refer_to() -> None:
    runtime = a_runtime()
    owner = {"kind": "ModelService", "metadata": {"name": "other", "namespace": "llm", "uid": "uid-other"}}
    runtime["metadata"]["labels"] = owner_labels(owner)
    assert "is the operator's, for ModelService other" in refusal(a_guest(), runtime).message


def test_a_runtime_on_another_port_would_never_be_reached() -> None:
    assert "has port 8000 first" in refusal(a_guest(), a_runtime(ports=[{"containerPort": 8000}])).message
    assert chosen(a_guest(), a_runtime(ports=[{"containerPort": 8080}, {"containerPort": 9000}]))

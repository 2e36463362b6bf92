"""Where the pods run, and as whom."""

from typing import Any

from tests.domain.children import PLATFORM, a_platform, a_service, children_of

GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
PROFILE = {
    "name": "vllm-cuda",
    "image": "registry.example.com/vllm:1",
    "version": "0.13.0",
    "resources": {"requests": {"cpu": "4", "memory": "16Gi"}, "limits": {"memory": "24Gi", "nvidia.com/gpu": "2"}},
    "nodeSelector": {"pool": "gpu", "zone": "a"},
    "tolerations": [{"key": "tenant", "value": "models"}],
}


def isvc_of(platform: Any = PLATFORM, **serving: Any) -> dict[str, Any]:
    return children_of(a_service(serving=serving), platform)["InferenceService"]


def predictor_of(platform: Any = PLATFORM, **serving: Any) -> dict[str, Any]:
    return dict(isvc_of(platform, **serving)["spec"]["predictor"])


def test_the_service_adds_to_the_profiles_nodes_and_wins_by_name() -> None:
    platform = a_platform(runtimes=[PROFILE])
    predictor = predictor_of(
        platform, runtime="vllm-cuda", nodeSelector={"zone": "b"}, tolerations=[{"operator": "Exists"}]
    )
    assert predictor["nodeSelector"] == {"pool": "gpu", "zone": "b"}
    assert predictor["tolerations"] == [GPU, {"key": "tenant", "value": "models"}, {"operator": "Exists"}]


def test_a_toleration_is_passed_on_as_it_is() -> None:
    given = {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60}
    assert predictor_of(tolerations=[given])["tolerations"] == [given]


def test_secrets_and_account_are_names_in_the_services_own_namespace() -> None:
    predictor = predictor_of(imagePullSecrets=[{"name": "pull"}], serviceAccountName="models")
    assert predictor["imagePullSecrets"] == [{"name": "pull"}]
    assert predictor["serviceAccountName"] == "models"
    assert predictor["automountServiceAccountToken"] is False


def test_an_affinity_is_passed_on_without_what_kserve_would_drop() -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}
    given = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": terms,
            "preferredDuringSchedulingIgnoredDuringExecution": [],
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "zone", "labelSelector": {"matchLabels": {}}, "namespaceSelector": {}}
            ]
        },
    }
    assert predictor_of(affinity=given)["affinity"] == {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms},
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {}}
            ]
        },
    }
    assert "affinity" not in predictor_of(affinity={})


def test_a_hardware_profile_brings_nodes_tolerations_and_what_is_not_set() -> None:
    platform = a_platform(runtimes=[PROFILE])
    manifest = isvc_of(platform, runtime="vllm-cuda", hardwareProfile={"name": "large", "namespace": "profiles"})
    annotations, predictor = manifest["metadata"]["annotations"], manifest["spec"]["predictor"]
    assert annotations["opendatahub.io/hardware-profile-name"] == "large"
    assert annotations["opendatahub.io/hardware-profile-namespace"] == "profiles"
    assert not {"nodeSelector", "tolerations"} & predictor.keys()
    # The number of accelerators decides how the server is started.
    assert predictor["model"]["resources"] == {"limits": {"nvidia.com/gpu": "2"}}
    assert "--tensor-parallel-size=2" in predictor["model"]["args"]


def test_a_hardware_profile_without_namespace_is_the_services_neighbour() -> None:
    annotations = isvc_of(hardwareProfile={"name": "large"})["metadata"]["annotations"]
    assert "opendatahub.io/hardware-profile-namespace" not in annotations

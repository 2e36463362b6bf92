"""Service and NetworkPolicy, which have no CRD to be held against."""

from typing import Any

from maas_operator.domain.serving.network_policy import network_policy
from tests.domain.children import PLATFORM, a_platform, a_service, children_of


def namespaces_of(platform: Any) -> list[str]:
    policy = network_policy(a_service(), platform)
    assert policy is not None
    ((rule,),) = [policy["spec"]["ingress"]]
    ((peer,),) = [rule["from"]]
    ((expression,),) = [peer["namespaceSelector"]["matchExpressions"]]
    assert peer.keys() == {"namespaceSelector"}
    assert (expression["key"], expression["operator"]) == ("kubernetes.io/metadata.name", "In")
    return list(expression["values"])


def test_the_service_selects_the_predictors_pods_on_a_fixed_port() -> None:
    assert children_of(a_service())["Service"] == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "tiny-api", "namespace": "llm"},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": "isvc.tiny-predictor"},
            "ports": [{"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP"}],
        },
    }


def test_the_policy_covers_all_pods_of_the_model_and_opens_one_port() -> None:
    spec = children_of(a_service())["NetworkPolicy"]["spec"]
    assert spec["podSelector"] == {"matchLabels": {"serving.kserve.io/inferenceservice": "tiny"}}
    assert spec["policyTypes"] == ["Ingress"]
    assert [rule["ports"] for rule in spec["ingress"]] == [[{"port": 8080, "protocol": "TCP"}]]


def test_gateways_and_monitoring_come_in_and_the_own_namespace_does_not() -> None:
    assert namespaces_of(PLATFORM) == ["3scale", "openshift-monitoring", "openshift-user-workload-monitoring"]


def test_gateways_elsewhere_take_the_place_of_the_3scale_namespace() -> None:
    platform = a_platform(gateway={"namespaces": ["edge-b", "edge-a"]}, monitoring={"namespaces": []})
    assert namespaces_of(platform) == ["edge-a", "edge-b"]


def test_a_network_that_somebody_else_manages_gets_no_policy() -> None:
    assert network_policy(a_service(api={"networkPolicy": "None"}), PLATFORM) is None

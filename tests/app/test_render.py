"""`maas-operator render`: what a file becomes, and what is said of a file that becomes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from maas_operator.app.cli import main

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml"
PLATFORM = {
    "apiVersion": "maas-operator.io/v1alpha1",
    "kind": "ModelPlatform",
    "metadata": {"name": "default"},
    "spec": {"threescale": {"namespace": "3scale"}},
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(name: str, *documents: Any) -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump_all(documents))
        return path

    return to


def invoke(*paths: Path) -> Result:
    return CliRunner().invoke(main, ["render", *(word for path in paths for word in ("-f", str(path)))])


def rendered(*paths: Path) -> list[dict[str, Any]]:
    result = invoke(*paths)
    assert result.exit_code == 0, result.output
    return list(yaml.safe_load_all(result.stdout))


def refused(*paths: Path) -> str:
    result = invoke(*paths)
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr


def kinds(children: list[dict[str, Any]]) -> list[str]:
    return [child["kind"] for child in children]


def a_service(name: str = "tiny", *, meta: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "maas-operator.io/v1alpha1",
        "kind": "ModelService",
        "metadata": {"name": name, "namespace": "llm"} | (meta or {}),
        "spec": {"model": {"source": {"uri": "oci://registry.example.com/models/tiny:1"}}} | spec,
    }


def a_subscription(model: dict[str, str]) -> dict[str, Any]:
    user = {"username": "dev2", "email": "dev2@example.com"}
    return {
        "apiVersion": "maas-operator.io/v1alpha1",
        "kind": "ModelSubscription",
        "metadata": {"name": "tiny-dev2", "namespace": "llm"},
        "spec": {"modelRef": model, "plan": "standard", "account": "dev2", "user": user},
    }


def test_the_sample_becomes_its_children_in_the_order_of_their_writing() -> None:
    assert kinds(rendered(SAMPLE)) == [
        "ServingRuntime",
        "NetworkPolicy",
        "Service",
        "InferenceService",
        "Backend",
        "Product",
        "ModelSubscription",
        "DeveloperUser",
        "DeveloperAccount",
        "Application",
    ]


def test_no_secret_and_nothing_that_only_a_cluster_knows_is_shown() -> None:
    children = rendered(SAMPLE)
    assert not {"Secret", "ProxyConfigPromote", "ApplicationAuth"} & set(kinds(children))
    assert not [child for child in children if "status" in child or "uid" in child["metadata"]]
    assert "None" not in str(children)


def test_a_network_that_somebody_else_manages_gets_no_policy(write: Write) -> None:
    path = write("all.yaml", PLATFORM, a_service(api={"networkPolicy": "None"}))
    assert kinds(rendered(path)) == ["ServingRuntime", "Service", "InferenceService", "Backend", "Product"]


def test_several_files_are_read_as_one(write: Write) -> None:
    paths = write("platform.yaml", PLATFORM), write("one.yaml", a_service("one")), write("two.yaml", a_service("two"))
    names = [child["metadata"]["name"] for child in rendered(*paths) if child["kind"] == "InferenceService"]
    assert names == ["one", "two"]


def test_other_kinds_and_empty_documents_are_passed_over(write: Write) -> None:
    others = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "llm"}}, None, "a text"
    assert rendered(write("all.yaml", *others, PLATFORM, a_service())) == rendered(
        write("own.yaml", PLATFORM, a_service())
    )


@pytest.mark.parametrize("model", [{"name": "tiny"}, {"name": "tiny", "namespace": "llm"}])
def test_a_subscription_is_rendered_with_its_model(model: dict[str, str], write: Write) -> None:
    path = write("all.yaml", PLATFORM, a_service(), a_subscription(model))
    assert kinds(rendered(path))[-3:] == ["DeveloperUser", "DeveloperAccount", "Application"]


@pytest.mark.parametrize("model", [{"name": "other"}, {"name": "tiny", "namespace": "elsewhere"}])
def test_a_subscription_to_a_model_of_no_file_is_passed_over(model: dict[str, str], write: Write) -> None:
    path = write("all.yaml", PLATFORM, a_service(), a_subscription(model))
    assert rendered(path) == rendered(write("model.yaml", PLATFORM, a_service()))


def test_a_platform_that_no_file_has_is_named(write: Write) -> None:
    path = write("service.yaml", a_service(platformRef={"name": "gold"}))
    assert refused(path) == "Error: ModelService llm/tiny: spec.platformRef: no file has the ModelPlatform gold\n"


def test_a_wrong_field_is_told_with_file_object_and_path(write: Write) -> None:
    path = write("all.yaml", PLATFORM, a_service(serving={"replicas": -1, "bogus": 1}))
    said = refused(path)
    assert said.startswith(f"Error: {path}: ModelService tiny: ")
    assert "spec.serving.replicas: " in said
    assert "spec.serving.bogus: unknown field" in said


@pytest.mark.parametrize("metadata", [None, {}])
def test_an_object_without_a_name_is_told_by_its_file(metadata: dict[str, Any] | None, write: Write) -> None:
    path = write("all.yaml", a_service() | {"metadata": metadata})
    assert refused(path).startswith(f"Error: {path}: ModelService without a name: metadata")


def test_an_unknown_kind_of_ours_is_told(write: Write) -> None:
    path = write("all.yaml", PLATFORM | {"kind": "ModelSurface"})
    assert refused(path).startswith(f"Error: {path}: ModelSurface default: kind: ")


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\xff", b"a: !!python/object:os.system x"])
def test_a_file_that_is_no_yaml_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    assert refused(path).startswith(f"Error: {path}: ")


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        (a_service(serving={"runtime": "bogus"}), "spec.serving.runtime: "),
        (a_service(meta={"namespace": "n" * 60}), "metadata.name: "),
        (
            a_service(
                model={"source": {"uri": "oci://r.example.com/m:1"}, "tasks": ["Responses"]},
                serving={"runtime": "old"},
            ),
            "spec.model.tasks: vLLM 0.8.5 of runtime old has no Responses",
        ),
        (
            a_service(
                plans=[{"name": "gold", "limits": [{"metric": "TotalTokens", "period": "Day", "value": 5}]}],
            ),
            "spec.plans: TokenPolicyMissing: gold limits tokens",
        ),
    ],
    ids=["runtime", "name", "task", "token limits"],
)
def test_what_the_operator_would_refuse_is_refused_with_its_field(
    service: dict[str, Any], problem: str, write: Write
) -> None:
    old = {"name": "old", "version": "0.8.5", "image": "registry.example.com/vllm:0.8.5"}
    off = {"tokenPolicy": {"mode": "None"}}
    path = write("all.yaml", PLATFORM | {"spec": PLATFORM["spec"] | {"runtimes": [old], "gateway": off}}, service)
    assert refused(path).startswith(f"Error: ModelService {service['metadata']['namespace']}/tiny: {problem}")


def test_tokens_are_taken_to_be_counted_where_the_platform_manages_the_policy(write: Write) -> None:
    limits = [{"metric": "TotalTokens", "period": "Day", "value": 5}]
    path = write("all.yaml", PLATFORM, a_service(plans=[{"name": "gold", "limits": limits}]))
    (product,) = [one["spec"] for one in rendered(path) if one["kind"] == "Product"]
    assert "maas-llm-metering" in [policy["name"] for policy in product["policies"]]
    assert product["applicationPlans"]["gold"]["limits"][0]["metricMethodRef"] == {"systemName": "total_tokens"}


def with_policy(**policy: Any) -> dict[str, Any]:
    policies = [{"name": "ip_check", "position": "BeforeAuth", **policy}]
    return {**PLATFORM, "spec": {**PLATFORM["spec"], "gateway": {"policies": policies}}}


def test_the_platforms_policies_are_in_the_chain_and_a_secret_stays_unread(write: Write) -> None:
    platform = with_policy(configurationSecretRef={"name": "ip-list"})
    (product,) = [one for one in rendered(write("all.yaml", platform, a_service())) if one["kind"] == "Product"]
    (link,) = [policy for policy in product["spec"]["policies"] if policy["name"] == "ip_check"]
    assert link["configurationRef"] == {"name": "ip-list"}


def test_a_policy_that_is_wrong_is_named(write: Write) -> None:
    text = refused(write("all.yaml", with_policy(configuration={"ips": "10.0.0.0/8"}), a_service()))
    assert "spec.platformRef: spec.gateway.policies[0].configuration.check_type: Field required" in text


def in_bucket(**storage: Any) -> dict[str, Any]:
    return a_service(model={"source": {"bucketPath": "models/tiny"}}, storage=storage)


def test_a_model_in_an_existing_bucket_is_rendered_with_its_address(write: Write) -> None:
    existing = {"endpoint": "https://s3.example.com", "bucket": "models", "credentialsSecretRef": {"name": "keys"}}
    children = rendered(write("all.yaml", PLATFORM, in_bucket(backend="Existing", existing=existing)))
    (isvc,) = [one for one in children if one["kind"] == "InferenceService"]
    assert isvc["spec"]["predictor"]["model"]["storageUri"] == "s3://models/models/tiny/"
    assert "Secret" not in [one["kind"] for one in children]


def test_of_a_claimed_bucket_the_claim_is_rendered_and_nothing_that_needs_its_name(write: Write) -> None:
    platform = {**PLATFORM, "spec": {**PLATFORM["spec"], "storage": {"odf": {}}}}
    kinds = [one["kind"] for one in rendered(write("all.yaml", platform, in_bucket(backend="ODF")))]
    assert "ObjectBucketClaim" in kinds
    assert "InferenceService" not in kinds


def test_a_backend_that_the_platform_does_not_offer_is_refused(write: Write) -> None:
    text = refused(write("all.yaml", PLATFORM, in_bucket(backend="ODF")))
    assert "spec.storage: spec.storage.backend: ModelPlatform default does not offer ODF" in text


@pytest.mark.parametrize(
    ("monitoring", "works"), [({}, False), ({"prometheus": {"url": "https://p.example.com"}}, True)]
)
def test_a_model_that_keda_scales_is_rendered_with_the_platforms_prometheus(
    write: Write, monitoring: dict[str, Any], works: bool
) -> None:
    platform = {**PLATFORM, "spec": {**PLATFORM["spec"], "monitoring": monitoring}}
    serving = {"autoscaling": {"maxReplicas": 3, "metric": "WaitingRequests"}}
    path = write("model.yaml", platform, a_service(serving=serving))
    if works:
        assert "InferenceService" in kinds(rendered(path))
    else:
        assert "set spec.monitoring.prometheus.url of ModelPlatform default" in refused(path)

"""What holds for the children of every valid ModelService."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import TABLE, Use
from maas_operator.domain.objects import ref_of
from tests.domain.children import PLATFORM, a_platform, a_service, as_bytes, children_of, strings
from tests.porta import porta_accepts, porta_accepts_backend
from tests.strategies import model_platforms, model_services
from tests.upstream import FILES, needs_crds, objections

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml"
SNAPSHOT = Path(__file__).parent / "snapshots" / "llama-32-1b-instruct-cpu.yaml"

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

HOSTILE = [
    "{{.Name}}",
    "x\r\nAuthorization: none",
    "'; drop",
    '"quoted"',
    "yes",
    "!!python/object:os.system",
    "&anchor *alias",
    "a: b # c",
    "\u202eevil\u200b",
    "模型🚀",
    "$(VLLM_API_KEY)",
    "`id`",
    "--trust-remote-code",
]


@needs_crds
@many
@given(service=model_services(), platform=model_platforms(), metering=st.sampled_from([None, "1.0.0"]))
def test_any_valid_spec_renders_objects_that_the_real_crds_accept(
    service: ModelService, platform: ModelPlatform, metering: str | None
) -> None:
    children = children_of(service, platform, metering=metering)
    # A runtime of somebody else's is not rendered.
    rendered = (FILES.keys() - {"CustomPolicyDefinition", "APIManager", "ObjectBucketClaim"}) & children.keys()
    assert len(rendered) == 6 - (service.spec.serving.runtime_ref is not None)
    assert {kind: objections(children[kind]) for kind in rendered} == {kind: [] for kind in rendered}


@many
@given(service=model_services(), platform=model_platforms(), metering=st.sampled_from([None, "1.0.0"]))
def test_any_valid_spec_renders_objects_that_3scale_accepts(
    service: ModelService, platform: ModelPlatform, metering: str | None
) -> None:
    children = children_of(service, platform, metering=metering)
    assert porta_accepts(children["Product"]) == []
    assert porta_accepts_backend(children["Backend"]) == []
    usage = children["Product"]["spec"]["backendUsages"]
    assert list(usage) == [children["Backend"]["spec"]["systemName"]]
    assert children["ProxyConfigPromote"]["spec"]["productCRName"] == children["Product"]["metadata"]["name"]


@many
@given(service=model_services(), platform=model_platforms())
def test_children_are_ours_to_write_and_lie_in_two_namespaces(service: ModelService, platform: ModelPlatform) -> None:
    refs = [ref_of(child) for child in children_of(service, platform).values()]
    assert all(Use.WRITE in TABLE[ref.kind] for ref in refs)
    remote = {"Backend", "Product", "ProxyConfigPromote", "Secret", "ActiveDoc"}
    threescale = platform.spec.threescale.namespace
    assert all(ref.namespace == (threescale if ref.kind.name in remote else service.metadata.namespace) for ref in refs)
    assert len(set(refs)) == len(refs)


@many
@given(service=model_services(), platform=model_platforms())
def test_the_same_spec_renders_the_same_bytes(service: ModelService, platform: ModelPlatform) -> None:
    again = ModelService.model_validate(service.dump())
    assert as_bytes(children_of(service, platform)) == as_bytes(children_of(again, platform))


@many
@given(service=model_services(), platform=model_platforms())
def test_no_list_or_map_is_empty_where_other_controllers_drop_it(
    service: ModelService, platform: ModelPlatform
) -> None:
    children = children_of(service, platform)
    chain = children["Product"]["spec"].pop("policies")
    assert all(policy["configurationRef"] == {} for policy in chain)
    assert {kind: paths for kind, child in children.items() if (paths := list(empty(child.get("spec", "none"))))} == {}


def empty(value: Any, path: str = "spec") -> Iterator[str]:
    """Yield where an empty list or map is; a text may look like one."""
    if value in ([], {}):
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from empty(part, f"{path}.{name}")


@many
@given(service=model_services())
def test_nothing_that_a_namespace_user_writes_is_a_template(service: ModelService) -> None:
    children = children_of(service)
    for kind in {"ServingRuntime", "InferenceService"} & children.keys():
        assert not [text for text in strings(children[kind]["spec"]) if "{{" in text]


@many
@given(
    first=model_services(),
    other=model_services(),
    namespace=st.sampled_from(["llm", "llm-a"]),
)
def test_services_of_different_names_share_no_child(first: ModelService, other: ModelService, namespace: str) -> None:
    moved = other.model_copy(update={"metadata": other.metadata.model_copy(update={"namespace": namespace})})
    if (moved.metadata.namespace, moved.metadata.name) == (first.metadata.namespace, first.metadata.name):
        return
    ours, theirs = children_of(first), children_of(moved)
    assert not {ref_of(child) for child in ours.values()} & {ref_of(child) for child in theirs.values()}
    assert ours["Product"]["spec"]["systemName"] != theirs["Product"]["spec"]["systemName"]


@pytest.mark.parametrize("text", [text for text in HOSTILE if not set(text) & set("{}<>\r\n")])
def test_hostile_texts_reach_display_names_and_nothing_else(text: str) -> None:
    plain = children_of(a_service(displayName="Plain", description="Plain", plans=[{"name": "standard"}]))
    service = a_service(displayName=text, description=text, plans=[{"name": "standard", "displayName": text}])
    hostile = children_of(service)
    assert hostile["ServingRuntime"]["metadata"]["annotations"].pop("openshift.io/display-name") == text
    plain["ServingRuntime"]["metadata"]["annotations"].pop("openshift.io/display-name")
    for kind in ("Backend", "Product"):
        assert [hostile[kind]["spec"].pop(field) for field in ("name", "description")] == [text, text]
        for field in ("name", "description"):
            plain[kind]["spec"].pop(field)
    # Its document is another, and so is its Secret: `test_hostile_texts_are_escaped...`.
    assert [hostile["ActiveDoc"]["spec"][field] for field in ("name", "description")] == [text, text]
    for children in (plain, hostile):
        del children["ActiveDoc"], children["Secret"]
    assert hostile["Product"]["spec"]["applicationPlans"]["standard"].pop("name") == text
    plain["Product"]["spec"]["applicationPlans"]["standard"].pop("name")
    assert hostile == plain


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["name", "uri"])
def test_hostile_model_references_are_refused_or_stay_one_inert_value(text: str, field: str) -> None:
    model = (
        {"source": {"uri": f"oci://registry.example.com/{text}"}} if field == "uri" else {"source": {"uri": "oci://r"}}
    )
    try:
        service = a_service(model=model | ({"name": text} if field == "name" else {}))
    except ValueError:
        return
    spec = children_of(service)["InferenceService"]["spec"]["predictor"]["model"]
    assert spec["args"][0] == f"--served-model-name={text if field == 'name' else 'tiny'}"
    assert len(spec["args"]) == 1
    assert text.isascii()
    assert not set(text) & set("{}\r\n$`'\" ")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_settings_are_refused_or_stay_one_value_of_the_pods(text: str) -> None:
    """They reach neither command, ports, probes, security context, labels nor another object."""
    plain, slots = children_of(a_service()), {"args", "env", "image", "volumeMounts"}
    given = [
        {"args": [f"--seed={text}"]},
        {"args": [text]},
        {"env": [{"name": "A", "value": text}]},
        {"env": [{"name": text, "value": "1"}]},
        {"image": text},
        {"nodeSelector": {"a": text}},
        {"tolerations": [{"key": text}]},
        {"affinity": {"nodeAffinity": {text: text}}},
        {"imagePullSecrets": [{"name": text}]},
        {"serviceAccountName": text},
        {"hardwareProfile": {"name": text}},
        {"chatTemplateRef": {"name": "a", "key": text}},
        {"toolCallParser": text},
    ]
    for serving in given:
        try:
            children = children_of(a_service(serving=serving))
        except ValueError:
            continue
        assert {kind for kind in plain if children[kind] != plain[kind]} == {"InferenceService"}
        predictor, before = (one["InferenceService"]["spec"]["predictor"] for one in (children, plain))
        fields = {"annotations", "nodeSelector", "tolerations", "affinity", "imagePullSecrets", "serviceAccountName"}
        assert {key for key in predictor if predictor[key] != before.get(key)} <= fields | {"volumes", "model"}
        model, old = predictor["model"], before["model"]
        assert {key for key in model if model[key] != old.get(key)} <= slots
        assert len(model["args"]) - len(old["args"]) <= 2
        assert not [one for one in strings(model) if "{{" in one]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_display_name_survives_yaml(text: str) -> None:
    service = a_service().model_copy()
    spec = service.spec.model_copy(update={"display_name": text, "description": text})
    children = children_of(service.model_copy(update={"spec": spec}))
    assert yaml.safe_load(yaml.safe_dump(children)) == children


def test_the_samples_children_are_as_reviewed() -> None:
    documents = {document["kind"]: document for document in yaml.safe_load_all(SAMPLE.read_text())}
    service = ModelService.model_validate(documents["ModelService"])
    platform = ModelPlatform.model_validate(documents["ModelPlatform"])
    reviewed = list(yaml.safe_load_all(SNAPSHOT.read_text()))
    # The document has a review of its own.
    children = [child for kind, child in children_of(service, platform).items() if kind != "Secret"]
    assert children == reviewed


def test_texts_plans_and_developers_change_neither_pods_nor_configuration() -> None:
    before = children_of(a_service())
    after = children_of(
        a_service(
            displayName="Another",
            description="Another",
            plans=[{"name": "gold", "limits": [{"metric": "Requests", "period": "Day", "value": 5}]}],
            developers=[{"name": "dev1", "email": "dev1@example.com", "plan": "gold"}],
        )
    )
    assert after["InferenceService"] == before["InferenceService"]
    assert after["ServingRuntime"]["spec"] == before["ServingRuntime"]["spec"]
    assert after["ProxyConfigPromote"] == before["ProxyConfigPromote"]
    assert after["Product"] != before["Product"]


@pytest.mark.parametrize(
    "api",
    [
        {"timeouts": {"read": "10m"}},
        {"timeouts": {"connect": "20s"}},
        {"cors": {"allowedOrigins": ["https://app.example.com"]}},
    ],
    ids=["read timeout", "connect timeout", "cors"],
)
def test_the_gateways_configuration_is_promoted_anew_and_leaves_the_pods_alone(api: dict[str, object]) -> None:
    before, after = children_of(a_service()), children_of(a_service(api=api))
    assert after["ProxyConfigPromote"]["metadata"]["name"] != before["ProxyConfigPromote"]["metadata"]["name"]
    assert after["InferenceService"] == before["InferenceService"]
    assert after["ServingRuntime"] == before["ServingRuntime"]


def test_other_tasks_are_promoted_anew() -> None:
    before = children_of(a_service())
    after = children_of(a_service(model={"source": {"uri": "oci://r"}, "tasks": ["Embeddings"]}))
    assert after["ProxyConfigPromote"]["metadata"]["name"] != before["ProxyConfigPromote"]["metadata"]["name"]


def test_the_platforms_secret_and_namespace_are_used() -> None:
    platform = a_platform(threescale={"namespace": "apim", "providerAccountSecretRef": {"name": "tenant"}})
    children = children_of(a_service(), platform)
    for kind in ("Backend", "Product"):
        assert children[kind]["metadata"]["namespace"] == "apim"
        assert children[kind]["spec"]["providerAccountRef"] == {"name": "tenant"}
    assert children["ProxyConfigPromote"]["metadata"]["namespace"] == "apim"


def test_no_child_carries_owner_labels_which_are_the_engines() -> None:
    for child in children_of(a_service(), PLATFORM).values():
        assert not [key for key in child["metadata"].get("labels", {}) if "maas-operator" in key]

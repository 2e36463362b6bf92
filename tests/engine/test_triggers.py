from typing import Any

import pytest

from maas_operator.domain.kinds import (
    API_MANAGER,
    BACKEND,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    NAMESPACE,
    POD,
    PRODUCT,
    ROUTE,
    SECRET,
    SERVICE,
    Kind,
)
from maas_operator.domain.labels import OWNER_KIND, OWNER_NAME, OWNER_NAMESPACE, owner_labels
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.cache import Cache
from maas_operator.engine.triggers import INFERENCE_SERVICE_LABEL, SERVICE_ID_LABEL, affected, references
from tests.engine.stage import manifest

PLATFORM = Ref(MODEL_PLATFORM, "", "default")
MODEL = Ref(MODEL_SERVICE, "llm", "llama")
NEAR = Ref(MODEL_SUBSCRIPTION, "llm", "near")
FAR = Ref(MODEL_SUBSCRIPTION, "apps", "far")
SERVING = Ref(INFERENCE_SERVICE, "llm", "llama")
FRONT = Ref(PRODUCT, "3scale", "llm.llama")
ALL = {PLATFORM, MODEL, NEAR, FAR}


def labelled(ref: Ref, labels: dict[str, str], **content: Any) -> Manifest:
    found = manifest(ref, **content)
    found["metadata"]["labels"] = labels
    return found


def child(ref: Ref, owner: Ref, **content: Any) -> Manifest:
    parent = manifest(owner)
    parent["metadata"] |= {"uid": f"uid of {owner}"}
    return labelled(ref, owner_labels(parent), **content)


@pytest.fixture
def cache() -> Cache:
    cache = Cache(references)
    threescale = {"namespace": "3scale", "providerAccountSecretRef": {"name": "account"}}
    for found in (
        manifest(PLATFORM, spec={"threescale": threescale}),
        manifest(MODEL, spec={}),
        manifest(NEAR, spec={"modelRef": {"name": "llama"}}),
        manifest(FAR, spec={"modelRef": {"name": "llama", "namespace": "llm"}}),
        manifest(Ref(MODEL_SERVICE, "llm", "other"), spec={"platformRef": {"name": "other"}}),
        child(SERVING, MODEL),
        child(FRONT, MODEL, status={"productId": 42}),
    ):
        cache.put(found)
    return cache


def woken(cache: Cache, found: Manifest) -> set[Ref]:
    return affected(cache, None, found)


def test_a_new_platform_wakes_its_models_and_their_subscriptions(cache: Cache) -> None:
    assert woken(cache, manifest(PLATFORM, spec={})) == ALL


def test_a_new_model_wakes_itself_its_platform_and_its_subscriptions_in_all_namespaces(cache: Cache) -> None:
    assert woken(cache, manifest(MODEL, spec={})) == ALL


def test_a_subscription_wakes_itself_and_its_model(cache: Cache) -> None:
    assert woken(cache, manifest(FAR, spec={"modelRef": {"name": "llama", "namespace": "llm"}})) == {FAR, MODEL}


@pytest.mark.parametrize("status", [None, {"conditions": None}])
def test_a_new_type_wakes_all_although_older_servers_say_null_where_nothing_is(cache: Cache, status: Any) -> None:
    names = {"plural": PRODUCT.plural, "kind": PRODUCT.name}
    definition = Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{PRODUCT.plural}.{PRODUCT.group}")
    assert woken(cache, manifest(definition, spec={"group": PRODUCT.group, "names": names}, status=status)) >= ALL


@pytest.mark.parametrize("status", [None, {"conditions": None}])
def test_an_object_without_a_status_has_no_number(status: Any) -> None:
    assert not list(references(manifest(FRONT, status=status)))


def test_what_does_not_exist_is_not_woken(cache: Cache) -> None:
    orphan = Ref(MODEL_SUBSCRIPTION, "apps", "orphan")
    assert woken(cache, manifest(orphan, spec={"modelRef": {"name": "gone"}})) == {orphan}


@pytest.mark.parametrize(
    "status",
    [
        {"children": [{"name": "x"}]},
        {"observedGeneration": 2},
        {"conditions": [{"type": "Ready", "status": "True", "message": "2 of 3", "lastTransitionTime": "now"}]},
    ],
)
def test_the_progress_of_a_model_does_not_wake_its_subscriptions(cache: Cache, status: dict[str, Any]) -> None:
    before = manifest(MODEL, status={"conditions": [{"type": "Ready", "status": "True", "message": "1 of 3"}]})
    after = manifest(MODEL, status=before["status"] | status)
    assert affected(cache, before, after) == {MODEL}


def test_a_new_spec_of_a_model_wakes_those_who_subscribe_to_it(cache: Cache) -> None:
    assert affected(cache, manifest(MODEL), manifest(MODEL, spec={"x": 1})) == {MODEL, NEAR, FAR}


@pytest.mark.parametrize("spec", [{"storage": {"backend": "MinIO"}}, {"platformRef": {"name": "other"}}])
def test_what_a_model_asks_of_its_platform_wakes_all(cache: Cache, spec: dict[str, Any]) -> None:
    assert affected(cache, manifest(MODEL, spec={}), manifest(MODEL, spec=spec)) == ALL


@pytest.mark.parametrize(
    ("status", "others"),
    [
        ({"url": "https://x"}, {NEAR, FAR}),
        ({"modelName": "llama"}, {NEAR, FAR}),
        ({"gateway": {"tokenPolicyVersion": "0.2"}}, {PLATFORM}),
        ({"gateway": {"productID": 42}}, set()),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, set()),
    ],
)
def test_a_status_of_a_model_wakes_those_who_go_by_it(cache: Cache, status: dict[str, Any], others: set[Ref]) -> None:
    assert affected(cache, manifest(MODEL), manifest(MODEL, status=status)) == {MODEL} | others


@pytest.mark.parametrize(
    "change", [{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, {"status": {"state": "live"}}]
)
def test_what_becomes_of_a_subscription_wakes_its_model(cache: Cache, change: dict[str, Any]) -> None:
    spec = {"modelRef": {"name": "llama"}}
    assert affected(cache, manifest(NEAR, spec=spec), manifest(NEAR, spec=spec, **change)) == {NEAR, MODEL}


@pytest.mark.parametrize(
    "change",
    [
        {"status": {"productId": 42}},
        {"status": {"conditions": [{"type": "Failed", "status": "True"}]}},
        {"spec": {"applicationPlans": {"standard": {}}}},
    ],
)
def test_how_far_a_product_is_wakes_its_model_and_those_who_subscribe_to_it(
    cache: Cache, change: dict[str, Any]
) -> None:
    assert affected(cache, child(FRONT, MODEL), child(FRONT, MODEL, **change)) == {MODEL, NEAR, FAR}


def test_the_end_of_a_product_and_another_chain_wake_the_platform_whose_policies_it_had(cache: Cache) -> None:
    chained = child(FRONT, MODEL, spec={"policies": [{"name": "ip_check"}]})
    assert affected(cache, chained, child(FRONT, MODEL, spec={"policies": []})) == {MODEL, PLATFORM}
    assert affected(cache, chained, None) == ALL


def test_what_else_changes_in_a_product_wakes_its_model_alone(cache: Cache) -> None:
    assert affected(cache, child(FRONT, MODEL), child(FRONT, MODEL, spec={"description": "x"})) == {MODEL}


@pytest.mark.parametrize("kind", [SERVICE, BACKEND, INFERENCE_SERVICE])
def test_a_child_wakes_the_owner_in_its_labels(cache: Cache, kind: Kind) -> None:
    assert woken(cache, child(Ref(kind, "anywhere", "x"), MODEL)) == {MODEL}


def test_an_owned_subscription_wakes_itself_and_its_owner(cache: Cache) -> None:
    assert woken(cache, child(NEAR, MODEL, spec={"modelRef": {"name": "llama"}})) == {NEAR, MODEL}


def test_what_subscriptions_share_wakes_those_that_have_it_in_their_inventory(cache: Cache) -> None:
    entry = {"apiVersion": "v1", "kind": "Secret", "namespace": "3scale", "name": "x"}
    for name, children in {"one": [entry], "two": [entry], "neighbour": []}.items():
        ref = Ref(MODEL_SUBSCRIPTION, "apps", name)
        cache.put(manifest(ref, spec={"modelRef": {"name": "llama"}}, status={"children": children}))
    shared = labelled(Ref(SECRET, "3scale", "x"), {OWNER_KIND: NAMESPACE.name, OWNER_NAME: "apps"})
    assert {ref.name for ref in woken(cache, shared)} == {"one", "two"}


@pytest.mark.parametrize(
    "labels", [{}, {OWNER_KIND: "Deployment", OWNER_NAME: "x"}, {OWNER_KIND: NAMESPACE.name}, {OWNER_NAMESPACE: "llm"}]
)
def test_labels_that_name_no_owner_of_ours_wake_nobody(cache: Cache, labels: dict[str, str]) -> None:
    assert woken(cache, labelled(Ref(SERVICE, "llm", "x"), labels)) == set()


def test_a_child_that_lost_its_labels_still_wakes_its_owner(cache: Cache) -> None:
    before, after = child(Ref(SERVICE, "llm", "x"), MODEL), manifest(Ref(SERVICE, "llm", "x"))
    assert affected(cache, before, after) == {MODEL}
    after["metadata"]["ownerReferences"] = [
        {"kind": "ModelService", "name": "llama", "controller": True},
        {"kind": "ModelService", "name": "no-controller"},
        {"kind": "Deployment", "name": "no-kind-of-ours", "controller": True},
    ]
    assert affected(cache, None, after) == {MODEL}


def test_a_deleted_child_wakes_its_owner(cache: Cache) -> None:
    assert affected(cache, child(Ref(SERVICE, "llm", "x"), MODEL), None) == {MODEL}


@pytest.mark.parametrize("kind", [POD, DEPLOYMENT])
def test_pods_and_deployments_wake_the_owner_of_their_inference_service(cache: Cache, kind: Kind) -> None:
    assert woken(cache, labelled(Ref(kind, "llm", "x"), {INFERENCE_SERVICE_LABEL: "llama"})) == {MODEL}
    assert woken(cache, labelled(Ref(kind, "llm", "x"), {INFERENCE_SERVICE_LABEL: "unknown"})) == set()
    assert woken(cache, manifest(Ref(kind, "llm", "x"))) == set()


def test_pods_are_found_by_their_inference_service(cache: Cache) -> None:
    pod = labelled(Ref(POD, "llm", "x"), {INFERENCE_SERVICE_LABEL: "llama"})
    cache.put(pod)
    assert cache.referring_to(SERVING) == [pod]


def test_a_route_wakes_the_owner_of_the_product_with_its_number(cache: Cache) -> None:
    assert woken(cache, labelled(Ref(ROUTE, "3scale", "x"), {SERVICE_ID_LABEL: "42"})) == {MODEL}
    assert woken(cache, labelled(Ref(ROUTE, "3scale", "x"), {SERVICE_ID_LABEL: "7"})) == set()
    assert woken(cache, manifest(Ref(ROUTE, "3scale", "x"))) == set()


def test_the_provider_account_wakes_the_platform_and_all_that_build_on_it(cache: Cache) -> None:
    assert woken(cache, manifest(Ref(SECRET, "3scale", "account"))) == ALL
    assert woken(cache, manifest(Ref(SECRET, "3scale", "another"))) == set()


def test_the_namespace_of_3scale_wakes_the_platform_and_all_that_build_on_it(cache: Cache) -> None:
    assert woken(cache, manifest(Ref(NAMESPACE, "", "3scale"))) == ALL


def test_a_definition_of_a_kind_that_we_need_wakes_everybody(cache: Cache) -> None:
    spec = {"group": PRODUCT.group, "names": {"plural": PRODUCT.plural}}
    definition = Ref(CUSTOM_RESOURCE_DEFINITION, "", "x")
    assert woken(cache, manifest(definition, spec=spec)) == {*ALL, Ref(MODEL_SERVICE, "llm", "other")}
    assert woken(cache, manifest(definition, spec=spec | {"group": "other"})) == set()


def test_the_platforms_of_a_namespace_look_at_its_apimanager(cache: Cache) -> None:
    assert affected(cache, None, manifest(Ref(API_MANAGER, "3scale", "apimanager"), spec={})) == {PLATFORM}
    assert affected(cache, None, manifest(Ref(API_MANAGER, "elsewhere", "apimanager"), spec={})) == set()

"""Built-in kinds: what is filled in, what is refused, what `kubectl get` shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maas_operator.sandbox.kubeapi import Api, ApiError, WriteOptions
from maas_operator.sandbox.kubeapi.resources import Resource
from maas_operator.sandbox.kubeapi.table import table
from tests.sandbox.kubeapi.client import WIDGETS, Body, config_map

POD: Body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}, {"name": "d"}]}}


@pytest.fixture
def api() -> Api:
    return Api()


def kind(api: Api, api_version: str, name: str) -> Resource:
    found = api.registry.of_kind(api_version, name)
    assert found is not None
    return found


def shown(resource: Resource, object_: Body) -> dict[str, Any]:
    """The row of an object, by column; without the age, which passes."""
    made = table(resource, [object_], {})
    names = [column["name"] for column in made["columnDefinitions"]]
    row = dict(zip(names, made["rows"][0]["cells"], strict=True))
    return {name: cell for name, cell in row.items() if name not in ("Age", "Created At", "Last Seen")}


def test_a_namespace_is_active_and_labelled_with_its_name(api: Api) -> None:
    namespaces = kind(api, "v1", "Namespace")
    made = api.create(namespaces, "", {"metadata": {"name": "team"}})
    assert made["status"] == {"phase": "Active"}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
    assert shown(namespaces, made) == {"Name": "team", "Status": "Active"}


def test_a_service_gets_type_protocol_and_target(api: Api) -> None:
    services = kind(api, "v1", "Service")
    made = api.create(services, "default", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert shown(services, made) == {"Name": "s", "Type": "ClusterIP", "Cluster-IP": "<none>", "Port(s)": "80/TCP"}


def test_the_name_of_a_service_starts_with_a_letter(api: Api) -> None:
    with pytest.raises(ApiError, match="a DNS-1035 label must consist of"):
        api.create(kind(api, "v1", "Service"), "default", {"metadata": {"name": "9s"}, "spec": {}})


def test_a_network_policy_gets_the_types_of_its_rules(api: Api) -> None:
    policies = kind(api, "networking.k8s.io/v1", "NetworkPolicy")
    for name, spec, types in (("a", {}, ["Ingress"]), ("b", {"egress": []}, ["Ingress", "Egress"])):
        made = api.create(policies, "default", {"metadata": {"name": name}, "spec": {"podSelector": {}, **spec}})
        assert made["spec"] == {"podSelector": {}, "policyTypes": types, **spec}


@pytest.mark.parametrize(
    ("status", "row"),
    [
        ({}, {"Ready": "0/2", "Status": "Pending", "Restarts": 0}),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"ready": True, "restartCount": 2}, {"ready": True, "restartCount": 1}],
            },
            {"Ready": "2/2", "Status": "Running", "Restarts": 3},
        ),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            {"Ready": "0/2", "Status": "ImagePullBackOff", "Restarts": 0},
        ),
    ],
    ids=["new", "running", "waiting"],
)
def test_a_pod_shows_what_its_containers_do(api: Api, status: Body, row: Body) -> None:
    pods = kind(api, "v1", "Pod")
    made = api.create(pods, "default", POD)
    assert shown(pods, {**made, "status": {**made["status"], **status}}) == {"Name": "p", **row}


def test_a_pod_that_is_deleted_but_held_shows_that(api: Api) -> None:
    pods = kind(api, "v1", "Pod")
    api.create(pods, "default", {**POD, "metadata": {"name": "p", "finalizers": ["x.io/y"]}})
    api.delete(pods, "default", "p")
    assert shown(pods, api.get(pods, "default", "p"))["Status"] == "Terminating"


def test_a_deployment_has_one_replica_and_counts_its_generations(api: Api) -> None:
    deployments = kind(api, "apps/v1", "Deployment")
    made = api.create(deployments, "default", {"metadata": {"name": "d"}, "spec": {"template": {}}})
    assert (made["spec"]["replicas"], made["metadata"]["generation"]) == (1, 1)
    ready = {**made, "status": {"readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1}}
    assert shown(deployments, ready) == {"Name": "d", "Ready": "1/1", "Up-to-date": 1, "Available": 1}


def test_an_event_shows_about_whom_it_is(api: Api) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "reason": "Failed",
        "type": "Warning",
        "message": "no luck",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    events = kind(api, "v1", "Event")
    row = shown(events, api.create(events, "default", event))
    assert row == {"Type": "Warning", "Reason": "Failed", "Object": "pod/p", "Message": "no luck", "Name": "e"}


def test_nothing_of_a_new_event_changes_but_its_series(api: Api) -> None:
    events = kind(api, "events.k8s.io/v1", "Event")
    made = api.create(events, "default", {"metadata": {"name": "e"}, "note": "first", "reason": "Failed"})
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:00Z"}
    made = api.update(events, "default", "e", {**made, "series": series})
    with pytest.raises(ApiError, match="field is immutable"):
        api.update(events, "default", "e", {**made, "note": "second"})


def test_secret_data_is_base64(api: Api) -> None:
    with pytest.raises(ApiError, match="illegal base64"):
        api.create(kind(api, "v1", "Secret"), "default", {"metadata": {"name": "s"}, "data": {"a": "%%%"}})


def test_a_secret_shows_its_type_and_how_much_is_in_it(api: Api) -> None:
    secrets = kind(api, "v1", "Secret")
    made = api.create(secrets, "default", {"metadata": {"name": "s"}, "stringData": {"a": "1", "b": "2"}})
    assert shown(secrets, made) == {"Name": "s", "Type": "Opaque", "Data": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": []}, "exactly one version marked as storage"),
        ({"versions": [{"name": "v1", "served": True, "storage": True}]}, "schemas are required"),
    ],
    ids=["no storage", "no schema"],
)
def test_a_definition_that_can_not_be_served_is_refused(api: Api, change: Body, words: str) -> None:
    definitions = kind(api, "apiextensions.k8s.io/v1", "CustomResourceDefinition")
    with pytest.raises(ApiError, match=words):
        api.create(definitions, "", {**WIDGETS, "spec": {**WIDGETS["spec"], **change}})


def test_annotations_are_limited(api: Api) -> None:
    with pytest.raises(ApiError, match="Too long: may not be more than 262144 bytes"):
        api.create(kind(api, "v1", "ConfigMap"), "default", config_map("a", annotations={"x": "y" * 262_144}))


def test_an_object_has_one_controller(api: Api) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "controller": True}
    owners = [{**owner, "uid": "1"}, {**owner, "uid": "2"}]
    with pytest.raises(ApiError, match="Only one reference can have Controller set to true"):
        api.create(kind(api, "v1", "ConfigMap"), "default", config_map("a", ownerReferences=owners))


def test_an_apply_without_news_does_not_even_touch_the_time() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    api = Api(clock=lambda: now[0])
    maps, options = kind(api, "v1", "ConfigMap"), WriteOptions(manager="m")
    first = api.apply(maps, "default", "a", config_map("a", {"x": "1"}), options)
    now[0] += timedelta(hours=1)
    assert api.apply(maps, "default", "a", config_map("a", {"x": "1"}), options) == first
    [entry] = api.apply(maps, "default", "a", config_map("a", {"y": "1"}), options)["metadata"]["managedFields"]
    assert entry["time"] == "2026-01-01T01:00:00Z"


def test_a_big_namespace_ends_in_one_go(api: Api) -> None:
    namespaces, maps = kind(api, "v1", "Namespace"), kind(api, "v1", "ConfigMap")
    api.create(namespaces, "", {"metadata": {"name": "team"}})
    for number in range(500):
        api.create(maps, "team", config_map(f"m{number}"))
    api.delete(namespaces, "", "team")
    assert api.list(maps, "team").objects == []
    with pytest.raises(ApiError, match='namespaces "team" not found'):
        api.get(namespaces, "", "team")

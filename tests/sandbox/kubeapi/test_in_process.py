"""The engine's seam on the embedded API: the same answers as the real adapter gives, and events at once."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import BACKEND, MODEL_PLATFORM, SECRET, SERVICE
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.cluster import Cluster
from maas_operator.engine.errors import Conflict, KindNotServed, NamespaceTerminating, NotFound, Rejected, Unavailable
from maas_operator.sandbox.kubeapi import ApiError, Call, KubeApi
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.store import EventType

NAME = Ref(SECRET, "default", "s")


def secret(**data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default", "labels": {"mine": "yes"}},
        "data": data,
    }


@pytest.fixture
def kubeapi() -> KubeApi:
    return KubeApi()


@pytest.fixture
def cluster(kubeapi: KubeApi) -> InProcessCluster:
    found: Cluster = InProcessCluster(kubeapi)
    assert isinstance(found, InProcessCluster)
    return found


async def test_what_is_applied_can_be_read_and_listed(cluster: InProcessCluster) -> None:
    applied = await cluster.apply(secret(a="Yg=="))
    assert await cluster.get(NAME) == applied
    assert await cluster.list(SECRET, labels={"mine": "yes"}) == [applied]
    assert await cluster.list(SECRET, namespace="kube-system") == []
    assert await cluster.list(SECRET, labels={"mine": "no"}) == []


async def test_the_callers_manifest_is_not_kept(cluster: InProcessCluster) -> None:
    mine = secret(a="Yg==")
    await cluster.apply(mine)
    mine["data"]["a"] = "eA=="
    assert (await cluster.get(NAME))["data"] == {"a": "Yg=="}


async def test_only_the_very_object_is_deleted(cluster: InProcessCluster) -> None:
    uid = (await cluster.apply(secret()))["metadata"]["uid"]
    with pytest.raises(Conflict):
        await cluster.delete(NAME, uid="another")
    await cluster.delete(NAME, uid=uid)
    with pytest.raises(NotFound):
        await cluster.delete(NAME, uid=uid)


async def test_a_kind_without_its_definition_is_not_served(cluster: InProcessCluster) -> None:
    backend = {"apiVersion": BACKEND.api_version, "kind": "Backend", "metadata": {"name": "b", "namespace": "default"}}
    with pytest.raises(KindNotServed):
        await cluster.apply(backend)
    with pytest.raises(KindNotServed):
        await cluster.list(MODEL_PLATFORM)


async def test_refusals_come_as_the_engines_errors(cluster: InProcessCluster, kubeapi: KubeApi) -> None:
    with pytest.raises(Rejected):
        await cluster.apply({**secret(), "bogus": 1})
    held = secret()
    held["metadata"] = {**held["metadata"], "namespace": "ending", "finalizers": ["x.io/y"]}
    with pytest.raises(NotFound):
        await cluster.apply(held)
    namespaces = kubeapi.api.registry.find("", "v1", "namespaces")
    kubeapi.api.create(namespaces, "", {"metadata": {"name": "ending"}})
    await cluster.apply(held)
    kubeapi.api.delete(namespaces, "", "ending")
    with pytest.raises(NamespaceTerminating):
        await cluster.apply({**held, "metadata": {**held["metadata"], "name": "late"}})


async def test_another_managers_field_is_a_conflict_without_force(cluster: InProcessCluster) -> None:
    await cluster.apply(secret(a="Yg=="), manager="other")
    with pytest.raises(Conflict):
        await cluster.apply(secret(a="eA=="), force=False)
    assert (await cluster.apply(secret(a="eA==")))["data"] == {"a": "eA=="}


async def test_faults_come_as_the_engines_errors_too(cluster: InProcessCluster, kubeapi: KubeApi) -> None:
    async def busy(_call: Call) -> None:
        raise ApiError(503, "ServiceUnavailable", "busy", retry_after=7)

    kubeapi.faults.add(busy)
    with pytest.raises(Unavailable) as error:
        await cluster.get(NAME)
    assert error.value.retry_after_seconds == 7


async def test_a_listener_hears_of_its_kind_within_the_write(cluster: InProcessCluster) -> None:
    heard: list[tuple[EventType, str]] = []
    stop = cluster.subscribe(SECRET, lambda type_, object_: heard.append((type_, object_["metadata"]["name"])))
    cluster.subscribe(SERVICE, lambda _type, _object: pytest.fail("no service was written"))
    uid = (await cluster.apply(secret()))["metadata"]["uid"]
    assert heard == [(EventType.ADDED, "s")]
    await cluster.apply(secret(a="Yg=="))
    await cluster.delete(NAME, uid=uid)
    assert heard[1:] == [(EventType.MODIFIED, "s"), (EventType.DELETED, "s")]
    stop()
    await cluster.apply(secret())
    assert len(heard) == 3

"""The client's contract, on the embedded API and on a real one."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from maas_operator.adapters.kubernetes.client import KubernetesCluster, Scope
from maas_operator.domain.kinds import BACKEND, EVENT, NAMESPACE, SERVICE
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import Conflict, KindNotServed, NotFound, Rejected
from maas_operator.engine.events import Events


@pytest_asyncio.fixture
async def namespace(cluster: KubernetesCluster) -> str:
    name = f"n{uuid4().hex[:8]}"
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def service(namespace: str, name: str = "chat", **labels: str) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels}
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}


async def test_what_is_applied_is_read_back_and_listed_by_its_labels(
    cluster: KubernetesCluster, namespace: str
) -> None:
    applied = await cluster.apply(service(namespace, a="b"))
    await cluster.apply(service(namespace, "other"))
    assert (await cluster.get(ref_of(applied)))["metadata"]["uid"] == applied["metadata"]["uid"]
    listed = await cluster.list(SERVICE, namespace=namespace, labels={"a": "b"})
    assert [(ref_of(o), o["metadata"]["uid"]) for o in listed] == [(ref_of(applied), applied["metadata"]["uid"])]


async def test_the_same_apply_again_changes_nothing(cluster: KubernetesCluster, namespace: str) -> None:
    first = await cluster.apply(service(namespace))
    assert await cluster.apply(service(namespace)) == first


async def test_another_managers_field_is_taken_by_force_only(cluster: KubernetesCluster, namespace: str) -> None:
    await cluster.apply(service(namespace, a="b"), manager="somebody")
    with pytest.raises(Conflict, match="somebody"):
        await cluster.apply(service(namespace, a="c"), force=False)
    assert (await cluster.apply(service(namespace, a="c")))["metadata"]["labels"] == {"a": "c"}


async def test_a_json_patch_changes_the_very_version_that_was_read(cluster: KubernetesCluster, namespace: str) -> None:
    applied = await cluster.apply(service(namespace))
    ref, read = ref_of(applied), applied["metadata"]["resourceVersion"]
    add = {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}
    patched = await cluster.json_patch(ref, [add], resource_version=read)
    assert patched["metadata"]["labels"] == {"a": "b"}
    assert await cluster.get(ref) == patched
    with pytest.raises(Conflict):
        await cluster.json_patch(ref, [add | {"value": {"a": "c"}}], resource_version=read)
    assert await cluster.get(ref) == patched
    misfit = {"op": "remove", "path": "/metadata/annotations/none"}
    with pytest.raises(Rejected):
        await cluster.json_patch(ref, [misfit], resource_version=patched["metadata"]["resourceVersion"])
    with pytest.raises(NotFound):
        await cluster.json_patch(Ref(SERVICE, namespace, "none"), [add], resource_version=read)


async def test_only_the_very_object_is_deleted(cluster: KubernetesCluster, namespace: str) -> None:
    applied = await cluster.apply(service(namespace))
    ref, uid = ref_of(applied), applied["metadata"]["uid"]
    with pytest.raises(Conflict):
        await cluster.delete(ref, uid=str(uuid4()))
    await cluster.delete(ref, uid=uid, resource_version=applied["metadata"]["resourceVersion"])
    with pytest.raises(NotFound):
        await cluster.get(ref)
    with pytest.raises(NotFound):
        await cluster.delete(ref, uid=uid)


async def test_a_missing_namespace_is_not_a_missing_type(cluster: KubernetesCluster) -> None:
    with pytest.raises(NotFound) as raised:
        await cluster.apply(service("nowhere"))
    assert type(raised.value) is NotFound


async def test_a_type_without_its_crd_is_not_served(cluster: KubernetesCluster) -> None:
    with pytest.raises(KindNotServed):
        await cluster.get(Ref(BACKEND, "default", "x"))
    with pytest.raises(KindNotServed):
        await cluster.list(BACKEND)


async def test_an_invalid_object_is_rejected_with_the_field_at_fault(
    cluster: KubernetesCluster, namespace: str
) -> None:
    with pytest.raises(Rejected):
        await cluster.apply(service(namespace, a="not a label value"))


async def test_a_watch_goes_on_where_a_list_ends_and_sees_its_scope_only(
    cluster: KubernetesCluster, namespace: str
) -> None:
    scope = Scope(kind=SERVICE, namespace=namespace, fields="metadata.name=chat")
    await cluster.apply(service(namespace))
    listing = await cluster.select(scope)
    await cluster.apply(service(namespace, "other"))
    changed = await cluster.apply(service(namespace, a="b"))
    async with aclosing(cluster.watch(scope, since=listing.resource_version)) as events:
        type_, seen = await anext(events)
    assert [ref_of(o) for o in listing.objects] == [ref_of(changed)]
    assert (type_, seen["metadata"]["resourceVersion"]) == ("MODIFIED", changed["metadata"]["resourceVersion"])


async def test_a_cluster_scoped_object_has_no_namespace(cluster: KubernetesCluster, namespace: str) -> None:
    assert (await cluster.get(Ref(NAMESPACE, "", namespace)))["metadata"]["name"] == namespace


async def test_a_dry_run_tells_what_would_come_of_an_apply_and_stores_nothing(
    cluster: KubernetesCluster, namespace: str
) -> None:
    new = await cluster.apply(service(namespace, a="b"), dry_run=True)
    assert new["metadata"]["labels"] == {"a": "b"}
    with pytest.raises(NotFound):
        await cluster.get(ref_of(new))
    applied = await cluster.apply(service(namespace, a="b", c="d"))
    # What we do not apply any more goes, and what the API adds by itself is there.
    changed = await cluster.apply(service(namespace, a="x"), dry_run=True)
    assert (changed["metadata"]["labels"], changed["metadata"]["uid"]) == ({"a": "x"}, applied["metadata"]["uid"])
    assert changed["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]
    assert changed["spec"]["ports"][0]["targetPort"] == 80
    with pytest.raises(Rejected):
        await cluster.apply(service(namespace, a="not a label"), dry_run=True)
    assert await cluster.get(ref_of(applied)) == applied


async def test_a_dry_run_tells_what_would_come_of_a_json_patch(cluster: KubernetesCluster, namespace: str) -> None:
    applied = await cluster.apply(service(namespace, a="b"))
    ref, read = ref_of(applied), applied["metadata"]["resourceVersion"]
    change = {"op": "replace", "path": "/metadata/labels", "value": {"a": "c"}}
    patched = await cluster.json_patch(ref, [change], resource_version=read, dry_run=True)
    assert patched["metadata"]["labels"] == {"a": "c"}
    assert await cluster.get(ref) == applied


async def test_an_event_is_repeated_while_it_is_there_and_else_begins_anew(
    cluster: KubernetesCluster, namespace: str
) -> None:
    subject, events = await cluster.apply(service(namespace)), Events(cluster)

    async def tell(message: str) -> Manifest:
        condition = {"type": "Ready", "reason": "X", "message": message}
        before, after = condition | {"status": "True"}, condition | {"status": "False"}
        await events.tell_transitions(subject, [before], [after], datetime.now(UTC))
        [found] = await cluster.list(EVENT, namespace=namespace)
        return found

    await tell("first")
    repeated = await tell("second")
    assert (repeated["note"], repeated["series"]["count"]) == ("Ready is False: first", 2)
    await cluster.delete(ref_of(repeated), uid=repeated["metadata"]["uid"])
    anew = await tell("third")
    assert (anew["note"], anew.get("series")) == ("Ready is False: third", None)

"""A platform's MinIO from its first apply to its end: what is made, what it waits for, and that its data stays."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from maas_operator.domain.kinds import (
    MODEL_PLATFORM,
    NAMESPACE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    STATEFUL_SET,
    STORAGE_CLASS,
)
from maas_operator.domain.kinds import (
    SERVICE as SERVICE_KIND,
)
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.errors import Forbidden
from maas_operator.sandbox.controllers.faults import PodFault
from maas_operator.sandbox.controllers.minio.admission import ENFORCE, UID_RANGE
from maas_operator.sandbox.controllers.minio.volumes import default_storage_class
from tests.scenarios.harness import HOME, PLATFORM, SERVICE, World, a_namespace, a_world, sample
from tests.scenarios.operator import Fault

PLACE = "minio"
CLAIM = Ref(PERSISTENT_VOLUME_CLAIM, PLACE, "minio")
ROOT = Ref(SECRET, PLACE, "minio-root")
SERVER = Ref(STATEFUL_SET, PLACE, "minio")
POLICY = Ref(NETWORK_POLICY, PLACE, "minio")


def a_platform(**minio: Any) -> Manifest:
    platform = sample()[1]
    platform["spec"]["storage"] = {"minio": {"namespace": PLACE, "size": "50Gi", **minio}}
    return platform


@asynccontextmanager
async def a_world_with_minio(*, namespace: bool = True, ends: bool = True, **minio: Any) -> AsyncIterator[World]:
    async with a_world(ends=ends) as world:
        if namespace:
            await world.apply(a_namespace(PLACE))
        await world.apply(a_platform(**minio))
        yield world


async def test_a_minio_becomes_ready_and_its_data_outlives_the_platform() -> None:
    async with a_world_with_minio() as world:
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready"), await world.message(PLATFORM)
        assert await world.told(PLATFORM, "Ready") == ("True", "Ready")
        before, claim = await world.get(ROOT), await world.get(CLAIM)
        await world.delete(PLATFORM)
        await world.settle()
        assert await world.find(SERVER) is None
        assert await world.find(Ref(SERVICE_KIND, PLACE, "minio")) is None
        await world.apply(a_platform())
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")
        assert (await world.get(ROOT))["data"] == before["data"]
        assert (await world.get(CLAIM))["metadata"]["uid"] == claim["metadata"]["uid"]


async def test_a_namespace_that_is_missing_is_waited_for() -> None:
    async with a_world_with_minio(namespace=False) as world:
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "StorageNamespaceMissing")
        assert "spec.storage.minio.namespace: there is no namespace minio" in await world.message(PLATFORM)
        await world.apply(a_namespace(PLACE))
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_a_class_that_is_missing_is_named_and_waited_for() -> None:
    async with a_world_with_minio(storageClassName="fast") as world:
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "StorageClassMissing")
        assert "spec.storage.minio.storageClassName: there is no StorageClass fast" in await world.message(PLATFORM)
        await world.apply(_class("fast"))
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_a_default_class_that_is_missing_is_waited_for() -> None:
    async with a_world() as world:
        await world.delete(Ref(STORAGE_CLASS, "", "standard"))
        await world.apply(a_namespace(PLACE), a_platform())
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "StorageClassMissing")
        assert "the cluster has no default StorageClass" in await world.message(PLATFORM, "StorageReady")
        await world.apply(default_storage_class())
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_where_events_can_not_be_read_the_pod_still_tells() -> None:
    async with a_world_with_minio() as world:
        world.around.faults.volumes = "no space left in pool gold"
        fault = Fault(lambda call: call.kind == "Event" and call.verb == "list", lambda: Forbidden("no"), times=10**6)
        world.operator.faults.append(fault)
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "VolumeNotReady")
        assert "unbound immediate PersistentVolumeClaims" in await world.message(PLATFORM, "StorageReady")
        world.operator.faults.remove(fault)
        world.around.faults.volumes = ""
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_a_minio_that_may_not_be_made_names_what_is_missing() -> None:
    async with a_world_with_minio() as world:
        words = 'statefulsets.apps "minio" is forbidden: User cannot patch'
        fault = Fault(lambda call: call.kind == "StatefulSet" and call.writes, lambda: Forbidden(words), times=10**6)
        world.operator.faults.append(fault)
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "Forbidden")
        assert words in await world.message(PLATFORM, "StorageReady")
        world.operator.faults.remove(fault)
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_the_words_of_a_provisioner_that_makes_no_volume_are_told() -> None:
    async with a_world_with_minio() as world:
        world.around.faults.volumes = "failed to provision volume: rpc error: no space left in pool gold"
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "VolumePending")
        message = await world.message(PLATFORM, "StorageReady")
        assert "PersistentVolumeClaim minio/minio: " in message
        assert "no space left in pool gold" in message
        world.around.faults.volumes = ""
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (PodFault.IMAGE_PULL, "ImagePullFailed", "Back-off pulling image"),
        (PodFault.UNSCHEDULABLE, "Unschedulable", "nodes are available"),
        (PodFault.QUOTA, "PodsRefused", "exceeded quota"),
        (PodFault.NEVER_READY, "StorageStarting", "StatefulSet minio/minio has no ready pod"),
    ],
)
async def test_what_is_wrong_with_the_pod_is_told(fault: PodFault, reason: str, words: str) -> None:
    async with a_world_with_minio() as world:
        world.around.faults.pods["minio"] = fault
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", reason)
        assert words in await world.message(PLATFORM, "StorageReady")
        del world.around.faults.pods["minio"]
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


RESTRICTED = {"labels": {ENFORCE: "restricted"}}
OPENSHIFT = {"annotations": {UID_RANGE: "1000680000/10000"}}


@pytest.mark.parametrize("security", [RESTRICTED, OPENSHIFT], ids=["restricted", "restricted-v2"])
async def test_a_namespace_that_takes_no_root_takes_all_its_pods(security: dict[str, Any]) -> None:
    async with a_world() as world:
        place = a_namespace(PLACE)
        await world.apply({**place, "metadata": {**place["metadata"], **security}}, a_namespace(HOME))
        service = sample()[2]
        service["spec"]["model"]["source"] = {"bucketPath": "models/llama"}
        service["spec"] |= {"storage": {"backend": "MinIO"}, "developers": []}
        await world.apply(a_platform(), service)
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready"), await world.message(PLATFORM)
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready"), await world.message(SERVICE)
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(SERVICE) is None


async def test_what_openshift_says_late_of_its_users_is_followed() -> None:
    async with a_world_with_minio() as world:
        await world.settle()
        before = await world.get(Ref(POD, PLACE, "minio-0"))
        assert before["spec"]["securityContext"]["runAsUser"] == 1000
        await world.edit(Ref(NAMESPACE, "", PLACE), {"metadata": OPENSHIFT})
        await world.settle()
        after = await world.get(Ref(POD, PLACE, "minio-0"))
        assert after["spec"]["securityContext"] == {"runAsNonRoot": True}
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_a_volume_grows() -> None:
    async with a_world_with_minio() as world:
        await world.settle()
        pod = await world.get(Ref(POD, PLACE, "minio-0"))
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": {"size": "60Gi"}}}})
        await world.settle()
        assert (await world.get(CLAIM))["spec"]["resources"]["requests"] == {"storage": "60Gi"}
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")
        assert (await world.get(Ref(POD, PLACE, "minio-0")))["metadata"]["uid"] == pod["metadata"]["uid"]


async def test_a_volume_that_can_not_grow_stays_as_it_is() -> None:
    async with a_world_with_minio() as world:
        await world.settle()
        words = "only dynamically provisioned pvc can be resized"
        fault = Fault(
            lambda call: call.kind == "PersistentVolumeClaim" and call.writes, lambda: Forbidden(words), times=10**6
        )
        world.operator.faults.append(fault)
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": {"size": "60Gi"}}}})
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "VolumeNotGrown")
        message = await world.message(PLATFORM, "StorageReady")
        assert "spec.storage.minio.size: PersistentVolumeClaim minio/minio stays at 50Gi" in message
        assert words in message
        world.operator.faults.remove(fault)
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_a_volume_never_shrinks() -> None:
    async with a_world_with_minio() as world:
        await world.settle()
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": {"size": "40Gi"}}}})
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "VolumeShrinks")
        assert "set it to 50Gi or more" in await world.message(PLATFORM, "StorageReady")
        assert await world.told(PLATFORM, "Stalled") == ("True", "VolumeShrinks")
        assert (await world.get(CLAIM))["spec"]["resources"]["requests"] == {"storage": "50Gi"}
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": {"size": "50Gi"}}}})
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_a_second_platform_in_the_same_namespace_touches_nothing_of_the_first() -> None:
    async with a_world(ends=False) as world:
        await world.apply(a_namespace(PLACE), a_platform())
        await world.settle()
        second = a_platform(size="90Gi", image="registry.example.com/another")
        second["metadata"]["name"] = "second"
        await world.apply(second)
        await world.settle()
        ref = Ref(MODEL_PLATFORM, "", "second")
        assert await world.told(ref, "StorageReady") == ("False", "Conflict")
        assert "Service minio/minio exists and is not ours" in await world.message(ref, "StorageReady")
        assert (await world.get(CLAIM))["spec"]["resources"]["requests"] == {"storage": "50Gi"}
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_root_credentials_that_are_lost_come_back_with_the_pod_that_takes_them() -> None:
    async with a_world_with_minio(ends=False) as world:
        await world.settle()
        before = await world.get(ROOT)
        assert base64.b64decode(before["data"]["rootUser"]) == b"maas-operator"
        pod = Ref(POD, PLACE, "minio-0")
        served = (await world.get(pod))["metadata"]["uid"]
        await world.delete(ROOT)
        await world.settle()
        after = await world.get(ROOT)
        assert (await world.get(pod))["metadata"]["uid"] != served
        assert after["data"]["rootPassword"] != before["data"]["rootPassword"]
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_somebody_elses_stateful_set_of_that_name_is_left_alone() -> None:
    async with a_world(ends=False) as world:
        await world.apply(a_namespace(PLACE))
        theirs = await world.foreign(_foreign_stateful_set())
        await world.apply(a_platform())
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "Conflict")
        assert await world.is_untouched(theirs)


def _class(name: str) -> Manifest:
    return {
        "apiVersion": STORAGE_CLASS.api_version,
        "kind": STORAGE_CLASS.name,
        "metadata": {"name": name},
        "provisioner": "example.com/volumes",
    }


def _foreign_stateful_set() -> Manifest:
    labels = {"app": "theirs"}
    containers = [{"name": "minio", "image": "theirs", "env": []}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    return {
        "apiVersion": STATEFUL_SET.api_version,
        "kind": STATEFUL_SET.name,
        "metadata": {"name": "minio", "namespace": PLACE},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template, "serviceName": "theirs"},
    }

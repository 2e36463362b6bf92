"""The provisioner of object buckets does what NooBaa's does, and passes over what that passes over."""

from __future__ import annotations

from typing import Any

from maas_operator.domain.kinds import CONFIG_MAP, OBJECT_BUCKET_CLAIM, SECRET
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.buckets import CLASS, FINALIZER, object_storage_class
from maas_operator.sandbox.controllers.violations import Rule
from tests.sandbox.controllers.objects import MODELS
from tests.sandbox.controllers.world import World


def a_claim(**spec: Any) -> Manifest:
    known = {"apiVersion": OBJECT_BUCKET_CLAIM.api_version, "kind": OBJECT_BUCKET_CLAIM.name}
    wanted = {"storageClassName": CLASS, "generateBucketName": "models", **spec}
    return {**known, "metadata": {"name": "b", "namespace": MODELS}, "spec": wanted}


async def test_a_claim_is_bound_with_a_secret_and_a_config_map_of_its_name(world: World) -> None:
    await world.settle(object_storage_class(), a_claim(additionalConfig={"maxSize": "5Gi"}))
    claim = await world.get(OBJECT_BUCKET_CLAIM, "b", MODELS)
    assert claim["status"] == {"phase": "Bound"}
    assert claim["metadata"]["finalizers"] == [FINALIZER]
    assert claim["spec"]["objectBucketName"] == f"obc-{MODELS}-b"
    address = (await world.get(CONFIG_MAP, "b", MODELS))["data"]
    assert address["BUCKET_NAME"] == claim["spec"]["bucketName"]
    assert (await world.get(SECRET, "b", MODELS))["metadata"]["ownerReferences"][0]["name"] == "b"
    assert world.around.buckets.buckets == {address["BUCKET_NAME"]: "5Gi"}


async def test_a_claim_of_no_class_or_of_anothers_has_no_phase(world: World) -> None:
    await world.settle(a_claim(), retries=False)
    assert await world.status(a_claim()) == {}
    await world.settle(object_storage_class() | {"provisioner": "example.com/other"})
    assert await world.status(a_claim()) == {}


async def test_a_claim_without_a_name_stays_pending(world: World) -> None:
    await world.settle(object_storage_class(), a_claim(generateBucketName=""), retries=False)
    assert await world.status(a_claim()) == {"phase": "Pending"}


async def test_a_quota_that_is_too_small_is_passed_over_in_silence(world: World) -> None:
    await world.settle(object_storage_class(), a_claim(additionalConfig={"maxSize": "500Mi"}), retries=False)
    assert await world.status(a_claim()) == {"phase": "Pending"}


async def test_a_secret_of_the_claims_name_is_in_its_way(world: World) -> None:
    theirs = {"apiVersion": "v1", "kind": SECRET.name, "metadata": {"name": "b", "namespace": MODELS}}
    await world.settle(object_storage_class(), theirs, a_claim(), retries=False)
    assert await world.status(a_claim()) == {"phase": "Pending"}


async def test_of_a_bound_claim_only_the_configuration_can_change(world: World) -> None:
    await world.settle(object_storage_class(), a_claim())
    await world.settle(a_claim(additionalConfig={"maxSize": "9Gi"}))
    assert list(world.around.buckets.buckets.values()) == ["9Gi"]
    assert not world.around.violations
    await world.settle(a_claim(generateBucketName="other"))
    assert [one.rule for one in world.around.violations] == [Rule.CLAIM_CHANGED]


async def test_a_deleted_claim_takes_its_bucket_along_unless_its_class_retains_it(world: World) -> None:
    for policy, left in {"Delete": 0, "Retain": 1}.items():
        await world.settle(object_storage_class() | {"reclaimPolicy": policy}, a_claim())
        await world.delete(a_claim())
        await world.settle()
        assert await world.is_gone(a_claim())
        assert len(world.around.buckets.buckets) == left

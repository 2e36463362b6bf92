"""A bucket in the platform's MinIO, from its Job to the last trace: least privilege, repeats, failures, and the end."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import JOB, POD, SECRET
from maas_operator.domain.minio.bucket import bucket_name
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.sandbox.controllers.faults import MinIOFault, PodFault
from maas_operator.sandbox.controllers.minio.store import Store
from maas_operator.sandbox.kubeapi.faults import Moment
from tests.scenarios.harness import HOME, NAME, PLATFORM, SERVICE, World, a_namespace, a_world, sample
from tests.scenarios.operator import Fault, Killed, is_write
from tests.scenarios.test_minio import CLAIM, PLACE, POLICY, a_platform

OWN = Ref(SECRET, HOME, f"{NAME}-storage")
KEY = Ref(SECRET, PLACE, f"{HOME}.{NAME}.bucket")


def a_service(**storage: Any) -> Manifest:
    service = sample()[2]
    service["spec"]["model"]["source"] = {"bucketPath": "models/llama"}
    service["spec"] |= {"storage": {"backend": "MinIO", "quota": "10Gi", **storage}, "developers": []}
    return service


async def begin(world: World, **storage: Any) -> None:
    await world.apply(a_namespace(HOME), a_namespace(PLACE), a_platform(), a_service(**storage))
    await world.settle()


async def store_of(world: World) -> Store:
    return world.around.workloads.stores[(await world.get(CLAIM))["metadata"]["uid"]]


async def values_of(world: World, ref: Ref = OWN) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in (await world.get(ref))["data"].items()}


async def jobs_of(world: World) -> list[str]:
    return sorted(one["metadata"]["name"] for one in await world.client.list(JOB, namespace=PLACE))


def the_bucket(namespace: str = HOME) -> str:
    service = sample()[2]
    service["metadata"]["namespace"] = namespace
    return bucket_name(ModelService.model_validate(service))


async def test_a_model_gets_a_bucket_and_a_key_that_opens_no_other() -> None:
    async with a_world() as world:
        await begin(world)
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready"), await world.message(SERVICE)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        store, own = await store_of(world), await values_of(world)
        assert store.buckets[the_bucket()].quota == 10 * 2**30
        assert own["AWS_ENDPOINT_URL"] == "http://minio.minio.svc:9000"
        key = own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
        assert store.may(*key, "s3:GetObject", f"{the_bucket()}/models/llama/config.json")
        assert store.may(*key, "s3:PutObject", f"{the_bucket()}/a")
        assert store.may(*key, "s3:ListBucket", the_bucket())
        assert not store.may(*key, "s3:GetObject", f"{the_bucket()}2/a")
        assert not store.may(*key, "s3:DeleteBucket", the_bucket())
        assert not store.may(*key, "s3:PutBucketPolicy", the_bucket())
        assert not store.may(*key, "s3:ListBucket", "another")
        status = (await world.get(SERVICE))["status"]["storage"]
        assert status == {"bucket": the_bucket(), "endpoint": "http://minio.minio.svc:9000", "secretName": OWN.name}
        held = {ref["metadata"]["name"] for ref in await world.client.list(SECRET, namespace=HOME)}
        assert "minio-root" not in held


async def test_a_second_service_has_a_bucket_and_a_key_of_its_own() -> None:
    async with a_world() as world:
        await begin(world)
        other = a_service(quota="1Gi")
        other["metadata"] |= {"name": "other"}
        other["spec"] |= {"model": {"source": {"bucketPath": "a"}}, "developers": []}
        await world.apply(other)
        await world.settle()
        mine, theirs = await values_of(world), await values_of(world, Ref(SECRET, HOME, "other-storage"))
        store = await store_of(world)
        key = theirs["AWS_ACCESS_KEY_ID"], theirs["AWS_SECRET_ACCESS_KEY"]
        assert store.may(*key, "s3:GetObject", f"{theirs['AWS_S3_BUCKET']}/a")
        assert not store.may(*key, "s3:GetObject", f"{mine['AWS_S3_BUCKET']}/a")


async def test_another_quota_is_another_job_and_the_key_stays() -> None:
    async with a_world() as world:
        await begin(world)
        before, jobs = await values_of(world), await jobs_of(world)
        assert len(jobs) == 1
        await world.edit(SERVICE, {"spec": {"storage": {"quota": "20Gi"}}})
        await world.settle()
        assert (await store_of(world)).buckets[the_bucket()].quota == 20 * 2**30
        assert await values_of(world) == before
        assert len(await jobs_of(world)) == 1
        assert await jobs_of(world) != jobs


async def test_a_bucket_without_a_quota_that_is_found_again_has_none() -> None:
    async with a_world(ends=False) as world:
        await begin(world)
        await world.delete(SERVICE)
        await world.settle()
        service = a_service()
        del service["spec"]["storage"]["quota"]
        await world.apply(service)
        await world.settle()
        assert (await store_of(world)).buckets[the_bucket()].quota == 0


async def test_a_job_that_fails_tells_its_last_words_and_is_tried_again_more_and_more_slowly() -> None:
    async with a_world() as world:
        world.around.faults.minio = MinIOFault.ACCESS_DENIED
        await world.apply(a_namespace(HOME), a_namespace(PLACE), a_platform(), a_service())
        await world.rest(600.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketJobFailed")
        message = await world.message(SERVICE, "StorageReady")
        assert "Job minio/" in message
        assert "mc: <ERROR> Unable to initialize new alias from the provided credentials. Access Denied." in message
        assert await world.find(OWN) is None
        attempts = {one["metadata"]["name"] for one in await world.client.list(POD, namespace=PLACE)}
        assert len(attempts) <= 2
        world.around.faults.minio = None
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")
        assert len(await jobs_of(world)) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PodFault.IMAGE_PULL, "Back-off pulling image"),
        (PodFault.UNSCHEDULABLE, "nodes are available"),
        (PodFault.QUOTA, "FailedCreate: pods"),
    ],
)
async def test_a_job_whose_pod_does_not_start_tells_why(fault: PodFault, words: str) -> None:
    async with a_world() as world:
        await world.apply(a_namespace(PLACE), a_platform())
        await world.settle()
        world.around.faults.pods["*"] = fault
        await world.apply(a_namespace(HOME), a_service())
        await world.rest(120.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketPending")
        assert words in await world.message(SERVICE, "StorageReady")
        world.around.faults.pods.clear()
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_a_bucket_waits_for_its_minio_and_says_what_that_waits_for() -> None:
    async with a_world() as world:
        await world.apply(a_namespace(HOME), a_platform(), a_service())
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("False", "PlatformNotReady")
        assert "there is no namespace minio" in await world.message(SERVICE, "StorageReady")
        await world.apply(a_namespace(PLACE))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_with_retain_the_key_is_revoked_and_the_data_is_found_again() -> None:
    async with a_world() as world:
        await begin(world)
        store, before = await store_of(world), await values_of(world)
        store.buckets[the_bucket()].objects["models/llama/config.json"] = b"{}"
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(SERVICE) is None
        assert not store.users
        assert not store.policies
        assert store.buckets[the_bucket()].objects
        assert await world.find(KEY) is None
        assert await jobs_of(world) == []
        await world.apply(a_service())
        await world.settle()
        after = await values_of(world)
        assert after["AWS_S3_BUCKET"] == before["AWS_S3_BUCKET"]
        assert after["AWS_SECRET_ACCESS_KEY"] != before["AWS_SECRET_ACCESS_KEY"]
        key = after["AWS_ACCESS_KEY_ID"], after["AWS_SECRET_ACCESS_KEY"]
        assert store.may(*key, "s3:GetObject", f"{the_bucket()}/models/llama/config.json")


async def test_with_delete_bucket_and_data_go_before_the_service() -> None:
    async with a_world() as world:
        await begin(world, deletionPolicy="Delete")
        store = await store_of(world)
        store.buckets[the_bucket()].objects["models/llama/config.json"] = b"{}"
        world.around.faults.minio = MinIOFault.ACCESS_DENIED
        await world.delete(SERVICE)
        await world.rest(300.0)
        assert await world.told(SERVICE, "Ready") == ("False", "DeletionBlocked")
        assert "Access Denied" in await world.message(SERVICE)
        assert store.buckets
        world.around.faults.minio = None
        await world.settle()
        assert await world.find(SERVICE) is None
        assert (store.buckets, store.users, store.policies) == ({}, {}, {})
        assert await jobs_of(world) == []


async def test_a_deletion_waits_for_a_minio_that_is_away() -> None:
    async with a_world() as world:
        await begin(world)
        world.around.faults.pods["minio"] = PodFault.NEVER_READY
        await world.edit(Ref(POD, PLACE, "minio-0"), {"metadata": {"annotations": {"looked-at": "1"}}})
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "PlatformNotReady")
        await world.delete(SERVICE)
        await world.rest(120.0)
        assert await world.told(SERVICE, "Ready") == ("False", "DeletionBlocked")
        assert "the key of the bucket can not be revoked: ModelPlatform default: " in await world.message(SERVICE)
        del world.around.faults.pods["minio"]
        await world.settle()
        assert await world.find(SERVICE) is None
        assert not (await store_of(world)).users


async def test_a_deletion_without_a_minio_is_blocked_until_it_is_back() -> None:
    async with a_world() as world:
        await begin(world)
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": None}}})
        await world.settle()
        await world.delete(SERVICE)
        await world.rest(120.0)
        assert await world.told(SERVICE, "Ready") == ("False", "DeletionBlocked")
        assert "put its spec.storage.minio back" in await world.message(SERVICE)
        assert await world.find(KEY) is not None
        await world.apply(a_platform())
        await world.settle()
        assert await world.find(SERVICE) is None
        assert not (await store_of(world)).users


async def test_by_force_a_service_goes_at_once_and_leaves_its_bucket() -> None:
    async with a_world() as world:
        await begin(world)
        world.around.faults.minio = MinIOFault.ACCESS_DENIED
        await world.edit(SERVICE, {"metadata": {"annotations": {"maas-operator.io/force-delete": "true"}}})
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(SERVICE) is None
        assert the_bucket() in (await store_of(world)).users


async def test_a_quota_and_a_name_are_values_and_never_source() -> None:
    async with a_world() as world:
        await begin(world, quota="1Ti")
        (job,) = await world.client.list(JOB, namespace=PLACE)
        (container,) = job["spec"]["template"]["spec"]["containers"]
        for word in (the_bucket(), NAME, "1Ti", str(2**40)):
            assert not [line for line in (*container["command"], *container["args"]) if word in line]
        values = {one["name"]: one.get("value", "") for one in container["env"]}
        assert values["QUOTA"] == str(2**40)
        assert values["BUCKET"] == the_bucket()
        assert not values.get("ROOT_PASSWORD")
        assert not values.get("SECRET_KEY")


async def test_a_service_that_asks_for_no_bucket_any_more_loses_its_key_and_not_its_data() -> None:
    async with a_world(ends=False) as world:
        await begin(world, deletionPolicy="Delete")
        store = await store_of(world)
        source = sample()[2]["spec"]["model"]["source"]
        await world.edit(SERVICE, {"spec": {"storage": None, "model": {"source": {**source, "bucketPath": None}}}})
        await world.settle()
        assert not store.users
        assert the_bucket() in store.buckets
        assert await world.find(OWN) is None
        assert await world.find(KEY) is None
        assert await jobs_of(world) == []
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.edit(
            SERVICE, {"spec": a_service()["spec"] | {"model": {"source": {"uri": None, "bucketPath": "a"}}}}
        )
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")
        assert set(store.users) == {the_bucket()}


async def test_a_key_that_is_lost_is_made_anew_and_known_to_the_minio() -> None:
    async with a_world(ends=False) as world:
        await begin(world)
        before = await values_of(world)
        await world.delete(KEY)
        await world.settle()
        after = await values_of(world)
        assert after["AWS_SECRET_ACCESS_KEY"] != before["AWS_SECRET_ACCESS_KEY"]
        key = after["AWS_ACCESS_KEY_ID"], after["AWS_SECRET_ACCESS_KEY"]
        assert (await store_of(world)).may(*key, "s3:GetObject", f"{the_bucket()}/a")


async def test_a_volume_that_is_lost_gets_its_buckets_back_without_their_data() -> None:
    async with a_world() as world:
        await begin(world)
        before = await values_of(world)
        await world.delete(CLAIM, Ref(POD, PLACE, "minio-0"))
        await world.settle()
        assert (await store_of(world)).buckets.keys() == {the_bucket()}
        assert await values_of(world) == before


async def test_a_minio_that_is_taken_out_stays_while_models_have_buckets_there() -> None:
    async with a_world() as world:
        await begin(world)
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": None}}})
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "StorageInUse")
        assert HOME in await world.message(PLATFORM, "StorageReady")
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageNotOffered")
        assert the_bucket() in (await store_of(world)).buckets
        await world.apply(a_platform())
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_a_minio_in_use_is_not_replaced_by_one_elsewhere() -> None:
    async with a_world() as world:
        await begin(world)
        await world.apply(a_namespace("elsewhere"))
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": None}}})
        await world.settle()
        await world.apply(a_platform(namespace="elsewhere"))
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("False", "StorageInUse")
        assert await world.told(SERVICE, "StorageReady") == ("False", "PlatformNotReady")
        assert set((await store_of(world)).users) == {the_bucket()}
        assert await world.find(KEY) is not None
        assert await world.client.list(JOB, namespace="elsewhere") == []
        await world.edit(PLATFORM, {"spec": {"storage": {"minio": None}}})
        await world.apply(a_platform())
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_only_namespaces_of_models_with_buckets_reach_the_minio() -> None:
    async with a_world() as world:
        await begin(world)
        assert await _admitted(world) == [HOME, PLACE]
        await world.delete(SERVICE)
        await world.settle()
        assert await _admitted(world) == [PLACE]


def a_crash(number: int, moment: Moment) -> Fault:
    return Fault(lambda call: is_write(call) and call.namespace == PLACE, Killed, moment=moment, skip=number)


@pytest.mark.matrix
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("number", range(7))
async def test_a_crash_while_a_bucket_is_made_changes_nothing(number: int, moment: Moment) -> None:
    async with a_world() as world:
        crash = a_crash(number, moment)
        world.operator.faults.append(crash)
        await begin(world)
        assert crash.hits == 1
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        assert len(await jobs_of(world)) == 1
        own = await values_of(world)
        key = own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
        assert (await store_of(world)).may(*key, "s3:GetObject", f"{the_bucket()}/a")


@pytest.mark.matrix
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("number", range(4))
async def test_a_crash_while_a_bucket_goes_leaves_nothing(number: int, moment: Moment) -> None:
    # Once key and Job are gone nothing proves that all is done: it is done again, with a key that nobody ever gets.
    async with a_world(ends=False) as world:
        await begin(world, deletionPolicy="Delete")
        crash = a_crash(number, moment)
        world.operator.faults.append(crash)
        await world.delete(SERVICE)
        await world.settle()
        assert crash.hits == 1
        store = await store_of(world)
        assert await world.find(SERVICE) is None
        assert (store.buckets, store.users, store.policies) == ({}, {}, {})
        assert await jobs_of(world) == []
        assert await world.find(KEY) is None
        await world.check_quiet()
        await world.check_deletion()


async def _admitted(world: World) -> list[str]:
    (rule,) = (await world.get(POLICY))["spec"]["ingress"]
    (peer,) = rule["from"]
    (expression,) = peer["namespaceSelector"]["matchExpressions"]
    return list(expression["values"])

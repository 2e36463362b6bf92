"""What somebody does to a MinIO, its Jobs and its tenants behind the operator's back, and what comes of it."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import JOB, NAMESPACE, POD, SECRET
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.sandbox.controllers.faults import PodFault
from tests.scenarios.harness import HOME, PLATFORM, SERVICE, World, a_namespace, a_secret, a_world
from tests.scenarios.test_minio import CLAIM, PLACE, ROOT, SERVER, a_platform
from tests.scenarios.test_minio_buckets import KEY, begin, jobs_of, store_of, the_bucket, values_of
from tests.scenarios.test_storage import KEYS, OURS, existing, values

SERVED = Ref(POD, PLACE, "minio-0")


async def opens(world: World) -> bool:
    """Tell whether the tenant's key opens the tenant's bucket."""
    own = await values_of(world)
    key = own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
    return (await store_of(world)).may(*key, "s3:GetObject", f"{the_bucket()}/a")


async def take_job_away(world: World) -> None:
    (name,) = await jobs_of(world)
    await world.delete(Ref(JOB, PLACE, name))
    await world.settle()


async def test_a_bucket_and_a_key_that_somebody_took_away_are_made_again_once_the_job_is_deleted() -> None:
    async with a_world() as world:
        await begin(world)
        before, store, pods = await values_of(world), await store_of(world), world.around.kserve.pods_started.total()
        store.remove_bucket(the_bucket())
        store.remove_user(the_bucket())
        await world.settle()
        assert not await opens(world)
        await take_job_away(world)
        assert the_bucket() in store.buckets
        assert await opens(world)
        assert await values_of(world) == before
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert world.around.kserve.pods_started.total() == pods


async def test_a_job_that_is_cleaned_up_is_made_again_and_changes_nothing() -> None:
    async with a_world() as world:
        await begin(world)
        (await store_of(world)).buckets[the_bucket()].objects["a"] = b"kept"
        before = await values_of(world)
        await take_job_away(world)
        assert (await store_of(world)).buckets[the_bucket()].objects == {"a": b"kept"}
        assert await values_of(world) == before
        assert len(await jobs_of(world)) == 1


async def test_another_image_is_another_job_and_restarts_the_minio_but_no_model() -> None:
    async with a_world() as world:
        await begin(world)
        before, jobs, pods = await values_of(world), await jobs_of(world), world.around.kserve.pods_started.total()
        await world.apply(a_platform(image="registry.example.com/minio:fork"))
        await world.settle()
        assert (await world.get(SERVED))["spec"]["containers"][0]["image"] == "registry.example.com/minio:fork"
        assert len(await jobs_of(world)) == 1
        assert await jobs_of(world) != jobs
        assert await values_of(world) == before
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert world.around.kserve.pods_started.total() == pods


async def test_a_pod_that_never_becomes_ready_is_replaced_by_one_of_the_corrected_spec() -> None:
    async with a_world() as world:
        world.around.faults.pods["minio"] = PodFault.IMAGE_PULL
        await world.apply(a_namespace(PLACE), a_platform(image="registry.example.com/minio:typo"))
        await world.rest(120.0)
        assert await world.told(PLATFORM, "StorageReady") == ("False", "ImagePullFailed")
        await world.apply(a_platform(image="registry.example.com/minio:right"))
        await world.rest(120.0)
        assert (await world.get(SERVED))["spec"]["containers"][0]["image"] == "registry.example.com/minio:right"
        world.around.faults.pods.clear()
        await world.settle()
        assert await world.told(PLATFORM, "StorageReady") == ("True", "Ready")


async def test_root_credentials_that_a_person_changes_count_from_the_next_start_of_the_pod() -> None:
    # Another password is what the oracles take for a lost one.
    async with a_world(ends=False) as world:
        await begin(world)
        before, other = await values_of(world), a_secret(ROOT, rootPassword="another-long-canary")
        await world.edit(ROOT, {"data": other["data"]})
        await world.edit(SERVICE, {"spec": {"storage": {"quota": "20Gi"}}})
        await world.rest(120.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketJobFailed")
        assert "Access Denied" in await world.message(SERVICE, "StorageReady")
        assert "canary" not in await world.message(SERVICE, "StorageReady")
        await world.delete(SERVED)
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")
        assert (await values_of(world, ROOT))["rootPassword"] == "another-long-canary"
        assert await values_of(world) == before
        assert await opens(world)


async def test_a_root_password_that_is_too_short_is_told_and_never_shown() -> None:
    async with a_world(ends=False) as world:
        await begin(world)
        await world.edit(ROOT, {"data": a_secret(ROOT, rootPassword="canary7")["data"]})
        await world.edit(SERVICE, {"spec": {"storage": {"quota": "20Gi"}}})
        await world.rest(120.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketJobFailed")
        assert "the root password is too short: it needs 8 characters" in await world.message(SERVICE, "StorageReady")
        assert not list(world.historian.exposed_secrets())


@pytest.mark.parametrize(("policy", "stays"), [("Retain", True), ("Delete", False)])
async def test_a_tenants_namespace_goes_with_all_that_the_minio_has_of_it_but_retained_data(
    policy: str, stays: bool
) -> None:
    async with a_world() as world:
        await begin(world, deletionPolicy=policy)
        store = await store_of(world)
        store.buckets[the_bucket()].objects["a"] = b""
        await world.delete(Ref(NAMESPACE, "", HOME))
        await world.settle()
        assert await world.find(Ref(NAMESPACE, "", HOME)) is None
        assert (the_bucket() in store.buckets) == stays
        assert (store.users, store.policies) == ({}, {})
        assert await world.find(KEY) is None
        assert await jobs_of(world) == []


async def test_a_platform_waits_for_the_buckets_of_its_models_and_then_goes_with_its_minio() -> None:
    async with a_world() as world:
        await begin(world)
        await world.delete(PLATFORM)
        await world.settle()
        assert await world.told(PLATFORM, "Ready") == ("False", "DeletionBlocked")
        assert await world.find(SERVER) is not None
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")
        store = await store_of(world)
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(PLATFORM) is None
        assert await world.find(SERVER) is None
        assert not store.users
        assert await world.find(CLAIM) is not None


async def test_two_services_in_one_existing_bucket_do_not_take_it_from_each_other() -> None:
    async with a_world() as world:
        namespace, platform, one = existing()
        two: Manifest = {**one, "metadata": {"name": "second", "namespace": HOME}}
        await world.apply(namespace, a_secret(KEYS, AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="key"), platform)
        await world.apply(one, two)
        await world.settle()
        assert await values(world, OURS) == await values(world, Ref(SECRET, HOME, "second-storage"))
        await world.delete(Ref(SERVICE.kind, HOME, "second"))
        await world.settle()
        assert await world.find(Ref(SECRET, HOME, "second-storage")) is None
        assert await world.find(KEYS) is not None
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")

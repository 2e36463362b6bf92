"""A bucket in the platform's MinIO on a real API: with the permissions of deploy/rbac/minio.yaml, and no more."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import JOB, PERSISTENT_VOLUME_CLAIM, SECRET, STATEFUL_SET
from maas_operator.domain.objects import Ref
from tests.e2e.world import PLATFORM, World, is_true, sample, service_of, values_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLAIM = Ref(PERSISTENT_VOLUME_CLAIM, "minio", "minio")


async def test_a_model_gets_a_bucket_which_goes_with_it(world: World, namespace: str) -> None:
    place, platform, service = sample(namespace)
    platform["spec"]["storage"] = {"minio": {"namespace": "minio", "size": "1Gi"}}
    service["spec"]["model"]["source"] = {"bucketPath": "models/llama"}
    service["spec"]["storage"] = {"backend": "MinIO", "quota": "1Gi", "deletionPolicy": "Delete"}
    await world.apply([place, platform, service])
    live = await world.complete(service_of(namespace))
    assert is_true(live, "StorageReady")
    store = world.environment.around.workloads.stores[(await world.get(CLAIM))["metadata"]["uid"]]
    own = values_of(await world.get(Ref(SECRET, namespace, live["status"]["storage"]["secretName"])))
    assert store.buckets.keys() == {own["AWS_S3_BUCKET"]}
    key = own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
    assert store.may(*key, "s3:PutObject", f"{own['AWS_S3_BUCKET']}/a")
    await world.patch(PLATFORM, spec={"storage": {"minio": {"size": "2Gi"}}})
    await world.until(CLAIM, lambda claim: claim["status"].get("capacity") == {"storage": "2Gi"})
    await world.removed(service_of(namespace))
    assert (store.buckets, store.users) == ({}, {})
    assert await world.environment.client.list(JOB, namespace="minio") == []
    await world.patch(PLATFORM, spec={"storage": {"minio": None}})
    await world.gone(Ref(STATEFUL_SET, "minio", "minio"))
    # What outlives the platform; the next test has nothing to do with it.
    await world.removed(CLAIM)
    await world.removed(Ref(SECRET, "minio", "minio-root"))

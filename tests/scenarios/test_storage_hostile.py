"""What a namespace's user may try by a bucket: other tenants, the MinIO's root and the operator stay out of reach."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import CONFIG_MAP, INFERENCE_SERVICE, JOB, MODEL_SERVICE, SECRET
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.minio.bucket import bucket_name
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.sandbox.controllers.minio.store import Store
from tests.scenarios.harness import HOME, NAME, SERVICE, World, a_namespace, a_secret, a_world, sample
from tests.scenarios.test_minio import CLAIM, PLACE, POLICY, ROOT, a_platform
from tests.scenarios.test_storage import CLAIM as BUCKET_CLAIM
from tests.scenarios.test_storage import KEYS, OURS, a_world_with_a_bucket, existing, values

OTHER = "team-b"


def a_tenant(namespace: str, name: str, **storage: Any) -> Manifest:
    service = sample()[2]
    service["metadata"] = {"name": name, "namespace": namespace}
    service["spec"] |= {"model": {"source": {"bucketPath": "a"}}, "developers": []}
    return service | {"spec": service["spec"] | {"storage": {"backend": "MinIO", **storage}}}


async def with_tenants(world: World, *tenants: Manifest) -> Store:
    """Bring the tenants up, and return what their MinIO holds."""
    homes = [a_namespace(name) for name in sorted({one["metadata"]["namespace"] for one in tenants})]
    await world.apply(*homes, a_namespace(PLACE), a_platform(), *tenants)
    await world.settle()
    for one in tenants:
        assert await world.told(ref_of(one), "StorageReady") == ("True", "Ready")
    return world.around.workloads.stores[(await world.get(CLAIM))["metadata"]["uid"]]


def bucket_of(tenant: Manifest) -> str:
    return bucket_name(ModelService.model_validate(tenant))


def key_of(tenant: Manifest) -> Ref:
    return Ref(SECRET, tenant["metadata"]["namespace"], f"{tenant['metadata']['name']}-storage")


async def test_names_that_are_alike_when_joined_are_buckets_of_their_own_to_the_last() -> None:
    async with a_world() as world:
        one, two = a_tenant("a-b", "c", deletionPolicy="Delete"), a_tenant("a", "b-c", deletionPolicy="Delete")
        store = await with_tenants(world, one, two)
        mine, theirs = await values(world, key_of(one)), await values(world, key_of(two))
        key = mine["AWS_ACCESS_KEY_ID"], mine["AWS_SECRET_ACCESS_KEY"]
        assert store.may(*key, "s3:GetObject", f"{bucket_of(one)}/a")
        for action in ("s3:GetObject", "s3:PutObject", "s3:ListBucket"):
            assert not store.may(*key, action, f"{bucket_of(two)}/a")
            assert not store.may(*key, action, bucket_of(two))
        await world.delete(ref_of(one))
        await world.settle()
        assert set(store.buckets) == set(store.users) == set(store.policies) == {bucket_of(two)}
        assert await values(world, key_of(two)) == theirs
        assert await world.told(ref_of(two), "Ready") == ("True", "Ready")


async def test_a_tenants_namespace_holds_its_own_key_and_nobody_elses() -> None:
    async with a_world() as world:
        one, two = a_tenant(HOME, "mine"), a_tenant(OTHER, "theirs")
        await with_tenants(world, one, two)
        root, theirs = await values(world, ROOT), await values(world, key_of(two))
        hidden = {*root.values(), theirs["AWS_ACCESS_KEY_ID"], theirs["AWS_SECRET_ACCESS_KEY"]}
        told = [
            base64.b64decode(value).decode()
            for secret in await world.client.list(SECRET, namespace=HOME)
            for value in (secret.get("data") or {}).values()
        ]
        assert not hidden & set(told)
        assert not [job for job in await world.client.list(JOB) if job["metadata"]["namespace"] != PLACE]


async def test_an_address_of_another_tenant_opens_nothing_and_the_operator_calls_nobody() -> None:
    async with a_world() as world:
        victim = a_tenant(OTHER, "victim")
        store = await with_tenants(world, victim)
        jobs, calls = len(await world.client.list(JOB, namespace=PLACE)), len(world.admin_api.calls)
        stored = {"endpoint": "http://minio.minio.svc:9000", "bucket": bucket_of(victim)}
        thief = existing(**stored)[-1]
        await world.apply(a_namespace(HOME), a_secret(KEYS, AWS_ACCESS_KEY_ID="mine", AWS_SECRET_ACCESS_KEY="guessed"))
        await world.apply(thief | {"spec": thief["spec"] | {"developers": []}})
        await world.settle()
        used = await values(world, OURS)
        key = used["AWS_ACCESS_KEY_ID"], used["AWS_SECRET_ACCESS_KEY"]
        assert key == ("mine", "guessed")
        assert not store.may(*key, "s3:GetObject", f"{bucket_of(victim)}/a")
        assert len(await world.client.list(JOB, namespace=PLACE)) == jobs
        assert not [call for call in world.admin_api.calls[calls:] if "minio" in call]
        admitted = (await world.get(POLICY))["spec"]["ingress"][0]["from"][0]["namespaceSelector"]
        assert HOME not in admitted["matchExpressions"][0]["values"]


async def test_a_secret_that_imitates_the_label_of_another_owner_is_left_alone() -> None:
    async with a_world() as world:
        victim, mine = a_tenant(OTHER, "victim"), a_tenant(HOME, NAME)
        await with_tenants(world, victim)
        await world.apply(a_namespace(HOME))
        trap = a_secret(OURS, AWS_ACCESS_KEY_ID="trap")
        trap["metadata"]["labels"] = owner_labels(await world.get(ref_of(victim)))
        theirs = await world.foreign(trap)
        await world.apply(mine)
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("False", "Conflict")
        await world.delete(ref_of(victim))
        await world.settle()
        assert await world.find(OURS) is not None
        await world.no_longer_foreign(theirs)
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_a_secret_that_claims_to_be_the_services_own_gets_the_right_content() -> None:
    async with a_world_with_a_bucket() as world:
        right = await values(world, OURS)
        trap = a_secret(OURS, AWS_ENDPOINT_URL="https://evil.example.com", AWS_ACCESS_KEY_ID="x")
        await world.edit(OURS, {"data": trap["data"]})
        await world.settle()
        assert await values(world, OURS) == right


@pytest.mark.parametrize(
    "lie",
    [
        {"BUCKET_NAME": "../other"},
        {"BUCKET_NAME": "{{.Name}}"},
        {"BUCKET_HOST": "evil.example.com/?a="},
        {"BUCKET_HOST": "a" * 600},
        {"BUCKET_PORT": "443@evil.example.com"},
    ],
    ids=str,
)
async def test_an_address_that_no_provisioner_writes_reaches_neither_pods_nor_status(lie: dict[str, str]) -> None:
    async with a_world_with_a_bucket() as world:
        address = Ref(CONFIG_MAP, HOME, BUCKET_CLAIM.name)
        right, uri = await world.get(address), await served_uri(world)
        secret, pods = await world.get(OURS), world.around.kserve.pods_started.total()
        await world.edit(address, {"data": lie})
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketPending")
        assert "not what a provisioner writes" in await world.message(SERVICE, "StorageReady")
        assert await served_uri(world) == uri
        assert await world.get(OURS) == secret
        await world.edit(address, {"data": right["data"]})
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert world.around.kserve.pods_started.total() == pods


async def test_a_claim_of_the_right_name_with_another_owners_labels_is_left_alone() -> None:
    async with a_world_with_a_bucket() as world:
        twin = a_tenant(OTHER, NAME)
        twin["spec"]["storage"] = {"backend": "ODF", "deletionPolicy": "Delete"}
        await world.apply(a_namespace(OTHER))
        trap = await world.get(BUCKET_CLAIM)
        labels = {key: value for key, value in trap["metadata"]["labels"].items() if "maas" in key or "app" in key}
        forged = {"apiVersion": trap["apiVersion"], "kind": trap["kind"], "spec": {"storageClassName": "none"}}
        metadata = {"name": BUCKET_CLAIM.name, "namespace": OTHER, "labels": labels}
        await world.foreign(forged | {"metadata": metadata})
        await world.apply(twin)
        await world.settle()
        assert await world.told(Ref(MODEL_SERVICE, OTHER, NAME), "StorageReady") == ("False", "Conflict")
        await world.delete(Ref(MODEL_SERVICE, OTHER, NAME))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def served_uri(world: World) -> str:
    found = await world.get(Ref(INFERENCE_SERVICE, HOME, NAME))
    return str(found["spec"]["predictor"]["model"]["storageUri"])

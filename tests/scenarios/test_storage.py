"""A model's bucket from the claim to its end: who makes it, what it waits for, and that its data stays."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from maas_operator.domain.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    INFERENCE_SERVICE,
    OBJECT_BUCKET_CLAIM,
    POD,
    SECRET,
    STORAGE_CLASS,
)
from maas_operator.domain.labels import FORCE_DELETE
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.sandbox.controllers.buckets import CLASS, PROVISIONER
from maas_operator.sandbox.controllers.faults import PodFault
from maas_operator.sandbox.controllers.kserve.settings import EndpointKey, Settings
from tests.scenarios.harness import HOME, NAME, SERVICE, World, a_secret, a_world, sample

CLAIM = Ref(OBJECT_BUCKET_CLAIM, HOME, f"{NAME}-bucket")
OURS = Ref(SECRET, HOME, f"{NAME}-storage")
KEYS = Ref(SECRET, HOME, "models-s3")
AUTHORITY = Ref(CONFIG_MAP, HOME, "store-authority")
ISVC = Ref(INFERENCE_SERVICE, HOME, NAME)
PATH = "models/llama"
EXISTING = {
    "endpoint": "https://s3.example.com:9000",
    "region": "eu-central-1",
    "bucket": "models",
    "credentialsSecretRef": {"name": KEYS.name},
}


def a_model(storage: dict[str, Any], *, in_bucket: bool = True) -> list[Manifest]:
    """Return the sample with its model in a bucket, on a platform that offers claims."""
    model = sample()[-1]["spec"]["model"] | ({"source": {"bucketPath": PATH}} if in_bucket else {})
    manifests = sample(model=model, storage=storage, developers=[])
    manifests[1]["spec"]["storage"] = {"odf": {}}
    return manifests


def claimed(**storage: Any) -> list[Manifest]:
    return a_model({"backend": "ODF", **storage})


def existing(**fields: Any) -> list[Manifest]:
    return a_model({"backend": "Existing", "existing": {**EXISTING, **fields}})


@asynccontextmanager
async def a_world_with_a_bucket(*, ends: bool = True, **storage: Any) -> AsyncIterator[World]:
    """Yield a world in which a model of a claimed bucket is Ready."""
    async with a_world(ends=ends) as world:
        await world.apply(*claimed(**storage))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        yield world


async def values(world: World, ref: Ref) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in (await world.get(ref))["data"].items()}


async def bucket_of(world: World) -> str:
    return str((await world.get(CLAIM))["spec"]["bucketName"])


async def test_a_model_is_served_from_a_claimed_bucket() -> None:
    async with a_world_with_a_bucket(quota="50Gi") as world:
        bucket = await bucket_of(world)
        assert world.around.buckets.buckets == {bucket: "50Gi"}
        assert (await world.get(SERVICE))["status"]["storage"] == {
            "bucket": bucket,
            "endpoint": "https://s3.openshift-storage.svc",
            "secretName": OURS.name,
        }
        isvc = await world.get(ISVC)
        assert isvc["spec"]["predictor"]["model"]["storageUri"] == f"s3://{bucket}/{PATH}/"
        assert isvc["metadata"]["annotations"]["serving.kserve.io/storageSecretName"] == OURS.name
        theirs = await values(world, Ref(SECRET, HOME, CLAIM.name))
        assert theirs.items() <= (await values(world, OURS)).items()
        assert "ownerReferences" not in (await world.get(CLAIM))["metadata"]


async def test_what_the_provisioner_writes_stays_and_nobody_fights() -> None:
    async with a_world_with_a_bucket() as world:
        before = await world.get(CLAIM)
        await world.apply(*claimed(quota="100Gi"))
        await world.settle()
        after = await world.get(CLAIM)
        assert after["spec"] == {**before["spec"], "additionalConfig": {"maxSize": "100Gi"}}
        assert after["metadata"]["finalizers"] == before["metadata"]["finalizers"]
        assert world.around.buckets.buckets == {await bucket_of(world): "100Gi"}


async def test_the_authority_of_the_clusters_services_is_named_where_it_is_there() -> None:
    async with a_world() as world:
        await world.apply(*claimed()[:1])
        ca = {"metadata": {"name": "openshift-service-ca.crt", "namespace": HOME}, "data": {"service-ca.crt": "PEM"}}
        await world.foreign({"apiVersion": "v1", "kind": CONFIG_MAP.name, **ca})
        await world.apply(*claimed())
        await world.settle()
        annotations = (await world.get(OURS))["metadata"]["annotations"]
        assert annotations == {
            "serving.kserve.io/s3-endpoint": "s3.openshift-storage.svc",
            "serving.kserve.io/s3-usehttps": "1",
            "serving.kserve.io/s3-region": "us-east-1",
            "serving.kserve.io/s3-cabundle-configmap": "openshift-service-ca.crt",
            "serving.kserve.io/s3-cabundle": "/etc/ssl/custom-certs/service-ca.crt",
        }


async def test_a_claim_that_is_pending_is_told_in_its_provisioners_words() -> None:
    async with a_world() as world:
        world.around.faults.buckets = 'BucketClassNotReady: BucketClass "noobaa-default-bucket-class" is not ready'
        await world.apply(*claimed())
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketPending")
        assert await world.told(SERVICE, "ModelReady") == ("Unknown", "Waiting")
        assert await world.told(SERVICE, "Ready") == ("False", "BucketPending")
        message = await world.message(SERVICE, "StorageReady")
        assert str(CLAIM) in message
        assert 'BucketClass "noobaa-default-bucket-class" is not ready' in message
        assert await world.find(ISVC) is None
        world.around.faults.buckets = ""
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


@pytest.mark.parametrize("phase", ["Failed", "Released"])
async def test_a_claim_that_its_provisioner_has_given_up_is_told_and_a_new_one_heals(phase: str) -> None:
    async with a_world_with_a_bucket(ends=False) as world:
        await world.edit(CLAIM, {"status": {"phase": phase}}, subresource="status")
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketFailed")
        message = await world.message(SERVICE, "StorageReady")
        assert f"{CLAIM} is {phase}" in message
        assert "then delete the claim; it is made again" in message
        await world.delete(CLAIM)
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_class_that_is_missing_is_named_and_waited_for() -> None:
    async with a_world() as world:
        await world.delete(Ref(STORAGE_CLASS, "", CLASS))
        await world.apply(*claimed())
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageClassMissing")
        assert await world.told(SERVICE, "Stalled") == ("True", "StorageClassMissing")
        message = await world.message(SERVICE, "StorageReady")
        assert f"storageClassName of ModelPlatform default: there is no StorageClass {CLASS}" in message
        await world.apply(a_class(PROVISIONER))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_class_of_another_provisioner_is_told_and_another_class_heals() -> None:
    async with a_world() as world:
        await world.apply(a_class("kubernetes.io/no-provisioner", name="disks"))
        manifests = claimed()
        manifests[1]["spec"]["storage"]["odf"] = {"storageClassName": "disks"}
        await world.apply(*manifests)
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketPending")
        assert "kubernetes.io/no-provisioner" in await world.message(SERVICE, "StorageReady")
        await world.apply(*claimed())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_bucket_keeps_its_class_when_the_platform_names_another() -> None:
    async with a_world_with_a_bucket() as world:
        manifests = claimed()
        manifests[1]["spec"]["storage"]["odf"] = {"storageClassName": "other"}
        await world.apply(*manifests)
        await world.settle()
        assert (await world.get(CLAIM))["spec"]["storageClassName"] == CLASS
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_a_cluster_without_claims_is_told_and_installing_them_heals() -> None:
    async with a_world() as world:
        await world.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", "objectbucketclaims.objectbucket.io"))
        await world.apply(*claimed())
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "DependencyMissing")
        assert "ObjectBucketClaim" in await world.message(SERVICE, "StorageReady")
        await world.install()
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_backend_that_the_platform_does_not_offer_is_told() -> None:
    async with a_world() as world:
        namespace, platform, service = claimed()
        await world.apply(namespace, platform | {"spec": platform["spec"] | {"storage": {}}}, service)
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageNotOffered")
        assert "does not offer ODF: set its spec.storage.odf" in await world.message(SERVICE, "StorageReady")
        await world.apply(platform)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_bucket_besides_the_model_is_no_part_of_ready() -> None:
    async with a_world() as world:
        world.around.faults.buckets = "BucketClassNotReady: not ready"
        await world.apply(*a_model({"backend": "ODF"}, in_bucket=False))
        await world.rest(120.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketPending")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        world.around.faults.buckets = ""
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_a_claim_that_somebody_takes_away_is_made_again() -> None:
    # Another bucket has other keys, which the oracles take for lost ones.
    async with a_world_with_a_bucket(ends=False) as world:
        before = await bucket_of(world)
        await world.delete(CLAIM)
        await world.settle()
        assert await bucket_of(world) != before
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


@pytest.mark.parametrize("forced", [False, True])
async def test_data_outlives_the_service_and_is_found_again(forced: bool) -> None:
    async with a_world_with_a_bucket() as world:
        before, uid = await bucket_of(world), (await world.get(SERVICE))["metadata"]["uid"]
        if forced:
            await world.edit(SERVICE, {"metadata": {"annotations": {FORCE_DELETE: "true"}}})
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(SERVICE) is None
        assert await world.find(OURS) is None
        assert await bucket_of(world) == before
        await world.apply(*claimed())
        await world.settle()
        assert (await world.get(SERVICE))["metadata"]["uid"] != uid
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await bucket_of(world) == before
        assert list(world.around.buckets.buckets) == [before]


async def test_data_goes_with_the_service_that_says_so_even_in_its_last_moment() -> None:
    async with a_world_with_a_bucket() as world:
        await world.edit(SERVICE, {"spec": {"storage": {"deletionPolicy": "Delete"}}})
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(CLAIM) is None
        assert world.around.buckets.buckets == {}


async def test_data_stays_with_a_service_that_has_thought_better_of_it() -> None:
    async with a_world_with_a_bucket(deletionPolicy="Delete") as world:
        before = await bucket_of(world)
        await world.edit(SERVICE, {"spec": {"storage": {"deletionPolicy": "Retain"}}})
        await world.delete(SERVICE)
        await world.settle()
        assert list(world.around.buckets.buckets) == [before]


async def test_data_stays_when_storage_is_taken_out_of_the_spec() -> None:
    async with a_world_with_a_bucket(deletionPolicy="Delete") as world:
        before = await bucket_of(world)
        await world.apply(sample(developers=[])[-1])
        await world.settle()
        assert "storage" not in (await world.get(SERVICE))["spec"]
        assert await world.told(SERVICE, "StorageReady") == ("", "")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.find(OURS) is None
        await world.delete(SERVICE)
        await world.settle()
        assert list(world.around.buckets.buckets) == [before]


async def test_a_claim_of_somebody_else_is_left_alone() -> None:
    async with a_world() as world:
        await world.apply(*claimed()[:1])
        theirs = await world.foreign(a_claim())
        await world.apply(*claimed())
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("False", "Conflict")
        assert str(CLAIM) in await world.message(SERVICE, "StorageReady")
        await world.no_longer_foreign(theirs)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_secret_of_somebody_else_is_left_alone_and_no_pod_reads_it() -> None:
    async with a_world() as world:
        await world.apply(*claimed()[:1])
        theirs = await world.foreign(a_secret(OURS, AWS_ACCESS_KEY_ID="theirs"))
        await world.apply(*claimed())
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("False", "Conflict")
        assert await world.find(ISVC) is None
        await world.no_longer_foreign(theirs)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_an_existing_bucket_is_used_with_the_keys_of_its_secret_and_follows_them_without_a_restart() -> None:
    async with a_world() as world:
        await world.apply(*existing())
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageSecretMissing")
        assert f"credentialsSecretRef: {KEYS} does not exist" in await world.message(SERVICE, "StorageReady")
        await world.apply(a_secret(KEYS, AWS_ACCESS_KEY_ID="one"))
        await world.rest(120.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageSecretInvalid")
        assert "lacks the key AWS_SECRET_ACCESS_KEY" in await world.message(SERVICE, "StorageReady")
        assert await world.find(OURS) is None
        await world.apply(a_secret(KEYS, AWS_ACCESS_KEY_ID="one", AWS_SECRET_ACCESS_KEY="first"))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await values(world, OURS) == {
            "AWS_ACCESS_KEY_ID": "one",
            "AWS_SECRET_ACCESS_KEY": "first",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": "https://s3.example.com:9000",
            "AWS_S3_BUCKET": "models",
        }
        pods = world.around.kserve.pods_started.total()
        await world.apply(a_secret(KEYS, AWS_ACCESS_KEY_ID="two", AWS_SECRET_ACCESS_KEY="second"))
        await world.settle()
        assert (await values(world, OURS))["AWS_SECRET_ACCESS_KEY"] == "second"
        assert world.around.kserve.pods_started.total() == pods


@pytest.mark.parametrize("key", EndpointKey)
@pytest.mark.parametrize("endpoint", ["http://minio.minio.svc:9000", "https://s3.example.com"])
async def test_each_release_of_kserve_finds_the_store(key: EndpointKey, endpoint: str) -> None:
    async with a_world(settings=Settings(endpoint_key=key), ends=False) as world:
        await world.apply(*existing()[:1], a_secret(KEYS, AWS_ACCESS_KEY_ID="one", AWS_SECRET_ACCESS_KEY="first"))
        await world.apply(*existing(endpoint=endpoint))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        (pod,) = await world.client.list(POD, namespace=HOME)
        variables = {one["name"]: one.get("value") for one in pod["spec"]["initContainers"][0]["env"]}
        assert (variables["AWS_ENDPOINT_URL"], variables["AWS_DEFAULT_REGION"]) == (endpoint, "eu-central-1")


async def test_keys_that_go_are_told_while_the_model_is_served_on() -> None:
    async with a_world() as world:
        await world.apply(*existing()[:1], a_secret(KEYS, AWS_ACCESS_KEY_ID="one", AWS_SECRET_ACCESS_KEY="first"))
        await world.apply(*existing())
        await world.settle()
        await world.delete(KEYS)
        await world.rest(700.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageSecretMissing")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert (await values(world, OURS))["AWS_SECRET_ACCESS_KEY"] == "first"
        await world.apply(a_secret(KEYS, AWS_ACCESS_KEY_ID="one", AWS_SECRET_ACCESS_KEY="first"))
        await world.settle()
        assert await world.told(SERVICE, "StorageReady") == ("True", "Ready")


async def test_the_authority_of_an_existing_store_is_looked_for() -> None:
    async with a_world() as world:
        await world.apply(*existing()[:1], a_secret(KEYS, AWS_ACCESS_KEY_ID="one", AWS_SECRET_ACCESS_KEY="first"))
        await world.apply(*existing(caConfigMapRef={"name": AUTHORITY.name, "key": "ca.crt"}))
        await world.rest(60.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "StorageAuthorityMissing")
        assert str(AUTHORITY) in await world.message(SERVICE, "StorageReady")
        metadata = {"name": AUTHORITY.name, "namespace": HOME}
        await world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": "PEM"}})
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        annotations = (await world.get(OURS))["metadata"]["annotations"]
        assert annotations["serving.kserve.io/s3-cabundle"] == "/etc/ssl/custom-certs/ca.crt"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PodFault.STORAGE_KEY, f"see the provisioner of {CLAIM}"),
        (PodFault.STORAGE_DENIED, f"see the provisioner of {CLAIM}"),
        (PodFault.STORAGE_BUCKET, f"see the provisioner of {CLAIM}"),
        (PodFault.STORAGE_INITIALIZER, f"upload the model to {PATH} in bucket"),
        (PodFault.STORAGE_TLS, "that signed the certificate of https://s3.openshift-storage.svc"),
        (PodFault.STORAGE_UNREACHABLE, "see whether https://s3.openshift-storage.svc answers"),
    ],
    ids=str,
)
async def test_a_pod_that_the_store_does_not_serve_is_explained_and_heals(fault: PodFault, words: str) -> None:
    async with a_world() as world:
        world.around.faults.pods[NAME] = fault
        await world.apply(*claimed())
        await world.rest(90.0)
        assert await world.told(SERVICE, "StorageReady") == ("False", "BucketDenied")
        assert await world.told(SERVICE, "Ready") == ("False", "BucketDenied")
        message = await world.message(SERVICE, "StorageReady")
        assert words in message
        assert "storage-initializer" in message
        assert await world.message(SERVICE, "ModelReady") == message
        del world.around.faults.pods[NAME]
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


def a_class(provisioner: str, *, name: str = CLASS) -> Manifest:
    known = {"apiVersion": STORAGE_CLASS.api_version, "kind": STORAGE_CLASS.name, "metadata": {"name": name}}
    return {**known, "provisioner": provisioner, "reclaimPolicy": "Delete"}


def a_claim() -> Manifest:
    metadata = {"name": CLAIM.name, "namespace": CLAIM.namespace}
    spec = {"storageClassName": "theirs", "bucketName": "theirs"}
    known = {"apiVersion": OBJECT_BUCKET_CLAIM.api_version, "kind": OBJECT_BUCKET_CLAIM.name}
    return {**known, "metadata": metadata, "spec": spec}

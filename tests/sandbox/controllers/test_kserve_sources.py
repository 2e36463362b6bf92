"""The KServe stand-in: how a model's files come into its pods, and what happens where they can not."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import PERSISTENT_VOLUME_CLAIM, POD
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.faults import PodFault
from maas_operator.sandbox.controllers.kserve.injection import injected, misled
from maas_operator.sandbox.controllers.kserve.settings import EndpointKey, Settings
from tests.sandbox.controllers.objects import MODELS, manifest, runtime, secret, service
from tests.sandbox.controllers.world import World

SECRET_NAME = {"serving.kserve.io/storageSecretName": "mine"}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def stored(uri: str, **annotations: str) -> Manifest:
    one = service(storageUri=uri)
    return {**one, "metadata": {**one["metadata"], "annotations": one["metadata"]["annotations"] | annotations}}


async def the_pod(world: World) -> dict[str, Any]:
    (pod,) = await world.client.list(POD, namespace=MODELS)
    return pod


async def ready(world: World) -> str:
    return (await world.conditions(service()))["Ready"]


def claim(name: str = "weights") -> Manifest:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return manifest(PERSISTENT_VOLUME_CLAIM, MODELS, name, spec)


async def test_an_image_is_a_sidecar_and_is_looked_at_first(world: World) -> None:
    await world.settle(runtime(), service())
    spec = (await the_pod(world))["spec"]
    assert [one["name"] for one in spec["containers"]] == ["kserve-container", "modelcar"]
    assert [one["name"] for one in spec["initContainers"]] == ["modelcar-init"]
    assert spec["containers"][1]["image"] == "registry.example.com/llama:1"


async def test_a_claim_is_mounted_where_the_model_is_looked_for(world: World) -> None:
    await world.settle(claim(), runtime(), stored("pvc://weights/models/llama"))
    spec = (await the_pod(world))["spec"]
    mount = {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": True, "subPath": "models/llama"}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert "initContainers" not in spec
    assert await ready(world) == "True"


async def test_a_claim_that_is_missing_keeps_the_pod_waiting_until_it_is_there(world: World) -> None:
    await world.settle(runtime(), stored("pvc://weights"), retries=False)
    (told,) = (await the_pod(world))["status"]["conditions"]
    assert told["reason"] == "Unschedulable"
    assert 'persistentvolumeclaim "weights" not found' in told["message"]
    await world.settle(claim())
    assert await ready(world) == "True"


@pytest.mark.parametrize("uri", ["s3://models/llama", "hf://org/llama", "https://example.com/llama.zip"])
async def test_other_schemes_are_fetched_by_the_initializer(world: World, uri: str) -> None:
    await world.settle(runtime(), stored(uri))
    (init,) = (await the_pod(world))["spec"]["initContainers"]
    assert init["name"] == "storage-initializer"
    assert init["args"] == [uri, "/mnt/models"]
    assert init["env"] == []
    assert await ready(world) == "True"


async def test_the_secrets_keys_reach_the_initializer_and_no_other_container(world: World) -> None:
    await world.settle(secret("mine", MODELS, **KEYS), runtime(), stored("s3://models/llama", **SECRET_NAME))
    spec = (await the_pod(world))["spec"]
    (init,) = spec["initContainers"]
    assert [one["valueFrom"]["secretKeyRef"] for one in init["env"]] == [{"name": "mine", "key": key} for key in KEYS]
    assert "secretKeyRef" not in str(spec["containers"])
    assert await ready(world) == "True"


async def test_without_its_secret_no_pod_is_made_until_it_is_there(world: World) -> None:
    await world.settle(runtime(), stored("s3://models/llama", **SECRET_NAME), retries=False)
    assert await world.client.list(POD, namespace=MODELS) == []
    conditions = (await world.status(service()))["conditions"]
    assert any('denied the request: secrets "mine" not found' in one.get("message", "") for one in conditions)
    await world.settle(secret("mine", MODELS, **KEYS))
    assert await ready(world) == "True"


async def test_a_secret_is_what_its_first_key_says(world: World) -> None:
    both = secret("mine", MODELS, HF_TOKEN="a", AWS_SECRET_ACCESS_KEY="b")
    await world.settle(both, runtime(), stored("hf://org/llama", **SECRET_NAME), retries=False)
    pod = await the_pod(world)
    assert "HF_TOKEN" not in str(pod["spec"])
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert waiting["message"] == "couldn't find key AWS_ACCESS_KEY_ID in Secret models/mine"


HTTP = {"s3-endpoint": "annotated:9000", "s3-usehttps": "0"}
HTTPS = {"s3-endpoint": "annotated:9000", "s3-usehttps": "1"}


@pytest.mark.parametrize(
    ("key", "annotations", "data", "url"),
    [
        (EndpointKey.IGNORED, HTTP, "https://keyed", "http://annotated:9000"),
        (EndpointKey.IGNORED, HTTPS, "", "https://annotated:9000"),
        (EndpointKey.HOST, HTTP, "keyed", "http://keyed"),
        (EndpointKey.HOST, HTTPS, "https://keyed", "https://https://keyed"),
        (EndpointKey.HOST, HTTP, "", "http://annotated:9000"),
        (EndpointKey.URL, HTTPS, "http://keyed", "http://keyed"),
        (EndpointKey.URL, HTTP, "keyed", "http://keyed"),
        (EndpointKey.URL, {}, "keyed", "https://keyed"),
        (EndpointKey.URL, {}, "", None),
    ],
)
async def test_where_the_store_is_depends_on_the_release(
    world: World, key: EndpointKey, annotations: dict[str, str], data: str, url: str | None
) -> None:
    one = secret("mine", MODELS, **KEYS, **({"AWS_S3_ENDPOINT": data} if data else {}))
    told = {f"serving.kserve.io/{name}": value for name, value in annotations.items()}
    await world.apply({**one, "metadata": {**one["metadata"], "annotations": told}})
    source = {"internal.serving.kserve.io/storage-initializer-sourceuri": "s3://models/llama", **SECRET_NAME}
    before = manifest(POD, MODELS, "llama", {"containers": [{"name": "kserve-container"}]})
    before["metadata"]["annotations"] = source
    pod = await injected(world.client, before, Settings(endpoint_key=key))
    variables = {one["name"]: one.get("value") for one in pod["spec"]["initContainers"][0]["env"]}
    assert variables.get("AWS_ENDPOINT_URL") == url
    assert misled(pod) == (PodFault.STORAGE_UNREACHABLE if url == "https://https://keyed" else None)

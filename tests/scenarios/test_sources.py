"""Where models come from: what is missing is told and heals, and no secret goes where it does not belong."""

from __future__ import annotations

import re
from typing import Any

import pytest

from maas_operator.domain.kinds import INFERENCE_SERVICE, PERSISTENT_VOLUME_CLAIM, POD, SECRET
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.sandbox.controllers.faults import PodFault
from maas_operator.sandbox.controllers.kserve.settings import EndpointKey, Settings
from tests.scenarios.harness import HOME, NAME, SERVICE, World, a_namespace, a_secret, a_world, sample
from tests.scenarios.snapshot import differences

CREDENTIALS = Ref(SECRET, HOME, "models-s3")
TOKEN = Ref(SECRET, HOME, "token")
CANARIES = {"AWS_ACCESS_KEY_ID": "canary-of-the-key-id", "AWS_SECRET_ACCESS_KEY": "canary-of-the-secret-key"}
S3: dict[str, Any] = {"source": {"uri": "s3://models/llama/"}, "credentialsSecretRef": {"name": "models-s3"}}
CLAIM: dict[str, Any] = {"source": {"uri": "pvc://weights/llama"}}
STARTED = f"{HOME}/{NAME}"


def a_claim(name: str, *modes: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": PERSISTENT_VOLUME_CLAIM.name,
        "metadata": {"name": name, "namespace": HOME},
        "spec": {"accessModes": list(modes), "resources": {"requests": {"storage": "1Gi"}}},
    }


async def assert_told(world: World, reason: str, *words: str) -> None:
    message = await world.message(SERVICE, "ModelReady")
    assert await world.told(SERVICE, "ModelReady") == ("False", reason), message
    assert await world.told(SERVICE, "Ready") == ("False", reason)
    for word in words:
        assert word in message


async def assert_ready(world: World) -> None:
    await world.settle()
    assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)


def no_canary(world: World) -> bool:
    """Tell whether the values of the Secret are nowhere but in it, in plain words."""
    elsewhere = str([one for one in world.objects() if one["kind"] != "Secret"]) + world.story()
    return not any(canary in elsewhere for canary in CANARIES.values())


async def test_credentials_that_are_missing_are_told_and_nothing_starts_until_they_are_there() -> None:
    async with a_world() as world:
        await world.apply(*sample(model=S3))
        await world.rest(120.0)
        await assert_told(
            world,
            "CredentialsMissing",
            "spec.model.credentialsSecretRef",
            "Secret llm-hosting/models-s3",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
        assert await world.told(SERVICE, "Stalled") == ("True", "CredentialsMissing")
        assert await world.find(Ref(INFERENCE_SERVICE, HOME, NAME)) is None
        incomplete = await world.foreign(a_secret(CREDENTIALS, AWS_ACCESS_KEY_ID="canary-of-the-key-id"))
        await world.rest(120.0)
        await assert_told(world, "CredentialsInvalid", "Secret llm-hosting/models-s3 has no AWS_SECRET_ACCESS_KEY")
        await world.no_longer_foreign(incomplete)
        await world.foreign(a_secret(CREDENTIALS, **CANARIES))
        await assert_ready(world)
        assert no_canary(world)


async def test_credentials_reach_the_initializer_by_name_and_a_new_value_restarts_nothing() -> None:
    async with a_world() as world:
        await world.apply(*sample(model=S3))
        before = await world.foreign(a_secret(CREDENTIALS, **CANARIES))
        await assert_ready(world)
        (pod,) = await world.client.list(POD)
        references = [one["valueFrom"]["secretKeyRef"]["name"] for one in pod["spec"]["initContainers"][0]["env"]]
        assert references == ["models-s3", "models-s3"]
        started = world.around.kserve.pods_started[STARTED]
        await world.no_longer_foreign(before)
        await world.rest(700.0)
        await assert_told(world, "CredentialsMissing", "create it with")
        assert len(await world.client.list(POD)) == 1
        changed = {key: f"{canary}-2" for key, canary in CANARIES.items()}
        await world.foreign(a_secret(CREDENTIALS, **changed))
        await assert_ready(world)
        assert world.around.kserve.pods_started[STARTED] == started
        assert no_canary(world)


CONNECTION = {
    "AWS_ACCESS_KEY_ID": "canary-of-the-key-id",
    "AWS_SECRET_ACCESS_KEY": "canary-of-the-secret-key",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_S3_BUCKET": "models",
    "AWS_S3_ENDPOINT": "https://store.example.com",
}
"""What the dashboard of OpenShift AI writes for a data connection."""


@pytest.mark.parametrize(
    ("uri", "held", "told"),
    [
        ("s3://models/llama/", CONNECTION, {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        ("hf://org/llama", {"HF_TOKEN": "canary-of-the-key-id"}, {"HF_TOKEN"}),
        ("https://example.com/a.zip", {"https-host": "example.com", "headers": "canary-of-the-key-id"}, set()),
    ],
    ids=["a data connection", "a token", "headers"],
)
async def test_each_kind_of_credentials_is_waited_for_and_reaches_the_initializer_alone(
    uri: str, held: dict[str, str], told: set[str]
) -> None:
    async with a_world(settings=Settings(endpoint_key=EndpointKey.URL)) as world:
        await world.apply(*sample(model={"source": {"uri": uri}, "credentialsSecretRef": {"name": "models-s3"}}))
        await world.rest(120.0)
        await assert_told(world, "CredentialsMissing", "Secret llm-hosting/models-s3")
        await world.foreign(a_secret(CREDENTIALS, **held))
        await assert_ready(world)
        (pod,) = await world.client.list(POD)
        (init,) = pod["spec"]["initContainers"]
        variables = {one["name"]: one.get("value") for one in init["env"]}
        assert told <= variables.keys()
        assert variables.get("AWS_ENDPOINT_URL") == held.get("AWS_S3_ENDPOINT")
        assert not {"AWS_SECRET_ACCESS_KEY", "HF_TOKEN"} & {one["name"] for one in pod["spec"]["containers"][0]["env"]}
        assert no_canary(world)


async def test_a_secret_of_another_namespace_is_not_found() -> None:
    async with a_world() as world:
        await world.foreign(a_namespace("team-b"))
        await world.foreign(a_secret(Ref(SECRET, "team-b", "models-s3"), **CANARIES))
        await world.apply(*sample(model=S3))
        await world.rest(120.0)
        await assert_told(world, "CredentialsMissing", "there is no Secret llm-hosting/models-s3")
        assert no_canary(world)


async def test_a_claim_that_is_missing_is_told_and_heals() -> None:
    async with a_world() as world:
        await world.apply(*sample(model=CLAIM))
        await world.rest(120.0)
        await assert_told(world, "ClaimMissing", "spec.model.source.uri", "PersistentVolumeClaim llm-hosting/weights")
        assert await world.client.list(POD) == []
        await world.foreign(a_claim("weights", "ReadWriteMany"))
        await assert_ready(world)


async def test_a_claim_of_one_node_is_no_place_for_two_replicas() -> None:
    async with a_world() as world:
        await world.apply(a_namespace(HOME))
        await world.foreign(a_claim("weights", "ReadWriteOnce"))
        serving = sample()[-1]["spec"]["serving"]
        await world.apply(*sample(model=CLAIM, serving={**serving, "replicas": 2}))
        await world.rest(120.0)
        await assert_told(world, "ClaimUnfit", "ReadWriteOnce", "have one replica")
        await world.apply(*sample(model=CLAIM, serving=serving))
        await assert_ready(world)
        isvc = await world.get(Ref(INFERENCE_SERVICE, HOME, NAME))
        assert isvc["spec"]["predictor"]["deploymentStrategy"]["type"] == "Recreate"


async def test_adapters_are_served_beside_the_model() -> None:
    adapters = [
        {"name": "legal", "uri": "pvc://adapters/legal"},
        {"name": "medical", "uri": "hf://org/medical"},
        {"name": "support", "path": "adapters/support"},
    ]
    model = {**sample()[-1]["spec"]["model"], "credentialsSecretRef": {"name": "token"}, "adapters": adapters}
    async with a_world() as world:
        await world.apply(a_namespace(HOME))
        await world.foreign(a_secret(TOKEN, HF_TOKEN="canary-of-the-token"))
        await world.apply(*sample(model=model))
        await world.rest(120.0)
        await assert_told(world, "ClaimMissing", "spec.model.adapters[legal].uri")
        await world.foreign(a_claim("adapters", "ReadOnlyMany"))
        await assert_ready(world)
        (pod,) = await world.client.list(POD)
        assert [one["name"] for one in pod["spec"]["initContainers"]] == ["fetch-adapters", "modelcar-init"]
        assert "medical=/adapters/medical" in pod["spec"]["containers"][0]["args"]
        world.around.faults.pods[NAME] = PodFault.GATED_ADAPTER
        await world.break_pods()
        await world.rest(60.0)
        await assert_told(world, "ModelAccessDenied", "container fetch-adapters", "Cannot access gated repo")
        world.around.faults.pods.clear()
        await assert_ready(world)


async def test_another_source_with_credentials_and_adapters_is_put_back_without_a_trace() -> None:
    adapters = [{"name": "legal", "uri": "hf://org/legal", "rank": 8}, {"name": "support", "path": "support"}]
    async with a_world() as world:
        await world.apply(*sample())
        await world.foreign(a_secret(CREDENTIALS, **CANARIES))
        await assert_ready(world)
        before = world.snapshot()
        await world.apply(*sample(model={**S3, "adapters": adapters, "name": "llama-32-1b-instruct"}))
        await assert_ready(world)
        assert differences(before, world.snapshot())
        await world.apply(*sample())
        await assert_ready(world)
        left = differences(before, world.snapshot())
        # Each promotion makes a version.
        assert [line for line in left if not re.search(r"\.\w*[vV]ersion: ", line)] == []


@pytest.mark.parametrize("uri", ["hf://org/llama:v1", "https://example.com/llama.tar.gz", "s3://public/llama/"])
async def test_a_public_source_needs_no_secret(uri: str) -> None:
    async with a_world() as world:
        await world.apply(*sample(model={"source": {"uri": uri}}))
        await assert_ready(world)
        (pod,) = await world.client.list(POD)
        assert pod["spec"]["initContainers"][0]["args"] == [uri, "/mnt/models"]

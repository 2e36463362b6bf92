"""Things are applied in any order, and what they need comes later (fault F13): each wait says for what."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import CUSTOM_RESOURCE_DEFINITION, INFERENCE_SERVICE, MODEL_SERVICE, PRODUCT, Kind
from maas_operator.domain.objects import Ref
from tests.scenarios import harness
from tests.scenarios.harness import ACCOUNT, PLATFORM, SERVICE, a_settled_world, a_world, sample, the_account


async def test_a_service_waits_for_its_platform() -> None:
    async with a_world() as world:
        namespace, platform, service = sample()
        await world.apply(namespace, service)
        await world.rest(10.0)
        assert await world.told(SERVICE, "PlatformReady") == ("False", "PlatformMissing")
        assert "spec.platformRef: there is no ModelPlatform default" in await world.message(SERVICE)
        await world.apply(platform)
        await world.rest(30.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_service_is_there_before_kserve_3scale_and_their_kinds() -> None:
    async with a_world(install=False) as world:
        await world.install(kinds=[MODEL_SERVICE], account=False)
        namespace, platform, service = sample()
        await world.apply(namespace, service, platform)
        await world.settle()
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "DependencyMissing")
        assert (await world.told(SERVICE, "ModelReady"))[1] == "DependencyMissing"
        assert "ServingRuntime" in await world.message(SERVICE, "ModelReady")
        await world.install(kinds=[INFERENCE_SERVICE], account=False)
        await world.rest(90.0)
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")
        await world.install(account=False)
        await world.settle()
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "ProviderSecretMissing")
        await world.apply(the_account())
        await world.rest(60.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_subscription_waits_for_its_model() -> None:
    async with a_world() as world:
        namespace, platform, service = sample()
        guest = Ref(harness.MODEL_SUBSCRIPTION, harness.HOME, "guest")
        await world.apply(namespace, platform, harness.a_subscription("guest"))
        await world.rest(10.0)
        assert await world.told(guest, "ModelAccepted") == ("False", "ModelMissing")
        await world.apply(service)
        await world.rest(60.0)
        assert await world.told(guest, "Ready") == ("True", "Ready")


PROBLEMS = {
    "missing": ({}, "ProviderSecretMissing", "does not exist"),
    "empty": ({"token": ""}, "ProviderSecretInvalid", "lacks the key token"),
    "slash": ({"adminURL": f"{harness.ADMIN_URL}/"}, "ProviderSecretInvalid", "trailing slash"),
    "http": ({"adminURL": "http://maas-admin.apps.example.com"}, "ProviderSecretInvalid", "https"),
}


@pytest.mark.parametrize("case", PROBLEMS)
async def test_a_bad_provider_account_is_named_and_a_good_one_heals(case: str) -> None:
    values, reason, words = PROBLEMS[case]
    async with a_world(install=False) as world:
        await world.install(account=False)
        if values:
            good = {"adminURL": harness.ADMIN_URL, "token": harness.TOKEN}
            await world.apply(harness.a_secret(ACCOUNT, **{**good, **values}))
        await world.apply(*sample())
        await world.rest(30.0)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", reason)
        assert words in await world.message(PLATFORM, "ThreescaleReady")
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")
        await world.apply(the_account())
        await world.rest(60.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


@pytest.mark.parametrize("kind", [INFERENCE_SERVICE, PRODUCT], ids=str)
async def test_a_kind_that_vanishes_is_named_and_healed_when_it_is_back(kind: Kind) -> None:
    async with a_settled_world() as world:
        key = await world.key()
        name = f"{kind.plural}.{kind.group}"
        await world.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", name))
        await world.settle()
        assert (await world.told(SERVICE, "Ready"))[1] in ("DependencyMissing", "PlatformNotReady")
        assert name in await world.message(PLATFORM)
        await world.install()
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.key() == key


async def test_the_namespace_of_3scale_comes_later() -> None:
    async with a_world(install=False) as world:
        await world.install(namespace=False, account=False)
        await world.apply(*sample())
        await world.rest(30.0)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "NamespaceMissing")
        await world.install()
        await world.rest(60.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")

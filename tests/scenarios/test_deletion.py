"""Deletion: of the service, of its namespace, before a new one of the same name, while others are down (fault F11)."""

from __future__ import annotations

import asyncio

import pytest

from maas_operator.domain.kinds import APPLICATION, MODEL_SUBSCRIPTION, NAMESPACE
from maas_operator.domain.objects import Ref
from maas_operator.sandbox.controllers.faults import PortaFault
from tests.scenarios import harness
from tests.scenarios.harness import (
    ACCOUNT,
    GATEWAY,
    HOME,
    PLATFORM,
    SERVICE,
    SUBSCRIPTION,
    World,
    a_settled_world,
    a_world,
    sample,
    the_account,
)
from tests.scenarios.oracles import leftovers

ONE_PASS = 3.0


def left(world: World) -> list[str]:
    return list(leftovers(world.objects(), world.around.porta, but="ModelPlatform"))


async def test_a_deleted_service_leaves_nothing() -> None:
    async with a_settled_world() as world:
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_a_deleted_namespace_goes_and_leaves_nothing() -> None:
    async with a_settled_world() as world:
        await world.delete(Ref(NAMESPACE, "", HOME))
        await world.settle()
        assert await world.find(Ref(NAMESPACE, "", HOME)) is None
        assert left(world) == []


async def test_a_new_service_of_the_same_name_has_new_children_and_a_new_key() -> None:
    async with a_settled_world() as world:
        old, key = await world.get(SERVICE), await world.key()
        await world.delete(SERVICE)
        while await world.find(SERVICE) is not None:
            await world.rest(0.05)
        await world.apply(*sample())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.key() != key
        assert not [one for one in world.objects() if old["metadata"]["uid"] in str(one)]
        world.historian.credentials.clear()


async def test_deleting_and_applying_at_once_ends_with_a_good_service() -> None:
    async with a_settled_world() as world:
        await world.delete(SERVICE)
        await world.settle()
        await world.apply(*sample())
        await world.rest(0.3)
        await world.delete(SERVICE)
        await world.settle()
        assert left(world) == []
        await world.apply(*sample())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        world.historian.credentials.clear()


@pytest.mark.matrix
@pytest.mark.parametrize("tenths", range(0, 20))
async def test_a_service_that_is_deleted_while_it_is_made_leaves_nothing(tenths: int) -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.rest(tenths / 10)
        await world.delete(SERVICE)
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_while_3scale_is_down_the_status_says_at_once_what_it_waits_for_and_then_it_finishes() -> None:
    async with a_settled_world() as world:
        world.around.faults.porta = PortaFault.DOWN
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        assert await world.told(SERVICE, "Ready") == ("False", "Deleting")
        assert f"waiting for ModelSubscription {HOME}/{SUBSCRIPTION.name}" in await world.message(SERVICE)
        assert "Application 3scale/" in await world.message(SUBSCRIPTION)
        world.around.faults.porta = None
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_while_the_provider_account_is_missing_deletion_waits_and_says_so() -> None:
    async with a_settled_world() as world:
        await world.delete(ACCOUNT)
        await world.delete(SERVICE)
        await world.rest(60.0)
        assert "Application 3scale/" in await world.message(SUBSCRIPTION)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "ProviderSecretMissing")
        await world.apply(the_account())
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_a_platform_stays_while_something_needs_it_and_names_it() -> None:
    async with a_settled_world() as world:
        await world.delete(PLATFORM)
        await world.settle()
        assert await world.told(PLATFORM, "Ready") == ("False", "DeletionBlocked")
        assert SERVICE.name in await world.message(PLATFORM)
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(PLATFORM) is None


async def test_everything_at_once_goes_in_order() -> None:
    async with a_settled_world() as world:
        async with asyncio.TaskGroup() as group:
            for ref in (PLATFORM, SERVICE, Ref(NAMESPACE, "", HOME)):
                group.create_task(world.delete(ref))
        await world.settle()
        assert await world.find(PLATFORM) is None
        assert left(world) == []


async def test_a_subscription_that_the_service_does_not_own_outlives_it_and_says_so() -> None:
    async with a_settled_world() as world:
        await world.apply(harness.a_subscription("guest"))
        await world.settle()
        await world.delete(SERVICE)
        await world.settle()
        guest = Ref(MODEL_SUBSCRIPTION, HOME, "guest")
        assert await world.told(guest, "ModelAccepted") == ("False", "ModelMissing")
        application = Ref(APPLICATION, GATEWAY, f"{HOME}.guest")
        assert (await world.find(SERVICE), await world.find(application)) == (None, None)
        await world.delete(guest)
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_a_paused_service_can_be_deleted() -> None:
    async with a_settled_world() as world:
        await world.apply(*sample(managementPolicy="Paused"))
        await world.settle()
        await world.delete(SERVICE)
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])

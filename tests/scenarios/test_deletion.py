"""Deletion: of the service, of its namespace, before a new one of the same name, while others are down (fault F11)."""

from __future__ import annotations

import asyncio

import pytest

from maas_operator.domain.kinds import (
    APPLICATION,
    BACKEND,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    EVENT,
    MODEL_SUBSCRIPTION,
    NAMESPACE,
    PRODUCT,
)
from maas_operator.domain.labels import FORCE_DELETE, OWNER_UID, labels_of
from maas_operator.domain.objects import Ref, ref_of
from maas_operator.sandbox.controllers.faults import PortaFault
from tests.scenarios import harness
from tests.scenarios.harness import (
    ACCOUNT,
    ADMIN_URL,
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
from tests.scenarios.snapshot import differences

ONE_PASS = 3.0


def left(world: World) -> list[str]:
    return list(leftovers(world.objects(), world.around.porta, but="ModelPlatform"))


async def test_a_deleted_service_leaves_nothing() -> None:
    async with a_settled_world() as world:
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_applications_are_listed_only_until_the_product_is_going() -> None:
    async with a_settled_world() as world:
        begun = len(world.operator.records.calls)
        await world.delete(SERVICE)
        await world.settle()
        calls = [(str(call.verb), call.kind) for call in world.operator.records.calls[begun:]]
        deleted = calls.index(("delete", "Product"))
        assert ("list", "Application") in calls[:deleted]
        assert ("list", "Application") not in calls[deleted:]


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
        assert await world.told(SERVICE, "Ready") == ("False", "DeletionBlocked")
        assert f"ModelSubscription {HOME}/{SUBSCRIPTION.name}" in await world.message(SERVICE)
        assert "Application 3scale/" in await world.message(SUBSCRIPTION)
        assert "connection refused" in await world.message(SUBSCRIPTION)
        world.around.faults.porta = None
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_while_the_provider_account_is_missing_deletion_waits_and_says_so() -> None:
    async with a_settled_world() as world:
        await world.delete(ACCOUNT)
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        for ref in (SERVICE, SUBSCRIPTION):
            assert await world.told(ref, "Ready") == ("False", "DeletionBlocked")
            assert f"{ACCOUNT} does not exist" in await world.message(ref)
        # The 3scale-operator would let these go, and leave them behind in 3scale.
        for kind in (PRODUCT, BACKEND, DEVELOPER_ACCOUNT, DEVELOPER_USER, APPLICATION):
            assert all("deletionTimestamp" not in one["metadata"] for one in await world.client.list(kind)), kind
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


# --- what can not go on, and why -------------------------------------------------------------------------------------


async def test_a_token_that_3scale_refuses_is_told_in_its_words_and_the_right_one_ends_it() -> None:
    async with a_settled_world() as world:
        await world.apply(harness.a_secret(ACCOUNT, adminURL=ADMIN_URL, token="expired-canary"))
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        assert await world.told(SUBSCRIPTION, "Ready") == ("False", "DeletionBlocked")
        assert "Access denied" in await world.message(SUBSCRIPTION)
        await world.apply(the_account())
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_a_provider_account_without_a_token_is_named() -> None:
    async with a_settled_world() as world:
        await world.edit(ACCOUNT, {"data": {"token": None}})
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        assert await world.told(SUBSCRIPTION, "Ready") == ("False", "DeletionBlocked")
        assert f"{ACCOUNT} is no usable provider account" in await world.message(SUBSCRIPTION)
        await world.apply(the_account())
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_a_product_that_is_the_tenants_last_one_is_told_in_3scales_words_until_there_is_another() -> None:
    async with a_settled_world() as world:
        (tenant,) = world.around.porta
        (default,) = [one for one in tenant.catalogue.products.values() if one.system_name == "api"]
        del tenant.catalogue.products[default.id]
        await world.delete(SERVICE)
        await world.rest(30.0)
        assert await world.told(SERVICE, "Ready") == ("False", "DeletionBlocked")
        message = await world.message(SERVICE)
        assert "This product cannot be removed" in message
        assert "default product, and its last one" in message
        tenant.catalogue.products[default.id] = default
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_an_application_whose_account_lost_its_id_is_told_in_the_3scale_operators_words() -> None:
    async with a_settled_world() as world:
        account = Ref(DEVELOPER_ACCOUNT, GATEWAY, f"{HOME}.dev1")
        world.around.threescale.crashed = True
        await world.delete(SERVICE)
        await world.rest(ONE_PASS)
        known = (await world.get(account))["status"]
        await world.edit(account, {"status": {"accountID": None}}, subresource="status")
        await world.rest(1.0)
        world.around.threescale.crashed = False
        await world.edit(
            Ref(APPLICATION, GATEWAY, f"{HOME}.{SUBSCRIPTION.name}"),
            {"metadata": {"annotations": {"looked-at": "again"}}},
        )
        await world.rest(30.0)
        assert await world.told(SUBSCRIPTION, "Ready") == ("False", "DeletionBlocked")
        assert "ID is missing in the status of developer account" in await world.message(SUBSCRIPTION)
        await world.edit(account, {"status": known}, subresource="status")
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_a_3scale_operator_that_does_not_run_is_suspected_after_a_minute() -> None:
    async with a_settled_world() as world:
        world.around.threescale.crashed = True
        await world.delete(SERVICE)
        await world.rest(30.0)
        assert await world.told(SUBSCRIPTION, "Ready") == ("False", "Deleting")
        await world.rest(60.0)
        assert await world.told(SUBSCRIPTION, "Ready") == ("False", "DeletionBlocked")
        assert "check that it runs" in await world.message(SUBSCRIPTION)
        assert await world.told(SERVICE, "Ready") == ("False", "DeletionBlocked")
        world.around.threescale.crashed = False
        world.around.runner.resync()
        await world.edit(
            Ref(APPLICATION, GATEWAY, f"{HOME}.{SUBSCRIPTION.name}"),
            {"metadata": {"annotations": {"looked-at": "again"}}},
        )
        await world.settle()
        assert (await world.find(SERVICE), left(world)) == (None, [])


async def test_many_that_go_at_once_ask_3scale_once() -> None:
    async with a_settled_world() as world:
        await world.apply(*(harness.a_subscription(f"guest-{number}") for number in range(5)))
        await world.settle()
        world.around.faults.porta = PortaFault.DOWN
        world.admin_api.calls.clear()
        for number in range(5):
            await world.delete(Ref(MODEL_SUBSCRIPTION, HOME, f"guest-{number}"))
        await world.rest(ONE_PASS)
        assert len(world.admin_api.calls) == 1
        world.around.faults.porta = None
        await world.settle()


# --- by force --------------------------------------------------------------------------------------------------------

FORCED = {"metadata": {"annotations": {FORCE_DELETE: "true"}}}


async def test_by_force_an_owner_goes_at_once_and_what_is_left_goes_when_3scale_is_back() -> None:
    async with a_settled_world() as world:
        uids = {(await world.get(ref))["metadata"]["uid"] for ref in (SERVICE, SUBSCRIPTION)}
        world.around.faults.porta = PortaFault.DOWN
        await world.delete(SERVICE)
        await world.rest(60.0)
        for ref in (SUBSCRIPTION, SERVICE):
            await world.edit(ref, FORCED)
        await world.rest(30.0)
        assert (await world.find(SERVICE), await world.find(SUBSCRIPTION)) == (None, None)
        products = await world.client.list(PRODUCT)
        assert products
        for kind in (PRODUCT, BACKEND, APPLICATION):
            for one in await world.client.list(kind):
                assert "deletionTimestamp" in one["metadata"]
                assert labels_of(one)[OWNER_UID] in uids
        (event,) = [
            one
            for one in await world.client.list(EVENT)
            if one["reason"] == "DeletionForced" and one["regarding"]["name"] == SERVICE.name
        ]
        assert str(ref_of(products[0])) in event["note"]
        world.around.faults.porta = None
        await world.settle()
        assert left(world) == []


async def test_force_has_no_effect_before_somebody_deletes() -> None:
    async with a_settled_world() as world:
        before = world.snapshot()
        for ref in (SERVICE, SUBSCRIPTION, PLATFORM):
            await world.edit(ref, FORCED)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        for ref in (SERVICE, SUBSCRIPTION, PLATFORM):
            await world.edit(ref, {"metadata": {"annotations": {FORCE_DELETE: None}}})
        await world.settle()
        assert list(differences(before, world.snapshot())) == []


async def test_force_without_the_provider_account_lets_go_of_what_is_in_the_cluster() -> None:
    async with a_settled_world(ends=False) as world:
        await world.delete(ACCOUNT)
        for ref in (SUBSCRIPTION, SERVICE):
            await world.edit(ref, FORCED)
        await world.delete(SERVICE)
        await world.settle()
        assert (await world.find(SERVICE), await world.find(SUBSCRIPTION)) == (None, None)
        assert await world.client.list(PRODUCT) == []


async def test_force_takes_nothing_from_others() -> None:
    async with a_settled_world() as world:
        await world.apply(harness.a_subscription("guest"))
        await world.settle()
        theirs = await world.foreign(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "theirs", "namespace": HOME},
                "data": {"any": "thing"},
            }
        )
        world.around.faults.porta = PortaFault.DOWN
        for ref in (SUBSCRIPTION, SERVICE):
            await world.edit(ref, FORCED)
        await world.delete(SERVICE)
        await world.rest(60.0)
        assert await world.find(SERVICE) is None
        assert await world.is_untouched(theirs)
        guest = Ref(MODEL_SUBSCRIPTION, HOME, "guest")
        assert await world.told(guest, "ModelAccepted") == ("False", "ModelMissing")
        assert (
            "deletionTimestamp" not in (await world.get(Ref(DEVELOPER_ACCOUNT, GATEWAY, f"{HOME}.guest")))["metadata"]
        )
        world.around.faults.porta = None
        await world.settle()


async def test_a_platform_that_goes_by_force_waits_for_its_tenants_all_the_same() -> None:
    async with a_settled_world() as world:
        await world.edit(PLATFORM, FORCED)
        await world.delete(PLATFORM)
        await world.rest(60.0)
        assert await world.told(PLATFORM, "Ready") == ("False", "DeletionBlocked")
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(PLATFORM) is None

"""What 3scale has besides the custom resources: names, the portal's applications, edits in the portal, a token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.api.parse import read
from maas_operator.domain.kinds import APPLICATION, BACKEND, PRODUCT
from maas_operator.domain.labels import CORRECTED_AT, annotations_of
from maas_operator.domain.names import system_name
from maas_operator.domain.objects import Ref
from maas_operator.engine.controller import RESYNC_SECONDS
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Product
from maas_operator.sandbox.controllers.threescale.people import Application
from maas_operator.sandbox.controllers.threescale.porta import Tenant
from tests.scenarios import portal
from tests.scenarios.harness import (
    ACCOUNT,
    ADMIN_URL,
    GATEWAY,
    HOME,
    NAME,
    PLATFORM,
    SERVICE,
    SUBSCRIPTION,
    World,
    a_secret,
    a_world,
    sample,
)

REMOTE = Ref(PRODUCT, GATEWAY, f"{HOME}.{NAME}")
TARGET = Ref(BACKEND, GATEWAY, f"{HOME}.{NAME}")
A_RESYNC = 1.1 * RESYNC_SECONDS + 60
OLD_AND_NEW = [{"name": "standard"}, {"name": "gold"}]


def tenant_of(world: World) -> Tenant:
    (tenant,) = world.around.porta
    return tenant


def product_of(world: World) -> Product:
    products = tenant_of(world).catalogue.products.values()
    return next(one for one in products if one.system_name.startswith(NAME))


def portal_application(world: World, plan: str) -> Application:
    """Make an application as a developer does it in the portal: no custom resource knows of it."""
    people, product = tenant_of(world).people, product_of(world)
    (account, *_) = people.accounts.values()
    return people.create_application(account.id, product, product.plans[plan], name="mine", description="by hand")


# --- names -----------------------------------------------------------------------------------------------------------


async def taken_name(world: World) -> str:
    """Have somebody else own the name in 3scale that the sample's Product would take."""
    name = system_name(read(ModelService, sample()[2]))
    tenant_of(world).catalogue.create_product(name="Theirs", system_name=name)
    await world.apply(*sample())
    await world.settle()
    return name


async def test_a_name_that_3scale_has_already_is_left_alone_until_it_is_free() -> None:
    async with a_world() as world:
        name = await taken_name(world)
        assert await world.told(SERVICE, "GatewayReady") == ("False", "RemoteNameTaken")
        assert await world.told(SERVICE, "Stalled") == ("True", "RemoteNameTaken")
        assert name in await world.message(SERVICE, "GatewayReady")
        assert await world.find(REMOTE) is None
        assert await world.find(TARGET) is None
        theirs = tenant_of(world).catalogue.find_product(name)
        assert theirs is not None
        assert theirs.name == "Theirs"
        tenant_of(world).catalogue.delete_product(theirs.id)
        await asyncio.sleep(60)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_name_that_the_platform_adopts_is_taken_over() -> None:
    async with a_world() as world:
        name = await taken_name(world)
        await world.edit(PLATFORM, {"spec": {"threescale": {"adopt": [name]}}})
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        adopted = tenant_of(world).catalogue.find_product(name)
        assert adopted is not None
        assert adopted.name != "Theirs"


async def test_after_a_restart_our_own_product_is_still_ours() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        await world.operator.restart()
        await world.settle()
        assert await world.told(SERVICE, "GatewayReady") == ("True", "Ready")


async def test_a_product_that_lost_its_status_is_still_ours() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        await world.edit(REMOTE, {"status": None}, subresource="status")
        await world.operator.restart()
        await world.settle()
        assert await world.told(SERVICE, "GatewayReady") == ("True", "Ready")


async def test_3scale_is_asked_nothing_while_nothing_happens_between_two_resyncs() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        before = len(world.admin_api.calls)
        await asyncio.sleep(RESYNC_SECONDS / 10)
        await world.edit(REMOTE, {"metadata": {"annotations": {"example.com/touched": "by somebody"}}})
        await asyncio.sleep(RESYNC_SECONDS / 10)
        assert len(world.admin_api.calls) - before <= 1 + 10, world.admin_api.calls[before:]


# --- plans -----------------------------------------------------------------------------------------------------------


async def test_a_plan_with_an_application_of_the_portal_stays_until_that_has_moved() -> None:
    async with a_world() as world:
        await world.apply(*sample(plans=OLD_AND_NEW))
        await world.settle()
        application = portal_application(world, "gold")
        await world.edit(SERVICE, {"spec": {"plans": [{"name": "standard"}]}})
        await asyncio.sleep(300)
        assert "gold" in product_of(world).plans
        assert not product_of(world).plans["gold"].published
        assert await world.told(SERVICE, "GatewayReady") == ("True", "PlanInUse")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        message = await world.message(SERVICE, "GatewayReady")
        assert "1 application" in message
        assert f"{application.id} of account {application.account_id}" in message
        tenant_of(world).people.change_plan(application, product_of(world).plans["standard"])
        await world.settle()
        assert "gold" not in product_of(world).plans
        assert await world.told(SERVICE, "GatewayReady") == ("True", "Ready")
        tenant_of(world).people.delete_application(application.account_id, application.id)


async def test_a_plan_of_the_portal_that_3scale_can_not_delete_is_named_with_its_applications() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        tenant_of(world).catalogue.put_plan(product_of(world), "lunch", published=True)
        application = portal_application(world, "lunch")
        await world.apply(*sample(displayName="Another"))
        await asyncio.sleep(300)
        assert await world.told(SERVICE, "GatewayReady") == ("False", "GatewayFailed")
        message = await world.message(SERVICE, "GatewayReady")
        assert "plan lunch was made in 3scale and can not go" in message
        assert f"{application.id} of account {application.account_id}" in message
        tenant_of(world).people.change_plan(application, product_of(world).plans["standard"])
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        tenant_of(world).people.delete_application(application.account_id, application.id)


async def test_a_plan_stays_while_3scale_can_not_say_who_uses_it() -> None:
    async with a_world() as world:
        await world.apply(*sample(plans=OLD_AND_NEW))
        await world.settle()
        world.admin_api.fails = lambda call: "applications" in call
        await world.edit(SERVICE, {"spec": {"plans": [{"name": "standard"}]}})
        await asyncio.sleep(300)
        assert "gold" in product_of(world).plans
        assert "not known" in await world.message(SERVICE, "GatewayReady")
        world.admin_api.fails = lambda call: False
        await world.settle()
        assert "gold" not in product_of(world).plans


# --- edits in the portal ---------------------------------------------------------------------------------------------


def remote_state(world: World) -> dict[str, Any]:
    product = product_of(world)
    told = {name: value for name, value in vars(product).items() if name not in ("staging", "production", "updated_at")}
    return {**told, "backends": list(map(vars, tenant_of(world).catalogue.backends.values()))}


@pytest.mark.parametrize(
    "edit",
    [
        portal.rename,
        portal.open_a_path,
        portal.drop_a_policy,
        portal.raise_a_limit,
        portal.hide_a_plan,
        portal.add_a_plan,
        portal.take_keys_from_the_query,
        portal.add_a_metric,
        portal.lead_elsewhere,
    ],
    ids=lambda edit: edit.__name__,
)
async def test_what_is_edited_in_the_portal_is_put_back_within_one_resync(
    edit: Callable[[Tenant, Product], None],
) -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        before = repr(remote_state(world))
        edit(tenant_of(world), product_of(world))
        assert repr(remote_state(world)) != before
        await asyncio.sleep(A_RESYNC)
        assert repr(remote_state(world)) == before


async def test_a_product_deleted_in_the_portal_is_made_again_within_one_resync() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        tenant_of(world).catalogue.delete_product(product_of(world).id)
        await asyncio.sleep(A_RESYNC)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_one_edit_is_answered_by_one_nudge() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        assert CORRECTED_AT not in annotations_of(await world.get(REMOTE))
        portal.rename(tenant_of(world), product_of(world))
        await asyncio.sleep(A_RESYNC)
        first = annotations_of(await world.get(REMOTE))[CORRECTED_AT]
        await asyncio.sleep(3 * RESYNC_SECONDS)
        assert annotations_of(await world.get(REMOTE))[CORRECTED_AT] == first
        assert CORRECTED_AT not in annotations_of(await world.get(TARGET))


async def test_an_edit_that_is_made_again_and_again_is_put_back_more_and_more_seldom() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        nudges = set()
        for _ in range(600):
            portal.rename(tenant_of(world), product_of(world))
            await asyncio.sleep(60)
            nudges.add(annotations_of(await world.get(REMOTE)).get(CORRECTED_AT))
        assert 3 <= len(nudges - {None}) <= 8
        await asyncio.sleep(40 * RESYNC_SECONDS)


# --- the token, and a 3scale that is away ----------------------------------------------------------------------------


async def test_a_revoked_token_is_told_in_3scales_words_and_stops_first_writes_only() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        tenant_of(world).token = "the-canary-of-tomorrow"
        await asyncio.sleep(A_RESYNC)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "TokenRefused")
        assert "Access denied" in await world.message(PLATFORM, "ThreescaleReady")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.apply(a_secret(ACCOUNT, adminURL=ADMIN_URL, token="the-canary-of-tomorrow"))
        await asyncio.sleep(5)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("True", "Ready")


async def test_with_a_token_that_3scale_refuses_nothing_new_is_published() -> None:
    async with a_world() as world:
        await world.apply(a_secret(ACCOUNT, adminURL=ADMIN_URL, token="a-wrong-canary"))
        await world.apply(*sample())
        await asyncio.sleep(300)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "TokenRefused")
        assert await world.told(SERVICE, "GatewayReady") == ("False", "PlatformNotReady")
        assert "Access denied" in await world.message(SERVICE, "GatewayReady")
        assert await world.find(TARGET) is None
        await world.apply(a_secret(ACCOUNT, adminURL=ADMIN_URL, token="the-canary-of-the-tenant"))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


@pytest.mark.parametrize("call", ["GET backend_apis.json", "GET services.json"])
async def test_no_answer_to_a_call_holds_the_first_write_and_is_told(call: str) -> None:
    async with a_world() as world:
        world.admin_api.fails = lambda made: made == call
        await world.apply(*sample())
        await asyncio.sleep(300)
        assert "no answer from 3scale" in await world.message(SERVICE, "GatewayReady")
        assert await world.find(TARGET) is None
        world.admin_api.fails = lambda made: False
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_an_admin_api_that_is_away_later_takes_nothing_away() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        world.around.faults.porta = PortaFault.DOWN
        await asyncio.sleep(3 * RESYNC_SECONDS)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "AdminAPIUnavailable")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        world.around.faults.porta = None
        await asyncio.sleep(120)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("True", "Ready")


async def test_a_missing_certificate_authority_is_told_and_found_when_it_comes() -> None:
    async with a_world() as world:
        _, platform, _ = sample()
        platform["spec"]["threescale"]["caConfigMapRef"] = {"name": "gateway-ca", "key": "ca.crt"}
        await world.apply(platform)
        await asyncio.sleep(60)
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "AuthorityMissing")
        assert "3scale/gateway-ca" in await world.message(PLATFORM, "ThreescaleReady")
        await world.edit(PLATFORM, {"spec": {"threescale": {"caConfigMapRef": None}}})


# --- approvals -------------------------------------------------------------------------------------------------------

APPROVAL = [{"name": "standard", "approvalRequired": True}]


async def test_a_developer_whom_the_owner_named_is_approved() -> None:
    async with a_world() as world:
        await world.apply(*sample(plans=APPROVAL))
        await world.settle()
        assert await world.told(SUBSCRIPTION, "Approved") == ("True", "Approved")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        accepted = [call for call in world.admin_api.calls if call.startswith("PUT")]
        (application,) = tenant_of(world).people.applications.values()
        assert accepted == [f"PUT accounts/{application.account_id}/applications/{application.id}/accept.json"]


async def test_nobody_elses_application_is_accepted() -> None:
    async with a_world() as world:
        await world.apply(*sample(plans=APPROVAL))
        await world.settle()
        by_hand = portal_application(world, "standard")
        await asyncio.sleep(A_RESYNC)
        assert by_hand.state == "pending"
        tenant_of(world).people.delete_application(by_hand.account_id, by_hand.id)


async def test_an_approval_that_3scale_refuses_is_told_in_its_words_and_tried_again() -> None:
    async with a_world() as world:
        world.admin_api.fails = lambda call: call.endswith("accept.json")
        await world.apply(*sample(plans=APPROVAL))
        await asyncio.sleep(300)
        assert await world.told(SUBSCRIPTION, "Approved") == ("False", "ApprovalPending")
        assert "no answer from 3scale" in await world.message(SUBSCRIPTION, "Approved")
        world.admin_api.fails = lambda call: False
        await world.settle()
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")


async def test_an_application_that_was_accepted_before_a_crash_is_found_accepted() -> None:
    async with a_world() as world:
        world.admin_api.fails = lambda call: call.endswith("accept.json")
        await world.apply(*sample(plans=APPROVAL))
        await asyncio.sleep(300)
        (application,) = tenant_of(world).people.applications.values()
        application.state = "live"
        world.admin_api.fails = lambda call: False
        await world.operator.restart()
        await world.settle()
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        assert (await world.get(Ref(APPLICATION, GATEWAY, SUBSCRIPTION.namespace + "." + SUBSCRIPTION.name)))["status"][
            "state"
        ] == "live"

"""Somebody edits a subscription's application in 3scale's portal: what is ours is put back within one resync."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maas_operator.domain.kinds import APPLICATION, DEVELOPER_ACCOUNT, DEVELOPER_USER
from maas_operator.domain.labels import CORRECTED_AT, annotations_of
from maas_operator.domain.objects import Ref, ref_of
from maas_operator.engine.controller import RESYNC_SECONDS
from maas_operator.sandbox.controllers.threescale.people import Application, People
from tests.scenarios import harness
from tests.scenarios.harness import GATEWAY, HOME, SUBSCRIPTION, World, a_settled_world, a_world, sample

OURS = Ref(APPLICATION, GATEWAY, f"{HOME}.{SUBSCRIPTION.name}")
ACCOUNT = Ref(DEVELOPER_ACCOUNT, GATEWAY, f"{HOME}.dev1")
USER = Ref(DEVELOPER_USER, GATEWAY, f"{HOME}.dev1")
A_RESYNC = 1.1 * RESYNC_SECONDS + 60
MINUTE = 60.0


def people_of(world: World) -> People:
    (tenant,) = world.around.porta
    return tenant.people


def application_of(world: World) -> Application:
    (application,) = people_of(world).applications.values()
    return application


def regenerate(people: People, application: Application) -> None:
    people.set_user_key(application, "a-key-that-somebody-made-in-the-portal")


def delete(people: People, application: Application) -> None:
    people.delete_application(application.account_id, application.id)


def delete_account(people: People, application: Application) -> None:
    people.delete_account(application.account_id)


@pytest.mark.parametrize("edit", [regenerate, delete, delete_account])
async def test_what_somebody_did_in_the_portal_is_undone_and_the_key_works_again(
    edit: Callable[[People, Application], None],
) -> None:
    async with a_settled_world() as world:
        await world.settle()
        key = await world.key()
        edit(people_of(world), application_of(world))
        await world.rest(A_RESYNC)
        await world.settle()
        assert application_of(world).user_key == await world.key() == key
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")


async def test_an_application_that_was_moved_to_another_plan_is_moved_back() -> None:
    async with a_world() as world:
        await world.apply(*sample(plans=[{"name": "standard"}, {"name": "gold"}]))
        await world.settle()
        application, (tenant,) = application_of(world), world.around.porta
        product = tenant.catalogue.product(application.product_id)
        people_of(world).change_plan(application, product.plans["gold"])
        await world.rest(A_RESYNC)
        assert application_of(world).plan.system_name == "standard"
        assert CORRECTED_AT in annotations_of(await world.get(OURS))
        await world.settle()
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")


async def test_a_user_that_is_gone_in_the_portal_is_made_again_with_its_account_untouched() -> None:
    async with a_settled_world() as world:
        await world.settle()
        (account,) = people_of(world).accounts.values()
        before = account.id
        account.users.clear()
        await world.rest(A_RESYNC)
        await world.settle()
        (account,) = people_of(world).accounts.values()
        assert account.id == before
        assert [user.username for user in account.users.values()] == ["dev1"]
        assert CORRECTED_AT in annotations_of(await world.get(USER))


async def test_a_suspension_is_told_and_left_to_who_made_it() -> None:
    async with a_settled_world() as world:
        await world.settle()
        application = application_of(world)
        application.state = "suspended"
        await world.rest(A_RESYNC)
        assert await world.told(SUBSCRIPTION, "Ready") == ("False", "Suspended")
        assert (await world.get(SUBSCRIPTION))["status"]["state"] == "Suspended"
        await world.rest(3 * RESYNC_SECONDS)
        assert application_of(world).state == "suspended"
        assert CORRECTED_AT not in annotations_of(await world.get(OURS))
        application.state = "live"
        await world.rest(A_RESYNC)
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")


async def test_a_key_that_is_made_anew_again_and_again_is_put_back_more_and_more_seldom() -> None:
    async with a_settled_world() as world:
        await world.settle()
        ours, put_back = await world.key(), 0
        for number in range(240):
            if application_of(world).user_key == ours:
                put_back += 1
                people_of(world).set_user_key(application_of(world), f"key-{number}-of-somebody-in-the-portal")
            await world.rest(MINUTE)
        assert 3 <= put_back <= 7
        await world.rest(40 * RESYNC_SECONDS)
        assert application_of(world).user_key == ours


async def test_in_the_steady_state_a_subscription_costs_no_more_than_its_own_application() -> None:
    async with a_settled_world() as world:
        await world.apply(*(harness.a_subscription(f"guest-{number}") for number in range(5)))
        await world.settle()
        await world.rest(A_RESYNC)
        world.admin_api.calls.clear()
        await world.rest(RESYNC_SECONDS)
        plans = [call for call in world.admin_api.calls if call.endswith("application_plans.json")]
        applications = [call for call in world.admin_api.calls if "/applications/" in call]
        # One more list of the plans is the product's own comparison; some passes come twice in ten minutes.
        assert len(plans) <= 2 * (1 + 2)
        assert 6 <= len(applications) <= 12
        assert not [call for call in world.admin_api.calls if call == "GET applications.json"]


async def test_two_subscriptions_of_one_account_do_not_fight_over_its_correction() -> None:
    async with a_settled_world() as world:
        user = {"username": "dev1", "email": "dev1@example.com"}
        await world.apply(harness.a_subscription("second", account="dev1", user=user))
        await world.settle()
        (account, *_) = people_of(world).accounts.values()
        people_of(world).delete_account(account.id)
        await world.rest(2 * A_RESYNC)
        await world.settle()
        assert len(people_of(world).applications) == 2
        for ref in (SUBSCRIPTION, Ref(SUBSCRIPTION.kind, HOME, "second")):
            assert await world.told(ref, "Ready") == ("True", "Ready")
        assert ref_of(await world.get(ACCOUNT)) == ACCOUNT

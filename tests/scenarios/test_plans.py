"""What plans cost, who is charged for it, and how fast a model is called: from the spec to 3scale, and back."""

from __future__ import annotations

from typing import Any

from maas_operator.domain.kinds import DEVELOPER_ACCOUNT, PRODUCT
from maas_operator.domain.objects import Ref
from maas_operator.sandbox.controllers.threescale.catalogue import Product
from maas_operator.sandbox.controllers.threescale.people import Account
from tests.scenarios.harness import GATEWAY, HOME, NAME, PLATFORM, SERVICE, World, a_settled_world, sample

REMOTE = Ref(PRODUCT, GATEWAY, f"{HOME}.{NAME}")
FEES = {"setupFee": "50.00", "monthlyFee": "9.90", "perMillionTokens": {"prompt": "0.2", "completion": "0.6"}}


def product_of(world: World) -> Product:
    (tenant,) = world.around.porta
    return next(one for one in tenant.catalogue.products.values() if one.system_name.startswith(NAME))


def account_of(world: World) -> Account:
    (tenant,) = world.around.porta
    (account,) = tenant.people.accounts.values()
    return account


async def priced(world: World, pricing: dict[str, Any] | None) -> tuple[str, str]:
    """Give the plan another price, or none at all; return the fees that 3scale has then."""
    (plan,) = sample()[-1]["spec"]["plans"]
    await world.replace(SERVICE, spec=sample(plans=[plan | ({"pricing": pricing} if pricing else {})])[-1]["spec"])
    await world.settle(quiet_seconds=60)
    plan = product_of(world).plans["standard"]
    return plan.setup_fee, plan.month_fee


async def test_fees_reach_3scale_at_once_and_are_nothing_again_when_they_are_taken_away() -> None:
    async with a_settled_world() as world:
        version = (await world.get(SERVICE))["status"]["gateway"]["productionVersion"]
        assert await priced(world, FEES) == ("50.00", "9.90")
        assert await priced(world, {"monthlyFee": "1.00"}) == ("0.00", "1.00")
        assert await priced(world, None) == ("0.00", "0.00")
        assert (await world.get(SERVICE))["status"]["gateway"]["productionVersion"] == version


async def test_a_fee_that_somebody_edits_in_3scale_is_put_back() -> None:
    async with a_settled_world() as world:
        await priced(world, FEES)
        product_of(world).plans["standard"].month_fee = "0.90"
        await world.rest(2000)
        assert product_of(world).plans["standard"].month_fee == "9.90"


async def test_accounts_are_charged_while_the_platform_bills_and_only_then() -> None:
    async with a_settled_world() as world:
        for billing, charged in (("Disabled", False), ("Enabled", True), ("Disabled", False)):
            await world.edit(PLATFORM, {"spec": {"threescale": {"billing": billing}}})
            await world.settle(quiet_seconds=60)
            assert (account_of(world).billing, account_of(world).charging) == (charged, charged)
            spec = (await world.get(Ref(DEVELOPER_ACCOUNT, GATEWAY, f"{HOME}.dev1")))["spec"]
            assert (spec["monthlyBillingEnabled"], spec["monthlyChargingEnabled"]) == (charged, charged)


async def test_a_rate_limit_is_promoted_and_goes_as_it_came() -> None:
    async with a_settled_world() as world:
        before = [one["name"] for one in product_of(world).production[-1].content["policies"]]
        await world.edit(SERVICE, {"spec": {"api": {"rateLimit": {"requestsPerSecond": 20, "burst": 40}}}})
        await world.settle(quiet_seconds=60)
        limit = product_of(world).production[-1].content["policies"][before.index("apicast") + 1]
        assert limit["name"] == "rate_limit"
        assert limit["configuration"]["leaky_bucket_limiters"][0]["rate"] == 20
        await world.edit(SERVICE, {"spec": {"api": {"rateLimit": None}}})
        await world.settle(quiet_seconds=60)
        assert [one["name"] for one in product_of(world).production[-1].content["policies"]] == before
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")

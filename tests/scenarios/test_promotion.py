"""What goes to production, when, who says so, and that what is told of it is true: whatever happens in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maas_operator.domain.gateway.mapping_rules import CATALOG_PATHS
from maas_operator.domain.kinds import PROXY_CONFIG_PROMOTE
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.engine.controller import RESYNC_SECONDS
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Product, Rule
from maas_operator.sandbox.kubeapi.faults import Moment
from tests.scenarios.harness import CONSUMER_KEY, SERVICE, World, a_settled_world, a_world, sample
from tests.scenarios.operator import Fault, Killed, is_write
from tests.scenarios.test_admin_api import A_RESYNC, REMOTE, product_of, tenant_of

CHAT, EMBEDDINGS = ["Chat"], ["Embeddings"]
PATHS = {"Chat": "/v1/chat/completions$", "Embeddings": "/v1/embeddings$"}
CRASHES = 14
"""More writes than an edit and its way back take."""


async def gateway(world: World) -> dict[str, Any]:
    return dict((await world.get(SERVICE))["status"]["gateway"])


async def ask_for(world: World, tasks: list[str], *, approve: str | None = None) -> None:
    promotion = {"approved": approve} if approve else {}
    await world.edit(SERVICE, {"spec": {"model": {"tasks": tasks}, "api": {"promotion": promotion}}})


async def by_hand(world: World) -> str:
    """Bring up the sample for chats in Manual mode, approved; return the hash."""
    api = {"promotion": {"mode": "Manual"}}
    model = {**sample()[2]["spec"]["model"], "tasks": CHAT}
    await world.apply(*sample(api=api, model=model))
    await world.settle()
    candidate = (await gateway(world))["candidateHash"]
    await ask_for(world, CHAT, approve=candidate)
    await world.settle()
    return str(candidate)


def paths(product: Product) -> list[str]:
    """Return what is open in production besides the catalogue."""
    rules = product.production[-1].content["rules"] if product.production else []
    return [rule["pattern"] for rule in rules if rule["pattern"] not in {f"{path}$" for path in CATALOG_PATHS}]


async def promotions(world: World) -> list[Manifest]:
    return await world.client.list(PROXY_CONFIG_PROMOTE)


# --- approvals --------------------------------------------------------------------------------------------------------


async def test_a_new_configuration_waits_for_its_approval_and_the_old_one_stays_in_production() -> None:
    async with a_world() as world:
        await by_hand(world)
        before = await gateway(world)
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        after = await gateway(world)
        assert paths(product_of(world)) == [PATHS["Chat"]]
        assert await world.told(SERVICE, "Promoted") == ("False", "PromotionNotApproved")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")
        assert {key: value for key, value in after.items() if key != "candidateHash"} == before
        assert after["candidateHash"] in await world.message(SERVICE, "Promoted")
        await ask_for(world, EMBEDDINGS, approve=after["candidateHash"])
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Embeddings"]]
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        last = await gateway(world)
        assert last["configHash"] == after["candidateHash"]
        assert last["promotedGeneration"] == (await world.get(SERVICE))["metadata"]["generation"]
        assert last["promotedAt"] > before["promotedAt"]
        assert last["productionVersion"] > before["productionVersion"]
        assert "candidateHash" not in last


async def test_before_the_first_approval_nothing_is_in_production() -> None:
    async with a_world() as world:
        await world.apply(*sample(api={"promotion": {"mode": "Manual"}}))
        await world.settle()
        assert product_of(world).production == []
        assert await promotions(world) == []
        await world.edit(SERVICE, {"spec": {"api": {"promotion": {"mode": "Automatic"}}}})
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_what_waits_for_an_approval_and_is_taken_back_needs_no_promotion() -> None:
    async with a_world() as world:
        await by_hand(world)
        (before,), versions = await promotions(world), len(product_of(world).production)
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        await ask_for(world, CHAT)
        await world.settle()
        (after,) = await promotions(world)
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert len(product_of(world).production) == versions
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_plans_and_limits_act_without_an_approval() -> None:
    async with a_world() as world:
        await by_hand(world)
        limits = [{"metric": "Requests", "period": "Minute", "value": 7}]
        await world.edit(SERVICE, {"spec": {"plans": [{"name": "standard", "limits": limits}]}})
        await world.settle()
        assert product_of(world).plans["standard"].limits == {("hits", 0, "minute"): 7}
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_promotion_that_could_not_act_does_not_publish_what_nobody_approved() -> None:
    """The 3scale-operator tries again whatever is not Ready, with whatever the Product is by then."""
    async with a_world() as world:
        old = await by_hand(world)
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        world.around.faults.porta = PortaFault.DOWN
        await ask_for(world, EMBEDDINGS, approve=(await gateway(world))["candidateHash"])
        await world.rest(20.0)
        assert len(await promotions(world)) == 1
        await world.edit(SERVICE, {"spec": {"model": {"tasks": ["Tokenize"]}}})
        await world.rest(20.0)
        assert await promotions(world) == []
        world.around.faults.porta = None
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Chat"]]
        assert await world.told(SERVICE, "Promoted") == ("False", "PromotionNotApproved")
        await ask_for(world, CHAT, approve=old)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_promotion_without_changes_does_not_publish_what_nobody_approved_when_it_is_looked_at_again() -> None:
    async with a_world() as world:
        old = await by_hand(world)
        # Made anew, it finds nothing to promote: that is no Ready, and so the 3scale-operator is not done with it.
        await world.delete(ref_of((await promotions(world))[0]))
        await world.settle()
        (unchanged,) = await promotions(world)
        assert {one["type"]: one["status"] for one in unchanged["status"]["conditions"]}["Failed"] == "True"
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        for promotion in await promotions(world):
            await world.edit(ref_of(promotion), {"metadata": {"annotations": {"example.com/restarted": "now"}}})
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Chat"]]
        assert (await gateway(world))["configHash"] == old


async def test_an_approval_that_is_taken_back_in_time_publishes_nothing() -> None:
    async with a_world() as world:
        await by_hand(world)
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        world.around.faults.porta = PortaFault.DOWN
        await ask_for(world, EMBEDDINGS, approve=(await gateway(world))["candidateHash"])
        await world.rest(20.0)
        await ask_for(world, EMBEDDINGS, approve="0" * 16)
        await world.rest(20.0)
        world.around.faults.porta = None
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Chat"]]
        assert await world.told(SERVICE, "Promoted") == ("False", "PromotionNotApproved")


# --- back to what was before ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["Automatic", "Manual"])
async def test_a_revert_brings_the_old_rules_back_and_leaves_keys_and_applications_alone(mode: str) -> None:
    async with a_world() as world:
        first = await by_hand(world)
        await world.edit(SERVICE, {"spec": {"api": {"promotion": {"mode": mode}}}})
        await world.settle()
        key, people = await world.key(CONSUMER_KEY), repr(tenant_of(world).people.applications)
        before = product_of(world).production[-1].content
        cors = {"allowedOrigins": ["https://app.example.com"]}
        await world.edit(SERVICE, {"spec": {"api": {"cors": cors}}})
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        await ask_for(world, EMBEDDINGS, approve=(await gateway(world)).get("candidateHash"))
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Embeddings"]]
        await world.edit(SERVICE, {"spec": {"api": {"cors": None}}})
        await ask_for(world, CHAT, approve=first)
        await world.settle()
        after = product_of(world).production[-1].content
        assert {**after, "updated_at": ""} == {**before, "updated_at": ""}
        assert (await gateway(world))["configHash"] == first
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert (await world.key(CONSUMER_KEY), repr(tenant_of(world).people.applications)) == (key, people)


WHEN = [pytest.param(number, moment, id=f"{number + 1}-{moment}") for number in range(CRASHES) for moment in Moment]


@pytest.mark.matrix
@pytest.mark.parametrize("mode", ["Automatic", "Manual"])
@pytest.mark.parametrize(("number", "moment"), WHEN)
async def test_after_a_and_b_and_a_again_a_is_in_production_whenever_a_process_dies(
    number: int, moment: Moment, mode: str
) -> None:
    """The way back begins when the process dies, or when B is there: its promotion may have acted or not."""
    async with a_world() as world:
        first = await by_hand(world)
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        second = (await gateway(world))["candidateHash"]
        await ask_for(world, CHAT, approve=first)
        await world.edit(SERVICE, {"spec": {"api": {"promotion": {"mode": mode}}}})
        await world.settle()
        crash = Fault(is_write, Killed, moment=moment, skip=number)
        world.operator.faults.append(crash)
        await ask_for(world, EMBEDDINGS, approve=second)
        for _ in range(100):
            await asyncio.sleep(0.1)
            if crash.hits:
                break
        await ask_for(world, CHAT, approve=first)
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Chat"]]
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")
        assert (await gateway(world))["configHash"] == first
        (promotion,) = await promotions(world)
        told = promotion["status"]["latestProductionVersion"]
        assert (await gateway(world))["productionVersion"] == told == product_of(world).production[-1].version


async def test_the_promotion_of_b_is_late_and_acts_when_a_is_wanted_again() -> None:
    async with a_world() as world:
        first = await by_hand(world)
        world.around.faults.porta = PortaFault.DOWN
        await world.edit(SERVICE, {"spec": {"api": {"promotion": {"mode": "Automatic"}}}})
        await ask_for(world, EMBEDDINGS)
        await world.rest(60.0)
        await ask_for(world, CHAT)
        world.around.faults.porta = None
        await world.settle()
        assert paths(product_of(world)) == [PATHS["Chat"]]
        assert (await gateway(world))["configHash"] == first


# --- somebody promotes in 3scale's portal -----------------------------------------------------------------------------


def portal_opens_everything(world: World) -> None:
    """Edit the rules and promote them, as in the portal."""
    catalogue, product = tenant_of(world).catalogue, product_of(world)
    catalogue.set_rules(product, [*product.rules, Rule("GET", "/", "hits", 1)])
    catalogue.deploy(product)
    catalogue.promote(product, product.staging[-1].version)
    assert "/" in paths(product)


async def test_an_edit_that_was_promoted_in_the_portal_is_taken_out_of_production_soon_after_the_resync() -> None:
    async with a_settled_world() as world:
        portal_opens_everything(world)
        await world.rest(A_RESYNC + 90)
        assert "/" not in paths(product_of(world))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert (await gateway(world))["productionVersion"] == product_of(world).production[-1].version


async def test_an_edit_that_3scale_itself_has_put_back_is_still_taken_out_of_production() -> None:
    async with a_settled_world() as world:
        portal_opens_everything(world)
        await world.edit(REMOTE, {"metadata": {"annotations": {"example.com/touched": "by somebody"}}})
        await world.rest(5.0)
        assert "/" not in [rule.pattern for rule in product_of(world).rules]
        assert "/" in paths(product_of(world))
        await world.rest(A_RESYNC)
        assert "/" not in paths(product_of(world))


async def test_what_is_promoted_in_the_portal_is_put_back_by_the_configuration_that_was_approved() -> None:
    async with a_world() as world:
        await by_hand(world)
        portal_opens_everything(world)
        await world.rest(A_RESYNC + 90)
        assert paths(product_of(world)) == [PATHS["Chat"]]


async def test_while_another_configuration_waits_for_its_approval_nothing_is_promoted_again() -> None:
    async with a_world() as world:
        await by_hand(world)
        await ask_for(world, EMBEDDINGS)
        await world.settle()
        (before,) = await promotions(world)
        await world.rest(3 * RESYNC_SECONDS)
        assert [one["metadata"]["uid"] for one in await promotions(world)] == [before["metadata"]["uid"]]
        await ask_for(world, CHAT)
        await world.settle()
        assert [one["metadata"]["uid"] for one in await promotions(world)] == [before["metadata"]["uid"]]


async def test_who_promotes_again_and_again_is_answered_more_and_more_seldom() -> None:
    async with a_settled_world() as world:
        made = set()
        for _ in range(600):
            catalogue, product = tenant_of(world).catalogue, product_of(world)
            if "/" not in paths(product):
                portal_opens_everything(world)
            else:
                catalogue.set_rules(
                    product, [*(r for r in product.rules if r.pattern != "/"), Rule("GET", "/", "hits", 1)]
                )
            await asyncio.sleep(60)
            made |= {one["metadata"]["uid"] for one in await promotions(world)}
        assert len(made) <= 9
        await asyncio.sleep(70 * RESYNC_SECONDS)

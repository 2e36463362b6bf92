"""When a subscription is compared with 3scale, what is found, and what is asked for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from maas_operator.domain.model_subscription import decide
from maas_operator.domain.objects import ref_of
from maas_operator.domain.people.remote import Findings, RemoteAccess
from maas_operator.domain.people.world import ModelSubscriptionWorld
from maas_operator.engine.access_comparisons import TOGETHER
from maas_operator.engine.errors import RemoteNotFound, RemoteUnavailable
from maas_operator.engine.threescale import REGULARLY
from tests.domain import worlds
from tests.engine.test_inquiries import Bench, bench  # noqa: F401

ASKED = ["has_user", "access", "plans"]


def a_world(name: str = "tiny-dev1", **known: Any) -> ModelSubscriptionWorld:
    """Return the world of a subscription that 3scale has."""
    world = worlds.a_subscription_world(worlds.a_subscription(name), **known)
    children = [worlds.content(one) for one in worlds.settle(decide, world).children]
    key = {ref: worlds.stored(UserKey="k" * 32) for ref in map(ref_of, children) if ref.name.endswith(".key")}
    again = worlds.settle(decide, replace(world, secrets=key)).children
    return replace(world, secrets=key, seen={ref_of(one): worlds.content(one) for one in again})


@pytest.fixture
def stage(bench: Bench) -> Bench:  # noqa: F811
    """Return a bench whose 3scale has the subscription as it should be."""
    bench.threescale.remote = RemoteAccess(plan_id=3, state="live", has_key=True)
    bench.threescale.plan_names = {3: "standard", 4: "gold"}
    return bench


async def compare(stage: Bench, world: ModelSubscriptionWorld | None = None) -> Findings:
    """Return what is found at the first resync."""
    world = world or a_world()
    await stage.inquiries.about_subscription(world)
    stage.now += REGULARLY
    return await stage.inquiries.about_subscription(world)


async def test_a_comparison_waits_for_the_first_resync_and_happens_once_in_each(stage: Bench) -> None:
    world = a_world()
    assert await stage.inquiries.about_subscription(world) == Findings()
    assert not stage.threescale.asked
    assert await compare(stage, world) == Findings()
    await stage.inquiries.about_subscription(world)
    assert stage.threescale.asked == ASKED
    stage.now += REGULARLY
    await stage.inquiries.about_subscription(world)
    assert stage.threescale.asked == ASKED * 2


async def test_another_plan_is_found(stage: Bench) -> None:
    stage.threescale.remote = RemoteAccess(plan_id=4, state="live", has_key=True)
    assert await compare(stage) == Findings(edited_at=stage.now)


async def test_another_key_is_found_and_told_to_one_pass_only(stage: Bench) -> None:
    stage.threescale.remote = RemoteAccess(plan_id=3, state="live", has_key=False)
    world = a_world()
    assert await compare(stage, world) == Findings(other_key=True)
    assert await stage.inquiries.about_subscription(world) == Findings()


async def test_another_plan_and_another_key_are_found_together(stage: Bench) -> None:
    stage.threescale.remote = RemoteAccess(plan_id=4, state="live", has_key=False)
    assert await compare(stage) == Findings(edited_at=stage.now, other_key=True)


async def test_an_application_that_is_gone_is_found(stage: Bench) -> None:
    stage.threescale.fails = {"access": RemoteNotFound("gone")}
    assert await compare(stage) == Findings(edited_at=stage.now)


async def test_a_user_that_is_gone_is_found_apart_from_the_application(stage: Bench) -> None:
    stage.threescale.users = False
    assert await compare(stage) == Findings(lost_at=stage.now)


async def test_a_suspension_is_found_and_nothing_else_is_looked_for(stage: Bench) -> None:
    stage.threescale.remote = RemoteAccess(plan_id=4, state="suspended", has_key=False)
    assert await compare(stage) == Findings(suspended=True)


async def test_what_was_found_before_is_remembered(stage: Bench) -> None:
    world = a_world()
    stage.threescale.remote = RemoteAccess(plan_id=4, state="live", has_key=True)
    found = await compare(stage, world)
    stage.threescale.remote = RemoteAccess(plan_id=3, state="live", has_key=True)
    stage.now += REGULARLY
    assert await stage.inquiries.about_subscription(world) == found


async def test_a_difference_that_stays_is_looked_for_later_and_later(stage: Bench) -> None:
    world, found = a_world(), set()
    stage.threescale.remote = RemoteAccess(plan_id=4, state="live", has_key=True)
    await stage.inquiries.about_subscription(world)
    for _ in range(3 * 64):
        stage.now += REGULARLY
        found.add((await stage.inquiries.about_subscription(world)).edited_at)
    assert len(found) == 11


async def test_no_answer_says_nothing_and_the_next_resync_asks_again(stage: Bench) -> None:
    stage.threescale.fails = {"access": RemoteUnavailable("no answer")}
    world = a_world()
    assert await compare(stage, world) == Findings()
    stage.threescale.fails = {}
    stage.threescale.remote = RemoteAccess(plan_id=4, state="live", has_key=True)
    stage.now += REGULARLY
    assert await stage.inquiries.about_subscription(world) == Findings(edited_at=stage.now)


async def test_many_subscriptions_share_what_is_the_same_for_all(stage: Bench) -> None:
    many = [a_world(f"tiny-{number}") for number in range(5)]
    await asyncio.gather(*(stage.inquiries.about_subscription(world) for world in many))
    stage.now += REGULARLY
    await asyncio.gather(*(stage.inquiries.about_subscription(world) for world in many))
    assert sorted(stage.threescale.asked) == sorted([*["access"] * 5, "has_user", "plans"])
    assert TOGETHER < REGULARLY


@pytest.mark.parametrize("missing", ["Application", "ApplicationAuth", "DeveloperAccount", "DeveloperUser"])
async def test_what_3scale_works_on_is_not_compared(stage: Bench, missing: str) -> None:
    world = a_world()
    seen = {ref: one for ref, one in world.seen.items() if ref.kind.name != missing}
    await compare(stage, replace(world, seen=seen))
    assert not stage.threescale.asked


async def test_an_application_on_its_way_to_another_plan_is_not_compared(stage: Bench) -> None:
    world = a_world()
    seen = {
        ref: one | {"spec": one["spec"] | {"applicationPlanName": "gold"}} if ref.kind.name == "Application" else one
        for ref, one in world.seen.items()
    }
    await compare(stage, replace(world, seen=seen))
    assert not stage.threescale.asked


@pytest.mark.parametrize("lacks", ["service", "platform"])
async def test_a_subscription_that_is_turned_away_is_not_compared(stage: Bench, lacks: str) -> None:
    world = a_world()
    without: dict[str, Any] = {lacks: None}
    await compare(stage, replace(world, **without))
    assert not stage.threescale.asked


async def test_a_plan_that_is_withdrawn_leaves_what_was_given_and_is_not_compared(stage: Bench) -> None:
    await compare(stage, replace(a_world(), service=worlds.a_service(plans=[{"name": "gold"}])))
    assert not stage.threescale.asked


async def test_a_subscription_that_leaves_is_forgotten(stage: Bench) -> None:
    world = a_world()
    stage.threescale.remote = RemoteAccess(plan_id=4, state="live", has_key=True)
    assert await compare(stage, world) != Findings()
    metadata = world.owner["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    leaving = replace(world, owner=world.owner | {"metadata": metadata})
    assert await stage.inquiries.about_subscription(leaving) == Findings()
    assert await stage.inquiries.about_subscription(world) == Findings()

"""Somebody changes, deletes or disowns a child: it is repaired, by its event or at the latest by the next resync."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from maas_operator.domain.kinds import (
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    CUSTOM_POLICY_DEFINITION,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    INFERENCE_SERVICE,
    MODEL_SUBSCRIPTION,
    NETWORK_POLICY,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SECRET,
    SERVICE,
    SERVING_RUNTIME,
    TABLE,
    Kind,
    Use,
)
from maas_operator.domain.labels import labels_of, owner_uid_of
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.engine.controller import RESYNC_SECONDS
from tests.scenarios import harness
from tests.scenarios.harness import CONSUMER_KEY, NOT_IN_SAMPLE, World, a_settled_world
from tests.scenarios.snapshot import Snapshot, differences

CHILDREN = [kind for kind, use in TABLE.items() if Use.WRITE in use and kind not in NOT_IN_SAMPLE]
DELETABLE = [kind for kind in CHILDREN if kind != DEVELOPER_USER]
"""3scale keeps the last user of an account: one that somebody deletes hangs until its account goes too."""

OWNED_FIELD: Mapping[Kind, dict[str, Any]] = {
    SERVING_RUNTIME: {"spec": {"multiModel": True}},
    INFERENCE_SERVICE: {"spec": {"predictor": {"minReplicas": 3, "maxReplicas": 3}}},
    SERVICE: {"spec": {"selector": {"app": "somebody-elses"}}},
    NETWORK_POLICY: {"spec": {"ingress": [{}]}},
    BACKEND: {"spec": {"privateBaseURL": "http://evil.example.com:80"}},
    PRODUCT: {"spec": {"name": "Another name", "policies": []}},
    DEVELOPER_ACCOUNT: {"spec": {"orgName": "Somebody else"}},
    DEVELOPER_USER: {"spec": {"email": "somebody@example.com"}},
    APPLICATION: {"spec": {"description": "Somebody else's"}},
    MODEL_SUBSCRIPTION: {"spec": {"plan": "other"}},
    CUSTOM_POLICY_DEFINITION: {"spec": {"schema": {"summary": "Somebody else's"}}},
    SECRET: {"data": {"OPENAI_BASE_URL": "aHR0cHM6Ly9ldmls"}},
}
"""A field of ours in each kind. What acts once (promotions, pushes of keys) can not be edited to any effect."""

OF_SUBSCRIPTION = {APPLICATION, APPLICATION_AUTH, DEVELOPER_ACCOUNT, DEVELOPER_USER, SECRET}
OTHER_OWNERS = {CUSTOM_POLICY_DEFINITION: harness.PLATFORM}

RELIST_SECONDS = 2500.0
UNSTEADY = re.compile(
    r"\.\w*[vV]ersion: |corrected-at|[gG]eneration|with id \d+|gid://zync|ProxyConfigPromote .*\.status"
    r"|ActiveDoc .*\.annotations: "
)
"""What a new object of 3scale differs in: numbers and versions, and how a repeated promotion says that it is done."""


async def a_child(world: World, kind: Kind) -> Manifest:
    if kind == SECRET:
        return await world.get(CONSUMER_KEY)
    (found,) = [one for one in await world.client.list(kind) if owner_uid_of(one) is not None]
    return found


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    return [line for line in differences(before, after) if not UNSTEADY.search(line)]


def wait(kind: Kind) -> float:
    """Return how long a repair may take: Secrets in consumers' namespaces are looked at, not watched."""
    return 1.1 * RESYNC_SECONDS + 5 if kind == SECRET else 60.0


@pytest.mark.matrix
@pytest.mark.parametrize("kind", OWNED_FIELD, ids=str)
async def test_a_changed_field_is_changed_back(kind: Kind) -> None:
    async with a_settled_world() as world:
        before, key = world.snapshot(), await world.key()
        await world.edit(ref_of(await a_child(world, kind)), OWNED_FIELD[kind])
        assert changed(before, world.snapshot())
        await world.rest(wait(kind))
        assert changed(before, world.snapshot()) == []
        assert await world.key() == key


@pytest.mark.matrix
@pytest.mark.parametrize("kind", DELETABLE, ids=str)
async def test_a_deleted_child_comes_back(kind: Kind) -> None:
    async with a_settled_world() as world:
        before, key = world.snapshot(), await world.key()
        child = await a_child(world, kind)
        if kind == MODEL_SUBSCRIPTION:
            # Its password and key go with it: that is what somebody asked for.
            world.historian.credentials.clear()
        await world.delete(ref_of(child))
        await world.settle()
        assert (await world.get(ref_of(child)))["metadata"]["uid"] != child["metadata"]["uid"]
        assert changed(before, world.snapshot()) == []
        if kind != MODEL_SUBSCRIPTION:
            assert await world.key() == key
        (application,) = next(iter(world.around.porta)).people.applications.values()
        assert application.user_key == await world.key()


@pytest.mark.matrix
@pytest.mark.parametrize("kind", CHILDREN, ids=str)
async def test_a_child_that_lost_its_labels_is_a_conflict_until_it_is_gone_or_ours_again(kind: Kind) -> None:
    async with a_settled_world() as world:
        before, key = world.snapshot(), await world.key()
        child = await a_child(world, kind)
        # But for the one by which KServe would lead a way around the gateway.
        labels = {key: value for key, value in labels_of(child).items() if key != harness.VISIBILITY}
        await world.edit(ref_of(child), {"metadata": {"labels": dict.fromkeys(labels)}})
        await world.rest(wait(kind))
        owner = harness.SUBSCRIPTION if kind in OF_SUBSCRIPTION else OTHER_OWNERS.get(kind, harness.SERVICE)
        told = [
            one["message"] for one in (await world.get(owner))["status"]["conditions"] if one["reason"] == "Conflict"
        ]
        assert any(child["metadata"]["name"] in message for message in told), told
        await world.edit(ref_of(child), {"metadata": {"labels": labels}})
        await world.settle()
        assert changed(before, world.snapshot()) == []
        assert await world.key() == key


async def test_a_user_that_somebody_deleted_is_named_and_heals_with_its_account() -> None:
    async with a_settled_world() as world:
        before, key = world.snapshot(), await world.key()
        await world.delete(ref_of(await a_child(world, DEVELOPER_USER)))
        await world.settle()
        assert await world.told(harness.SUBSCRIPTION, "Ready") == ("False", "AccountFailed")
        assert "DeveloperUser 3scale/llm-hosting.dev1" in await world.message(harness.SUBSCRIPTION)
        await world.delete(ref_of(await a_child(world, DEVELOPER_ACCOUNT)))
        await world.settle()
        assert changed(before, world.snapshot()) == []
        assert await world.key() == key


async def test_a_key_that_is_deleted_at_its_source_is_replaced_everywhere() -> None:
    async with a_settled_world() as world:
        before = world.snapshot()
        old = await world.key()
        world.historian.credentials.clear()
        await world.delete(harness.STORED_KEY)
        await world.settle()
        (application,) = next(iter(world.around.porta)).people.applications.values()
        assert application.user_key == await world.key() != old
        assert changed(before, world.snapshot()) == []
        world.historian.credentials.clear()


async def test_a_promotion_that_somebody_deleted_is_made_again_without_a_gap() -> None:
    async with a_settled_world() as world:
        (promotion,) = await world.client.list(PROXY_CONFIG_PROMOTE)
        await world.delete(ref_of(promotion))
        await world.settle()
        assert await world.told(harness.SERVICE, "Promoted") == ("True", "Promoted")


async def test_a_service_that_lost_its_finalizer_gets_it_back() -> None:
    async with a_settled_world() as world:
        await world.edit(harness.SERVICE, {"metadata": {"finalizers": None}})
        await world.settle()
        assert (await world.get(harness.SERVICE))["metadata"]["finalizers"]


async def test_a_status_that_somebody_wiped_comes_back() -> None:
    async with a_settled_world() as world:
        before = world.snapshot()
        for ref in (harness.SERVICE, harness.SUBSCRIPTION, harness.PLATFORM):
            await world.edit(ref, {"status": None}, subresource="status")
        await world.settle()
        assert changed(before, world.snapshot()) == []


@pytest.mark.matrix
@pytest.mark.parametrize("kind", [kind for kind in DELETABLE if kind != SECRET], ids=str)
async def test_a_child_that_is_deleted_unnoticed_comes_back_with_the_next_resync(kind: Kind) -> None:
    async with a_settled_world() as world:
        before = world.snapshot()
        if kind in (MODEL_SUBSCRIPTION, DEVELOPER_ACCOUNT):
            world.historian.credentials.clear()
        plural = f"{kind.plural}.{kind.group}"
        world.operator.dropped = lambda event: event.key.storage == plural and event.type == "DELETED"
        await world.delete(ref_of(await a_child(world, kind)))
        await world.rest(5.0)
        world.operator.dropped = lambda event: False
        await world.rest(RELIST_SECONDS)
        assert changed(before, world.snapshot()) == []


async def test_a_rival_who_edits_for_ever_is_named_and_given_up_on() -> None:
    async with a_settled_world() as world:
        backend = ref_of(await a_child(world, BACKEND))
        for number in range(12):
            await world.client.apply(
                {"apiVersion": BACKEND.api_version, "kind": BACKEND.name}
                | {"metadata": {"name": backend.name, "namespace": backend.namespace}}
                | {"spec": {"name": "x", "privateBaseURL": f"http://rival-{number}.example.com:80"}},
                manager="rival",
            )
            await world.rest(10.0)
        assert (await world.told(harness.SERVICE, "GatewayReady"))[1] == "Contended"
        assert "rival" in await world.message(harness.SERVICE, "GatewayReady")
        await world.rest(RELIST_SECONDS)
        assert await world.told(harness.SERVICE, "Ready") == ("True", "Ready")

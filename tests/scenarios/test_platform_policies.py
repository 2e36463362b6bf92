"""Policies that a platform adds to every chain: into the gateways and out again, never half, and never in the clear."""

from __future__ import annotations

import json
from typing import Any

from maas_operator.domain.kinds import API_MANAGER, PRODUCT, SECRET
from maas_operator.domain.labels import CORRECTED_AT, annotations_of
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.policies.platform import is_copy
from maas_operator.sandbox.controllers.threescale.catalogue import Product
from tests.scenarios.harness import (
    GATEWAY,
    HOME,
    NAME,
    PLATFORM,
    SERVICE,
    World,
    a_secret,
    a_settled_world,
    a_world,
    sample,
)

REMOTE = Ref(PRODUCT, GATEWAY, f"{HOME}.{NAME}")
SOURCE = Ref(SECRET, GATEWAY, "ip-list")
CANARY = "000042canaryofapolicy"
IP_CHECK = {"name": "ip_check", "position": "BeforeAuth"}
INLINE = {**IP_CHECK, "configuration": {"check_type": "whitelist", "ips": ["10.0.0.0/8"]}}
SECRETLY = {**IP_CHECK, "configurationSecretRef": {"name": SOURCE.name}}
A_WHILE = 60.0


def configured(*ips: str) -> Manifest:
    """Return the Secret with a configuration that shows up nowhere else."""
    configuration = {"check_type": "whitelist", "ips": list(ips), "error_msg": CANARY}
    return a_secret(SOURCE, configuration=json.dumps(configuration))


def product_of(world: World) -> Product:
    (tenant,) = world.around.porta
    return next(one for one in tenant.catalogue.products.values() if one.system_name.startswith(NAME))


def in_production(world: World) -> list[dict[str, Any]]:
    """Return the chain that the production gateways load."""
    chain: list[dict[str, Any]] = product_of(world).production[-1].content["policies"]
    return chain


def names(world: World) -> list[str]:
    return [policy["name"] for policy in in_production(world)]


async def add(world: World, *policies: dict[str, Any]) -> None:
    await world.edit(PLATFORM, {"spec": {"gateway": {"policies": list(policies)}}})
    await world.settle(quiet_seconds=A_WHILE)


async def copies(world: World) -> list[str]:
    found = [one["metadata"]["name"] for one in await world.client.list(SECRET, namespace=GATEWAY)]
    return [name for name in found if is_copy(name)]


async def test_a_policy_enters_every_chain_and_leaves_it_as_it_was() -> None:
    async with a_settled_world() as world:
        before = in_production(world)
        await add(world, INLINE)
        # With on_failed: where it could not be loaded, everybody would be let in.
        assert names(world)[:4] == ["on_failed", "cors", "ip_check", "upstream_connection"]
        assert await world.told(PLATFORM, "PoliciesReady") == ("True", "Ready")
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")
        await add(world)
        assert in_production(world) == before


async def test_a_policy_that_would_do_harm_is_told_and_what_is_published_stays() -> None:
    async with a_settled_world() as world:
        before = in_production(world)
        await add(world, INLINE, {"name": "upstream", "position": "AfterAuth"})
        assert await world.told(PLATFORM, "PoliciesReady") == ("False", "PolicyRefused")
        assert await world.told(SERVICE, "GatewayReady") == ("False", "PlatformNotReady")
        assert "spec.gateway.policies[1].name: upstream" in await world.message(SERVICE, "GatewayReady")
        assert in_production(world) == before
        await add(world, {**INLINE, "configuration": {"check_type": "whitelist"}})
        assert await world.told(PLATFORM, "PoliciesReady") == ("False", "PolicyInvalid")
        assert "configuration.ips: Field required" in await world.message(SERVICE, "GatewayReady")
        assert in_production(world) == before
        await add(world, INLINE)
        assert "ip_check" in names(world)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_model_that_comes_while_a_policy_is_wrong_is_published_when_it_is_right() -> None:
    async with a_world() as world:
        home, platform, service = sample()
        platform["spec"]["gateway"]["policies"] = [{"name": "echo", "position": "BeforeAuth"}]
        await world.apply(home, platform, service)
        await world.settle(quiet_seconds=A_WHILE)
        assert await world.told(SERVICE, "Stalled") != ("True", "Ready")
        assert await world.find(REMOTE) is None
        await add(world, INLINE)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert "ip_check" in names(world)


async def test_a_secret_configuration_is_waited_for_and_reaches_the_gateways() -> None:
    async with a_settled_world() as world:
        before = in_production(world)
        await add(world, SECRETLY)
        assert await world.told(PLATFORM, "PoliciesReady") == ("False", "PolicySecretMissing")
        assert in_production(world) == before
        await world.apply(configured("10.0.0.0/8"))
        await world.settle(quiet_seconds=A_WHILE)
        (found,) = [policy for policy in in_production(world) if policy["name"] == "ip_check"]
        assert found["configuration"]["ips"] == ["10.0.0.0/8"]
        assert CANARY not in json.dumps([one for one in world.objects() if one["kind"] != SECRET.name])
        await add(world)
        assert await copies(world) == []
        await world.delete(SOURCE)


async def test_a_secret_configuration_that_changes_is_promoted_and_its_old_copy_goes() -> None:
    async with a_settled_world() as world:
        await world.apply(configured("10.0.0.0/8"))
        await add(world, SECRETLY)
        (first,) = await copies(world)
        await world.apply(configured("192.0.2.0/24"))
        await world.settle()
        (found,) = [policy for policy in in_production(world) if policy["name"] == "ip_check"]
        assert found["configuration"]["ips"] == ["192.0.2.0/24"]
        (second,) = await copies(world)
        assert first != second
        await world.apply(a_secret(SOURCE, configuration="{"))
        await world.settle(quiet_seconds=A_WHILE)
        assert await world.told(PLATFORM, "PoliciesReady") == ("False", "PolicyInvalid")
        assert (await copies(world), names(world).count("ip_check")) == ([second], 1)
        await add(world)
        await world.delete(SOURCE)


async def test_a_secret_that_is_only_touched_ends_in_the_same_chain() -> None:
    async with a_settled_world() as world:
        await world.apply(configured("10.0.0.0/8"))
        await add(world, SECRETLY)
        before = in_production(world)
        await world.edit(SOURCE, {"metadata": {"labels": {"touched": "yes"}}})
        await world.settle()
        assert in_production(world) == before
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await add(world)
        await world.delete(SOURCE)


async def test_a_model_that_is_paused_keeps_the_copy_that_its_product_refers_to() -> None:
    async with a_settled_world() as world:
        await world.apply(configured("10.0.0.0/8"))
        await add(world, SECRETLY)
        (first,) = await copies(world)
        await world.edit(SERVICE, {"spec": {"managementPolicy": "Paused"}})
        await world.settle(quiet_seconds=A_WHILE)
        await world.apply(configured("192.0.2.0/24"))
        await world.settle()
        assert first in await copies(world)
        await world.edit(SERVICE, {"spec": {"managementPolicy": "Active"}})
        await world.settle()
        assert first not in await copies(world)
        await add(world)
        await world.delete(SOURCE)


async def test_an_edit_of_a_secret_configuration_in_3scale_is_put_back_and_no_other_is_made() -> None:
    async with a_settled_world() as world:
        await world.apply(configured("10.0.0.0/8"))
        await add(world, SECRETLY)
        await world.rest(2000)
        assert CORRECTED_AT not in annotations_of(await world.get(REMOTE))
        (policy,) = [one for one in product_of(world).policies if one["name"] == "ip_check"]
        policy["configuration"] = {"check_type": "whitelist", "ips": ["0.0.0.0/0"]}
        await world.rest(2000)
        (policy,) = [one for one in product_of(world).policies if one["name"] == "ip_check"]
        assert policy["configuration"]["ips"] == ["10.0.0.0/8"]
        await add(world)
        await world.delete(SOURCE)


async def test_a_policy_of_ones_own_waits_until_both_gateways_mount_it() -> None:
    async with a_settled_world() as world:
        mine = {"name": "mine", "version": "1.0", "secretRef": {"name": "mine-1.0"}}
        lists = {environment: {"customPolicies": []} for environment in ("stagingSpec", "productionSpec")}
        manager = {
            "apiVersion": API_MANAGER.api_version,
            "kind": API_MANAGER.name,
            "metadata": {"name": "apimanager", "namespace": GATEWAY},
            "spec": {"wildcardDomain": "apps.example.com", "apicast": lists},
        }
        await world.apply(manager)
        files = {"init.lua": "return {}", "apicast-policy.json": "{}"}
        await world.apply(a_secret(Ref(SECRET, GATEWAY, "mine-1.0"), **files))
        await add(world, {"name": "mine", "version": "1.0", "position": "AfterAuth"})
        assert await world.told(PLATFORM, "PoliciesReady") == ("False", "PolicyNotMounted")
        assert "mine" not in names(world)
        mounted = {environment: {"customPolicies": [mine]} for environment in lists}
        await world.edit(Ref(API_MANAGER, GATEWAY, "apimanager"), {"spec": {"apicast": mounted}})
        await world.settle()
        assert await world.told(PLATFORM, "PoliciesReady") == ("True", "Ready")
        assert names(world)[names(world).index("apicast") + 1] == "mine"
        await add(world)
        await world.delete(Ref(API_MANAGER, GATEWAY, "apimanager"), Ref(SECRET, GATEWAY, "mine-1.0"))

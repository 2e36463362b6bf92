"""The metering policy from its first mount to its upgrade and its end: nobody is served uncounted, or not at all."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from maas_operator.domain.kinds import API_MANAGER, CUSTOM_POLICY_DEFINITION, PRODUCT, SECRET
from maas_operator.domain.metering import mounts
from maas_operator.domain.metering.package import NAME, object_name
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.packed_policy import packed_policy
from maas_operator.sandbox.kubeapi.store import Event
from tests.domain.worlds import a_package
from tests.scenarios.harness import GATEWAY, HOME, PLATFORM, SERVICE, World, a_world, sample
from tests.scenarios.harness import NAME as MODEL

V1, V2 = packed_policy().version, "9.0.0"
INSTALLATION = Ref(API_MANAGER, GATEWAY, "apimanager")
FRONT = Ref(PRODUCT, GATEWAY, f"{HOME}.{MODEL}")
OTHER = {"name": "rate-shaper", "version": "2", "secretRef": {"name": "rate-shaper"}}
MINUTE = 60.0
TOKENS = [{"name": "standard", "limits": [{"metric": "TotalTokens", "period": "Day", "value": 1000}]}]


def installation(*versions: str) -> Manifest:
    policies = [dict(mounts.entry(version)) for version in versions]
    specs = {environment: {"customPolicies": policies} for environment in mounts.ENVIRONMENTS}
    return {
        "apiVersion": API_MANAGER.api_version,
        "kind": API_MANAGER.name,
        "metadata": {"name": INSTALLATION.name, "namespace": GATEWAY},
        "spec": {"wildcardDomain": "apps.example.com", "apicast": specs},
    }


def metered_sample(*, patches: bool, plans: Any = TOKENS, **policy: Any) -> list[Manifest]:
    """Return the sample with limits of tokens, on a platform that may patch the APIManager or may not."""
    namespace, platform, service = sample(cache="5m")
    platform["spec"].setdefault("gateway", {})["tokenPolicy"] = {"patchAPIManager": patches, **policy}
    service["spec"]["plans"] = plans
    return [namespace, platform, service]


def in_production(world: World) -> list[tuple[str, str]]:
    """Return the policies of the newest configuration in production."""
    (tenant,) = world.around.porta
    product = next(one for one in tenant.catalogue.products.values() if one.production)
    return [(policy["name"], policy["version"]) for policy in product.production[-1].content["policies"]]


async def mounted(world: World) -> list[tuple[str, ...]]:
    """Return the versions that each gateway mounts."""
    found = await world.get(INSTALLATION)
    return [
        tuple(one["version"] for one in mounts.entries(found, environment) if one["name"] == NAME)
        for environment in mounts.ENVIRONMENTS
    ]


async def upgrade(world: World) -> None:
    """Start an operator that comes with another version."""
    world.operator.policy = a_package(V2)
    await world.operator.restart()
    await asyncio.sleep(MINUTE)
    await world.settle()


async def there(world: World, version: str) -> list[bool]:
    refs = [Ref(kind, GATEWAY, object_name(version)) for kind in (SECRET, CUSTOM_POLICY_DEFINITION)]
    return [await world.find(ref) is not None for ref in refs]


async def test_a_platform_that_may_patch_brings_token_limits_to_work_and_takes_all_away_again() -> None:
    async with a_world() as world:
        await world.apply(installation(), *metered_sample(patches=True))
        await world.settle()
        assert await world.told(PLATFORM, "TokenPolicyReady") == ("True", "Ready")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        assert in_production(world).index((NAME, V1)) == in_production(world).index(("apicast", "builtin")) + 1
        assert await mounted(world) == [(V1,), (V1,)]
        (tenant,) = world.around.porta
        plan = next(one for product in tenant.catalogue.products.values() for one in product.plans.values())
        assert plan.limits == {("total_tokens", 0, "day"): 1000}
        await world.check()
        await world.check_deletion()
        assert await mounted(world) == [(), ()]


async def test_by_hand_nothing_is_published_before_the_lines_are_there() -> None:
    async with a_world(ends=False) as world:
        await world.apply(installation(), *metered_sample(patches=False))
        await world.settle()
        assert await world.told(PLATFORM, "Ready") == ("True", "Ready")
        assert await world.told(PLATFORM, "TokenPolicyReady") == ("False", "TokenPolicyNotMounted")
        assert await world.told(SERVICE, "GatewayReady") == ("False", "TokenPolicyMissing")
        assert mounts.line(V1) in await world.message(SERVICE, "GatewayReady")
        assert await world.find(FRONT) is None
        await world.apply(installation(V1))
        await world.settle()
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        await world.check()


async def test_by_hand_a_platform_goes_when_its_lines_are_gone() -> None:
    async with a_world() as world:
        namespace, platform, service = metered_sample(patches=False)
        await world.apply(installation(V1), namespace, platform, service)
        await world.settle()
        await world.delete(SERVICE)
        await world.settle()
        await world.delete(PLATFORM)
        await world.settle()
        assert await world.told(PLATFORM, "Ready") == ("False", "DeletionBlocked")
        assert await there(world, V1) == [True, True]
        await world.apply(installation())
        await world.settle()
        assert await world.find(PLATFORM) is None
        assert await there(world, V1) == [False, False]


async def test_an_upgrade_never_leaves_a_gateway_with_a_chain_that_it_can_not_load() -> None:
    async with a_world() as world:
        await world.apply(installation(), *metered_sample(patches=True))
        await world.settle()
        unmounted_at: list[datetime] = []

        def hear(event: Event) -> None:
            if event.object["kind"] == API_MANAGER.name and V1 not in mounts.mounted_versions(event.object):
                unmounted_at.append(world.wall_clock())

        world.kubeapi.api.store.subscribe(hear)
        await upgrade(world)
        live_after = (await world.get(SERVICE))["status"]["gateway"]["liveAfter"]
        assert unmounted_at[0] >= datetime.fromisoformat(live_after)
        assert await world.told(PLATFORM, "TokenPolicyReady") == ("True", "Ready")
        assert (NAME, V2) in in_production(world)
        assert await mounted(world) == [(V2,), (V2,)]
        assert await there(world, V1) == [False, False]
        assert await there(world, V2) == [True, True]


async def test_by_hand_an_upgrade_of_the_operator_changes_nothing_until_the_new_lines_are_there() -> None:
    async with a_world(ends=False) as world:
        await world.apply(installation(V1), *metered_sample(patches=False))
        await world.settle()
        before = await world.get(FRONT)
        await upgrade(world)
        assert await world.told(PLATFORM, "TokenPolicyReady") == ("True", "TokenPolicyOutdated")
        assert await world.get(FRONT) == before
        await world.apply(installation(V1, V2))
        await world.settle()
        assert (NAME, V2) in in_production(world)
        assert await there(world, V1) == [True, True]
        await world.apply(installation(V2))
        await world.settle()
        assert await there(world, V1) == [False, False]
        await world.check()


async def test_what_is_published_stays_when_somebody_takes_the_mount_away() -> None:
    async with a_world(ends=False) as world:
        await world.apply(installation(V1), *metered_sample(patches=False))
        await world.settle()
        before = await world.get(FRONT)
        await world.apply(installation())
        await world.edit(SERVICE, {"spec": {"displayName": "Another"}})
        await world.settle()
        assert await world.told(SERVICE, "GatewayReady") == ("False", "TokenPolicyMissing")
        assert await world.get(FRONT) == before
        await world.apply(installation(V1))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert (await world.get(FRONT))["spec"]["name"] == "Another"


async def test_switched_off_the_policy_goes_when_the_last_product_has_let_go_of_it() -> None:
    async with a_world() as world:
        await world.apply(installation(), *metered_sample(patches=True, plans=[{"name": "standard"}]))
        await world.settle()
        assert (NAME, V1) in in_production(world)
        await world.apply(*metered_sample(patches=True, plans=[{"name": "standard"}], mode="None"))
        await world.settle()
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert NAME not in dict(in_production(world))
        assert await mounted(world) == [(), ()]
        assert await there(world, V1) == [False, False]


async def test_the_policies_of_others_stay_mounted() -> None:
    async with a_world() as world:
        theirs = installation()
        theirs["spec"]["apicast"] = {"productionSpec": {"customPolicies": [OTHER], "replicas": 2}}
        await world.foreign(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "rate-shaper", "namespace": GATEWAY},
                "data": {"init.lua": "eA==", "apicast-policy.json": "e30="},
            }
        )
        await world.apply(theirs, *metered_sample(patches=True))
        await world.settle()
        found = await world.get(INSTALLATION)
        assert found["spec"]["apicast"]["productionSpec"] == {
            "customPolicies": [OTHER, mounts.entry(V1)],
            "replicas": 2,
        }
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")

"""The sample from its first apply to its last trace (fault-free), and what a second look at it does."""

from __future__ import annotations

from itertools import pairwise

from maas_operator.domain.objects import ref_of
from tests.scenarios.harness import (
    CONSUMER_KEY,
    PLATFORM,
    SERVICE,
    SUBSCRIPTION,
    World,
    a_settled_world,
    a_world,
    sample,
)


async def test_the_sample_becomes_ready_and_live_and_its_developer_has_a_key() -> None:
    async with a_world() as world:
        await world.apply(*sample(cache="5m"))
        await world.settle()
        assert await world.told(PLATFORM, "Ready") == ("True", "Ready")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert await world.told(SERVICE, "DevelopersReady") == ("True", "Ready")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        (tenant,) = world.around.porta
        (application,) = tenant.people.applications.values()
        assert (application.user_key, application.state) == (await world.key(CONSUMER_KEY), "live")


async def test_the_stages_become_true_one_after_the_other() -> None:
    async with a_world() as world:
        world.around.delays.pod_start = 20.0
        world.around.delays.route = 5.0
        await world.apply(*sample())
        await world.settle()
        steps = [{type_ for type_, truth in step.items() if truth == "True"} for step in _conditions(world)]
        for earlier, later in pairwise(["PlatformReady", "GatewayReady", "Promoted", "Live"]):
            assert all(earlier in step for step in steps if later in step)
        assert all({"ModelReady", "GatewayReady", "Promoted"} <= step for step in steps if "Ready" in step)
        assert not any("Stalled" in step for step in steps)
        assert any("Promoted" in step and "Ready" not in step for step in steps)


async def test_no_stage_that_was_true_flaps_on_the_way() -> None:
    async with a_world() as world:
        world.around.delays.pod_start = 20.0
        await world.apply(*sample())
        await world.settle()
        true: set[str] = set()
        for conditions in _conditions(world):
            now_true = {type_ for type_, status in conditions.items() if status == "True"} - {"Reconciling"}
            assert true <= now_true
            true = now_true


async def test_a_second_apply_writes_nothing() -> None:
    async with a_settled_world() as world:
        version = world.kubeapi.api.store.version
        await world.apply(*sample())
        await world.check_quiet()
        assert world.kubeapi.api.store.version == version


async def test_a_restart_writes_nothing() -> None:
    async with a_settled_world() as world:
        version, calls = world.kubeapi.api.store.version, len(world.operator.records.calls)
        await world.operator.restart()
        await world.check_quiet()
        assert world.operator.records.writes(calls) == []
        assert world.kubeapi.api.store.version == version


async def test_restarts_while_it_is_deleted_do_no_harm() -> None:
    async with a_settled_world() as world:
        await world.delete(SERVICE)
        for _ in range(5):
            await world.operator.restart()
        await world.settle()
        assert await world.find(SERVICE) is None


async def test_a_lazy_cluster_is_waited_for() -> None:
    async with a_world() as world:
        delays = world.around.delays
        delays.pod_start, delays.porta, delays.route = 200.0, 20.0, 30.0
        await world.apply(*sample())
        await world.settle()
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert world.operator.records.most_passes_in_a_minute() <= 12


def _conditions(world: World) -> list[dict[str, str]]:
    """Return the service's conditions by type, at each of its changes."""
    changes = [event.object for event in world.historian.history if event.key.name == SERVICE.name]
    ours = [one for one in changes if one["kind"] == SERVICE.kind.name and ref_of(one) == SERVICE]
    return [{c["type"]: c["status"] for c in one.get("status", {}).get("conditions", ())} for one in ours]

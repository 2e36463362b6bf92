"""Routes: long answers get through, whatever becomes of the Route; a cluster that has no Routes has URLs as well."""

from __future__ import annotations

from maas_operator.domain.gateway.routes import ROUTE_TO, TIMEOUT
from maas_operator.domain.kinds import CUSTOM_RESOURCE_DEFINITION, EVENT, ROUTE
from maas_operator.domain.labels import annotations_of, labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cluster import MANAGER
from maas_operator.engine.controller import RESYNC_SECONDS
from maas_operator.engine.errors import Forbidden
from maas_operator.sandbox.controllers.faults import PortaFault
from tests.scenarios.harness import GATEWAY, HOME, SERVICE, SUBSCRIPTION, World, a_settled_world, a_world, sample
from tests.scenarios.operator import Fault

ROUTES = Ref(CUSTOM_RESOURCE_DEFINITION, "", "routes.route.openshift.io")


async def routes_of(world: World) -> list[Manifest]:
    return [one for one in await world.client.list(ROUTE) if "apicast-" in labels_of(one)[ROUTE_TO]]


async def timeouts_of(world: World) -> list[str | None]:
    return [annotations_of(one).get(TIMEOUT) for one in await routes_of(world)]


def ours(route: Manifest) -> list[dict[str, object]]:
    return [entry["fieldsV1"] for entry in route["metadata"]["managedFields"] if entry["manager"] == MANAGER]


async def test_the_timeout_is_all_that_we_own_of_a_route() -> None:
    async with a_settled_world() as world:
        assert await timeouts_of(world) == ["315s", "315s"]
        for route in await routes_of(world):
            assert ours(route) == [{"f:metadata": {"f:annotations": {f"f:{TIMEOUT}": {}}}}]


async def test_portals_are_left_alone() -> None:
    async with a_settled_world() as world:
        portals = [one for one in await world.client.list(ROUTE) if "apicast-" not in labels_of(one)[ROUTE_TO]]
        assert portals
        assert not [one for one in portals if TIMEOUT in annotations_of(one) or ours(one)]


async def test_the_timeout_follows_the_spec() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": {"api": {"timeouts": {"read": "20m"}}}})
        await world.settle()
        assert await timeouts_of(world) == ["1215s", "1215s"]


async def test_a_route_that_is_made_again_waits_as_long_and_the_url_follows() -> None:
    async with a_settled_world() as world:
        before = {ref_of(one).name: one["metadata"]["uid"] for one in await routes_of(world)}
        for route in await routes_of(world):
            await world.delete(ref_of(route))
        await world.rest(30.0)
        after = {ref_of(one).name: one["metadata"]["uid"] for one in await routes_of(world)}
        assert not set(after.values()) & set(before.values())
        assert await timeouts_of(world) == ["315s", "315s"]
        assert (await world.get(SERVICE))["status"]["url"].endswith(".apps.example.com/v1")


async def test_a_timeout_that_somebody_changes_or_takes_away_comes_back() -> None:
    async with a_settled_world() as world:
        for value in ("30s", None):
            (route, *_) = await routes_of(world)
            await world.edit(ref_of(route), {"metadata": {"annotations": {TIMEOUT: value}}})
            await world.rest(30.0)
            assert await timeouts_of(world) == ["315s", "315s"]


async def test_who_takes_it_away_again_and_again_is_named_and_not_fought() -> None:
    async with a_settled_world() as world:
        (route, *_) = await routes_of(world)
        for _ in range(12):
            await world.edit(ref_of(route), {"metadata": {"annotations": {TIMEOUT: "30s"}}})
            await world.rest(10.0)
        assert await world.told(SERVICE, "Live") == ("True", "RouteTimeoutNotSet")
        assert "changed back again and again" in await world.message(SERVICE, "Live")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.rest(2 * RESYNC_SECONDS)
        assert await timeouts_of(world) == ["315s", "315s"]
        assert await world.told(SERVICE, "Live") == ("True", "Live")


async def test_without_the_permission_it_is_told_and_nothing_else_suffers() -> None:
    async with a_world(ends=False) as world:
        world.operator.faults.append(
            Fault(
                lambda call: call.verb.writes and call.kind == ROUTE.name,
                lambda: Forbidden("may not patch routes", status=403),
                times=10**6,
            )
        )
        await world.apply(*sample())
        await world.rest(1200.0)
        assert await world.told(SERVICE, "Live") == ("True", "RouteTimeoutNotSet")
        assert "may not patch routes" in await world.message(SERVICE, "Live")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        world.operator.faults.clear()
        await world.settle()
        assert await world.told(SERVICE, "Live") == ("True", "Live")


async def test_a_route_that_somebody_makes_elsewhere_is_no_url_of_ours() -> None:
    async with a_settled_world() as world:
        url = (await world.get(SERVICE))["status"]["url"]
        (route, *_) = [one for one in await routes_of(world) if labels_of(one)[ROUTE_TO] == "apicast-production"]
        metadata = {"name": "a-trap", "namespace": HOME, "labels": dict(labels_of(route))}
        trap = {**route, "metadata": metadata, "spec": {**route["spec"], "host": "a.evil.example.com"}}
        await world.foreign({key: value for key, value in trap.items() if key != "status"})
        await world.rest(30.0)
        assert (await world.get(SERVICE))["status"]["url"] == url


async def without_routes(world: World) -> None:
    """Install all but the kind Route, as a plain Kubernetes is."""
    await world.install()
    await world.delete(ROUTES)


async def test_a_cluster_without_routes_gets_its_urls_from_3scale() -> None:
    async with a_world(install=False) as world:
        await without_routes(world)
        await world.apply(*sample())
        await world.settle()
        status = (await world.get(SERVICE))["status"]
        assert status["url"] == f"https://{status['gateway']['systemName']}-maas-apicast-production.apps.example.com/v1"
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        told = {one["reason"] for one in await world.client.list(EVENT) if GATEWAY not in str(one["regarding"])}
        assert "RouteMissing" not in told


async def test_a_cluster_without_routes_asks_once_in_a_resync_and_keeps_what_it_knows() -> None:
    async with a_world(install=False) as world:
        await without_routes(world)
        await world.apply(*sample())
        await world.settle()
        url = (await world.get(SERVICE))["status"]["url"]
        world.admin_api.calls.clear()
        await world.rest(3 * RESYNC_SECONDS)
        assert len([call for call in world.admin_api.calls if call.endswith("/proxy.json")]) <= 2 * 3 + 1
        world.around.faults.porta = PortaFault.DOWN
        await world.operator.restart()
        await world.rest(2 * RESYNC_SECONDS)
        assert (await world.get(SERVICE))["status"]["url"] == url
        world.around.faults.porta = None

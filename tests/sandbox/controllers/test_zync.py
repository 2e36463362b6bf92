"""zync: Routes as 3scale and the router make them."""

import re
from typing import Any

from maas_operator.domain.kinds import ROUTE
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.conditions import conditions_of
from tests.sandbox.controllers.objects import backend, product, promotion
from tests.sandbox.controllers.world import World


async def product_routes(world: World, name: str = "llama") -> dict[str, Manifest]:
    """Return the Routes of a product by where they lead."""
    product_id = (await world.status(product(name)))["productId"]
    found = await world.client.list(ROUTE, labels={"3scale.net/service_id": str(product_id)})
    return {route["metadata"]["labels"]["zync.3scale.net/route-to"]: route for route in found}


async def test_a_tenant_has_a_portal_and_an_admin_portal(world: World) -> None:
    await world.settle()
    found = {route["spec"]["to"]["name"]: route["spec"]["host"] for route in await world.client.list(ROUTE)}
    assert found == {
        "system-provider": "maas-admin.apps.example.com",
        "system-developer": "maas.apps.example.com",
    }


async def test_a_product_without_a_production_configuration_has_no_route(world: World) -> None:
    await world.settle(backend(), product(), promotion(production=False))
    assert await product_routes(world) == {}


async def test_a_promoted_product_has_a_route_for_each_environment(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    found = await product_routes(world)
    assert {to: route["spec"]["host"] for to, route in found.items()} == {
        "apicast-staging": "llama-maas-apicast-staging.apps.example.com",
        "apicast-production": "llama-maas-apicast-production.apps.example.com",
    }


async def test_a_route_tells_whose_it_is_and_is_admitted(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    route = (await product_routes(world))["apicast-production"]
    (tenant,) = world.around.porta
    assert route["metadata"]["labels"] == {
        "3scale.net/created-by": "zync",
        "3scale.net/tenant_id": str(tenant.id),
        "3scale.net/service_id": str((await world.status(product()))["productId"]),
        "zync.3scale.net/ingress": "proxy",
        "zync.3scale.net/route-to": "apicast-production",
    }
    assert route["metadata"]["annotations"]["zync.3scale.net/host"] == route["spec"]["host"]
    assert route["metadata"]["name"].startswith("zync-3scale-api-")
    assert route["spec"]["tls"] == {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    (ingress,) = route["status"]["ingress"]
    assert ingress["host"] == route["spec"]["host"]
    assert ingress["conditions"][0]["type"] == "Admitted"
    assert ingress["conditions"][0]["status"] == "True"


async def test_a_long_host_label_is_cut_and_gets_a_piece_of_its_hash(world: World) -> None:
    name = "a_very/long-name-of-a-model-that-nobody-would-type-by-hand"
    await world.settle(backend(), product(systemName=name), promotion())
    hosts = {to: route["spec"]["host"].split(".")[0] for to, route in (await product_routes(world)).items()}
    for label in hosts.values():
        assert len(label) == 63
        assert re.fullmatch(r"a-very-long-name-of-[a-z0-9-]+-[0-9a-f]{7}", label)
    assert len(set(hosts.values())) == 2


async def test_names_that_differ_by_an_underscore_only_collide(world: World) -> None:
    await world.settle(backend(), product("one", systemName="my-llama"), product("two", systemName="my_llama"))
    await world.settle(promotion("first", "one"))
    world.clock.advance(1)
    await world.settle(promotion("second", "two"))
    verdicts = []
    for name in ("one", "two"):
        route = (await product_routes(world, name))["apicast-production"]
        verdicts.append(conditions_of({"status": route["status"]["ingress"][0]})["Admitted"])
    assert sorted(verdict["status"] for verdict in verdicts) == ["False", "True"]
    assert [v["reason"] for v in verdicts if v["status"] == "False"] == ["HostAlreadyClaimed"]


async def test_an_edited_route_is_written_again(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    route = (await product_routes(world))["apicast-production"]
    await world.patch(route, {"spec": {"host": "elsewhere.example.com"}})
    await world.settle()
    assert (await product_routes(world))["apicast-production"]["spec"]["host"] == route["spec"]["host"]


async def test_a_deleted_route_comes_back(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    await world.delete((await product_routes(world))["apicast-production"])
    await world.settle()
    assert "apicast-production" in await product_routes(world)


async def test_the_routes_of_a_deleted_product_go(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    await world.delete(product())
    await world.settle()
    assert {r["metadata"]["labels"]["zync.3scale.net/ingress"] for r in await world.client.list(ROUTE)} == {"provider"}


async def test_a_self_managed_product_has_no_route(world: World) -> None:
    managed: dict[str, Any] = {"apicastSelfManaged": {"authentication": {"userkey": {}}}}
    await world.settle(backend(), product(deployment=managed), promotion())
    assert await product_routes(world) == {}


async def test_routes_may_take_their_time(world: World) -> None:
    world.around.delays.route = 20
    await world.settle(backend(), product(), promotion())
    assert await product_routes(world) == {}
    world.clock.advance(20)
    await world.settle()
    assert len(await product_routes(world)) == 2

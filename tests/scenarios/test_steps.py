"""Metrics and methods that 3scale would not delete, and what an operator that insisted would be stuck in for ever."""

from __future__ import annotations

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.api.parse import read
from maas_operator.domain.gateway.metrics import COUNTED
from maas_operator.domain.names import system_name
from maas_operator.engine.cluster import MANAGER
from maas_operator.engine.controller import RESYNC_SECONDS
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Catalogue, Product, Rule
from tests.scenarios.harness import CONSUMER_KEY, SERVICE, World, a_settled_world, a_world, sample
from tests.scenarios.test_admin_api import A_RESYNC, REMOTE, product_of, tenant_of
from tests.scenarios.test_promotion import CHAT, EMBEDDINGS, PATHS, ask_for, by_hand, gateway, paths

STRAY = "clicks"
WAYS = ["a metric that is deployed", "a metric that is promoted", "a method that is promoted"]
LATER = 3 * RESYNC_SECONDS


def count_on_a_stray(catalogue: Catalogue, product: Product, way: str, *, path: str = "/") -> None:
    """Make a metric or method with a rule, and have the gateways load it, as in the portal."""
    catalogue.put_metric(product, STRAY, friendly_name="Clicks", parent="hits" if "method" in way else "")
    catalogue.set_rules(product, [*product.rules, Rule("GET", path, STRAY, 1)])
    catalogue.deploy(product)
    if "promoted" in way:
        catalogue.promote(product, product.staging[-1].version)


def stray_in_the_portal(world: World, way: str) -> None:
    count_on_a_stray(tenant_of(world).catalogue, product_of(world), way)


async def declare_the_stray(world: World) -> None:
    """Write the Product as a version of this operator does whose Products have one metric more."""
    present = await world.get(REMOTE)
    spec = present["spec"] | {
        "metrics": present["spec"]["metrics"] | {STRAY: {"friendlyName": "Clicks", "unit": "hit"}}
    }
    metadata = {"name": REMOTE.name, "namespace": REMOTE.namespace, "labels": present["metadata"]["labels"]}
    # Before it writes, any version takes back what it had told of its last writes.
    children = [one | {"appliedHash": None} for one in (await world.get(SERVICE))["status"]["children"]]
    await world.edit(SERVICE, {"status": {"children": children}}, subresource="status")
    written = {"apiVersion": present["apiVersion"], "kind": present["kind"], "metadata": metadata, "spec": spec}
    await world.client.apply(written, manager=MANAGER)
    await world.operator.restart()


async def access(world: World) -> tuple[str, str]:
    return await world.key(CONSUMER_KEY), repr(tenant_of(world).people.applications)


async def assert_settled(world: World) -> None:
    """Hold what is left to what it should be: no stray anywhere, and only our paths in production."""
    product = product_of(world)
    assert product.metrics.keys() == COUNTED
    for configurations in (product.staging, product.production):
        assert "/" not in [rule["pattern"] for rule in configurations[-1].content["rules"]]
    spec = (await world.get(REMOTE))["spec"]
    assert spec["metrics"].keys() | spec["methods"].keys() == COUNTED
    assert "step" not in await gateway(world)
    assert await world.told(SERVICE, "GatewayReady") == ("True", "Ready")
    assert await world.told(SERVICE, "Ready") == ("True", "Ready")


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_made_in_the_portal_and_is_counted_on_goes_without_a_deadlock(way: str) -> None:
    async with a_settled_world() as world:
        before = await access(world)
        stray_in_the_portal(world, way)
        await world.rest(A_RESYNC)
        await world.settle()
        await assert_settled(world)
        assert await access(world) == before


@pytest.mark.parametrize("way", WAYS)
async def test_the_step_is_told_while_the_configuration_that_frees_it_waits(way: str) -> None:
    """In Manual mode with another configuration that nobody approved yet, nothing may be promoted."""
    async with a_world() as world:
        await by_hand(world)
        stray_in_the_portal(world, way)
        await ask_for(world, EMBEDDINGS)
        await world.rest(A_RESYNC)
        assert await world.told(SERVICE, "GatewayReady") == ("True", "MetricInUse")
        step = (await gateway(world))["step"]
        assert step["name"] == "KeepMetrics"
        assert STRAY in step["message"]
        assert STRAY in product_of(world).metrics
        await ask_for(world, EMBEDDINGS, approve=(await gateway(world))["candidateHash"])
        await world.settle()
        await assert_settled(world)
        assert paths(product_of(world)) == [PATHS["Embeddings"]]


@pytest.mark.parametrize("way", WAYS)
async def test_a_product_that_is_locked_up_already_gets_free(way: str) -> None:
    async with a_settled_world() as world:
        before = await access(world)
        stray_in_the_portal(world, way)
        await world.edit(REMOTE, {"spec": {"description": "touched, so that it is synced"}})
        await world.rest(LATER)
        await world.settle()
        await assert_settled(world)
        assert await access(world) == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.0, 4.0, 8.0, 70.0])
async def test_whenever_the_operator_dies_it_goes_on(way: str, seconds: float) -> None:
    async with a_settled_world() as world:
        stray_in_the_portal(world, way)
        await world.edit(REMOTE, {"spec": {"description": "touched, so that it is synced"}})
        await world.rest(seconds)
        await world.operator.restart()
        await world.rest(LATER)
        await world.settle()
        await assert_settled(world)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.0, 4.0, 8.0])
async def test_whenever_3scale_is_away_it_goes_on_afterwards(way: str, seconds: float) -> None:
    async with a_settled_world() as world:
        stray_in_the_portal(world, way)
        await world.edit(REMOTE, {"spec": {"description": "touched, so that it is synced"}})
        await world.rest(seconds)
        world.around.faults.porta = PortaFault.DOWN
        await world.rest(RESYNC_SECONDS)
        world.around.faults.porta = None
        await world.rest(LATER)
        await world.settle()
        await assert_settled(world)


async def test_while_only_the_admin_api_is_away_nothing_is_dropped() -> None:
    async with a_settled_world() as world:
        world.admin_api.fails = lambda call: "services/" in call
        stray_in_the_portal(world, WAYS[1])
        await world.edit(REMOTE, {"spec": {"description": "touched, so that it is synced"}})
        await world.rest(RESYNC_SECONDS)
        assert await world.told(SERVICE, "GatewayReady") == ("False", "GatewayFailed")
        world.admin_api.fails = lambda call: False
        await world.rest(LATER)
        await world.settle()
        await assert_settled(world)


@pytest.mark.parametrize("way", WAYS)
async def test_a_product_that_is_adopted_loses_its_own_metrics_in_the_end(way: str) -> None:
    async with a_world() as world:
        name, catalogue = system_name(read(ModelService, sample()[2])), tenant_of(world).catalogue
        theirs = catalogue.create_product(name="Theirs", system_name=name)
        backend = catalogue.create_backend(name="Theirs", system_name="theirs", endpoint="http://theirs.example.com")
        catalogue.set_usages(theirs, {backend.id: "/"})
        count_on_a_stray(catalogue, theirs, way)
        namespace, platform, service = sample()
        platform["spec"]["threescale"]["adopt"] = [name]
        await world.apply(namespace, platform, service)
        await world.settle()
        await assert_settled(world)
        catalogue.delete_backend(backend.id)


async def test_a_metric_of_another_version_stays_until_the_rules_of_this_one_are_promoted() -> None:
    async with a_settled_world() as world:
        before = await access(world)
        stray_in_the_portal(world, WAYS[1])
        await declare_the_stray(world)
        await world.rest(LATER)
        await world.settle()
        await assert_settled(world)
        assert await access(world) == before


async def test_a_metric_of_another_version_that_nothing_counts_on_goes_at_once() -> None:
    async with a_settled_world() as world:
        promotions = len(product_of(world).production)
        await declare_the_stray(world)
        await world.settle()
        await assert_settled(world)
        assert len(product_of(world).production) == promotions


async def test_tasks_move_there_and_back_without_a_step() -> None:
    async with a_settled_world() as world:
        before = await access(world)
        for tasks in (EMBEDDINGS, CHAT, EMBEDDINGS, CHAT):
            await world.edit(SERVICE, {"spec": {"model": {"tasks": tasks}}})
            await world.settle()
            await assert_settled(world)
            assert paths(product_of(world)) == [PATHS[tasks[0]]]
        assert await access(world) == before


async def test_a_rival_who_counts_on_it_again_and_again_is_answered_but_not_in_a_storm() -> None:
    async with a_settled_world() as world:
        promoted = len(product_of(world).production)
        for _ in range(60):
            if STRAY not in product_of(world).metrics:
                stray_in_the_portal(world, WAYS[1])
            await world.rest(60)
        assert len(product_of(world).production) - promoted <= 20
        await world.rest(70 * RESYNC_SECONDS)
        await world.settle()
        await assert_settled(world)

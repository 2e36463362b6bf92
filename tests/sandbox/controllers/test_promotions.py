"""ProxyConfigPromote: one-shot, blind to generations, and misleading in its words."""

import pytest

from maas_operator.domain.objects import ref_of
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Product, Rule
from maas_operator.sandbox.controllers.threescale.errors import PortaError
from tests.sandbox.controllers.objects import apicast, backend, product, promotion, rule
from tests.sandbox.controllers.world import World

DONE = {"Ready": "True", "Failed": "False"}
FAILED = {"Ready": "False", "Failed": "True"}
CHANGED = {"mappingRules": [rule("chat", pattern="/v1/completions$")]}


def remote(world: World) -> Product:
    (tenant,) = world.around.porta
    found = tenant.catalogue.find_product("llama")
    assert found is not None
    return found


async def test_a_promotion_to_production_deploys_to_staging_first(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    status = await world.status(promotion())
    assert await world.conditions(promotion()) == DONE
    assert status["latestStagingVersion"] == status["latestProductionVersion"] == remote(world).staging[-1].version
    assert status["productId"] == str(remote(world).id)
    assert remote(world).production[-1].content["rules"][0]["pattern"] == "/v1/chat/completions$"


async def test_a_promotion_to_staging_leaves_production_alone(world: World) -> None:
    await world.settle(backend(), product(), promotion(production=False))
    assert await world.conditions(promotion()) == DONE
    assert remote(world).production == []


async def test_a_promotion_waits_for_its_product(world: World) -> None:
    await world.settle(promotion())
    assert await world.conditions(promotion()) == FAILED
    assert (await world.status(promotion()))["productId"] == "product not found"
    await world.settle(backend(), product())
    assert await world.conditions(promotion()) == DONE


async def test_a_product_that_is_not_synced_is_not_ready(world: World) -> None:
    await world.settle(product(), promotion())
    assert await world.message(promotion(), "Failed") == "product CR is not ready"
    await world.settle(backend())
    assert await world.conditions(promotion()) == DONE


async def test_a_product_without_backends_cannot_be_promoted(world: World) -> None:
    await world.settle(product(backendUsages={}), promotion())
    assert await world.message(promotion(), "Failed") == (
        'error calling 3scale system - reason: {"status":"Not found"} - code: 404'
    )


async def test_a_second_promotion_of_the_same_product_fails_with_equal_versions(world: World) -> None:
    await world.settle(backend(), product(), promotion("first"))
    await world.settle(promotion("second"))
    status = await world.status(promotion("second"))
    assert "cannot promote to production as no product changes detected" in await world.message(
        promotion("second"), "Failed"
    )
    assert status["latestStagingVersion"] == status["latestProductionVersion"] == 2


async def test_an_auto_deployed_change_leaves_nothing_for_staging(world: World) -> None:
    await world.settle(backend(), product(), promotion("first"))
    headers = {"name": "headers", "version": "builtin", "enabled": True, "configuration": {}}
    await world.settle(product(policies=[headers, apicast()]))
    await world.settle(promotion("second", production=False))
    status = await world.status(promotion("second"))
    assert "cannot promote to staging as no product changes detected" in await world.message(
        promotion("second"), "Failed"
    )
    # The original mixes its fields up.
    assert status["latestProductionVersion"] == remote(world).staging[-1].version
    assert "latestStagingVersion" not in status


async def test_a_failure_that_is_called_no_changes_is_not_tried_again_by_itself(world: World) -> None:
    await world.settle(backend(), product(), promotion("first"))
    await world.settle(promotion("stale"))
    await world.settle(product(**CHANGED))
    assert await world.conditions(promotion("stale")) == FAILED


async def test_a_stale_failed_promotion_publishes_a_later_change_at_the_next_event(world: World) -> None:
    await world.settle(backend(), product(), promotion("first"))
    await world.settle(promotion("stale"))
    await world.settle(product(**CHANGED))
    world.around.runner.resync()
    await world.settle()
    assert await world.conditions(promotion("stale")) == DONE
    assert remote(world).production[-1].content["rules"][0]["pattern"] == "/v1/completions$"


async def test_what_is_ready_is_never_looked_at_again(world: World) -> None:
    await world.settle(backend(), product(), promotion())
    before = await world.status(promotion())
    await world.settle(product(**CHANGED))
    await world.patch(promotion(), {"spec": {"production": False}})
    world.around.runner.resync()
    await world.settle()
    assert await world.status(promotion()) == before
    assert len(remote(world).production) == 1


async def test_generations_are_not_compared(world: World) -> None:
    await world.settle(backend(), product())
    await world.apply(product(**CHANGED), promotion())
    # The promotion comes before the product in the 3scale-operator's queue: it publishes what 3scale knew.
    await world.around.threescale.reconcile(ref_of(promotion()))
    assert await world.conditions(promotion()) == DONE
    assert remote(world).production[-1].content["rules"][0]["pattern"] == "/v1/chat/completions$"


async def test_a_promotion_can_delete_itself(world: World) -> None:
    own = promotion()
    await world.settle(backend(), product(), {**own, "spec": {**own["spec"], "deleteCR": True}})
    assert await world.is_gone(own)
    assert len(remote(world).production) == 1


async def test_3scale_down_is_tried_again(world: World) -> None:
    await world.settle(backend(), product())
    world.around.faults.porta = PortaFault.DOWN
    await world.settle(promotion())
    assert "connection refused" in await world.message(promotion(), "Failed")
    world.around.faults.porta = None
    await world.settle()
    assert await world.conditions(promotion()) == DONE


async def test_an_older_version_that_is_promoted_later_is_not_what_gateways_load(world: World) -> None:
    await world.settle(backend(), product(), promotion("first"))
    (tenant,) = world.around.porta
    first = remote(world).production[-1].version
    for pattern in ("/a", "/b"):
        tenant.catalogue.set_rules(remote(world), [Rule("GET", pattern, "chat", 1)])
        tenant.catalogue.deploy(remote(world))
    tenant.catalogue.promote(remote(world), first + 2)
    tenant.catalogue.promote(remote(world), first + 1)
    assert remote(world).production[-1].version == first + 2
    with pytest.raises(PortaError):
        tenant.catalogue.promote(remote(world), first)

"""The sample's way through all stand-ins: from nothing to a key that works, and back to nothing."""

import pytest

from maas_operator.domain.kinds import ROUTE, TABLE
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.audit import audit_secrets
from tests.sandbox.controllers.objects import (
    GATEWAY,
    PASSWORD,
    USER_KEY,
    account,
    application,
    application_auth,
    backend,
    product,
    promotion,
    runtime,
    secret,
    service,
    user,
)
from tests.sandbox.controllers.world import World

PASSWORD_SECRET = secret("dev1-password", password=PASSWORD)
KEY_SECRET = secret("dev1-llama-key", UserKey=USER_KEY, ApplicationKey="")


async def published(world: World) -> list[Manifest]:
    """Bring the sample up in the order that a correct operator keeps."""
    await world.settle(runtime(), service())
    await world.settle(backend(), product())
    await world.settle(promotion())
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.settle(application(), KEY_SECRET)
    await world.settle(application_auth())
    return [service(), backend(), product(), promotion(), user(), account(), application(), application_auth()]


async def test_everything_becomes_ready(world: World) -> None:
    objects = await published(world)
    for manifest in objects:
        conditions = await world.conditions(manifest)
        assert "True" in (conditions.get("Ready"), conditions.get("Synced")), manifest["kind"]
        assert conditions.get("Failed", "False") == "False"
    assert not list(world.around.violations)


async def test_a_key_works_when_everything_is_ready(world: World) -> None:
    await published(world)
    (tenant,) = world.around.porta
    (remote,) = tenant.people.applications.values()
    assert (remote.user_key, remote.state, remote.plan.system_name) == (USER_KEY, "live", "standard")


async def test_nothing_is_written_when_nothing_changes(world: World) -> None:
    await published(world)
    kinds = [kind for kind in TABLE if kind.group != "maas-operator.io" and kind != ROUTE]
    before = {kind: await world.client.list(kind) for kind in kinds}
    for manifest in await world.client.list(ROUTE):
        await world.patch(manifest, {"metadata": {"annotations": {"touched": "yes"}}})
    await world.settle()
    assert {kind: await world.client.list(kind) for kind in kinds} == before


async def test_no_secret_shows_where_it_must_not(world: World) -> None:
    await published(world)
    await audit_secrets(world.client, world.around.porta, world.around.violations, threescale_namespace=GATEWAY)
    assert not list(world.around.violations)


@pytest.mark.parametrize(
    "copy", [secret("stolen", "models", password="token-of-the-tenant"), service(storageUri=USER_KEY)]
)
async def test_a_secret_in_the_wrong_place_is_noticed(world: World, copy: Manifest) -> None:
    await published(world)
    await world.settle(copy)
    await audit_secrets(world.client, world.around.porta, world.around.violations, threescale_namespace=GATEWAY)
    assert "SecretExposed" in repr(world.around.violations)


async def test_everything_goes_in_the_order_of_the_operator(world: World) -> None:
    objects = await published(world)
    for manifest in reversed(objects):
        if not await world.is_gone(manifest):
            await world.delete(manifest)
            await world.settle()
    # The user is the last admin of its account: it can only go with it.
    for manifest in objects:
        assert await world.is_gone(manifest)
    (tenant,) = world.around.porta
    assert [p.system_name for p in tenant.catalogue.products.values()] == ["api"]
    assert not tenant.catalogue.backends
    assert not tenant.people.accounts
    assert not tenant.people.applications

"""The metering policy's surroundings: the registry, and gateways that can not load what is not mounted."""

from typing import Any

import pytest

from maas_operator.domain.kinds import API_MANAGER, CUSTOM_POLICY_DEFINITION, DEPLOYMENT
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.violations import Rule
from tests.sandbox.controllers.objects import (
    GATEWAY,
    PROVIDER,
    apicast,
    backend,
    manifest,
    product,
    promotion,
    secret,
)
from tests.sandbox.controllers.world import World

URI = "http://apicast.io/policy-v1/schema#manifest#"
FILES = {"init.lua": "return {}", "apicast-policy.json": "{}"}


def definition(version: str = "1.0.0", /, **schema: Any) -> Manifest:
    content = {"name": "Meter", "version": version, "summary": "Counts.", "$schema": URI, "configuration": {}, **schema}
    spec = {"name": "meter", "version": version, "schema": content, **PROVIDER}
    return manifest(CUSTOM_POLICY_DEFINITION, GATEWAY, f"meter-{version}", spec)


def mount(version: str = "1.0.0", name: str = "meter") -> dict[str, Any]:
    return {"name": name, "version": version, "secretRef": {"name": f"meter-{version}"}}


def files(version: str = "1.0.0") -> Manifest:
    return secret(f"meter-{version}", **FILES)


def installation(staging: list[Any], production: list[Any] | None = None) -> Manifest:
    lists = {"stagingSpec": staging, "productionSpec": staging if production is None else production}
    specs = {environment: {"customPolicies": policies} for environment, policies in lists.items()}
    return manifest(API_MANAGER, GATEWAY, "apimanager", {"wildcardDomain": "apps.example.com", "apicast": specs})


def metered(version: str = "1.0.0") -> Manifest:
    link = {"name": "meter", "version": version, "enabled": True, "configuration": {}}
    return product(policies=[apicast(), link])


async def volumes(world: World, gateway: str) -> list[str]:
    pod = (await world.get(DEPLOYMENT, gateway))["spec"]["template"]["spec"]
    return [volume["secret"]["secretName"] for volume in pod.get("volumes", ())]


async def test_a_definition_is_registered_and_keeps_its_id(world: World) -> None:
    await world.settle(definition())
    first = (await world.status(definition()))["policyID"]
    await world.settle(definition(summary="Counts more."))
    assert (await world.status(definition()))["policyID"] == first
    assert (await world.conditions(definition()))["Ready"] == "True"


@pytest.mark.parametrize("uri", ["http://apicast.io/policy-v1.1/schema", "http://apicast.io/policy-v1/schema#"])
async def test_other_spellings_of_the_schema_are_taken_too(world: World, uri: str) -> None:
    await world.settle(definition(**{"$schema": uri}))
    assert (await world.conditions(definition()))["Ready"] == "True"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "unsupported schema"),
        ({"version": "1.0"}, "must be equal"),
        ({"summary": "x" * 76}, "too long"),
    ],
)
async def test_what_porta_refuses_is_told(world: World, schema: dict[str, Any], words: str) -> None:
    await world.settle(definition(**schema))
    assert (await world.conditions(definition()))["Failed"] == "True"
    assert words in await world.message(definition(), "Failed")


async def test_a_definition_in_use_can_not_be_changed(world: World) -> None:
    await world.settle(files(), installation([mount()]), definition(), backend(), metered())
    await world.settle(definition(summary="Counts otherwise."))
    assert "in use" in await world.message(definition(), "Failed")
    await world.settle(definition())
    assert (await world.conditions(definition()))["Ready"] == "True"


async def test_a_definition_that_is_deleted_stays_registered(world: World) -> None:
    await world.settle(definition())
    await world.delete(definition())
    (tenant,) = world.around.porta
    assert list(tenant.registry.policies) == [("meter", "1.0.0")]


async def test_the_gateways_mount_what_their_lists_say(world: World) -> None:
    await world.settle(files(), installation([mount()], []))
    assert await volumes(world, "apicast-staging") == ["meter-1.0.0"]
    assert await volumes(world, "apicast-production") == []
    await world.settle(files("2.0.0"), installation([mount(), mount("2.0.0")]))
    assert await volumes(world, "apicast-production") == ["meter-1.0.0", "meter-2.0.0"]
    assert (await world.conditions(installation([])))["Available"] == "True"


@pytest.mark.parametrize("policies", [[mount(), mount()], [mount("2.0.0")]])
async def test_an_apimanager_that_is_wrong_stops_without_a_word(world: World, policies: list[Any]) -> None:
    await world.settle(files(), installation([mount()]))
    before = await world.status(installation([]))
    await world.settle(installation(policies))
    assert await volumes(world, "apicast-staging") == ["meter-1.0.0"]
    assert await world.status(installation([])) == before


async def test_it_stops_for_a_secret_that_lacks_a_file(world: World) -> None:
    await world.settle(secret("meter-1.0.0", **{"init.lua": "x"}), installation([mount()]))
    assert await world.status(installation([])) == {}


def broken(world: World) -> list[Rule]:
    return [violation.rule for violation in world.around.violations]


async def test_a_chain_whose_policy_is_mounted_is_fine(world: World) -> None:
    await world.settle(files(), installation([mount()]), backend(), metered(), promotion())
    assert broken(world) == []


@pytest.mark.parametrize("installed", [[], [installation([mount("2.0.0")]), files("2.0.0")]])
async def test_a_chain_that_names_what_is_not_mounted_is_a_violation(world: World, installed: list[Manifest]) -> None:
    await world.settle(*installed, backend(), metered())
    assert broken(world) == [Rule.POLICY_NOT_MOUNTED]


async def test_to_unmount_what_production_has_is_a_violation(world: World) -> None:
    await world.settle(files(), installation([mount()]), backend(), metered(), promotion())
    await world.settle(installation([mount()], []))
    assert broken(world) == [Rule.POLICY_NOT_MOUNTED]

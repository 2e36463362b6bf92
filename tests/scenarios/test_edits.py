"""Every field of a ModelService is set to another value and put back (Acto's walk): the end is what it was before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from maas_operator.api.crd import crd_manifests
from maas_operator.domain.kinds import APPLICATION, BACKEND, DEVELOPER_ACCOUNT, PRODUCT
from maas_operator.domain.objects import Ref
from tests.edits import EDITS, NOT_READY, OTHERS, PREMIUM, TOGETHER, edited
from tests.scenarios.harness import CONSUMER_KEY, GATEWAY, HOME, NAME, SERVICE, World, a_world, sample
from tests.scenarios.snapshot import Snapshot, differences

Path = tuple[str | int, ...]

NEW_PODS = {name for name in EDITS if name.startswith(("model.", "serving."))} - {
    "model.tasks",
    "serving.rolloutStrategy",
}
"""What the pods run; `startupTimeout` is their probe's patience. The class of autoscaler is an annotation of theirs."""

PLANS = [*sample()[-1]["spec"]["plans"], PREMIUM]


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    if schema.get("type") == "array" and schema["items"].get("type") == "object":
        yield from leaves(schema["items"], path)
    elif "properties" in schema:
        for name, child in schema["properties"].items():
            yield from leaves(child, f"{path}.{name}")
    else:
        yield path.removeprefix(".")


def test_every_field_of_the_schema_is_edited() -> None:
    (crd,) = (one for one in crd_manifests() if one["spec"]["names"]["kind"] == "ModelService")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(leaves(schema)) == EDITS.keys() | OTHERS


async def apply(world: World, **spec: Any) -> None:
    await world.apply(*sample(**{"plans": PLANS, **spec}))
    await world.settle(quiet_seconds=150.0)


async def edit(world: World, **edits: Any) -> None:
    spec = {**sample()[-1]["spec"], "plans": PLANS}
    for field, value in edits.items():
        spec = edited(spec, field, value)
    await apply(world, **spec)


async def ids(world: World) -> list[Any]:
    """Return what consumers and 3scale know the service by."""
    local, person = f"{HOME}.{NAME}", f"{HOME}.dev1"
    refs = {
        Ref(PRODUCT, GATEWAY, local): "productId",
        Ref(BACKEND, GATEWAY, local): "backendId",
        Ref(DEVELOPER_ACCOUNT, GATEWAY, person): "accountID",
        Ref(APPLICATION, GATEWAY, f"{local}-dev1"): "applicationID",
    }
    return [await world.key(CONSUMER_KEY), *[(await world.get(ref))["status"][field] for ref, field in refs.items()]]


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    # Each promotion makes a version.
    return [line for line in differences(before, after) if not re.search(r"\.\w*[vV]ersion: ", line)]


@pytest.mark.matrix
@pytest.mark.parametrize("field", EDITS)
async def test_a_field_that_is_edited_and_put_back_leaves_no_trace(field: str) -> None:
    async with a_world() as world:
        await apply(world)
        before, known = world.snapshot(), await ids(world)
        pods = world.around.kserve.pods_started.total()
        await edit(world, **dict([(field, EDITS[field]), *([TOGETHER[field]] if field in TOGETHER else [])]))
        status, reason = await world.told(SERVICE, "Ready")
        assert (status == "True") == (field not in NOT_READY), f"{reason}: {await world.message(SERVICE)}"
        assert changed(before, world.snapshot())
        await apply(world)
        assert changed(before, world.snapshot()) == []
        assert await ids(world) == known
        assert (world.around.kserve.pods_started.total() > pods) == (field in NEW_PODS)


async def test_a_stopped_model_starts_again_and_keeps_its_key() -> None:
    async with a_world() as world:
        await apply(world)
        before, known = world.snapshot(), await ids(world)
        await edit(world, **{"serving.replicas": 0})
        assert await world.told(SERVICE, "Ready") == ("False", "Stopped")
        assert await world.told(SERVICE, "Reconciling") == ("False", "Settled")
        await apply(world)
        assert (changed(before, world.snapshot()), await ids(world)) == ([], known)


async def test_a_developer_who_is_renamed_is_another_one_and_the_old_one_leaves_nothing() -> None:
    async with a_world() as world:
        await apply(world)
        before = world.snapshot()
        await apply(world, developers=[{"name": "dev2", "email": "dev1@example.com", "plan": "standard"}])
        assert await world.told(SERVICE, "DevelopersReady") == ("True", "Ready")
        assert [a.org_name for t in world.around.porta for a in t.people.accounts.values()] == [f"{HOME}/dev2"]
        world.historian.credentials.clear()
        await apply(world)
        assert changed(before, world.snapshot()) == []


async def test_all_optional_parts_can_be_taken_away_and_come_back() -> None:
    async with a_world() as world:
        await apply(world)
        before = world.snapshot()
        spec = (await world.get(SERVICE))["spec"]
        bare = {"platformRef": spec["platformRef"], "model": {"source": spec["model"]["source"]}}
        await world.replace(SERVICE, spec=bare)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SERVICE, "DevelopersReady") == ("True", "NoDevelopers")
        assert [a for t in world.around.porta for a in t.people.accounts.values()] == []
        world.historian.credentials.clear()
        await world.replace(SERVICE, spec=spec)
        await world.settle()
        assert changed(before, world.snapshot()) == []

"""Objects of our names that are somebody else's (design rule 6, fault F10): named, never touched, waited out."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import APPLICATION_AUTH, PROXY_CONFIG_PROMOTE, TABLE, Kind, Use
from maas_operator.domain.labels import OWNER_NAME, OWNER_UID, labels_of, owner_labels, owner_uid_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from tests.scenarios import harness
from tests.scenarios.harness import (
    HOME,
    NOT_IN_SAMPLE,
    PLATFORM,
    SERVICE,
    SUBSCRIPTION,
    VISIBILITY,
    World,
    a_settled_world,
    a_world,
    sample,
)

ACT_ONCE = {PROXY_CONFIG_PROMOTE, APPLICATION_AUTH}
"""Their names hold a hash of what they do: nobody has such an object by chance."""
CHILDREN = [kind for kind, use in TABLE.items() if Use.WRITE in use and kind not in ACT_ONCE | NOT_IN_SAMPLE]


async def children(kind: Kind) -> list[Manifest]:
    """Return what the sample makes of a kind."""
    async with a_settled_world(ends=False) as world:
        return [one for one in await world.client.list(kind) if owner_uid_of(one) is not None]


def as_somebody_elses(child: Manifest, **labels: str) -> Manifest:
    # A model that its owner leaves open to all would be another fault than the one at hand.
    visibility = {key: value for key, value in labels_of(child).items() if key == VISIBILITY}
    known = {key: child["metadata"][key] for key in ("name", "namespace")} | {"labels": visibility | labels}
    kept = {key: value for key, value in child.items() if key not in ("metadata", "status")}
    # What refers to an account goes with it, and what uses a product holds it: 3scale's own rules.
    references = {"accountCR", "developerAccountRef", "productCR"} & kept.get("spec", {}).keys()
    elsewhere = {key: {"name": "somebody"} for key in references}
    spec = {"spec": {**kept["spec"], **elsewhere}} if elsewhere else {}
    return {**kept, **spec, "metadata": known}


async def complaints(world: World) -> list[str]:
    owners = [await world.find(ref) for ref in (PLATFORM, SERVICE, SUBSCRIPTION)]
    conditions = [one for owner in owners if owner for one in owner.get("status", {}).get("conditions", ())]
    return [one["message"] for one in conditions if one["reason"] == "Conflict"]


@pytest.mark.matrix
@pytest.mark.parametrize("kind", CHILDREN, ids=str)
async def test_an_object_of_our_name_is_named_and_left_alone_until_it_is_gone(kind: Kind) -> None:
    for child in await children(kind):
        async with a_world() as world:
            await world.apply(harness.a_namespace(HOME))
            foreign = await world.foreign(as_somebody_elses(child))
            await world.apply(*sample())
            await world.settle()
            assert any(f"{ref_of(child)} exists and is not ours" in one for one in await complaints(world))
            await world.check()
            await world.delete(SERVICE)
            await world.settle()
            assert await world.find(SERVICE) is None
            assert await world.is_untouched(foreign)
            world.historian.credentials.clear()
            await world.apply(*sample())
            await world.settle()
            await world.no_longer_foreign(foreign)
            world.historian.credentials.clear()
            await world.settle()
            assert await world.told(SERVICE, "Ready") == ("True", "Ready")
            assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")


@pytest.mark.matrix
@pytest.mark.parametrize("kind", CHILDREN, ids=str)
async def test_a_child_of_an_owner_that_is_no_more_is_not_taken_over(kind: Kind) -> None:
    (child, *_) = await children(kind)
    async with a_world() as world:
        await world.apply(harness.a_namespace(HOME))
        labels = {**owner_labels(await _a_dead_owner(world)), OWNER_UID: "00000000-0000-4000-8000-000000000000"}
        foreign = await world.foreign(as_somebody_elses(child, **labels))
        await world.apply(*sample())
        await world.settle()
        assert any("exists and is not ours" in one for one in await complaints(world))
        await world.no_longer_foreign(foreign)
        world.historian.credentials.clear()
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def _a_dead_owner(world: World) -> Manifest:
    service = sample()[-1]
    return {**service, "metadata": {**service["metadata"], "uid": "none"}}


async def test_a_forged_inventory_does_not_make_us_delete() -> None:
    async with a_settled_world() as world:
        victims = [
            await world.foreign(harness.a_secret(Ref(harness.SECRET, namespace, "victim"), password="precious"))
            for namespace in (HOME, harness.GATEWAY)
        ]
        forged = [
            {"apiVersion": "v1", "kind": "Secret", "name": "victim", "ready": True}
            | {"namespace": one["metadata"]["namespace"], "uid": one["metadata"]["uid"]}
            for one in victims
        ]
        for ref in (SERVICE, SUBSCRIPTION):
            status = (await world.get(ref))["status"]
            await world.edit(ref, {"status": {"children": [*status["children"], *forged]}}, subresource="status")
        await world.check()


async def test_labels_of_another_owner_on_a_childs_name_do_not_make_it_ours() -> None:
    async with a_settled_world() as world:
        owner = await world.get(SERVICE)
        for number, labels in enumerate(
            [
                owner_labels(owner) | {OWNER_UID: "somebody"},
                {OWNER_NAME: SERVICE.name},
                {OWNER_UID: owner["metadata"]["uid"]},
            ]
        ):
            ref = Ref(harness.SECRET, HOME, f"alike-{number}")
            await world.foreign({**harness.a_secret(ref, a="b"), "metadata": {**_name(ref), "labels": labels}})
        await world.settle()
        await world.check()


def _name(ref: Ref) -> dict[str, str]:
    return {"name": ref.name, "namespace": ref.namespace}

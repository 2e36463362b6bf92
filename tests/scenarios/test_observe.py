"""managementPolicy Observe: nothing is written, what is pending is told, and Active does exactly that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from maas_operator.domain.kinds import ACTIVE_DOC, PRODUCT, PROXY_CONFIG_PROMOTE, ROUTE, TABLE, Use
from maas_operator.domain.labels import owner_uid_of
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.sandbox.kubeapi.store import Event, EventType
from tests.edits import EDITS, PREMIUM, TOGETHER, edited
from tests.scenarios.harness import GATEWAY, HOME, NAME, SERVICE, World, a_settled_world, a_world, sample
from tests.scenarios.snapshot import differences, steady

PLANS = [*sample()[-1]["spec"]["plans"], PREMIUM]
OBSERVED = {"managementPolicy": "Observe"}

WRITTEN = {kind.name for kind, use in TABLE.items() if Use.WRITE in use}

PUBLISHED = Ref(PRODUCT, GATEWAY, f"{HOME}.{NAME}")

Told = tuple[str, str, str, str]


def service(**edits: Any) -> list[Manifest]:
    """Return the sample with a second plan and with edits."""
    spec = {**sample()[-1]["spec"], "plans": PLANS}
    for field, value in edits.items():
        spec = edited(spec, field, value)
    return sample(**spec)


async def pending(world: World) -> list[Told]:
    found = (await world.get(SERVICE))["status"].get("pendingChanges", [])
    return [(one["action"], one["kind"], one.get("namespace", ""), one["name"]) for one in found]


async def consequences(world: World) -> list[str]:
    return list((await world.get(SERVICE))["status"].get("pendingConsequences", []))


def others(world: World) -> dict[str, Manifest]:
    """Return all objects but the service itself, as they are."""
    known = steady(world.objects())
    return {where: one for where, one in known.items() if where != f"ModelService {HOME}/{NAME}"}


def made(world: World, uid: str, events: list[Event]) -> Iterator[Told]:
    """Yield what became of the service's own children and Routes: the first and the last of each count."""
    first: dict[tuple[str, str, str], Manifest | None] = {}
    last: dict[tuple[str, str, str], Manifest | None] = {}
    for event in events:
        one = event.object
        ours = owner_uid_of(one) == uid and one["kind"] in WRITTEN
        if not ours and one["kind"] != ROUTE.name:
            continue
        where = one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]
        first.setdefault(where, event.previous)
        last[where] = None if event.type is EventType.DELETED else one
    for where, before in first.items():
        after = last[where]
        if before is None and after is not None:
            yield ("Create", *where)
        elif before is not None and after is None:
            yield ("Delete", *where)
        elif before is not None and after is not None and _wanted(before) != _wanted(after):
            yield ("Change", *where)


def _wanted(manifest: Manifest) -> Any:
    metadata = manifest["metadata"]
    return manifest.get("spec"), manifest.get("data"), metadata.get("labels"), metadata.get("annotations")


async def test_a_service_that_is_as_wanted_has_nothing_pending_and_tells_what_is_there() -> None:
    async with a_settled_world() as world:
        before, calls = others(world), len(world.admin_api.calls)
        await world.edit(SERVICE, {"spec": OBSERVED})
        await world.settle()
        assert list(differences(before, others(world))) == []
        assert await pending(world) == []
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert await world.told(SERVICE, "Reconciling") == ("False", "Observing")
        assert all(call.startswith("GET ") for call in world.admin_api.calls[calls:])


async def test_that_a_stopped_model_would_start_is_pending_and_not_told_as_begun() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": {"serving": {"replicas": 0}}})
        await world.settle()
        await world.edit(SERVICE, {"spec": {**OBSERVED, "serving": {"replicas": 1}}})
        await world.settle()
        assert ("Change", "InferenceService", HOME, NAME) in await pending(world)
        assert await world.told(SERVICE, "ModelReady") == ("False", "Stopped")


@pytest.mark.matrix
@pytest.mark.parametrize("field", [field for field in EDITS if field != "managementPolicy"])
async def test_what_an_edit_would_do_is_told_and_then_exactly_that_is_done(field: str) -> None:
    async with a_world() as world:
        await world.apply(*service())
        await world.settle(quiet_seconds=150.0)
        before = others(world)
        edit = dict([(field, EDITS[field]), *([TOGETHER[field]] if field in TOGETHER else [])])
        await world.apply(*service(**edit, **OBSERVED))
        await world.settle()
        assert list(differences(before, others(world))) == []
        announced = await pending(world)
        events = len(world.historian.history)
        await world.apply(*service(**edit))
        await world.settle()
        uid = (await world.get(SERVICE))["metadata"]["uid"]
        assert sorted(made(world, uid, world.historian.history[events:])) == sorted(announced)
        assert await pending(world) == []


async def test_a_service_that_is_observed_from_the_beginning_is_told_whole_and_nothing_is_made() -> None:
    async with a_world() as world:
        await world.apply(*service(**OBSERVED))
        await world.settle()
        uid = (await world.get(SERVICE))["metadata"]["uid"]
        assert [one for one in world.objects() if owner_uid_of(one) == uid] == []
        assert "finalizers" not in (await world.get(SERVICE))["metadata"]
        announced = await pending(world)
        assert {action for action, *_ in announced} == {"Create"}
        assert await world.told(SERVICE, "Ready") == ("False", "ChangesPending")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")
        events = len(world.historian.history)
        await world.apply(*service())
        await world.settle()
        # Only 3scale can give the number that the name of a promotion has, and zync makes Routes then, whose URL a
        # document tells.
        later = {PROXY_CONFIG_PROMOTE.name, ROUTE.name, ACTIVE_DOC.name}
        done = [
            one
            for one in made(world, uid, world.historian.history[events:])
            if one[1] not in later and ".document-" not in one[3]
        ]
        assert sorted(done) == sorted(announced)


async def test_an_observed_service_is_deleted_with_its_children() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": {**OBSERVED, "displayName": "Another"}})
        await world.settle()
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(SERVICE) is None


async def test_an_edit_that_is_taken_back_is_not_pending_any_more() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": {**OBSERVED, "displayName": "Another"}})
        await world.settle()
        assert {(action, kind) for action, kind, *_ in await pending(world)} == {
            ("Change", "Backend"),
            ("Change", "Product"),
            ("Change", "ServingRuntime"),
            ("Change", "ActiveDoc"),
            ("Create", "Secret"),
            ("Delete", "Secret"),
        }
        await world.edit(SERVICE, {"spec": {"displayName": sample()[-1]["spec"]["displayName"]}})
        await world.settle()
        assert await pending(world) == []
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_what_others_edit_is_told_and_not_put_back() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": OBSERVED})
        await world.settle()
        await world.edit(PUBLISHED, {"spec": {"description": "edited by hand"}})
        await world.settle()
        assert await pending(world) == [("Change", "Product", GATEWAY, f"{HOME}.{NAME}")]
        (entry,) = (await world.get(SERVICE))["status"]["pendingChanges"]
        assert entry["message"].startswith("spec.description: edited by hand -> ")
        assert (await world.get(PUBLISHED))["spec"]["description"] == "edited by hand"
        await world.edit(SERVICE, {"spec": {"managementPolicy": "Active"}})
        await world.settle()
        assert (await world.get(PUBLISHED))["spec"]["description"] != "edited by hand"
        assert await pending(world) == []


async def test_what_follows_is_told_in_words() -> None:
    async with a_settled_world() as world:
        spec = {
            "displayName": None,
            "developers": [],
            "serving": {"startupTimeout": "45m"},
            "model": {"tasks": ["Chat"]},
        }
        plan = {"name": "standard", "limits": [{"metric": "Requests", "period": "Minute", "value": 1}]}
        await world.edit(SERVICE, {"spec": {**OBSERVED, **spec, "plans": [plan]}})
        await world.settle()
        told = await consequences(world)
        assert told[0] == f"ModelSubscription {HOME}/{NAME}-dev1 loses access: its application and its key are deleted"
        assert any("does not answer any more: POST /v1/completions" in one for one in told)
        assert any("plan standard gets a lower limit of hits per minute" in one for one in told)
        assert any(one.startswith(f"InferenceService {HOME}/{NAME} restarts with other pods: ") for one in told)
        assert any(re.search(r"needs a promotion: configuration \w{8} -> \w{8}$", one) for one in told)


async def test_an_observed_pass_makes_no_call_that_writes_but_for_the_status() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": {**OBSERVED, "displayName": "Another"}})
        calls = len(world.operator.records.calls)
        await world.settle()
        written = {(call.kind, call.subresource) for call in world.operator.records.calls[calls:] if call.writes}
        assert written <= {("ModelService", "status"), ("Event", "")}
        await world.check_quiet(1300.0)

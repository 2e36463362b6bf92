"""See before you change: the plan of files beside a running operator, and an observed model."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from maas_operator.domain.objects import Manifest
from tests.e2e.test_edits import is_seen, with_spec
from tests.e2e.world import LIMIT_SECONDS, World, condition, service_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAIN = "from maas_operator.app.cli import main; main()"
EDIT = {"description": "Another description", "api.timeouts.read": "120s", "serving.startupTimeout": "45m"}


async def plan(world: World, objects: list[Manifest]) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the document of the command, as somebody with all permissions runs it."""
    kubeconfig = str(world.environment.cluster.kubeconfig)
    options = ["plan", "--kubeconfig", kubeconfig, "-f", str(world.written(objects)), "-o", "json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MAIN, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode in (0, 2), errors.decode()
    return process.returncode, json.loads(output)


def kinds(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["action"], one["kind"]) for one in document["changes"]}


async def test_a_plan_tells_what_an_edit_does_and_then_that_nothing_is_left_to_do(world: World, model: str) -> None:
    await world.apply(with_spec(model))
    await world.complete(service_of(model))
    before = await world.quiet()
    code, document = await plan(world, with_spec(model))
    assert (code, document["changes"], document["consequences"]) == (0, [], [])
    code, document = await plan(world, with_spec(model, **EDIT))
    assert code == 2
    assert kinds(document) == {
        ("Change", "ModelService"),
        ("Change", "InferenceService"),
        # Each content has a name of its own: KServe would act on a changed one before it sees the InferenceService.
        ("Create", "ServingRuntime"),
        ("Delete", "ServingRuntime"),
        ("Change", "Backend"),
        ("Change", "Product"),
        ("Create", "ProxyConfigPromote"),
        ("Delete", "ProxyConfigPromote"),
        ("Change", "Route"),
        # The document tells the description that the edit changes.
        ("Change", "ActiveDoc"),
        ("Create", "Secret"),
        ("Delete", "Secret"),
    }
    assert [one["type"] for one in document["consequences"]] == ["RestartsModel", "NeedsPromotion"]
    assert await world.quiet() == before
    await world.apply(with_spec(model, **EDIT))
    await world.complete(service_of(model))
    assert (await plan(world, with_spec(model, **EDIT)))[0] == 0


async def test_an_observed_model_tells_what_waits_and_active_does_it(world: World, model: str) -> None:
    service = service_of(model)
    await world.apply(with_spec(model, managementPolicy="Observe"))
    await world.until(
        service, lambda live: is_seen(live) and condition(live, "Ready").get("reason") == "ChangesPending"
    )
    before = await world.quiet()
    await world.apply(with_spec(model, managementPolicy="Observe", **EDIT))
    live = await world.until(
        service, lambda live: is_seen(live) and "Backend" in str(live["status"].get("pendingChanges"))
    )
    assert any("restarts with other pods" in one for one in live["status"]["pendingConsequences"])
    after = await world.quiet()
    assert {ref for ref in before if before[ref] != after.get(ref)} == {service}
    await world.apply(with_spec(model, **EDIT))
    live = await world.complete(service)
    assert not live["status"].get("pendingChanges")

"""The operator's log after all other end-to-end tests: every line is JSON, and none tells of a fault."""

from __future__ import annotations

import json

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_log_is_json_and_tells_of_no_fault(world: World) -> None:
    told = [json.loads(line) for line in world.operator.log.read_text().splitlines()]
    assert told
    assert [line for line in told if line["level"] == "ERROR" or "exception" in line] == []


async def test_each_line_of_a_pass_says_whose_it_is_and_what_became_of_it(world: World, model: str) -> None:
    told = [json.loads(line) for line in world.operator.log.read_text().splitlines()]
    ends = [line for line in told if "outcome" in line]
    keys = {"kind", "namespace", "name", "generation", "reconcileID", "duration"}
    assert [line for line in ends if not keys <= line.keys()] == []
    assert {line["kind"] for line in ends} >= {"ModelService", "ModelSubscription", "ModelPlatform"}

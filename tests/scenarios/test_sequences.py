"""Any sequence of edits, faults, crashes and portal edits ends where a fresh apply of its last spec does.

A usual run takes a few dozen sequences, always the same; `SCENARIOS=all` takes more. To look for new ones:
`SEQUENCES=2000 SEQUENCES_SEED=7 pytest tests/scenarios/test_sequences.py`. A failure prints its shortest sequence,
which goes into a test of its own below.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.scenarios.course import walk
from tests.scenarios.harness import apart
from tests.scenarios.sequences import (
    AddPlan,
    Apply,
    Approve,
    Limit,
    Portal,
    PortalEdit,
    Promote,
    RenamePlan,
    Set,
    SetPlatform,
    Turn,
    Upgrade,
    turns,
)

FEW, MANY = 40, 400
LONGEST = 12

_count = int(os.environ.get("SEQUENCES") or (MANY if os.environ.get("SCENARIOS") == "all" else FEW))
_seed = os.environ.get("SEQUENCES_SEED")


@seed(int(_seed or 0))
@settings(
    max_examples=_count,
    derandomize=_seed is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(turns=turns(LONGEST))
def test_any_sequence_ends_where_a_fresh_apply_of_its_last_spec_does(turns: list[Turn]) -> None:
    apart(walk(turns))


SEQUENCES = {
    "a server-side apply takes the limits of a plan away": [Turn(AddPlan("standard"))],
    "what an apply names takes the place of a default": [Turn(SetPlatform("monitoring.namespaces"))],
    "a plan of the portal is in the way of an edit": [
        Turn(Portal(PortalEdit.ADD_A_PLAN), 0.0),
        Turn(Apply("free_lunch"), 0.3),
        Turn(Set("api.timeouts.read")),
    ],
    "a backend that leads elsewhere is promoted before that is found": [
        Turn(Portal(PortalEdit.LEAD_ELSEWHERE), 0.0),
        Turn(Set("api.timeouts.read")),
    ],
    "metering is switched off and on while the operator is replaced": [
        Turn(Limit("gold", "TotalTokens", "Day", None), 0.3),
        Turn(SetPlatform("gateway.tokenPolicy.mode"), 0.3),
        Turn(Upgrade(), 15.0),
        Turn(SetPlatform("gateway.tokenPolicy.mode", back=True), 2.0),
    ],
    "a plan is renamed twice while somebody approves an older configuration": [
        Turn(Promote("Manual")),
        Turn(Set("api.timeouts.read"), 0.3),
        Turn(RenamePlan("gold", "batch"), 0.0),
        Turn(Approve(), 0.02),
        Turn(Set("api.timeouts.connect"), 0.02),
        Turn(RenamePlan("batch", "trial"), 15.0),
        Turn(Approve()),
    ],
}


@pytest.mark.parametrize("name", SEQUENCES)
async def test_a_sequence_with_a_name_ends_there_too(name: str) -> None:
    await walk(SEQUENCES[name])

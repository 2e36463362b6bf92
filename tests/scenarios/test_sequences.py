"""Any sequence of edits, faults, crashes and portal edits ends where a fresh apply of its last spec does.

A usual run takes a few dozen sequences, always the same; `SCENARIOS=all` takes more. To look for new ones:
`SEQUENCES=2000 SEQUENCES_SEED=7 pytest tests/scenarios/test_sequences.py`. A failure prints its shortest sequence,
which goes into a test of its own below.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, seed, settings

from tests.scenarios.course import walk
from tests.scenarios.harness import apart
from tests.scenarios.sequences import Turn, turns

FEW, MANY = 25, 250
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

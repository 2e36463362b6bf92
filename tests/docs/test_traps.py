"""The page of 3scale's surprises names tests that are there."""

import re

from docs.generate import HERE

TESTS = HERE.parent / "tests"
ROWS = [line for line in (HERE / "traps.md").read_text().splitlines() if line.startswith("| ")]


def defined() -> set[str]:
    """Return the names of all tests."""
    return {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}


def test_every_surprise_names_a_test() -> None:
    titles = [row for row in ROWS if row.endswith("| Test |")]
    assert [row for row in ROWS if row not in titles and "`test_" not in row.rsplit("|", 2)[1]] == []


def test_every_test_that_is_named_exists() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(test_\w+)`", row)}
    assert named - defined() == set()

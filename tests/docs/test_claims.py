"""Pages that name a test for what they claim name tests that are there."""

import re

import pytest

from docs.generate import HERE

TESTS = HERE.parent / "tests"
PAGES = ("traps.md", "failure-modes.md", "security.md")


def claims(page: str) -> list[str]:
    """Return the rows of the tables whose last column names a test."""
    tables = re.findall(r"^\|.*\| Test \|\n\|[-|]+\n((?:\|.*\n)+)", (HERE / page).read_text(), re.MULTILINE)
    return [row for table in tables for row in table.splitlines()]


def defined() -> set[str]:
    """Return the names of all tests."""
    return {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}


@pytest.mark.parametrize("page", PAGES)
def test_every_claim_names_a_test(page: str) -> None:
    assert claims(page)
    assert [row for row in claims(page) if "`test_" not in row.rsplit("|", 2)[1]] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    named = {name for row in claims(page) for name in re.findall(r"`(test_\w+)`", row)}
    assert named - defined() == set()

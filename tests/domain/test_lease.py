from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maas_operator.domain.lease import Terms, claimed, is_free, released

NOW = datetime(2026, 1, 1, 12, 30, 15, 42, tzinfo=UTC)
TERMS = Terms()


def seconds(**terms: float) -> Terms:
    return Terms(**{name: timedelta(seconds=value) for name, value in terms.items()})


@pytest.mark.parametrize(
    "terms",
    [
        {"lease": 0.5, "renew": 0.2, "retry": 0.1},
        {"lease": 15.5},
        {"lease": 3601, "renew": 10, "retry": 2},
        {"lease": 10, "renew": 10, "retry": 2},
        {"lease": 15, "renew": 3, "retry": 2},
        {"lease": 15, "renew": 10, "retry": 0},
    ],
)
def test_terms_by_which_two_could_lead_or_nobody_are_refused(terms: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        seconds(**terms)


@pytest.mark.parametrize(
    ("record", "unchanged", "free"),
    [
        ({}, 0, True),
        ({"holderIdentity": "", "leaseDurationSeconds": 15}, 0, True),
        ({"holderIdentity": "b", "leaseDurationSeconds": 15}, 15, False),
        ({"holderIdentity": "b", "leaseDurationSeconds": 15}, 15.1, True),
        ({"holderIdentity": "b", "leaseDurationSeconds": 60}, 59, False),
        ({"holderIdentity": "b"}, 14, False),
    ],
)
def test_a_lease_is_free_when_nobody_holds_it_or_its_holder_has_been_silent_for_as_long_as_it_promised(
    record: dict[str, Any], unchanged: float, free: bool
) -> None:
    assert is_free(record, timedelta(seconds=unchanged), TERMS) is free


def test_who_takes_a_lease_counts_as_a_transition_and_who_renews_it_does_not() -> None:
    taken = claimed({"holderIdentity": "b", "leaseTransitions": 4, "strategy": "x"}, "a", TERMS, NOW)
    assert taken == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T12:30:15.000042Z",
        "renewTime": "2026-01-01T12:30:15.000042Z",
        "leaseTransitions": 5,
        "strategy": "x",
    }
    later = claimed(taken, "a", TERMS, NOW + timedelta(seconds=1))
    assert later == taken | {"renewTime": "2026-01-01T12:30:16.000042Z"}


def test_the_first_holder_is_no_transition() -> None:
    assert claimed({}, "a", TERMS, NOW)["leaseTransitions"] == 0


def test_a_released_lease_is_free_at_once_and_remembers_its_transitions() -> None:
    record = released(claimed({}, "a", TERMS, NOW), NOW)
    assert is_free(record, timedelta(0), TERMS)
    assert record["leaseTransitions"] == 0

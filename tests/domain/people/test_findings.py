"""What follows from a comparison with 3scale: a nudge, a new push of the key, or a word about a suspension."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.decision import Decision
from maas_operator.domain.labels import CORRECTED_AT, annotations_of
from maas_operator.domain.model_subscription import decide
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.people.remote import Findings
from tests.domain import worlds
from tests.domain.worlds import NOW, a_subscription_world, kinds, settle, told

AT = worlds.stamp(NOW)


def decided(**known: Any) -> Decision:
    return settle(decide, a_subscription_world(**known))


def child_of(decision: Decision, kind: str) -> Manifest:
    return next(one for one in decision.children if one["kind"] == kind)


def marks(decision: Decision) -> dict[str, str]:
    """Return the marks of corrections, by kind."""
    found = {one["kind"]: annotations_of(one).get(CORRECTED_AT, "") for one in decision.children}
    return {kind: mark for kind, mark in found.items() if mark}


@pytest.mark.parametrize(
    ("findings", "marked"),
    [
        (Findings(), {}),
        (Findings(edited_at=NOW), {"Application": AT}),
        (Findings(lost_at=NOW), {"DeveloperAccount": AT, "DeveloperUser": AT}),
    ],
)
def test_what_was_edited_is_marked_so_that_the_3scale_operator_looks_again(
    findings: Findings, marked: dict[str, str]
) -> None:
    assert marks(decided(findings=findings)) == marked


def test_a_mark_stays_when_nobody_remembers_why() -> None:
    first = decided(findings=Findings(edited_at=NOW, lost_at=NOW))
    seen = {ref_of(one): one for one in first.children}
    assert marks(decided(seen=seen)) == marks(first)


def test_two_subscriptions_of_an_account_agree_on_its_newest_mark() -> None:
    first = decided(findings=Findings(lost_at=NOW))
    seen = {ref_of(one): one for one in first.children}
    older = Findings(lost_at=NOW - timedelta(minutes=5))
    assert marks(decided(seen=seen, findings=older)) == marks(first)


def test_another_key_in_3scale_ends_the_push_so_that_the_next_pass_makes_it_anew() -> None:
    before = decided()
    push = ref_of(child_of(before, "ApplicationAuth"))
    seen = {ref_of(one): worlds.content(one) for one in before.children}
    decision = decided(seen=seen, findings=Findings(other_key=True))
    assert "ApplicationAuth" not in kinds(decision)
    assert push not in decision.keep
    assert ref_of(child_of(before, "Application")) in {ref_of(one) for one in decision.children}
    assert push in {ref_of(one) for one in decided(seen=seen).children}


def test_a_suspension_in_3scale_is_told_before_any_custom_resource_shows_it() -> None:
    decision = decided(findings=Findings(suspended=True))
    assert told(decision, Type.READY) == ("False", "Suspended")
    assert decision.status["state"] == "Suspended"
    assert marks(decision) == {}

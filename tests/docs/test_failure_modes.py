"""The page on failures has all that needs a person, and no reason that is none."""

import re

import pytest

from docs.generate import HERE
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import NEEDS_A_PERSON

PAGE = (HERE / "failure-modes.md").read_text()


@pytest.mark.parametrize("reason", sorted(NEEDS_A_PERSON))
def test_what_needs_a_person_is_told(reason: Reason) -> None:
    assert f"`{reason}`" in PAGE


def test_every_reason_on_the_page_is_one() -> None:
    words = set(re.findall(r"`((?:[A-Z]+[a-z]+){2,})`", PAGE))
    assert words - {str(one) for one in (*Reason, *ConditionType)} == set()

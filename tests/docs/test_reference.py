"""The reference pages are what the models say."""

import pytest

from docs import generate
from maas_operator.api.reasons import ConditionType


@pytest.mark.parametrize(("name", "text"), generate.pages().items(), ids=generate.pages())
def test_a_page_is_as_generated(name: str, text: str) -> None:
    assert (generate.REFERENCE / name).read_text() == text, "run `make docs`"


def test_there_is_no_other_page() -> None:
    assert {path.name for path in generate.REFERENCE.iterdir()} == set(generate.pages())


def test_every_condition_type_is_explained() -> None:
    assert set(generate.attribute_docstrings(ConditionType)) == set(ConditionType.__members__)

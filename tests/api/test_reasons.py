"""Every reason is explained, and names are what Kubernetes accepts."""

import re
from pathlib import Path

import maas_operator
from maas_operator.api.reasons import (
    MODEL_PLATFORM_CONDITIONS,
    MODEL_SERVICE_CONDITIONS,
    MODEL_SUBSCRIPTION_CONDITIONS,
    ConditionType,
    Reason,
)
from maas_operator.api.remedies import REASONS
from maas_operator.domain.objects import RefusalReason


def test_every_reason_is_documented() -> None:
    assert set(REASONS) == set(Reason)


def test_every_reason_is_given_by_some_code() -> None:
    package = Path(maas_operator.__file__).parent
    lists = {"reasons.py", "remedies.py"}
    product = [path for path in package.rglob("*.py") if "sandbox" not in path.parts and path.name not in lists]
    code = "\n".join(path.read_text() for path in product)
    refusals = {reason.value for reason in RefusalReason}
    assert [reason for reason in Reason if f"Reason.{reason.name}" not in code and reason not in refusals] == []


def test_meaning_and_remedy_are_sentences() -> None:
    texts = [text for doc in REASONS.values() for text in (doc.meaning, doc.remedy)]
    assert [text for text in texts if not re.fullmatch(r"[A-Za-z3].*\.", text)] == []


def test_reasons_are_camel_case_words() -> None:
    assert [reason for reason in Reason if not re.fullmatch(r"([A-Z]+[a-z]+)+", reason)] == []


def test_every_condition_type_belongs_to_a_kind() -> None:
    kinds = (MODEL_SERVICE_CONDITIONS, MODEL_SUBSCRIPTION_CONDITIONS, MODEL_PLATFORM_CONDITIONS)
    assert {condition for conditions in kinds for condition in conditions} == set(ConditionType)


def test_every_kind_has_the_three_conditions_that_tools_look_for() -> None:
    for conditions in (MODEL_SERVICE_CONDITIONS, MODEL_SUBSCRIPTION_CONDITIONS, MODEL_PLATFORM_CONDITIONS):
        assert conditions[:3] == (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)

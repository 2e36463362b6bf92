"""What would change if files were applied, what follows, and what is in the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import NEEDS_A_PERSON, Condition
from maas_operator.domain.objects import Ref

from .changes import ObjectChange
from .consequences import Consequence

_SUMMARY: Final = frozenset({ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED})
_IN_THE_WAY: Final = NEEDS_A_PERSON | {
    Reason.ADMIN_API_REFUSED,
    Reason.ADMIN_API_UNAVAILABLE,
    Reason.AUTHORITY_MISSING,
    Reason.DEPENDENCY_MISSING,
    Reason.FORBIDDEN,
    Reason.GATEWAY_FAILED,
    Reason.MODEL_MISSING,
    Reason.NAMESPACE_MISSING,
    Reason.NAMESPACE_TERMINATING,
    Reason.PLATFORM_MISSING,
    Reason.PLATFORM_NOT_READY,
    Reason.PROVIDER_SECRET_MISSING,
}
"""Reasons that hold writes back, which come only when somebody has done something about them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something would not be done, or not be of use."""

    subject: Ref
    condition: ConditionType
    reason: Reason
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.condition}: {self.reason}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole; `notes` say what it takes for granted and what it did not look at."""

    changes: tuple[ObjectChange, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def problems(subject: Ref, conditions: Iterable[Condition]) -> tuple[Problem, ...]:
    """Return what is in the way of an object."""
    return tuple(
        Problem(subject, one.type, one.reason, one.message)
        for one in conditions
        if one.type not in _SUMMARY and one.status is ConditionStatus.FALSE and one.reason in _IN_THE_WAY
    )

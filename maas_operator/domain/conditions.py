"""Conditions are decided by chains of pure policies: the first that hits gives status, reason and message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason

MESSAGE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy found: the status of its condition, why, and what to do about it."""

    status: ConditionStatus
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, before the engine adds the generation and the time of its last change."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str


def true(reason: Reason, message: str) -> Verdict:
    """Return the verdict True."""
    return Verdict(ConditionStatus.TRUE, reason, message)


def false(reason: Reason, message: str) -> Verdict:
    """Return the verdict False."""
    return Verdict(ConditionStatus.FALSE, reason, message)


def unknown(reason: Reason, message: str) -> Verdict:
    """Return the verdict Unknown."""
    return Verdict(ConditionStatus.UNKNOWN, reason, message)


Subject = TypeVar("Subject")
Policy = Callable[[Subject], Verdict | None]


def decide_condition(
    type_: ConditionType, policies: Iterable[Policy[Subject]], subject: Subject, *, otherwise: Verdict
) -> Condition:
    """Run a chain: the first policy that hits decides, else `otherwise`. The order is the specification."""
    verdict = next((hit for policy in policies if (hit := policy(subject)) is not None), otherwise)
    return Condition(type_, verdict.status, verdict.reason, shorten(verdict.message))


def shorten(text: str) -> str:
    """Cut a message to what a condition may hold (1 KiB), on one line."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 1]}…"

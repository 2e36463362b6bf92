"""Conditions are decided by chains of pure policies: the first that hits gives status, reason and message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from maas_operator.api.reasons import ConditionType, Reason

MESSAGE_LIMIT = 1024


class Truth(StrEnum):
    """A condition's status."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy found: the status of its condition, why, and what to do about it."""

    truth: Truth
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, before the engine adds the generation and the time of its last change."""

    type: ConditionType
    truth: Truth
    reason: Reason
    message: str


def true(reason: Reason, message: str) -> Verdict:
    return Verdict(Truth.TRUE, reason, message)


def false(reason: Reason, message: str) -> Verdict:
    return Verdict(Truth.FALSE, reason, message)


def unknown(reason: Reason, message: str) -> Verdict:
    return Verdict(Truth.UNKNOWN, reason, message)


Subject = TypeVar("Subject")
Policy = Callable[[Subject], Verdict | None]


def decide_condition(
    type_: ConditionType, policies: Iterable[Policy[Subject]], subject: Subject, *, otherwise: Verdict
) -> Condition:
    """Run a chain: the first policy that hits decides, else `otherwise`. The order is the specification."""
    verdict = next((hit for policy in policies if (hit := policy(subject)) is not None), otherwise)
    return Condition(type_, verdict.truth, verdict.reason, shorten(verdict.message))


def shorten(text: str) -> str:
    """Cut a message to what a condition may hold (1 KiB), on one line."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 1]}…"

"""Conditions are decided by chains of pure policies: the first that hits gives status, reason and message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason

from .objects import Children, Ref

MESSAGE_LIMIT: Final = 1024

NEEDS_A_PERSON: Final = frozenset(
    {
        Reason.CONFLICT,
        Reason.CONTENDED,
        Reason.REJECTED,
        Reason.KSERVE_TOO_OLD,
        Reason.NAME_TOO_LONG,
        Reason.STORAGE_NOT_OFFERED,
        Reason.STORAGE_CLASS_MISSING,
        Reason.STORAGE_SECRET_MISSING,
        Reason.STORAGE_SECRET_INVALID,
        Reason.STORAGE_AUTHORITY_MISSING,
        Reason.BUCKET_FAILED,
        Reason.BUCKET_DENIED,
        Reason.DEPLOYMENT_MODE_FIXED,
        Reason.RUNTIME_MISSING,
        Reason.CREDENTIALS_MISSING,
        Reason.CREDENTIALS_INVALID,
        Reason.CLAIM_MISSING,
        Reason.CLAIM_UNFIT,
        Reason.ARGUMENT_REFUSED,
        Reason.CHAT_TEMPLATE_MISSING,
        Reason.CHAT_TEMPLATE_INVALID,
        Reason.RUNTIME_REFUSED,
        Reason.AUTOSCALING_UNAVAILABLE,
        Reason.STARTUP_TIMEOUT,
        Reason.GATEWAY_INVALID,
        Reason.TOKEN_POLICY_MISSING,
        Reason.REMOTE_NAME_TAKEN,
        Reason.ACCESS_DENIED,
        Reason.PLAN_MISSING,
        Reason.PLAN_NOT_GRANTED,
        Reason.ACCOUNT_MISMATCH,
        Reason.USERNAME_TAKEN,
        Reason.PASSWORD_MISSING,
        Reason.PASSWORD_TOO_SHORT,
        Reason.PROVIDER_SECRET_INVALID,
        Reason.STORAGE_IN_USE,
        Reason.VOLUME_SHRINKS,
        Reason.POLICY_REFUSED,
        Reason.POLICY_INVALID,
        Reason.TOKEN_REFUSED,
    }
)
"""Reasons that no time heals: they stall the object until somebody changes something."""

AT_REST: Final = frozenset({Reason.STOPPED, Reason.PROMOTION_NOT_APPROVED, Reason.CHANGES_PENDING})
"""Reasons for not being ready that somebody wanted: nothing is wrong, and the operator has nothing to do."""


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


def refused(children: Children, refs: Iterable[Ref]) -> Verdict | None:
    """Return the verdict of the first of these children that could not be written."""
    refusal = next((children.refused[ref] for ref in refs if ref in children.refused), None)
    return false(Reason(refusal.reason), refusal.message) if refusal else None


def summarise(stages: Sequence[Condition], *, ready: str) -> tuple[Condition, ...]:
    """Return Ready, Reconciling and Stalled: the first stage that is not True is why the object is not ready."""
    cause = next((stage for stage in stages if stage.status is not ConditionStatus.TRUE), None)
    if cause is None:
        return _summary(true(Reason.READY, ready), reconciling=None, stalled=None)
    blame = Verdict(ConditionStatus.FALSE, cause.reason, shorten(f"{cause.type}: {cause.message}"))
    if cause.reason in AT_REST:
        return _summary(blame, reconciling=None, stalled=None)
    if cause.reason in NEEDS_A_PERSON:
        return _summary(blame, reconciling=None, stalled=blame)
    return _summary(blame, reconciling=blame, stalled=None)


def _summary(ready: Verdict, *, reconciling: Verdict | None, stalled: Verdict | None) -> tuple[Condition, ...]:
    return (
        Condition(ConditionType.READY, ready.status, ready.reason, ready.message),
        _abnormal(ConditionType.RECONCILING, reconciling),
        _abnormal(ConditionType.STALLED, stalled),
    )


def _abnormal(type_: ConditionType, cause: Verdict | None) -> Condition:
    if cause is None:
        return Condition(type_, ConditionStatus.FALSE, Reason.SETTLED, "there is nothing to do")
    return Condition(type_, ConditionStatus.TRUE, cause.reason, cause.message)


def shorten(text: str) -> str:
    """Cut a message to what a condition may hold (1 KiB), on one line."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 1]}…"

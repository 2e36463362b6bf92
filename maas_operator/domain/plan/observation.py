"""What an observed ModelService says: what is there, and what an active operator would change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from maas_operator.api.meta import CONSEQUENCES_LIMIT, PENDING_LIMIT, Action, ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, shorten
from maas_operator.domain.decision import Decision
from maas_operator.domain.kinds import (
    BACKEND,
    INFERENCE_SERVICE,
    MODEL_SUBSCRIPTION,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    Kind,
)
from maas_operator.domain.objects import Ref

from .changes import ObjectChange, Write, changes
from .consequences import Consequence

NAMED: Final = 3
FIELDS: Final = 6
_TEXT_LIMIT: Final = 512
_MAKERS: Final[Mapping[ConditionType, frozenset[Kind]]] = {
    ConditionType.MODEL_READY: frozenset({INFERENCE_SERVICE}),
    ConditionType.GATEWAY_READY: frozenset({BACKEND, PRODUCT}),
    ConditionType.PROMOTED: frozenset({BACKEND, PRODUCT, PROXY_CONFIG_PROMOTE}),
    ConditionType.DEVELOPERS_READY: frozenset({MODEL_SUBSCRIPTION}),
}
"""Whose absence explains that a condition is not True."""


def observed(
    decision: Decision, writes: Iterable[Write], consequences: Sequence[Consequence], kept: Mapping[str, Any]
) -> Decision:
    """Return what an observation tells instead of a decision on what is there; `kept`: the status of the last pass."""
    pending = changes(writes)
    stages = {condition.type: _stage(condition, pending) for condition in decision.conditions}
    waits = {one.reason for one in decision.conditions if stages[one.type].reason is Reason.CHANGES_PENDING}
    ready = stages[ConditionType.READY]
    if pending and (ready.status is ConditionStatus.TRUE or ready.reason in waits):
        stages[ready.type] = Condition(
            ready.type, ConditionStatus.FALSE, Reason.CHANGES_PENDING, shorten(_summary(pending))
        )
    message = f"spec.managementPolicy is Observe: nothing is changed; {_summary(pending)}"
    stages[ConditionType.RECONCILING] = Condition(
        ConditionType.RECONCILING, ConditionStatus.FALSE, Reason.OBSERVING, shorten(message)
    )
    live = {key: decision.status[key] for key in ("replicas", "url") if key in decision.status}
    told = {**kept, **live, **_pending_status(pending, consequences)}
    return replace(decision, conditions=tuple(stages.values()), status=told, wake_after=None)


def _stage(condition: Condition, pending: Iterable[ObjectChange]) -> Condition:
    """Tell that what a stage waits for is not made."""
    if condition.status is ConditionStatus.TRUE:
        return condition
    kinds = _MAKERS.get(condition.type, frozenset())
    missing = [change.ref for change in pending if change.action is Action.CREATE and change.ref.kind in kinds]
    if not missing:
        return condition
    message = f"spec.managementPolicy is Observe: {_named(missing)} would be created"
    return Condition(condition.type, ConditionStatus.FALSE, Reason.CHANGES_PENDING, shorten(message))


def _summary(pending: Sequence[ObjectChange]) -> str:
    if not pending:
        return "no changes are pending"
    number = "1 change is" if len(pending) == 1 else f"{len(pending)} changes are"
    return f"{number} pending, see status.pendingChanges: {_named([change.ref for change in pending])}"


def _named(refs: Sequence[Ref]) -> str:
    more = f" and {len(refs) - NAMED} more" if len(refs) > NAMED else ""
    return ", ".join(map(str, refs[:NAMED])) + more


def _pending_status(pending: Sequence[ObjectChange], consequences: Sequence[Consequence]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if pending:
        told["pendingChanges"] = [_entry(change) for change in pending[:PENDING_LIMIT]]
    if consequences:
        told["pendingConsequences"] = [shorten(str(one)) for one in consequences[:CONSEQUENCES_LIMIT]]
    return told


def _entry(change: ObjectChange) -> dict[str, Any]:
    entry = {"action": str(change.action), "kind": change.ref.kind.name, "name": change.ref.name}
    namespace = {"namespace": change.ref.namespace} if change.ref.namespace else {}
    return {**entry, **namespace, **_message(change)}


def _message(change: ObjectChange) -> dict[str, str]:
    if change.action is not Action.CHANGE:
        return {}
    more = f"; and {len(change.fields) - FIELDS} more fields" if len(change.fields) > FIELDS else ""
    text = "; ".join(map(str, change.fields[:FIELDS])) + more
    return {"message": text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 1]}…"}

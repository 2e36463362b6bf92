"""Tells transitions of conditions as Events: one per subject, type and reason, whose series counts repetitions."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.kinds import EVENT
from maas_operator.domain.labels import FORCE_DELETE
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .cluster import MANAGER, Cluster
from .errors import ApiError, NamespaceTerminating, NotFound

logger = logging.getLogger(__name__)

_NORMAL, _WARNING = "Normal", "Warning"
_NOTE_BYTES: Final = 1024


async def tell_transitions(
    cluster: Cluster, subject: Manifest, before: Iterable[Manifest], after: Iterable[Manifest], now: datetime
) -> None:
    """Write an Event for each transition; one that can not be written is only logged."""
    for condition, type_ in transitions(before, after):
        await _try_to_tell(cluster, subject, condition, type_, now)


async def tell_left_behind(cluster: Cluster, subject: Manifest, left: Iterable[Ref], now: datetime) -> None:
    """Write an Event, and a line in the log, about what a forced deletion leaves."""
    message = f"let go by the annotation {FORCE_DELETE}, although these are left: {', '.join(map(str, left))}"
    logger.warning("%s is %s", ref_of(subject), message)
    condition = {"type": ConditionType.READY, "status": "False", "reason": Reason.DELETION_FORCED, "message": message}
    await _try_to_tell(cluster, subject, condition, _WARNING, now)


def time_of(event: Manifest) -> str:
    """Return when an Event happened last, as old and new writers tell it."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("deprecatedLastTimestamp") or event.get("eventTime") or "")


def transitions(before: Iterable[Manifest], after: Iterable[Manifest]) -> Iterator[tuple[Manifest, str]]:
    """Yield the conditions that became or were True, each with the type of its Event: a loss or a stall is a Warning.

    What is not True goes through many reasons on its way. Those that need a person make Stalled True.
    """
    known = {condition["type"]: condition for condition in before}
    for condition in after:
        old = known.get(condition["type"], {"status": "Unknown", "reason": condition["reason"]})
        told = "True" in (old["status"], condition["status"])
        changed = (old["status"], old["reason"]) != (condition["status"], condition["reason"])
        # Each edit and each child makes us reconcile: that is no news.
        if not (told and changed) or condition["type"] == ConditionType.RECONCILING:
            continue
        bad = "True" if condition["type"] == ConditionType.STALLED else "False"
        yield condition, _WARNING if condition["status"] == bad else _NORMAL


async def _try_to_tell(cluster: Cluster, subject: Manifest, condition: Manifest, type_: str, now: datetime) -> None:
    try:
        await _tell(cluster, subject, condition, type_, now)
    except NamespaceTerminating:
        return  # Nobody looks there any more.
    except ApiError as error:
        logger.warning("event on %s is lost: %s", ref_of(subject), error)


async def _tell(cluster: Cluster, subject: Manifest, condition: Manifest, type_: str, now: datetime) -> None:
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    event = _event(subject, condition, type_, moment)
    try:
        first = await cluster.get(ref_of(event))
    except NotFound:
        await cluster.apply(event)
        return
    # Nothing but the series of an Event may change; its note stays that of the first time.
    count = first.get("series", {}).get("count", 1) + 1
    unchanged = {key: first[key] for key in event if key not in {"metadata", "series"}}
    await cluster.apply(event | unchanged | {"series": {"count": count, "lastObservedTime": moment}})


def _event(subject: Manifest, condition: Manifest, type_: str, moment: str) -> Manifest:
    metadata = subject["metadata"]
    ref = _event_ref(subject, condition, type_)
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "eventTime": moment,
        "type": type_,
        "reason": condition["reason"],
        "action": "Reconcile",
        "note": _cut(f"{condition['type']} is {condition['status']}: {condition['message']}"),
        "reportingController": "maas-operator.io/operator",
        "reportingInstance": MANAGER,
        "regarding": {
            "apiVersion": subject["apiVersion"],
            "kind": subject["kind"],
            # Old servers want it to be the Event's own, even for what has no namespace.
            "namespace": ref.namespace,
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }


def _cut(note: str) -> str:
    # The API counts bytes.
    return note.encode()[:_NOTE_BYTES].decode(errors="ignore")


def _event_ref(subject: Manifest, condition: Manifest, type_: str) -> Ref:
    metadata = subject["metadata"]
    facts = f"{metadata['uid']}/{type_}/{condition['type']}/{condition['reason']}"
    digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
    # Events on cluster-scoped objects live in `default`.
    return Ref(EVENT, metadata.get("namespace") or "default", f"{metadata['name']}.{digest}")

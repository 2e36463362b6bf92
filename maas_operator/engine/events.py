"""Tells transitions of conditions as Events: one per subject, type and reason, whose series counts repetitions."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.kinds import EVENT
from maas_operator.domain.labels import FORCE_DELETE
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .cluster import MANAGER, Cluster
from .errors import ApiError, Conflict, NamespaceTerminating, NotFound, Rejected

logger = logging.getLogger(__name__)

REMEMBERED: Final = 10_000
_MICRO_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_NORMAL, _WARNING = "Normal", "Warning"
_NOTE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class _Told:
    """An Event that is there: what of it stays when it is repeated, and how often it was told."""

    uid: str
    time: str
    note: str
    count: int = 1


class Events:
    """Writes Events by one call each: it remembers those of late, and reads only what another process has told."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._told: dict[Ref, _Told] = {}

    async def tell_transitions(
        self, subject: Manifest, before: Iterable[Manifest], after: Iterable[Manifest], now: datetime
    ) -> None:
        """Write an Event for each transition; one that can not be written is only logged."""
        for condition, type_ in transitions(before, after):
            await self._try_to_tell(subject, condition, type_, now)

    async def tell_left_behind(self, subject: Manifest, left: Iterable[Ref], now: datetime) -> None:
        """Write an Event, and a line in the log, about what a forced deletion leaves."""
        words = ", ".join(map(str, left))
        message = f"let go by the annotation {FORCE_DELETE}, although these are left: {words}"
        logger.warning("%s is %s", ref_of(subject), message)
        condition = {
            "type": ConditionType.READY, "status": "False", "reason": Reason.DELETION_FORCED, "message": message
        }  # fmt: skip
        await self._try_to_tell(subject, condition, _WARNING, now)

    async def _try_to_tell(self, subject: Manifest, condition: Manifest, type_: str, now: datetime) -> None:
        event = _event(subject, condition, type_, now.strftime(_MICRO_TIME))
        try:
            await self._tell(ref_of(event), event)
        except NamespaceTerminating:
            return  # Nobody looks there any more.
        except ApiError as error:
            logger.warning("event on %s is lost: %s", ref_of(subject), error)

    async def _tell(self, ref: Ref, event: Manifest) -> None:
        told = self._told.pop(ref, None)
        try:
            told = await self._write(event, told)
        except (Conflict, NotFound):
            # The API drops Events after an hour or so: then there is nothing to repeat, and the words of then are old.
            if told is None:
                raise
            told = await self._write(event, None)
        except Rejected:
            # Nothing but the series of an Event may change: somebody else, or we before a restart, told it first.
            first = await self._cluster.get(ref)
            count = (first.get("series") or {}).get("count", 1)
            known = _Told(first["metadata"]["uid"], first["eventTime"], first.get("note", ""), count)
            told = await self._write(event, known)
        self._told[ref] = told
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    async def _write(self, event: Manifest, told: _Told | None) -> _Told:
        if told is None:
            live = await self._cluster.apply(event)
            return _Told(live["metadata"]["uid"], event["eventTime"], event["note"])
        count = told.count + 1
        repeated = {
            # With the uid the API updates this very Event, and never makes one.
            "metadata": event["metadata"] | {"uid": told.uid},
            "eventTime": told.time,
            "note": told.note,
            "series": {"count": count, "lastObservedTime": event["eventTime"]},
        }
        await self._cluster.apply(event | repeated)
        return replace(told, count=count)


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

"""A Lease: who leads, for how long since it last said so, and who may take over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .labels import OPERATOR, PART_OF
from .objects import Manifest, Ref

Record = dict[str, Any]
"""The `spec` of a Lease. Its times are for people: no clock of another machine counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a lead holds for others, how soon its holder gives up, and how often both look; ValueError if unsafe."""

    lease: timedelta = timedelta(seconds=15)
    renew: timedelta = timedelta(seconds=10)
    retry: timedelta = timedelta(seconds=2)

    def __post_init__(self) -> None:
        if self.lease.total_seconds() % 1 or not timedelta(seconds=1) <= self.lease <= timedelta(hours=1):
            raise ValueError("the lease duration must be whole seconds, from 1s to 1h")
        if not self.retry * 2 <= self.renew < self.lease:
            raise ValueError("the renew deadline must be shorter than the lease, and at least twice the retry period")
        if self.retry <= timedelta(0):
            raise ValueError("the retry period must be longer than nothing")


def is_free(record: Record, unchanged: timedelta, terms: Terms) -> bool:
    """Tell whether somebody else may take a Lease that has not changed, by our own clock, for so long."""
    # What its holder promised counts, not what we would have.
    promised = timedelta(seconds=record.get("leaseDurationSeconds") or terms.lease.total_seconds())
    return not record.get("holderIdentity") or unchanged > promised


def claimed(record: Record, identity: str, terms: Terms, now: datetime) -> Record:
    """Return the record of one who takes or keeps the Lease."""
    moment = _micro_time(now)
    mine = {"leaseDurationSeconds": int(terms.lease.total_seconds()), "renewTime": moment}
    if record.get("holderIdentity") == identity:
        return record | mine
    transitions = record.get("leaseTransitions", -1) + 1
    return record | mine | {"holderIdentity": identity, "acquireTime": moment, "leaseTransitions": transitions}


def released(record: Record, now: datetime) -> Record:
    """Return the record of one who lets go: nobody holds it, and nobody need wait."""
    return record | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time(now)}


def new_lease(ref: Ref, record: Record) -> Manifest:
    """Return a Lease that is yet to be created."""
    return {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": {PART_OF: OPERATOR}},
        "spec": record,
    }


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

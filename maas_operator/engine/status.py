"""The status of an owner: conditions that keep their times, and the inventory of its children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from maas_operator.domain.child_state import state_of
from maas_operator.domain.conditions import Condition
from maas_operator.domain.decision import ChildState, Decision
from maas_operator.domain.kinds import kind_of
from maas_operator.domain.objects import Children, Manifest, Ref, ref_of
from maas_operator.domain.observed import status_of

Status = Mapping[str, Any]

APPLIED_HASH: Final = "appliedHash"
"""The field of an entry of the inventory with `Outcome.hash`."""


def inventory_of(owner: Manifest) -> dict[Ref, Manifest]:
    """Return the entries of `status.children` by address. They only say where to look."""
    return dict(_entries(status_of(owner).get("children") or ()))


def with_intents(owner: Manifest, refs: Iterable[Ref]) -> Status | None:
    """Return the owner's status with children that are about to be written; None if it names all of them already."""
    inventory = inventory_of(owner)
    new = [_entry(ref, None, _PENDING) for ref in refs if ref not in inventory]
    return {**status_of(owner), "children": [*inventory.values(), *new]} if new else None


def without_hashes(owner: Manifest) -> Status:
    """Return the owner's status without what was written last: all of it, since an edit seldom changes one child."""
    children = [
        {key: value for key, value in entry.items() if key != APPLIED_HASH} for entry in inventory_of(owner).values()
    ]
    return {**status_of(owner), "children": children}


def status_after(
    owner: Manifest,
    decision: Decision,
    children: Children,
    remaining: Mapping[Ref, Manifest | None],
    now: datetime,
    hashes: Mapping[Ref, str],
) -> Status:
    """Return the status at the end of a pass.

    `remaining`: what is not wanted any more; None where it could not be read. `hashes`: of what was written, see
    `Outcome`.
    """
    generation = owner["metadata"]["generation"]
    wanted = {ref: _entry_of(ref, children) | _applied(ref, hashes) for ref in map(ref_of, decision.children)}
    before = inventory_of(owner)
    kept = {ref: entry for ref, entry in before.items() if ref in decision.keep or not decision.prune}
    going = {ref: _entry(ref, live, _GOING) for ref, live in remaining.items()}
    status = {
        **decision.status,
        "observedGeneration": generation,
        "conditions": merge(status_of(owner).get("conditions", ()), decision.conditions, generation, now),
    }
    # A kind without children has no such field.
    entries = list((going | kept | wanted).values())
    return status | {"children": entries} if entries else status


def merge(before: Iterable[Manifest], now_true: Iterable[Condition], generation: int, now: datetime) -> list[Manifest]:
    """Return conditions as the API has them; the time moves only where the status flips."""
    known = {condition["type"]: condition for condition in before}
    return [_condition(condition, known.get(condition.type, {}), generation, now) for condition in now_true]


def same(one: Status, other: Status) -> bool:
    """Tell whether two statuses say the same; the order of conditions and children is the API's affair."""
    return _canonical(one) == _canonical(other)


_PENDING = ChildState(ready=False, reason="Pending")
_GOING = ChildState(ready=False, reason="Deleting")


def _entries(children: Iterable[Manifest]) -> Iterator[tuple[Ref, Manifest]]:
    for entry in children:
        try:
            kind = kind_of(entry["apiVersion"], entry["kind"])
        except KeyError:
            continue  # Written by another version of the operator, which knew more kinds.
        yield Ref(kind, entry["namespace"], entry["name"]), entry


def _entry_of(ref: Ref, children: Children) -> Manifest:
    live, refusal = children.live.get(ref), children.refused.get(ref)
    if refusal is not None:
        return _entry(ref, live, ChildState(ready=False, reason=refusal.reason))
    return _entry(ref, live, _PENDING if live is None else state_of(live))


def _entry(ref: Ref, live: Manifest | None, state: ChildState) -> Manifest:
    entry: Manifest = {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.name,
        "namespace": ref.namespace,
        "name": ref.name,
        "ready": state.ready,
    }
    uid = {"uid": live["metadata"]["uid"]} if live is not None else {}
    return entry | uid | ({"reason": str(state.reason)} if state.reason else {})


def _applied(ref: Ref, hashes: Mapping[Ref, str]) -> Manifest:
    return {APPLIED_HASH: hashes[ref]} if ref in hashes else {}


def _condition(condition: Condition, before: Manifest, generation: int, now: datetime) -> Manifest:
    flipped = before.get("status") != condition.status
    return {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": str(condition.reason),
        "message": condition.message,
        "observedGeneration": generation,
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ") if flipped else before["lastTransitionTime"],
    }


def _canonical(status: Status) -> dict[str, Any]:
    # The API makes null of a list whose last entry is taken away.
    told = {key: value for key, value in status.items() if value is not None and value != []}
    conditions = {condition["type"]: condition for condition in told.get("conditions", ())}
    children = {tuple(entry[key] for key in _ENTRY_KEYS): entry for entry in told.get("children", ())}
    return {**told, "conditions": conditions, "children": children}


_ENTRY_KEYS = ("apiVersion", "kind", "namespace", "name")

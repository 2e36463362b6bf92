"""Writes one child: not at all if nothing changed, never over somebody else's object, and by server-side apply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from maas_operator.domain.decision import Annotation, Patch
from maas_operator.domain.emitted import digest
from maas_operator.domain.kinds import RETAINED, SECRET, TABLE, Use
from maas_operator.domain.labels import (
    CORRECTED_AT,
    OWNER_UID,
    annotations_of,
    is_left_behind,
    is_owned_by,
    labels_of,
    owner_labels,
)
from maas_operator.domain.objects import Manifest, Ref, Refusal, ref_of

from .cache import Cache, version_of, without_managed_fields
from .cluster import MANAGER, Cluster
from .errors import ApiError, Conflict, ForeignObject, KindNotServed, NotFound, Rejected
from .refusals import conflict, contention, refusal_of
from .status import APPLIED_HASH, inventory_of

CORRECTIONS: Final = 5
CORRECTIONS_WINDOW_SECONDS: Final = 600.0

Learn = Callable[[Manifest, Ref], None]
"""Told what the API answered, and to which owner's pass."""
Guard = Callable[[], Awaitable[None]]
"""Awaited before a write; it raises if the writer must not go on."""


class Applied(StrEnum):
    """What became of a child."""

    CREATED = "created"
    CHANGED = "changed"
    CORRECTED = "corrected"
    """Changed back, after somebody else had changed it."""
    CORRECTED_IN_3SCALE = "corrected_in_3scale"
    """Touched, so that the 3scale-operator puts back what somebody changed in 3scale itself."""
    NOOP = "noop"
    SKIPPED = "skipped"
    DELETING = "deleting"
    """Its name is not free yet."""
    DELETED = "deleted"
    """Not wanted any more, and told to go."""
    REFUSED = "refused"


class ApplyObserver(Protocol):
    """Told what became of each child."""

    def child_applied(self, ref: Ref, applied: Applied) -> None:
        """Count it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a child: the object as it is now, or why it was refused; neither while the old one is going.

    `hash`: of what is written there, see `_hash_of`.
    """

    applied: Applied
    live: Manifest | None = None
    refusal: Refusal | None = None
    hash: str = ""


@dataclass(slots=True)
class _Memo:
    """Our last write: a digest of what we wanted, of what came of it, and when we had to repeat it."""

    wanted: str
    hash: str
    became: str = ""
    corrected_at: tuple[float, ...] = ()

    def remember(self, applied: Applied, became: str) -> None:
        """Note what became of our write."""
        self.became = became
        if applied is Applied.CORRECTED:
            self.corrected_at += (asyncio.get_running_loop().time(),)

    def is_contended(self) -> bool:
        """Tell whether somebody undid our write too often of late."""
        horizon = asyncio.get_running_loop().time() - CORRECTIONS_WINDOW_SECONDS
        self.corrected_at = tuple(at for at in self.corrected_at if at >= horizon)
        return len(self.corrected_at) >= CORRECTIONS


class Applier:
    """Applies children of any owner and remembers by memo what needs no second call.

    `believes`: that what the inventory of an owner says was written, by whatever process, needs no call either.
    """

    def __init__(self, cluster: Cluster, cache: Cache, learn: Learn, *, believes: bool = True) -> None:
        self._cluster = cluster
        self._cache = cache
        self._learn = learn
        self._believes = believes
        self._memos: dict[Ref, _Memo] = {}

    async def apply(self, owner: Manifest, child: Manifest, guard: Guard) -> Outcome:
        """Make the child exist as wanted. Only what a later call may cure is raised."""
        desired = adopted(child, owner)
        ref = ref_of(desired)
        try:
            outcome = await self._apply(owner, desired, guard)
        except ForeignObject as error:
            return Outcome(Applied.REFUSED, refusal=conflict(error))
        except ApiError as error:
            return Outcome(Applied.REFUSED, refusal=refusal_of(ref, error))
        # Only where a watch keeps it true does a reply enter the cache.
        if outcome.live is not None and (Use.WATCH in TABLE[ref.kind] or self._cache.get(ref) is not None):
            self._learn(outcome.live, ref_of(owner))
        return outcome

    async def patch(self, owner: Manifest, patch: Patch | Annotation, guard: Guard) -> Outcome:
        """Patch somebody else's object, but not again and again. Only what a later call may cure is raised."""
        memo = self._memo_of(patch)
        try:
            if memo.is_contended():
                live = await self._cluster.get(patch.ref)
                return Outcome(Applied.REFUSED, refusal=contention(patch.ref, _rival(live)))
            await guard()
            live = await self._send(patch)
        except ApiError as error:
            if isinstance(error, Conflict | NotFound) and isinstance(patch, Annotation):
                # It is another object by now, or none: the cache will know.
                return Outcome(Applied.DELETING)
            return Outcome(Applied.REFUSED, refusal=refusal_of(patch.ref, error))
        live = without_managed_fields(live)
        memo.remember(Applied.CORRECTED, "")
        self._learn(live, ref_of(owner))
        return Outcome(Applied.CHANGED, live)

    def _memo_of(self, patch: Patch | Annotation) -> _Memo:
        wanted = patch.value if isinstance(patch, Annotation) else ""
        memo = self._memos.get(patch.ref)
        if memo is None or memo.wanted != wanted:
            memo = self._memos[patch.ref] = _Memo(wanted, "")
        return memo

    async def _send(self, patch: Patch | Annotation) -> Manifest:
        if isinstance(patch, Annotation):
            return await self._cluster.apply(_annotated(patch))
        return await self._cluster.json_patch(patch.ref, patch.operations, resource_version=patch.resource_version)

    def forget(self, ref: Ref) -> None:
        """Drop the memo of an object that is gone."""
        self._memos.pop(ref, None)

    async def _apply(self, owner: Manifest, desired: Manifest, guard: Guard) -> Outcome:
        ref, labels = ref_of(desired), labels_of(desired)
        known = self._cache.get(ref)
        if known is None or not is_owned_by(known, labels[OWNER_UID]):
            known = await self._read(ref, labels)
        if self._believes and known is not None and ref not in self._memos:
            await self._recall(owner, desired, known)
        try:
            return await self._bring_about(ref, desired, known, guard)
        except (Conflict, Rejected) as error:
            # The cache may be late: the object was replaced, or somebody made one while we looked.
            live = await self._read(ref, labels)
            if isinstance(error, Rejected) and _uid(live) == _uid(known):
                raise
            return await self._bring_about(ref, desired, live, guard)

    async def _bring_about(self, ref: Ref, desired: Manifest, known: Manifest | None, guard: Guard) -> Outcome:
        if known is not None and "deletionTimestamp" in known["metadata"]:
            return Outcome(Applied.DELETING)
        wanted = digest(desired)
        memo = self._memos.get(ref)
        again = memo if memo is not None and memo.wanted == wanted else None
        if known is not None and again is not None:
            if again.became == _fingerprint(desired, known):
                return Outcome(Applied.SKIPPED, known, hash=again.hash)
            if again.is_contended():
                return Outcome(Applied.REFUSED, refusal=contention(ref, _rival(await self._cluster.get(ref))))
        await guard()
        live = without_managed_fields(await self._write(desired, known))
        outcome = _outcome(desired, known, live, again=again is not None)
        if outcome.live is None:
            return outcome
        memo = self._memos[ref] = again or _Memo(wanted, _hash_of(desired))
        memo.remember(outcome.applied, _fingerprint(desired, outcome.live))
        return replace(outcome, hash=memo.hash)

    async def _recall(self, owner: Manifest, desired: Manifest, known: Manifest) -> None:
        """Have a memo of what another process has written, if it is still so."""
        ref, hash_ = ref_of(desired), _hash_of(desired)
        told = inventory_of(owner).get(ref, {})
        if (told.get("uid"), told.get(APPLIED_HASH)) != (_uid(known), hash_):
            return
        # Of a Secret the cache knows no more than that it is there.
        live = known if ref.kind != SECRET else await self._read(ref, labels_of(desired))
        if live is not None and says(live, desired):
            self._memos[ref] = _Memo(digest(desired), hash_, _fingerprint(desired, live))

    async def _read(self, ref: Ref, labels: Mapping[str, str]) -> Manifest | None:
        try:
            live = await self._cluster.get(ref)
        except KindNotServed:
            raise
        except NotFound:
            return None
        if not is_owned_by(live, labels[OWNER_UID]) and not is_left_behind(live, labels):
            raise ForeignObject(ref)
        return without_managed_fields(live)

    async def _write(self, desired: Manifest, known: Manifest | None) -> Manifest:
        if known is None:
            # Not by force: what somebody else makes at this moment stays theirs.
            return await self._cluster.apply(desired, force=False)
        # With the uid the API updates this very object, and never makes one.
        metadata = desired["metadata"] | {"uid": known["metadata"]["uid"]}
        return await self._cluster.apply(desired | {"metadata": metadata})


def _outcome(desired: Manifest, known: Manifest | None, live: Manifest, *, again: bool) -> Outcome:
    if "deletionTimestamp" in live["metadata"]:
        return Outcome(Applied.DELETING)
    if known is None:
        return Outcome(Applied.CREATED, live)
    if version_of(known) == version_of(live):
        return Outcome(Applied.NOOP, live)
    if again:
        return Outcome(Applied.CORRECTED, live)
    return Outcome(Applied.CORRECTED_IN_3SCALE if _mark(known) < _mark(desired) else Applied.CHANGED, live)


def _mark(child: Manifest) -> str:
    return annotations_of(child).get(CORRECTED_AT, "")


def adopted(child: Manifest, owner: Manifest) -> Manifest:
    """Return the child with its owner's labels, and with an ownerReference if it dies with it, in its namespace.

    Labels that the child brings stay: what several owners share belongs to something else.
    """
    labels = {**owner_labels(owner), **labels_of(child)}
    metadata = child["metadata"] | {"labels": labels}
    of_owner = labels[OWNER_UID] == owner["metadata"]["uid"]
    stays = ref_of(child).kind in RETAINED
    if of_owner and not stays and metadata.get("namespace") == owner["metadata"].get("namespace"):
        metadata["ownerReferences"] = [_controller_reference(owner)]
    return child | {"metadata": metadata}


def _controller_reference(owner: Manifest) -> Manifest:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _annotated(annotation: Annotation) -> Manifest:
    """Return what an apply must carry to own the annotation alone. With the uid it never makes an object."""
    ref = annotation.ref
    identity = {"name": ref.name, "namespace": ref.namespace, "uid": annotation.uid}
    metadata = identity | {"annotations": {annotation.name: annotation.value}}
    return {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": metadata}


def _uid(known: Manifest | None) -> str:
    return known["metadata"]["uid"] if known is not None else ""


def _fingerprint(desired: Manifest, live: Manifest) -> str:
    """Digest what became of the fields that we want. What others add is theirs: no write of ours would change it.

    In an object that somebody made anew the fields are not ours, even if they are as wanted. What a Secret says is
    kept nowhere: there the version stands for all of it.
    """
    if ref_of(live).kind == SECRET:
        return f"{_uid(live)}/{version_of(live)}"
    return digest([_uid(live), _part(desired, live)])


def _hash_of(desired: Manifest) -> str:
    """Return a short hash of what we want, without the values of a Secret: it is shown."""
    secret = ref_of(desired).kind == SECRET
    return digest(desired | {"data": sorted(desired["data"])} if secret else desired)[:16]


def says(live: Any, desired: Any) -> bool:
    """Tell whether all that we want is so, whatever others or the server have added."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return all(key in live and says(live[key], value) for key, value in desired.items())
    if isinstance(desired, list) and isinstance(live, list):
        return len(live) == len(desired) and all(map(says, live, desired))
    return bool(live == desired)


def _part(desired: Any, live: Any) -> Any:
    if isinstance(desired, dict) and isinstance(live, dict):
        return {key: _part(value, live.get(key)) for key, value in desired.items()}
    return live


def _rival(live: Manifest) -> str:
    others = [
        entry
        for entry in live["metadata"].get("managedFields", ())
        if entry.get("manager") != MANAGER and not entry.get("subresource")
    ]
    latest = max(others, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(latest["manager"]) if latest else "an unknown writer"

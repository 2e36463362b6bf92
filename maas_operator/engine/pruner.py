"""Deletes what an owner has and does not want any more: by live facts only, in order, and no other object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from maas_operator.domain.kinds import GOES_AFTER, TABLE, Use
from maas_operator.domain.labels import is_controlled_by, is_owned_by
from maas_operator.domain.objects import Manifest, Ref, Refusal

from .applier import Guard
from .cluster import Cluster
from .errors import ApiError, Conflict, NotFound
from .refusals import refusal_of


@dataclass(slots=True)
class Pruned:
    """What is still there, as read live, what could not be read or deleted, and what was told to go."""

    remaining: dict[Ref, Manifest] = field(default_factory=dict)
    refused: dict[Ref, Refusal] = field(default_factory=dict)
    deleted: list[Ref] = field(default_factory=list, compare=False)


class Pruner:
    """Deletes objects after a live read that proves whose they are."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def prune(
        self, unwanted: Mapping[Ref, str], namespaces: Iterable[str], guard: Guard, *, at_once: bool = False
    ) -> Pruned:
        """Delete objects, each with the uid of its owner; those that others must outlive are left for later.

        `at_once`: none is left for later. Controllers that meet an order which they refuse try again.

        Objects that are gone, foreign, of kinds that we do not write, or in other namespaces are not in the result.
        """
        allowed = frozenset(namespaces)
        pruned = Pruned()
        for ref, owner_uid in unwanted.items():
            if ref.namespace in allowed and Use.WRITE in TABLE.get(ref.kind, Use(0)):
                await self._look(ref, owner_uid, pruned)
        tried: set[Ref] = set()
        # Each round frees the kinds that had to wait for those of the round before.
        while wave := [ref for ref in _deletable(pruned.remaining, at_once=at_once) if ref not in tried]:
            tried.update(wave)
            for ref in wave:
                await guard()
                await self._delete(ref, pruned)
                await self._look(ref, unwanted[ref], pruned)
        return pruned

    async def sweep(self, leftovers: Mapping[Ref, str], namespaces: Iterable[str], guard: Guard) -> dict[Ref, Refusal]:
        """Delete what is still controlled by these uids, of kinds that we may sweep; return what could not be."""
        allowed = frozenset(namespaces)
        refused: dict[Ref, Refusal] = {}
        for ref, maker_uid in leftovers.items():
            if ref.namespace not in allowed or Use.SWEEP not in TABLE[ref.kind]:
                continue
            try:
                live = await self._cluster.get(ref)
                if is_controlled_by(live, maker_uid) and "deletionTimestamp" not in live["metadata"]:
                    await guard()
                    await self._cluster.delete(ref, uid=live["metadata"]["uid"])
            except (NotFound, Conflict):
                continue
            except ApiError as error:
                refused[ref] = refusal_of(ref, error)
        return refused

    async def proven(self, ref: Ref, owner_uid: str) -> Manifest | None:
        """Return an object of this owner as it is now; None for one that is gone, or is somebody else's."""
        try:
            live = await self._cluster.get(ref)
        except NotFound:
            return None
        return live if is_owned_by(live, owner_uid) else None

    async def _look(self, ref: Ref, owner_uid: str, pruned: Pruned) -> None:
        pruned.remaining.pop(ref, None)
        try:
            live = await self.proven(ref, owner_uid)
        except ApiError as error:
            pruned.refused[ref] = refusal_of(ref, error)
            return
        if live is not None:
            pruned.remaining[ref] = live

    async def _delete(self, ref: Ref, pruned: Pruned) -> None:
        try:
            await self._cluster.delete(ref, uid=pruned.remaining[ref]["metadata"]["uid"])
            pruned.deleted.append(ref)
        except (NotFound, Conflict):
            pass  # Gone, or replaced since: the look that follows tells.
        except ApiError as error:
            pruned.refused[ref] = refusal_of(ref, error)


def _deletable(remaining: Mapping[Ref, Manifest], *, at_once: bool) -> list[Ref]:
    kinds = set() if at_once else {ref.kind for ref in remaining}
    return [
        ref
        for ref, live in remaining.items()
        if "deletionTimestamp" not in live["metadata"] and not GOES_AFTER.get(ref.kind, frozenset()) & kinds
    ]

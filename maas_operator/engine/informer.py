"""Where news arrives: from the watches, from fresh lists and from our own writes. It fills the cache and the queue."""

from __future__ import annotations

from typing import Final

from maas_operator.domain.objects import Manifest, Ref, ref_of

from .cache import Cache
from .queue import WorkQueue
from .triggers import affected

COALESCE_SECONDS: Final = 0.15


class Informer:
    """Takes in what is new about objects and wakes the owners that it may concern."""

    def __init__(self, cache: Cache, queue: WorkQueue[Ref]) -> None:
        self._cache = cache
        self._queue = queue

    def notify(self, manifest: Manifest, *, deleted: bool = False) -> None:
        """Take in what a watch or a list says. What is not news wakes nobody."""
        ref = ref_of(manifest)
        before = self._cache.get(ref)
        news = self._cache.remove(manifest) if deleted else self._cache.put(manifest)
        if news:
            # As it is kept: managedFields change with every write, and are nobody's affair.
            self._wake(before, self._cache.get(ref))

    def learn(self, manifest: Manifest, by: Ref) -> None:
        """Take in what the API answered to the pass of an owner; it wakes the others."""
        ref = ref_of(manifest)
        before = self._cache.get(ref)
        if self._cache.put(manifest):
            self._wake(before, self._cache.get(ref), but=by)

    def _wake(self, before: Manifest | None, after: Manifest | None, *, but: Ref | None = None) -> None:
        for key in affected(self._cache, before, after) - {but}:
            urgent = after is not None and key == ref_of(after) and _is_new_spec(before, after)
            self._queue.add(key, after_seconds=COALESCE_SECONDS, urgent=urgent)


def _is_new_spec(before: Manifest | None, after: Manifest) -> bool:
    if before is None:
        return True
    old, new = before["metadata"], after["metadata"]
    return any(old.get(key) != new.get(key) for key in ("uid", "generation", "deletionTimestamp"))

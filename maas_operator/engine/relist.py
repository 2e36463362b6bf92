"""Fresh lists against what watches lose: deletions that nobody was told of, and changes in between."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final, Protocol

from maas_operator.domain.kinds import TABLE, Kind, Use
from maas_operator.domain.labels import MANAGED_BY, OPERATOR
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .cache import Cache
from .cluster import Cluster
from .errors import KindNotServed, OperatorError, Unavailable

INTERVAL_SECONDS: Final = 1800.0
DELAY_SECONDS: Final = 5.0
"""A watch that begins anew tells its objects one by one: one list follows on all of them."""

logger = logging.getLogger(__name__)


class RelistObserver(Protocol):
    """Told of each fresh list."""

    def relisted(self, kind: Kind, ghosts: int) -> None:
        """Count it, and the ghosts that it found."""


class Notify(Protocol):
    """Takes in what a list says."""

    def __call__(self, manifest: Manifest, *, deleted: bool = False) -> None:
        """Take in an object, or that it is gone."""


class Relists:
    """Lists watched kinds: all of them from time to time, and one soon after somebody asked for it."""

    def __init__(self, cluster: Cluster, cache: Cache, notify: Notify, observer: RelistObserver) -> None:
        self._cluster = cluster
        self._cache = cache
        self._notify = notify
        self._observer = observer
        self._asked: set[Kind] = set()
        self._woken = asyncio.Event()
        self._all_at = math.inf

    def ask(self, kind: Kind) -> None:
        """Have a kind listed soon."""
        self._asked.add(kind)
        self._woken.set()

    async def run(self) -> None:
        """List until cancelled."""
        self._all_at = asyncio.get_running_loop().time() + INTERVAL_SECONDS
        while True:
            for kind in await self._next():
                try:
                    ghosts = await self._relist(kind)
                except OperatorError as error:
                    logger.warning("%s can not be listed: %s", kind, error)
                    if isinstance(error, Unavailable):
                        self.ask(kind)
                else:
                    self._observer.relisted(kind, ghosts)

    async def _next(self) -> list[Kind]:
        try:
            async with asyncio.timeout_at(self._all_at):
                await self._woken.wait()
        except TimeoutError:
            self._all_at += INTERVAL_SECONDS
            return [kind for kind, use in TABLE.items() if Use.WATCH in use]
        await asyncio.sleep(DELAY_SECONDS)
        self._woken.clear()
        kinds, self._asked = sorted(self._asked), set()
        return kinds

    async def _relist(self, kind: Kind) -> int:
        labels = {MANAGED_BY: OPERATOR} if _is_child(kind) else {}
        before = self._cache.versions(kind, labels)
        live = [one for namespace in _scopes(kind, before) for one in await self._list(kind, namespace, labels)]
        for manifest in live:
            # Of others' kinds only those count that a watch with its selector has told.
            if _is_ours(kind) or ref_of(manifest) in before:
                self._notify(manifest)
        ghosts = self._cache.ghosts(before, live)
        for ghost in ghosts:
            self._notify(ghost, deleted=True)
        return len(ghosts)

    async def _list(self, kind: Kind, namespace: str, labels: dict[str, str]) -> list[Manifest]:
        try:
            return await self._cluster.list(kind, namespace=namespace, labels=labels)
        except KindNotServed:
            return []


def _is_ours(kind: Kind) -> bool:
    return bool((Use.WRITE | Use.STATUS) & TABLE[kind])


def _is_child(kind: Kind) -> bool:
    return _is_ours(kind) and Use.STATUS not in TABLE[kind]


def _scopes(kind: Kind, known: dict[Ref, str]) -> list[str]:
    # Of others' kinds a cluster is full: only the namespaces that concern us are listed.
    return [""] if _is_ours(kind) else sorted({ref.namespace for ref in known})

"""Runs controllers: for ever by watches, or step by step until nothing changes any more."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import ApiError, KindNotServed

from .client import Change, ChangeType, Client

_log = logging.getLogger(__name__)

Trigger: TypeAlias = Callable[[Change], Iterable[Ref]]
"""Tells which objects to reconcile after a change."""


class Retry(Exception):
    """Reconcile this object again, after a back-off."""


class Controller(Protocol):
    """One reconcile loop: level-triggered, called for one object at a time."""

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The kinds whose changes matter, each with what it makes us look at."""

    async def reconcile(self, ref: Ref) -> float | None:
        """Bring one object closer to what it should be; return seconds until the next look, None for no need."""


def itself(change: Change) -> Iterable[Ref]:
    """Look at the object that has changed."""
    return (ref_of(change.object),)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before a failed object is tried again: doubled each time, as controller-runtime does it."""

    first: float = 0.005
    longest: float = 1000.0

    def after(self, failures: int) -> float:
        """Return the delay after so many failures in a row."""
        return float(min(self.first * 2 ** min(failures - 1, 30), self.longest))


class _Lane:
    """One controller and its queue: an object is queued once, and they are worked on one after the other."""

    def __init__(self, controller: Controller, backoff: Backoff) -> None:
        self.controller = controller
        self.ready: dict[Ref, None] = {}
        self.delayed: dict[Ref, float] = {}
        self._backoff = backoff
        self._failures: Counter[Ref] = Counter()
        self._wake = asyncio.Event()

    def notice(self, change: Change) -> None:
        if trigger := self.controller.watches.get(ref_of(change.object).kind):
            self.ready.update(dict.fromkeys(trigger(change)))
            self._wake.set()

    async def step(self) -> None:
        """Reconcile the first object of the queue."""
        ref = next(iter(self.ready))
        del self.ready[ref]
        self.delayed.pop(ref, None)
        delay = await self._reconcile(ref)
        if delay is not None:
            self.delayed[ref] = _now() + delay

    async def _reconcile(self, ref: Ref) -> float | None:
        try:
            delay = await self.controller.reconcile(ref)
        except (Retry, ApiError) as error:
            _log.debug("%s: %s", ref, error)
            self._failures[ref] += 1
            return self._backoff.after(self._failures[ref])
        del self._failures[ref]
        return delay

    def promote(self, now: float) -> None:
        """Queue the objects whose delay is over."""
        for ref in [ref for ref, due in self.delayed.items() if due <= now]:
            del self.delayed[ref]
            self.ready[ref] = None

    async def work(self) -> None:
        while True:
            self.promote(_now())
            if self.ready:
                await self._step_in_safety()
            else:
                await self._sleep()

    async def _step_in_safety(self) -> None:
        try:
            await self.step()
        except Exception:
            # One object that a stand-in does not understand must not end a demonstration; in a test it does.
            _log.exception("a stand-in failed")

    async def _sleep(self) -> None:
        self._wake.clear()
        due = min(self.delayed.values(), default=None)
        try:
            async with asyncio.timeout(None if due is None else max(due - _now(), 0)):
                await self._wake.wait()
        except TimeoutError:
            pass


class Runner:
    """Controllers on one API. Use `run` for ever, or `settle` in a test; not both at once."""

    def __init__(self, client: Client, controllers: Sequence[Controller], *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._lanes = [_Lane(controller, backoff or Backoff()) for controller in controllers]
        self._seen: dict[Ref, Manifest] = {}

    @property
    def _kinds(self) -> list[Kind]:
        return list(dict.fromkeys(kind for lane in self._lanes for kind in lane.controller.watches))

    async def run(self, *, reconnect_seconds: float = 1.0) -> None:
        """Watch and reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._follow(kind, reconnect_seconds))
            for lane in self._lanes:
                group.create_task(lane.work())

    async def _follow(self, kind: Kind, reconnect_seconds: float) -> None:
        while True:
            try:
                async with aclosing(self._client.watch(kind)) as changes:
                    async for change in changes:
                        self._dispatch(change)
            except ApiError as error:
                _log.debug("watch of %s: %s", kind, error)
            await asyncio.sleep(reconnect_seconds)

    def resync(self) -> None:
        """Look at every known object again, as controllers do after a restart and every ten hours."""
        for manifest in self._seen.values():
            for lane in self._lanes:
                lane.notice(Change(ChangeType.ADDED, manifest))

    async def settle(self, *, retries: bool = True, limit: int = 1000) -> None:
        """Reconcile until nothing changes any more, as if every back-off had passed (`retries`).

        RuntimeError after `limit` rounds: two controllers fight.
        """
        for _ in range(limit):
            await self._list()
            idle = not any(lane.ready for lane in self._lanes)
            if idle and not (retries and await self._retries_change_something()):
                return
            await self._drain()
        raise RuntimeError("the controllers do not settle")

    async def _retries_change_something(self) -> bool:
        for lane in self._lanes:
            lane.promote(float("inf"))
        await self._drain()
        await self._list()
        return any(lane.ready for lane in self._lanes)

    async def _drain(self) -> None:
        for lane in self._lanes:
            while lane.ready:
                await lane.step()

    async def _list(self) -> None:
        listed: dict[Ref, Manifest] = {}
        for kind in self._kinds:
            try:
                listed.update((ref_of(item), item) for item in await self._client.list(kind))
            except KindNotServed:
                continue
        for change in self._changes_since(listed):
            self._dispatch(change)

    def _changes_since(self, listed: Mapping[Ref, Manifest]) -> Iterator[Change]:
        for ref in self._seen.keys() - listed.keys():
            yield Change(ChangeType.DELETED, self._seen[ref])
        for manifest in listed.values():
            yield Change(ChangeType.ADDED, manifest)

    def _dispatch(self, change: Change) -> None:
        """Hand a change on, unless it is an old one that a new list tells again."""
        ref, old = ref_of(change.object), self._seen.get(ref_of(change.object))
        if change.type is ChangeType.DELETED:
            self._seen.pop(ref, None)
        elif old and _version(old) == _version(change.object):
            return
        else:
            self._seen[ref] = change.object
            change = Change(ChangeType.MODIFIED if old else ChangeType.ADDED, change.object)
        for lane in self._lanes:
            lane.notice(change)


def _version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


def _now() -> float:
    # The loop's clock: a loop with virtual time drives the stand-ins too.
    return asyncio.get_running_loop().time()

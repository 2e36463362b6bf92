"""The engine: workers that take keys from the queue and run passes, until they are cancelled."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from maas_operator.domain.kinds import TABLE, Kind, Use
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .applier import Applier, ApplyObserver
from .cache import Cache
from .cluster import Cluster
from .controller import Behaviour, Controller, Tools
from .convergence import Convergence
from .errors import OperatorError, Unavailable, reason_of
from .events import Events
from .informer import Informer
from .pass_log import Noting, PassLog, pass_log
from .pruner import Pruner
from .queue import WorkQueue, spread
from .relist import RelistObserver, Relists

WORKERS: Final = 8
PASS_SECONDS: Final = 120.0

logger = logging.getLogger(__name__)


class PassResult(StrEnum):
    """How a pass ended."""

    DONE = "done"
    GONE = "gone"
    """There is no such owner any more."""
    RETRIED = "retried"
    """The API was busy, a version was old: expected, and tried again."""
    CRASHED = "crashed"
    """Nobody thought of it."""


class Observer(ApplyObserver, RelistObserver, Protocol):
    """Told what the engine does, to count it."""

    def waited(self, seconds: float) -> None:
        """Count how long an owner was due before a worker took it."""

    def pass_ended(self, key: Ref, result: PassResult, seconds: float, error: str) -> None:
        """Count a pass, its duration and, in one word, the error that it failed with; empty for none."""

    def became_ready(self, kind: Kind, seconds: float) -> None:
        """Count how long it took from a new spec until Ready was True for it."""


class Engine:
    """Keeps every owner of its kinds as its spec wants it, as long as `run` runs.

    The cache is the caller's, since the behaviours read it too; `now` is the wall clock, `rng` spreads delays.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        behaviours: Iterable[Behaviour[Any]],
        observer: Observer,
        *,
        now: Callable[[], datetime],
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.queue: WorkQueue[Ref] = WorkQueue(rng, waited=observer.waited)
        self._cache = cache
        self._informer = Informer(cache, self.queue)
        self._relists = Relists(cluster, cache, self.notify, observer)
        learn = self._informer.learn
        self._applier = Applier(cluster, cache, learn)
        tools = Tools(cluster, cache, learn, self._applier, Pruner(cluster), Events(cluster), Noting(observer), now)
        self._controllers = {behaviour.kind: Controller(behaviour, tools) for behaviour in behaviours}
        self._observer = observer
        self._convergence = Convergence(observer.became_ready)
        self._rng = rng

    def notify(self, manifest: Manifest, *, deleted: bool = False, listed: bool = False) -> None:
        """Take in an event of a watch, in the engine's own loop; `listed`: from the list that a watch begins with."""
        ref = ref_of(manifest)
        if listed and Use.WATCH in TABLE[ref.kind] and self._cache.get(ref) is not None:
            # The watch had to begin anew, and says nothing of what went away meanwhile.
            self._relists.ask(ref.kind)
        if deleted:
            self._applier.forget(ref)
        try:
            self._informer.notify(manifest, deleted=deleted)
        except Exception:
            # One odd object of somebody must not cost the watch, or the list, that tells of all the others.
            logger.exception("%s is not understood: nobody is told of it", ref)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())
            group.create_task(self._relists.run())

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._pass(key)
            finally:
                self.queue.done(key)

    async def _pass(self, key: Ref) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        error = ""
        owner = self._cache.get(key)
        self._convergence.look(key, owner)
        with pass_log(key, owner) as log:
            try:
                again_after = await self._reconcile(key)
            except Exception as failure:
                result, error = self._retry(key, failure, log, clock() - started), reason_of(failure)
            else:
                result = self._plan(key, again_after)
                self._tell(key, result, log, clock() - started)
        self._convergence.look(key, self._cache.get(key))
        self._observer.pass_ended(key, result, clock() - started, error)

    async def _reconcile(self, key: Ref) -> float | None:
        worker = asyncio.current_task()
        assert worker is not None
        try:
            async with asyncio.timeout(PASS_SECONDS):
                return await self._controllers[key.kind].reconcile(key)
        except asyncio.CancelledError as error:
            if worker.cancelling():
                raise
            # A task that ends so is missed by nobody: the worker would be gone.
            raise RuntimeError("a call was cancelled, and not the pass") from error

    def _tell(self, key: Ref, result: PassResult, log: PassLog, seconds: float) -> None:
        """Log a pass that changed something."""
        if log.changes:
            logger.info("%s: %s", key, log, extra={"outcome": result, "duration": round(seconds, 3)})

    def _plan(self, key: Ref, again_after: float | None) -> PassResult:
        if again_after is None:
            self.queue.forget(key)
            return PassResult.GONE
        self.queue.succeed(key, again_after_seconds=spread(again_after, self._rng))
        return PassResult.DONE

    def _retry(self, key: Ref, error: Exception, log: PassLog, seconds: float) -> PassResult:
        wish = error.retry_after_seconds if isinstance(error, Unavailable) else None
        delay = self.queue.fail(key, at_least_seconds=wish or 0.0)
        expected = isinstance(error, OperatorError | TimeoutError)
        result = PassResult.RETRIED if expected else PassResult.CRASHED
        told = str(error) or f"the pass took more than {PASS_SECONDS:.0f} s"
        words = f"{type(error).__name__}: {told}" if expected else "a fault of the operator"
        if log.changes:
            words += f", after this: {log}"
        level, trace = (logging.INFO, None) if expected else (logging.ERROR, error)
        fields = {"outcome": result, "duration": round(seconds, 3)}
        logger.log(level, "%s: %s; again in %.0f s", key, words, delay, exc_info=trace, extra=fields)
        return result

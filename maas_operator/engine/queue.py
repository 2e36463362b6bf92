"""A queue of keys by the contract of client-go: a key is worked on by one worker, and no change is ever missed.

The clock is the event loop's, so a loop with virtual time drives every delay.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

FIRST_BACK_OFF_SECONDS: Final = 1.0
LAST_BACK_OFF_SECONDS: Final = 300.0
JITTER: Final = 0.1

Key = TypeVar("Key", bound=Hashable)


def spread(seconds: float, rng: Callable[[], float]) -> float:
    """Move a delay by up to 10 % either way, so that keys which failed together do not return together."""
    return seconds * (1 + JITTER * (2 * rng() - 1))


class WorkQueue(Generic[Key]):
    """Keys that wait for a moment, for a worker, or for their own back-off.

    A pass sees all that is known when it starts. So it takes over whatever was planned for its key before, and what is
    added while it runs comes after it. `waited` is told how long each key was due before a worker took it.
    """

    def __init__(
        self, rng: Callable[[], float] = random.random, *, waited: Callable[[float], None] = lambda seconds: None
    ) -> None:
        self._rng = rng
        self._waited = waited
        # The loop keeps its timers in a heap: there is no need for one of our own.
        self._planned: dict[Key, asyncio.TimerHandle] = {}
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._ready_since: dict[Key, float] = {}
        self._running_since: dict[Key, float] = {}
        self._again: dict[Key, bool] = {}
        self._failures: dict[Key, int] = {}
        self._not_before: dict[Key, float] = {}
        self._unsuccessful_since: dict[Key, float] = {}

    def add(self, key: Key, *, after_seconds: float = 0.0, urgent: bool = False) -> None:
        """Have the key worked on after a delay; of several wishes the earliest wins.

        Only an urgent one ends a back-off; it knows no delay.
        """
        now = _now()
        self._unsuccessful_since.setdefault(key, now)
        if urgent:
            self._not_before.pop(key, None)
        due = now if urgent else max(now + after_seconds, self._not_before.get(key, now))
        planned = self._planned.get(key)
        if planned is not None:
            if planned.when() <= due and not urgent:
                return
            planned.cancel()
        self._planned[key] = asyncio.get_running_loop().call_at(due, self._arrive, key, urgent)

    async def get(self) -> Key:
        """Wait for a key that is due and give it to the caller, who says `succeed`, `fail` or `forget`, then `done`."""
        key = await self._ready.get()
        self._running_since[key] = now = _now()
        self._waited(now - self._ready_since.pop(key))
        planned = self._planned.pop(key, None)
        if planned is not None:
            planned.cancel()
        return key

    def succeed(self, key: Key, *, again_after_seconds: float) -> None:
        """End the key's back-off and plan its next pass."""
        self.forget(key)
        self.add(key, after_seconds=again_after_seconds)

    def fail(self, key: Key, *, at_least_seconds: float = 0.0) -> float:
        """Plan a repetition, later after each failure in a row; return the delay."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        # The exponent is bounded: a key may fail for months.
        delay = min(LAST_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2 ** min(failures - 1, 16))
        delay = max(spread(delay, self._rng), at_least_seconds)
        self._not_before[key] = _now() + delay
        self.add(key)
        return delay

    def forget(self, key: Key) -> None:
        """Drop the key's history."""
        self._unsuccessful_since.pop(key, None)
        self._failures.pop(key, None)
        self._not_before.pop(key, None)

    def done(self, key: Key) -> None:
        """Free the key for the next worker; what arrived for it meanwhile is due now, unless it failed."""
        del self._running_since[key]
        urgent = self._again.pop(key, None)
        if urgent is not None:
            self.add(key, urgent=urgent)

    @property
    def depth(self) -> int:
        """Count the keys that are due and wait for a worker."""
        return len(self._ready_since)

    @property
    def longest_wait_seconds(self) -> float:
        """Tell how long the oldest due key has been waiting for a worker."""
        return _age(self._ready_since)

    @property
    def longest_running_seconds(self) -> float:
        """Tell how long the oldest pass has been running."""
        return _age(self._running_since)

    @property
    def longest_unsuccessful_seconds(self) -> float:
        """Tell how long ago the last success of that key was which has been without one for longest."""
        return _age(self._unsuccessful_since)

    def _arrive(self, key: Key, urgent: bool) -> None:
        del self._planned[key]
        if key in self._running_since:
            self._again[key] = urgent or self._again.get(key, False)
        elif key not in self._ready_since:
            self._ready_since[key] = _now()
            self._ready.put_nowait(key)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _age(since: dict[Key, float]) -> float:
    return _now() - min(since.values(), default=_now())

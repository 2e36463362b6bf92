"""Answers that many want at the same moment: asked for once, and good for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Recent(Generic[Answer]):
    """An answer, and until when it is good."""

    answer: Answer
    until: datetime


class Shared(Generic[Key, Answer]):
    """Asks for each key once in a while; who asks meanwhile gets the same answer. What is raised is not kept."""

    def __init__(
        self, ask: Callable[[Key], Awaitable[Answer]], *, now: Callable[[], datetime], holds: timedelta
    ) -> None:
        self._ask = ask
        self._now = now
        self._holds = holds
        self._known: dict[Key, _Recent[Answer]] = {}
        self._locks: dict[Key, asyncio.Lock] = {}

    async def get(self, key: Key) -> Answer:
        """Return the answer for a key."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            recent = self._known.get(key)
            if recent is None or self._now() >= recent.until:
                self._drop_old()
                recent = self._known[key] = _Recent(await self._ask(key), self._now() + self._holds)
            return recent.answer

    def _drop_old(self) -> None:
        """Forget what is good no more: keys come and go with the objects that they are of."""
        self._known = {key: recent for key, recent in self._known.items() if self._now() < recent.until}
        self._locks = {key: lock for key, lock in self._locks.items() if lock.locked() or key in self._known}

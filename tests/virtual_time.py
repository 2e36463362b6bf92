"""An event loop whose clock jumps to the next timer as soon as nothing else is left to do.

Use it in a directory's conftest.py: `from tests.virtual_time import pytest_asyncio_loop_factories`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

import pytest

PATIENCE_SECONDS = 5.0
"""How long threads and sockets may take, in real time, when no timer is left."""


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of sleeping until the next timer, moves the clock there."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(PATIENCE_SECONDS if timeout is None else 0)
        if timeout is None and not ready:
            raise RuntimeError("every task waits and there is no timer: a deadlock")
        if not ready:
            self.now += timeout or 0.0
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Waits take no time, and their order is exact."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the asynchronous tests of a directory in virtual time."""
    return {"virtual": VirtualTimeLoop}


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


async def run_for(seconds: float, *coroutines: Any) -> None:
    """Run coroutines for a while, then cancel those that are still going."""
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except TimeoutError:
        pass

"""What keeps a process from writing that does not lead, or not any more."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TypeAlias

WriteSeconds: TypeAlias = Callable[[], float]
"""Tells for how long this process may write from now on; with nothing left it may not. Asked before each write."""


def always() -> float:
    """Allow every write: there is one process only."""
    return math.inf


class Fence:
    """Closed until it is opened for a while. Its clock is the loop's, which goes on while the process is stopped."""

    def __init__(self) -> None:
        self.until = -math.inf

    def __call__(self) -> float:
        """Be a `WriteSeconds`."""
        return self.until - asyncio.get_running_loop().time()

    def open_for_ever(self) -> None:
        """Allow all: there is one process only."""
        self.until = math.inf

    def close(self) -> None:
        """Allow nothing more."""
        self.until = -math.inf

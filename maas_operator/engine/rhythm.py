"""When to compare with 3scale: once in each resync, and more and more seldom while a difference comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .threescale import REGULARLY

DOUBLINGS: Final = 6
"""A difference that comes back is looked for later and later, at last five times a day."""


@dataclass(slots=True)
class Rhythm:
    """When the next comparison is due, and how often in a row one has found something."""

    due: datetime
    strikes: int = 0

    @classmethod
    def beginning(cls, now: datetime) -> Rhythm:
        """Begin with a whole interval: a process that starts has no reason to hurry."""
        return cls(now + REGULARLY)

    def postpone(self, now: datetime) -> None:
        """Look again in the next resync."""
        self.due = now + REGULARLY

    def note(self, now: datetime, *, differs: bool) -> None:
        """Take account of what a comparison found."""
        self.strikes = min(self.strikes + 1, DOUBLINGS) if differs else 0
        self.due = now + REGULARLY * 2 ** max(self.strikes - 1, 0)

"""What 3scale itself has of one subscription, and what of that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAccess:
    """An application as its subscription sees it; `has_key` tells whether it has the subscription's key."""

    plan_id: int
    state: str
    has_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a comparison with 3scale found.

    `edited_at`: when the application was last found on another plan, or gone.
    `lost_at`: when the account's user was last found gone, or the account with it.
    `suspended`: a person has suspended the application in 3scale.
    `other_key`: the application has another key than ours, as of this pass.
    """

    edited_at: datetime | None = None
    lost_at: datetime | None = None
    suspended: bool = False
    other_key: bool = False


NOTHING_FOUND: Final = Findings()

"""How long it takes from a new spec until the owner is ready by it, as this process saw it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from maas_operator.api.reasons import ConditionType
from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import is_fresh, true_conditions


@dataclass(frozen=True, slots=True)
class _Begun:
    generation: int
    at: float


class Convergence:
    """Remembers since when each owner has a spec by which it was not ready yet."""

    def __init__(self, became_ready: Callable[[Kind, float], None]) -> None:
        self._became_ready = became_ready
        self._begun: dict[Ref, _Begun] = {}

    def look(self, key: Ref, owner: Manifest | None) -> None:
        """Take in an owner as it is before or after a pass; None if it is gone."""
        if owner is None or "deletionTimestamp" in owner["metadata"]:
            self._begun.pop(key, None)
            return
        generation, begun = owner["metadata"]["generation"], self._begun.get(key)
        if not is_fresh(owner):
            if begun is None or begun.generation != generation:
                self._begun[key] = _Begun(generation, _now())
        elif begun is not None and ConditionType.READY in true_conditions(owner):
            del self._begun[key]
            self._became_ready(key.kind, _now() - begun.at)


def _now() -> float:
    return asyncio.get_running_loop().time()

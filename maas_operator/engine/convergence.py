"""How long it takes from a new spec until the owner is ready by it, as this process saw it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from maas_operator.api.reasons import ConditionType
from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of


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
        if status_of(owner).get("observedGeneration") != generation:
            if begun is None or begun.generation != generation:
                self._begun[key] = _Begun(generation, _now())
        elif begun is not None and _is_ready(owner):
            del self._begun[key]
            self._became_ready(key.kind, _now() - begun.at)


def _is_ready(owner: Manifest) -> bool:
    conditions = status_of(owner).get("conditions") or ()
    return any(one["type"] == ConditionType.READY and one["status"] == "True" for one in conditions)


def _now() -> float:
    return asyncio.get_running_loop().time()

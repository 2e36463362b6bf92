"""What the log tells of a pass: whose it is, on each line that is written meanwhile, and at its end what it changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from maas_operator.domain.objects import Manifest, Ref

from .applier import Applied, ApplyObserver

TOLD: Final = 20
"""How many changes one line tells."""
_CHANGES: Final = frozenset(
    {Applied.CREATED, Applied.CHANGED, Applied.CORRECTED, Applied.CORRECTED_IN_3SCALE, Applied.DELETED}
)


@dataclass(frozen=True, slots=True)
class PassLog:
    """The pass that runs: the fields of its lines, and what it has changed so far."""

    fields: Mapping[str, object]
    changes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = len(self.changes) - TOLD
        return ", ".join(self.changes[:TOLD]) + (f" and {more} more" if more > 0 else "")


_current: Final[ContextVar[PassLog | None]] = ContextVar("pass_log", default=None)


@contextmanager
def pass_log(key: Ref, owner: Manifest | None) -> Iterator[PassLog]:
    """Have what is logged and changed meanwhile, in this task, belong to a pass over this owner."""
    generation = owner["metadata"].get("generation") if owner is not None else None
    log = PassLog(
        {
            "kind": key.kind.name,
            "namespace": key.namespace,
            "name": key.name,
            "generation": generation,
            "reconcileID": str(uuid4()),
        }
    )
    token = _current.set(log)
    try:
        yield log
    finally:
        _current.reset(token)


def changed(what: str) -> None:
    """Note what the pass that runs has changed."""
    log = _current.get()
    if log is not None:
        log.changes.append(what)


def pass_fields() -> Mapping[str, object]:
    """Return the fields of the pass that runs; none outside of a pass."""
    log = _current.get()
    return log.fields if log is not None else {}


class Noting:
    """An observer of children that also notes for the log what has changed."""

    def __init__(self, observer: ApplyObserver) -> None:
        self._observer = observer

    def child_applied(self, ref: Ref, applied: Applied) -> None:
        """Count it, and note it."""
        self._observer.child_applied(ref, applied)
        if applied in _CHANGES:
            changed(f"{applied.replace('_', ' ')} {ref}")

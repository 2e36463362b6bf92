"""What is certain of the answers that nobody gives in a rehearsal."""

from __future__ import annotations

from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import is_fresh, status_of


def expected(before: Manifest | None, after: Manifest) -> Manifest:
    """Return an object as its controller will have seen it, if it had seen the one before; ids and words stay."""
    if before is None or not is_fresh(before):
        return after
    seen = {**status_of(after), "observedGeneration": after["metadata"].get("generation")}
    return after | {"status": seen}

"""What an owner under deletion says of the children that are left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from maas_operator.api.meta import Child

from .child_state import describe
from .objects import Manifest, Ref, ref_of


def out_of_reach(inventory: Iterable[Child], namespaces: Collection[str]) -> tuple[str, ...]:
    """Return the namespaces of children in which nothing may be deleted (design rule 5): no ModelPlatform names them.

    To let the owner go then would leave them behind for ever.
    """
    return tuple(sorted({child.namespace for child in inventory} - set(namespaces)))


def farewell(
    remaining: Iterable[Manifest], unreachable: Collection[str], withheld: Mapping[Ref, str] | None = None
) -> str:
    """Say what an owner waits for before it goes; `withheld`: what 3scale still has of a child, and why."""
    left = ", ".join(_described(child, withheld or {}) for child in remaining)
    if left:
        return f"waiting for {left} to be deleted"
    if unreachable:
        return (
            f"no ModelPlatform has the 3scale namespace {', '.join(unreachable)}, where children of this object are:"
            " create it again, so that they can be deleted"
        )
    return "everything is deleted"


def _described(child: Manifest, withheld: Mapping[Ref, str]) -> str:
    words = withheld.get(ref_of(child))
    return f"{ref_of(child)} ({words})" if words else describe(child)

"""The end of an owner: what is left of it, what keeps that from going, and when the owner itself is let go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from maas_operator.api.meta import Child
from maas_operator.api.reasons import Reason

from .child_state import describe, state_of
from .conditions import Verdict, false
from .decision import World
from .kinds import DEVELOPER_ACCOUNT, OUTLIVED, PRODUCT, Kind, kind_of
from .labels import FORCE_DELETE, annotations_of
from .objects import Manifest, Ref, ref_of

_SILENCE: Final = timedelta(minutes=1)
"""How long the 3scale-operator may take for a deletion before we say that it does."""
_NAMED: Final = 3
_HINTS: Final[Mapping[Kind, str]] = {
    PRODUCT: "3scale keeps a tenant's default product, and its last one: make another one the default, or keep this",
    DEVELOPER_ACCOUNT: "3scale keeps an account with unresolved invoices: resolve them in its admin portal",
}
"""What may be behind a refusal that does not say so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacles:
    """What keeps 3scale from deleting.

    `missing`: the provider account Secrets that are not there.
    `problem`: why 3scale's Admin API can not be used, in its words; empty if it can.
    `words`: what the 3scale-operator said, and when, of an object that it could not delete.
    """

    missing: frozenset[Ref] = frozenset()
    problem: str = ""
    words: Mapping[Ref, str] = field(default_factory=dict)


NO_OBSTACLES: Final = Obstacles()


def refs_of(inventory: Iterable[Child]) -> frozenset[Ref]:
    """Return the addresses of an inventory's children."""
    return frozenset(Ref(kind_of(child.api_version, child.kind), child.namespace, child.name) for child in inventory)


def is_forced(owner: Manifest) -> bool:
    """Tell whether somebody wants an owner gone whatever is left of it."""
    return annotations_of(owner).get(FORCE_DELETE) == "true"


def is_of_3scale(kind: Kind) -> bool:
    """Tell whether objects of a kind are deleted by the 3scale-operator."""
    return kind.group == PRODUCT.group and kind not in OUTLIVED


@dataclass(frozen=True, kw_only=True)
class Farewell:
    """The end of one owner. `inventory`: its children by its status; `namespaces`: where they may be deleted."""

    world: World
    inventory: frozenset[Ref]
    namespaces: Collection[str]
    obstacles: Obstacles

    @property
    def forced(self) -> bool:
        """Tell whether the owner goes with this pass, whatever is left."""
        return is_forced(self.world.owner)

    @property
    def held(self) -> frozenset[Ref]:
        """Return what may not be deleted now.

        Without its provider account the 3scale-operator lets an object go, and leaves in 3scale what that stood for.
        """
        if self.forced:
            return frozenset()
        namespaces = {ref.namespace for ref in self.obstacles.missing}
        return frozenset(ref for ref in self.inventory | self.world.seen.keys() if ref.namespace in namespaces)

    @cached_property
    def unreachable(self) -> tuple[str, ...]:
        """Return the namespaces of children in which nothing may be deleted (design rule 5).

        No ModelPlatform names them. To let the owner go then would leave its children behind for ever.
        """
        return tuple(sorted({ref.namespace for ref in self.inventory} - set(self.namespaces)))

    @property
    def releasable(self) -> bool:
        """Tell whether the owner may go once its children are gone."""
        return not (self.held or self.unreachable)

    @property
    def verdict(self) -> Verdict:
        """Say what the owner waits for, and what keeps that from happening."""
        causes = (_secret_missing, _api_problem, _refused, _silent)
        cause = next((words for find in causes if (words := find(self))), "")
        left = ", ".join(self._described(child) for child in self.world.remaining)
        waiting = f"waiting for {left} to be deleted" if left else ""
        if cause or any(state_of(child).reason == Reason.DELETION_BLOCKED for child in self.world.remaining):
            return false(Reason.DELETION_BLOCKED, "; ".join(filter(None, (cause, waiting))))
        return false(Reason.DELETING, waiting or self._rest)

    def _described(self, child: Manifest) -> str:
        words = self.world.withheld.get(ref_of(child))
        return f"{ref_of(child)} ({words})" if words else describe(child)

    @property
    def _rest(self) -> str:
        if not self.unreachable:
            return "everything is deleted"
        return (
            f"no ModelPlatform has the 3scale namespace {', '.join(self.unreachable)}, where children of this object"
            " are: create it again, so that they can be deleted"
        )

    @property
    def stuck(self) -> list[Manifest]:
        """Return the objects that the 3scale-operator has to delete."""
        return [child for child in self.world.remaining if is_of_3scale(ref_of(child).kind)]


def _secret_missing(farewell: Farewell) -> str:
    held = sorted(ref for ref in farewell.held if is_of_3scale(ref.kind))
    if not held:
        return ""
    secrets = ", ".join(map(str, sorted(farewell.obstacles.missing)))
    more = " and others" if len(held) > _NAMED else ""
    return (
        f"{secrets} does not exist, and without this provider account the 3scale-operator would leave behind in 3scale"
        f" what {', '.join(map(str, held[:_NAMED]))}{more} stand for: create it again; deleting goes on by itself"
    )


def _api_problem(farewell: Farewell) -> str:
    if not farewell.stuck or not farewell.obstacles.problem:
        return ""
    first = ref_of(farewell.stuck[0])
    return f"3scale can not delete {first}: {farewell.obstacles.problem}; deleting goes on by itself when it can"


def _refused(farewell: Farewell) -> str:
    for ref in map(ref_of, farewell.stuck):
        if (words := farewell.obstacles.words.get(ref)) is not None:
            hint = f"; {_HINTS[ref.kind]}" if ref.kind in _HINTS else ""
            return f"{ref}: the 3scale-operator said {words}{hint}"
    return ""


def _silent(farewell: Farewell) -> str:
    for child in farewell.stuck:
        since = child["metadata"].get("deletionTimestamp")
        if since is not None and farewell.world.now >= datetime.fromisoformat(since) + _SILENCE:
            ref = ref_of(child)
            return (
                f"{ref} is to be deleted since {since}, and the 3scale-operator does not say why it is still there:"
                f" check that it runs, that it watches the namespace {ref.namespace}, and its log"
            )
    return ""

"""The contract between the pure domain and the engine: a world goes in, a decision comes out.

One pass of the engine calls `decide(world)` again each time the API has answered the children that it asked for, until
it asks for nothing new; then it prunes, and calls it once more for the conditions, with `remaining` filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .conditions import Condition
from .objects import NO_CHILDREN, Children, Manifest, Ref
from .plan.changes import Write


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An application of 3scale, by its account's id and its own, that is to be accepted."""

    account_id: int
    application_id: int


@dataclass(frozen=True, kw_only=True)
class World:
    """All that one pass knows: the owner, its children as the API answered them in this pass, and the time.

    `seen`: the owner's children as the cache had them before the pass: good for telling, not for acting.
    `remaining`: objects of this owner that are not wanted any more and are still there, as read live.
    `withheld`: children under deletion whose object in 3scale is still there, and why.
    `rehearsed`: nothing is written in this pass: `children` are as they would be, and nobody answers for new ones.
    `gone`: what the passes before this one would have deleted, in a rehearsal of several.
    `pending`: in a pass that only observes, the writes that it rehearsed; `children` are as they are.
    `accepted`: what 3scale said to the decision's `accept`: nothing, or why not; None while it was not asked.
    """

    owner: Manifest
    now: datetime
    children: Children = NO_CHILDREN
    seen: Mapping[Ref, Manifest] = field(default_factory=dict)
    remaining: tuple[Manifest, ...] = ()
    withheld: Mapping[Ref, str] = field(default_factory=dict)
    accepted: str | None = None
    rehearsed: bool = False
    gone: frozenset[Ref] = frozenset()
    pending: tuple[Write, ...] = ()

    def child(self, ref: Ref) -> Manifest | None:
        """Return a child as this pass wrote it, or else as it was before; None if neither is known."""
        return self.children.get(ref) or self.seen.get(ref)

    @property
    def deleting(self) -> bool:
        """Tell whether the owner is being deleted."""
        return "deletionTimestamp" in self.owner["metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildState:
    """Whether a child does its work; if not, why in one word, and in the words of the controller that owns it.

    `failed` tells a fault from a mere wait.
    """

    ready: bool
    failed: bool = False
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Patch:
    """A JSON patch of somebody else's object, which must still be at the version that was read."""

    ref: Ref
    resource_version: str
    operations: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation that is to be ours on somebody else's object, which has this uid; no other field of it is."""

    ref: Ref
    uid: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What must be true after this pass.

    `children`: the objects that must exist, in the order of their writing. Objects of this owner that are not among
        them are deleted, unless `prune` is False (paused, or part of the spec could not be rendered).
    `accept`: an application that 3scale must accept; done once in a pass, before the children.
    `patches`: changes to others' objects, made after the children are written; the reply is among the world's children.
    `keep`: children that are neither written nor deleted in this pass.
    `drop`: objects that this owner shares and must take along when it leaves, each with the uid of their true owner,
        which their labels must show.
    `sweep`: objects that KServe has made of a child of ours and forgets to delete, each with the uid of that child,
        which must still control them.
    `namespaces`: where children may live; nothing is deleted elsewhere (design rule 5).
    `status`: the kind's own status fields, without conditions, children and observedGeneration.
    `releasable`: False holds the finalizer of an owner under deletion although its children are gone.
    `forced`: the owner under deletion goes with this pass; deletions are asked for at once, and not waited for.
    `wake_after`: look again then, even if nothing happens; None = only at the next resync.
    """

    conditions: tuple[Condition, ...]
    children: tuple[Manifest, ...] = ()
    accept: Acceptance | None = None
    patches: tuple[Patch | Annotation, ...] = ()
    prune: bool = True
    keep: frozenset[Ref] = frozenset()
    drop: Mapping[Ref, str] = field(default_factory=dict)
    sweep: Mapping[Ref, str] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    status: Mapping[str, Any] = field(default_factory=dict)
    releasable: bool = True
    forced: bool = False
    wake_after: timedelta | None = None

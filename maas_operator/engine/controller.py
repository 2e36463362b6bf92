"""The one pass over one owner, the same for each kind, and what follows from its errors.

    gather the world -> decide and apply until nothing new is asked for -> prune -> decide again -> write the status

Each step may be the last one before a crash: the next pass begins anew and ends in the same state.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_service import ManagementPolicy
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, shorten
from maas_operator.domain.decision import Acceptance, Annotation, Decision, Patch, World
from maas_operator.domain.kinds import OUTLIVED, Kind
from maas_operator.domain.labels import FINALIZER, is_owned_by
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, ref_of
from maas_operator.domain.observed import status_of

from .applier import Applied, Applier, ApplyObserver, Learn, Outcome
from .cache import Cache, version_of, without_managed_fields
from .cluster import FINALIZER_MANAGER, STATUS_MANAGER, Cluster
from .errors import ApiError, Conflict, InvalidSpec, NotFound, OperatorError, Rejected
from .events import Events
from .pass_log import changed
from .pruner import Pruned, Pruner
from .rehearsal import NobodyCounts, Rehearsal
from .status import APPLIED_HASH, Status, inventory_of, merge, same, status_after, with_intents, without_hashes

RESYNC_SECONDS: Final = 600.0
REFUSED_SECONDS: Final = 60.0
GOING_SECONDS: Final = 15.0
ROUNDS: Final = 30
"""More than any kind has stages: beyond it, `decide` wants something else each time it is asked."""

logger = logging.getLogger(__name__)

AnyWorld = TypeVar("AnyWorld", bound=World)


@dataclass(frozen=True, slots=True)
class Behaviour(Generic[AnyWorld]):
    """What makes a kind of owner: how its world is gathered, and what follows from it."""

    kind: Kind
    gather: Callable[[Manifest], Awaitable[AnyWorld]]
    decide: Callable[[AnyWorld], Decision]
    accept: Callable[[AnyWorld, Acceptance], Awaitable[str]] | None = None
    """Has 3scale accept an application; returns nothing, or why that failed."""
    withdraw: Callable[[AnyWorld, Manifest], Awaitable[str]] | None = None
    """Deletes in 3scale what a child under deletion would leave there; returns nothing, or why it is still there."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all passes share; `now` is the wall clock."""

    cluster: Cluster
    cache: Cache
    learn: Learn
    applier: Applier
    pruner: Pruner
    events: Events
    observer: ApplyObserver
    now: Callable[[], datetime]

    def rehearsing(self, rehearsal: Rehearsal, learn: Learn = lambda manifest, by: None) -> Tools:
        """Return the tools of a pass that writes nothing."""
        applier = Applier(rehearsal, self.cache, learn, believes=False)
        return replace(
            self, cluster=rehearsal, learn=learn, applier=applier, pruner=Pruner(rehearsal), observer=NobodyCounts()
        )


class OwnerChanged(OperatorError):
    """The owner is not as the pass believed: `live` is, or it is gone."""

    def __init__(self, live: Manifest | None) -> None:
        super().__init__("the owner has changed")
        self.live = live


class Controller(Generic[AnyWorld]):
    """Runs passes over the owners of one kind, and decides between retry, refusal and stall."""

    def __init__(self, behaviour: Behaviour[AnyWorld], tools: Tools) -> None:
        self._behaviour = behaviour
        self._tools = tools

    async def reconcile(self, key: Ref) -> float | None:
        """Run one pass; return after how many seconds to look again, None if there is no such owner any more.

        What is raised is a reason to try again later.
        """
        owner = self._tools.cache.get(key)
        try:
            if owner is None:
                return await self._run(await self._read(key), proven=True)
            try:
                return await self._run(owner, proven=False)
            except OwnerChanged as change:
                return await self._run(change.live, proven=True)
        except InvalidSpec as error:
            await self._confess(key, Reason.INVALID_SPEC, str(error))
            raise
        except OperatorError:
            raise
        except Exception as error:
            # Nobody thought of this one. The key alone suffers, and its owner can read that it does.
            # The exception's own words may quote what must not be public.
            message = f"the operator failed with {type(error).__name__}; its log has the rest"
            await self._confess(key, Reason.INTERNAL_ERROR, message)
            raise

    async def _run(self, owner: Manifest | None, *, proven: bool) -> float | None:
        if owner is None or _is_released(owner):
            return None
        return await Pass(self._behaviour, self._tools, owner, proven=proven).run()

    async def _read(self, key: Ref) -> Manifest | None:
        try:
            return without_managed_fields(await self._tools.cluster.get(key))
        except NotFound:
            return None

    async def _confess(self, key: Ref, reason: Reason, message: str) -> None:
        try:
            owner, now = await self._read(key), self._tools.now()
            status = _status_of_failure(owner, reason, message, now) if owner is not None else {}
            if owner is not None and not same(status, status_of(owner)):
                await _tell(self._tools, await _write_status(self._tools, owner, status), status_of(owner), now)
        except ApiError as second:
            logger.warning("%s: the failure can not be told: %s", key, second)


class Pass(Generic[AnyWorld]):
    """One pass: what it has learned so far, and what is left to do.

    `proven`: the owner was read live. Otherwise it is read before the first write to anything but its own status,
    since a ghost must never write.
    """

    def __init__(self, behaviour: Behaviour[AnyWorld], tools: Tools, owner: Manifest, *, proven: bool) -> None:
        self._behaviour = behaviour
        self._tools = tools
        self._owner = owner
        self._begun = owner
        self._key = ref_of(owner)
        self._proven = proven
        self._live: dict[Ref, Manifest] = {}
        self._hashes: dict[Ref, str] = {}
        self._refused: dict[Ref, Refusal] = {}
        self._asked: dict[Ref, Manifest] = {}
        self._accepted: str | None = None
        self._withheld: dict[Ref, str] = {}
        self._patched: list[Patch | Annotation] = []
        self._going = False
        self._gone: set[Ref] = set()

    async def run(self) -> float | None:
        """Run it; return after how many seconds to look again, None if the owner is let go."""
        if "deletionTimestamp" not in self._owner["metadata"]:
            if _is_observed(self._owner):
                return await self._observe()
            await self._hold()
        world = await self._behaviour.gather(self._owner)
        decision = await self._settle(world)
        if decision.prune:
            await self._withdraw(world)
        pruned = await self._prune(decision)
        if pruned is not None:
            decision = self._decide(world, tuple(pruned.remaining.values()))
        left = _left(pruned)
        if world.deleting and decision.prune and (decision.forced or (decision.releasable and not left)):
            await self._give_up(world, left)
            unreachable = [ref for ref in inventory_of(self._owner) if ref.namespace not in decision.namespaces]
            await self._release([*left, *unreachable], world.now)
            return None
        status = status_after(self._owner, decision, self._children(), left, world.now, self._hashes)
        await self._write_status(status, world.now)
        return self._next(decision, waits=self._going or bool(left))

    async def rehearse(self, world: AnyWorld) -> Decision:
        """Run it with tools that write nothing, up to the status, and return what was decided at last.

        What is deleted makes room for more: then it is run again, as the next pass would be.
        """
        for _ in range(ROUNDS):
            seen = {ref: one for ref, one in world.seen.items() if ref not in self._gone}
            world = replace(world, rehearsed=True, seen=seen, gone=frozenset(self._gone))
            decision = await self._settle(world)
            await self._prune(decision)
            if world.gone == self._gone:
                return decision
        raise RuntimeError(f"the rehearsal of {self._key} does not settle")

    @property
    def refused(self) -> Mapping[Ref, Refusal]:
        """Return what could not be written."""
        return self._refused

    async def _observe(self) -> float:
        """Change nothing but the status: it tells what is there, and what an active pass would change."""
        world = await self._behaviour.gather(self._owner)
        rehearsal = Rehearsal(self._tools.cluster)
        asks_nobody = replace(self._behaviour, accept=None)
        trial = Pass(asks_nobody, self._tools.rehearsing(rehearsal), self._owner, proven=True)
        await trial.rehearse(world)
        self._live, self._refused = rehearsal.live, dict(trial.refused)
        decision = self._decide(replace(world, pending=rehearsal.writes))
        # The inventory says what there is; what is wanted and what is not wanted any more are pending alike.
        uid = self._owner["metadata"]["uid"]
        told = replace(
            decision, children=tuple(one for one in self._live.values() if is_owned_by(one, uid)), prune=False
        )
        await self._write_status(status_after(self._owner, told, self._children(), {}, world.now, {}), world.now)
        return self._next(decision, waits=False)

    async def guard(self) -> None:
        """Prove, once in a pass, that the owner is as this pass believes."""
        if self._proven:
            return
        try:
            live = without_managed_fields(await self._tools.cluster.get(self._key))
        except NotFound:
            # It leaves the cache when the watch says so: that event wakes who waits for its end.
            raise OwnerChanged(None) from None
        if version_of(live) != version_of(self._owner):
            self._tools.learn(live, self._key)
            raise OwnerChanged(live)
        self._proven = True

    async def _settle(self, world: AnyWorld) -> Decision:
        for _ in range(ROUNDS):
            decision = self._decide(world)
            if await self._accept(world, decision):
                continue
            new = [child for child in decision.children if self._asked.get(ref_of(child)) != child]
            patches = [patch for patch in decision.patches if patch not in self._patched]
            if not new and not patches:
                return decision
            await self._announce(new)
            for child in new:
                await self._apply(child)
            for patch in patches:
                await self._patch(patch)
        raise RuntimeError(f"the decision on {self._key} does not settle")

    async def _accept(self, world: AnyWorld, decision: Decision) -> bool:
        if decision.accept is None or self._accepted is not None or self._behaviour.accept is None:
            return False
        await self.guard()
        self._accepted = await self._behaviour.accept(world, decision.accept)
        return True

    def _decide(self, world: AnyWorld, remaining: tuple[Manifest, ...] = ()) -> Decision:
        known = replace(
            world,
            children=self._children(),
            remaining=remaining,
            withheld=dict(self._withheld),
            accepted=self._accepted,
        )
        return self._behaviour.decide(known)

    def _children(self) -> Children:
        return Children(dict(self._live), dict(self._refused))

    async def _announce(self, new: list[Manifest]) -> None:
        """Write into the inventory what is about to be made, so that no crash can forget it."""
        status = with_intents(self._owner, map(ref_of, new))
        if status is not None:
            await self._write_status(status)

    async def _apply(self, child: Manifest) -> None:
        ref = ref_of(child)
        self._asked[ref] = child
        # What is written in this pass is not told any more: what is not can be recalled all the same.
        outcome = await self._tools.applier.apply(self._begun, child, partial(self._before_write, ref))
        self._note(ref, outcome)

    async def _before_write(self, ref: Ref) -> None:
        """Have the inventory not tell what was written there, so that no crash leaves it telling what is not so."""
        await self.guard()
        if APPLIED_HASH not in inventory_of(self._owner).get(ref, {}):
            return
        try:
            await self._write_status(without_hashes(self._owner))
        except (Conflict, NotFound):
            # That is about the owner, and not about the child.
            self._proven = False
            await self.guard()
            raise

    async def _patch(self, patch: Patch | Annotation) -> None:
        self._patched.append(patch)
        self._note(patch.ref, await self._tools.applier.patch(self._owner, patch, self.guard))

    def _note(self, ref: Ref, outcome: Outcome) -> None:
        self._tools.observer.child_applied(ref, outcome.applied)
        self._live.pop(ref, None)
        self._refused.pop(ref, None)
        if outcome.live is not None:
            self._live[ref] = outcome.live
            if outcome.hash:
                self._hashes[ref] = outcome.hash
        elif outcome.refusal is not None:
            self._refused[ref] = outcome.refusal
        else:
            self._going = True

    async def _withdraw(self, world: AnyWorld) -> None:
        """Let go of the children under deletion that we hold, each when nothing of it is left in 3scale."""
        uid = self._owner["metadata"]["uid"]
        going = [ref_of(child) for child in self._tools.cache.owned_by(uid) if _is_held(child)]
        proven = [await self._tools.pruner.proven(ref, uid) for ref in going]
        for live in [one for one in proven if one is not None and _is_held(one)]:
            await self.guard()
            await self._let_go(world, ref_of(live), live)

    async def _give_up(self, world: AnyWorld, left: Mapping[Ref, Manifest | None]) -> None:
        """Let go of what we hold although 3scale may still have something of it: its owner is forced out."""
        for ref, live in left.items():
            if live is not None and _is_held(live):
                await self._let_go(world, ref, live, forced=True)

    async def _let_go(self, world: AnyWorld, ref: Ref, live: Manifest, *, forced: bool = False) -> None:
        assert self._behaviour.withdraw is not None, "only kinds that know how to have such children"
        words = await self._behaviour.withdraw(world, live)
        if words and not forced:
            self._withheld[ref] = words
            return
        await self._remove_finalizer(ref, live)

    async def _prune(self, decision: Decision) -> Pruned | None:
        if not decision.prune:
            return None
        self._refused |= await self._tools.pruner.sweep(decision.sweep, decision.namespaces, self.guard)
        uid = self._owner["metadata"]["uid"]
        owned = {ref_of(child) for child in self._tools.cache.owned_by(uid)} | inventory_of(self._owner).keys()
        spared = {ref_of(child) for child in decision.children} | decision.keep
        unwanted = dict.fromkeys(sorted(owned - spared), uid) | dict(decision.drop)
        if not unwanted:
            return None
        pruned = await self._tools.pruner.prune(unwanted, decision.namespaces, self.guard, at_once=decision.forced)
        self._refused |= pruned.refused
        for ref in pruned.deleted:
            self._tools.observer.child_applied(ref, Applied.DELETED)
        gone = unwanted.keys() - pruned.remaining.keys()
        self._gone |= gone - pruned.refused.keys()
        for ref in gone:
            self._tools.applier.forget(ref)
        return pruned

    async def _write_status(self, status: Status, now: datetime | None = None) -> None:
        if same(status, status_of(self._owner)):
            return
        before = status_of(self._owner)
        try:
            self._owner = await _write_status(self._tools, self._owner, status)
        except (Conflict, NotFound, Rejected):
            await self.guard()
            raise
        # The API takes it for the version that this pass believes in, and for no other: that is proof as well.
        self._proven = True
        if now is not None:
            await _tell(self._tools, self._owner, before, now)

    async def _hold(self) -> None:
        if _has_our_finalizer(self._owner):
            return
        await self.guard()
        manifest = _identity(self._owner)
        manifest["metadata"]["finalizers"] = [FINALIZER]
        self._owner = without_managed_fields(await self._tools.cluster.apply(manifest, manager=FINALIZER_MANAGER))
        self._tools.learn(self._owner, self._key)

    async def _release(self, left: Collection[Ref], now: datetime) -> None:
        await self.guard()
        if left:
            await self._tools.events.tell_left_behind(self._owner, left, now)
        reply = await self._tools.cluster.apply(_identity(self._owner), manager=FINALIZER_MANAGER)
        if _has_our_finalizer(reply):
            # Somebody has brought it back from a copy, and so has written our finalizer, too.
            reply = await self._remove_finalizer(self._key, reply)
        self._tools.learn(without_managed_fields(reply), self._key)
        changed("let go")

    async def _remove_finalizer(self, ref: Ref, live: Manifest) -> Manifest:
        others = [name for name in live["metadata"]["finalizers"] if name != FINALIZER]
        patch = {"op": "replace", "path": "/metadata/finalizers", "value": others}
        return await self._tools.cluster.json_patch(ref, [patch], resource_version=version_of(live))

    def _next(self, decision: Decision, *, waits: bool) -> float:
        wishes = [RESYNC_SECONDS]
        if decision.wake_after is not None:
            wishes.append(decision.wake_after.total_seconds())
        if self._refused:
            wishes.append(REFUSED_SECONDS)
        if waits:
            wishes.append(GOING_SECONDS)
        return min(wishes)


async def _write_status(tools: Tools, owner: Manifest, status: Status) -> Manifest:
    manifest = _identity(owner) | {"status": status}
    reply = await tools.cluster.apply(manifest, manager=STATUS_MANAGER, subresource="status")
    live = without_managed_fields(reply)
    tools.learn(live, ref_of(live))
    return live


def _status_of_failure(owner: Manifest, reason: Reason, message: str, now: datetime) -> dict[str, Any]:
    truths = {ConditionType.READY: ConditionStatus.FALSE, ConditionType.STALLED: ConditionStatus.TRUE}
    told = [Condition(type_, truth, reason, shorten(message)) for type_, truth in truths.items()]
    before = status_of(owner).get("conditions", ())
    generation = owner["metadata"]["generation"]
    others = [condition for condition in before if condition["type"] not in truths]
    conditions = merge(before, told, generation, now)
    return {**status_of(owner), "observedGeneration": generation, "conditions": [*conditions, *others]}


async def _tell(tools: Tools, owner: Manifest, before: Status, now: datetime) -> None:
    """Tell what has become of the conditions by a new status: in the log, and in Events."""
    old, new = before.get("conditions", ()), status_of(owner).get("conditions", ())
    known = {(one["type"], one["status"], one["reason"]) for one in old}
    for one in new:
        # Reconciling repeats the reason of Ready.
        news = (one["type"], one["status"], one["reason"]) not in known
        if news and one["type"] != ConditionType.RECONCILING:
            changed(f"{one['type']} is {one['status']} ({one['reason']})")
    await tools.events.tell_transitions(owner, old, new, now)


def _left(pruned: Pruned | None) -> Mapping[Ref, Manifest | None]:
    """Return what is not gone: what is there, and what nobody could look at."""
    return {**dict.fromkeys(pruned.refused), **pruned.remaining} if pruned is not None else {}


def _is_held(child: Manifest) -> bool:
    """Tell whether a child is being deleted and stays since we hold it for what it left in 3scale."""
    return ref_of(child).kind in OUTLIVED and "deletionTimestamp" in child["metadata"] and _has_our_finalizer(child)


def _is_observed(owner: Manifest) -> bool:
    return bool(owner.get("spec", {}).get("managementPolicy") == ManagementPolicy.OBSERVE)


def _is_released(owner: Manifest) -> bool:
    return "deletionTimestamp" in owner["metadata"] and not _has_our_finalizer(owner)


def _has_our_finalizer(manifest: Manifest) -> bool:
    # Where an apply took out the last one, older servers say null.
    return FINALIZER in (manifest["metadata"].get("finalizers") or ())


def _identity(owner: Manifest) -> Manifest:
    """Return what an apply must carry to change this very version of the owner, and none that nobody has looked at."""
    names = ("name", "namespace", "uid", "resourceVersion")
    metadata = {name: owner["metadata"][name] for name in names if name in owner["metadata"]}
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "metadata": metadata}

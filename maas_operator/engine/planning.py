"""From files to a plan: each object over what is there, and then a rehearsal of each pass that this brings about.

It writes nothing, so that it can run beside the operator. 3scale itself is not asked: only Kubernetes is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy
from maas_operator.domain.decision import Decision, World
from maas_operator.domain.kinds import (
    API_MANAGER,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    ROUTE,
    TABLE,
    Kind,
    Use,
)
from maas_operator.domain.labels import MANAGED_BY, OPERATOR
from maas_operator.domain.metering.package import wanted_version
from maas_operator.domain.model_service import ModelServiceWorld, what_follows
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.plan.changes import Write, changes
from maas_operator.domain.plan.consequences import Consequence, consequences
from maas_operator.domain.plan.expectation import ready_platform
from maas_operator.domain.plan.overlay import applier_of, last_applied, three_way
from maas_operator.domain.plan.plan import Plan, Problem, problems

from .applier import Applier
from .cache import Cache, without_managed_fields
from .caller import Caller, NotAllowed
from .cluster import MANAGER, Cluster
from .controller import Behaviour, Pass, Tools
from .errors import KindNotServed, NotFound
from .events import Events
from .gather import Gatherer, read
from .inquiries import Inquiries
from .lookup import Lookup
from .packed_policy import packed_policy
from .pruner import Pruner
from .rehearsal import NobodyCounts, Rehearsal
from .triggers import references
from .unasked import Unasked

_ORDER: Final = (MODEL_PLATFORM, MODEL_SERVICE, MODEL_SUBSCRIPTION)
_CHILDREN: Final = tuple(kind for kind, use in TABLE.items() if Use.WRITE | Use.WATCH in use and kind not in _ORDER)

Behaviours = Callable[[Gatherer], Iterable[Behaviour[Any]]]


class Planner:
    """Makes one plan; `behaviours` are those of the operator, `field_manager` is who will apply the files."""

    def __init__(
        self,
        cluster: Cluster,
        behaviours: Behaviours,
        *,
        now: Callable[[], datetime],
        field_manager: str = "",
        new_namespaces: Sequence[Manifest] = (),
    ) -> None:
        self._now = now
        self._field_manager = field_manager
        self._namespaces = new_namespaces
        self._rehearsal = Rehearsal(Caller(cluster), new_namespaces={ref_of(one).name for one in new_namespaces})
        self._cache = Cache(references)
        inquiries = Inquiries(Unasked(), Lookup(self._cache, self._rehearsal), now)
        gatherer = Gatherer(cache=self._cache, cluster=self._rehearsal, inquiries=inquiries, now=now)
        self._behaviours = {one.kind: replace(one, accept=None) for one in behaviours(gatherer)}
        self._tools = Tools(
            self._rehearsal,
            self._cache,
            self._learn,
            Applier(self._rehearsal, self._cache, self._learn),
            Pruner(self._rehearsal),
            Events(self._rehearsal),
            NobodyCounts(),
            now,
        )
        self._loaded: set[str] = set()
        self._affected: set[Ref] = set()
        self._consequences: list[Consequence] = []
        self._problems: list[Problem] = []
        self._notes: list[str] = []

    async def plan(self, documents: Sequence[Manifest]) -> Plan:
        """Return what would change if these documents were applied; a Forbidden is the caller's own lack."""
        await self._load()
        for document in sorted(documents, key=lambda one: _ORDER.index(ref_of(one).kind)):
            await self._overlay(document)
        named = {ref_of(document) for document in documents}
        done: set[Ref] = set()
        for kind in _ORDER:
            # What a pass makes or deletes of the later kinds is in the scope of these.
            for ref in sorted(self._scope(kind, named) - done):
                done.add(ref)
                await self._rehearse(ref, is_named=ref in named)
        return Plan(
            changes=changes(self._rehearsal.writes),
            consequences=tuple(dict.fromkeys(self._consequences)),
            problems=tuple(self._problems),
            notes=tuple(self._notes),
        )

    # --- what is there -----------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        for kind in _ORDER:
            for one in await self._rehearsal.list(kind):
                self._cache.put(one)
        for one in self._namespaces:
            self._cache.put(one)

    async def _load_children(self, namespaces: Collection[str]) -> None:
        for namespace in sorted(set(namespaces) - self._loaded):
            self._loaded.add(namespace)
            for kind in _CHILDREN:
                await self._take(kind, namespace, {MANAGED_BY: OPERATOR})
            for kind in (API_MANAGER, ROUTE):
                await self._take(kind, namespace, {})

    async def _take(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> None:
        try:
            found = await self._rehearsal.list(kind, namespace=namespace, labels=labels)
        except KindNotServed:
            return
        for one in found:
            self._cache.put(one)

    def _learn(self, manifest: Manifest, by: Ref) -> None:
        """Take in what would be; a version that is no number is newer than any."""
        unversioned = {**manifest["metadata"], "resourceVersion": ""}
        self._cache.put(manifest | {"metadata": unversioned})

    # --- the files ---------------------------------------------------------------------------------------------------

    async def _overlay(self, document: Manifest) -> None:
        ref = ref_of(document)
        try:
            live = await self._rehearsal.get(ref)
        except NotFound:
            live = None
        last = last_applied(live) if live is not None else None
        if live is not None and last is not None:
            spec = three_way(last.get("spec") or {}, document["spec"], live["spec"])
            change = {"op": "replace", "path": "/spec", "value": spec}
            version = live["metadata"]["resourceVersion"]
            became = await self._rehearsal.json_patch(ref, [change], resource_version=version)
        else:
            manager = self._field_manager or (applier_of(live, ours=MANAGER) if live is not None else "kubectl")
            became = await self._rehearsal.apply(document, manager=manager)
        became = without_managed_fields(became)
        if ref.kind == MODEL_PLATFORM and live is None:
            became = self._taken_for_granted(became)
        self._learn(became, ref)

    def _taken_for_granted(self, platform: Manifest) -> Manifest:
        version = wanted_version(read(ModelPlatform, platform), packed_policy(), leaving=False)
        self._notes.append(f"{ref_of(platform)} is new: the rest takes for granted that it becomes ready")
        return ready_platform(platform, token_policy=version, now=self._now())

    # --- whose affair it is ------------------------------------------------------------------------------------------

    def _scope(self, kind: Kind, named: set[Ref]) -> set[Ref]:
        """Return the owners of a kind that files name, or that refer to what changes."""
        self._affected |= {change.ref for change in changes(self._rehearsal.writes) if change.ref.kind in _ORDER}
        users = {ref_of(user) for ref in self._affected for user in self._cache.referring_to(ref)}
        self._affected |= {ref for ref in users if ref.kind == kind}
        return {ref for ref in named | self._affected if ref.kind == kind}

    async def _rehearse(self, ref: Ref, *, is_named: bool) -> None:
        owner = await self._owner(ref)
        if self._is_held(owner):
            return
        known = set(self._writes())
        try:
            await self._load_children(self._places(owner))
            behaviour = self._behaviours[ref.kind]
            world = await behaviour.gather(owner)
            decision = await Pass(behaviour, self._tools, owner, proven=True).rehearse(world)
        except NotAllowed as error:
            if is_named:
                raise
            self._notes.append(f"{ref} is not looked into: {error}")
            return
        if "deletionTimestamp" not in owner["metadata"]:
            self._problems += problems(ref, decision.conditions)
        written = [write for where, write in self._writes().items() if where not in known - {ref}]
        self._consequences += _what_follows(world, decision, written)
        for write in written:
            if write.after is None and write.before is not None:
                self._cache.remove(write.before)

    async def _owner(self, ref: Ref) -> Manifest:
        """Return an owner as it would be; one that would be deleted as it leaves."""
        write = self._writes().get(ref)
        if write is not None and write.after is None and write.before is not None:
            leaving = {"deletionTimestamp": f"{self._now():%Y-%m-%dT%H:%M:%SZ}"}
            return write.before | {"metadata": {**write.before["metadata"], **leaving}}
        cached = self._cache.get(ref)
        return cached if cached is not None else without_managed_fields(await self._rehearsal.get(ref))

    def _is_held(self, owner: Manifest) -> bool:
        if "deletionTimestamp" in owner["metadata"]:
            return False
        observed = bool(owner["spec"].get("managementPolicy") == ManagementPolicy.OBSERVE)
        if observed:
            words = "spec.managementPolicy is Observe: nothing is changed, and its status tells what is pending"
            self._notes.append(f"{ref_of(owner)}: {words}")
        return observed

    def _places(self, owner: Manifest) -> set[str]:
        """Return where an owner's children are."""
        places = {one["spec"]["threescale"]["namespace"] for one in self._cache.of_kind(MODEL_PLATFORM)}
        return (places | {ref_of(owner).namespace}) - {""}

    def _writes(self) -> dict[Ref, Write]:
        return {write.ref: write for write in self._rehearsal.writes}


def _what_follows(world: World, decision: Decision, written: Sequence[Write]) -> tuple[Consequence, ...]:
    if isinstance(world, ModelServiceWorld):
        return what_follows(world, decision, written)
    return consequences(written)

"""A stage for the engine: an embedded API, a stand-in for the 3scale-operator, and a toy kind of owner.

The toy is a ModelService of permissive schema that wants, in this order: a Secret with a generated key and a Backend in
the 3scale namespace, a ServingRuntime in its own, and a Product once the Backend is synced.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition
from maas_operator.domain.decision import Decision, World
from maas_operator.domain.gateway.status import backend_state, product_state
from maas_operator.domain.kinds import (
    BACKEND,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    MODEL_SERVICE,
    NAMESPACE,
    PRODUCT,
    SECRET,
    SERVING_RUNTIME,
    TABLE,
    Kind,
    Use,
)
from maas_operator.domain.labels import labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import is_fresh
from maas_operator.engine.applier import Applied
from maas_operator.engine.cache import Cache
from maas_operator.engine.controller import Behaviour
from maas_operator.engine.engine import Engine, Observer, PassResult
from maas_operator.engine.errors import NotFound
from maas_operator.engine.triggers import references
from maas_operator.sandbox.kubeapi.faults import Call, Moment
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi
from maas_operator.sandbox.kubeapi.resources import Resource
from maas_operator.sandbox.kubeapi.store import EventType, Key
from tests.virtual_time import now, run_for

CUSTOM = [kind for kind in TABLE if "." in kind.group and not kind.group.endswith(".k8s.io")]
HOME, GATEWAY = "llm", "3scale"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = Ref(MODEL_SERVICE, HOME, "toy")
KEY = Ref(SECRET, GATEWAY, "toy.key")
COPY = Ref(SECRET, HOME, "toy-key")
RUNTIME = Ref(SERVING_RUNTIME, HOME, "toy")
BACK = Ref(BACKEND, GATEWAY, "toy")
FRONT = Ref(PRODUCT, GATEWAY, "toy")


def manifest(ref: Ref, **content: Any) -> Manifest:
    metadata = {"name": ref.name, "namespace": ref.namespace} if ref.namespace else {"name": ref.name}
    return {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": metadata, **content}


def toy(**spec: Any) -> Manifest:
    return manifest(OWNER, spec=spec)


def secret(ref: Ref, value: str) -> Manifest:
    return manifest(ref, type="Opaque", data={"key": base64.b64encode(value.encode()).decode()})


@dataclass(frozen=True, kw_only=True)
class ToyWorld(World):
    key: str

    @property
    def spec(self) -> dict[str, Any]:
        return dict(self.owner["spec"])


def decide(world: ToyWorld) -> Decision:
    """The toy's rules. `backends`: names of more Backends; `crash` and `text` do what they say."""
    if world.spec.get("crash"):
        raise ValueError("the toy is broken: s3cret")
    return Decision(
        conditions=tuple(_conditions(world)),
        children=() if world.deleting or world.spec.get("paused") else tuple(_children(world)),
        prune=not world.spec.get("paused") or world.deleting,
        namespaces=frozenset({HOME, GATEWAY}),
        status={"url": "https://toy"} if _is_ready(world) else {},
        releasable=not world.spec.get("hold"),
    )


def _children(world: ToyWorld) -> Iterator[Manifest]:
    yield secret(KEY, world.key)
    yield manifest(BACK, spec={"text": world.spec.get("text", "")})
    for name in world.spec.get("backends", ()):
        yield manifest(Ref(BACKEND, GATEWAY, name), spec={})
    yield manifest(RUNTIME, spec={"text": world.spec.get("text", "")})
    if backend_state(world.children.get(BACK)).synced:
        yield manifest(FRONT, spec={"text": world.spec.get("text", "")})
    if product_state(world.children.get(FRONT)).synced:
        yield secret(COPY, world.key)


def _is_ready(world: ToyWorld) -> bool:
    return product_state(world.children.get(FRONT)).synced and not world.children.refused


def _conditions(world: ToyWorld) -> Iterator[Condition]:
    refusals = [*world.children.refused.values()]
    reason = Reason(refusals[0].reason) if refusals else Reason.WAITING
    message = refusals[0].message if refusals else ""
    if world.deleting:
        reason, message = Reason.DELETING, ", ".join(str(ref_of(child)) for child in world.remaining)
    ready = _is_ready(world) and not world.deleting
    yield Condition(
        ConditionType.READY,
        ConditionStatus.TRUE if ready else ConditionStatus.FALSE,
        Reason.READY if ready else reason,
        message,
    )


@dataclass
class Counts:
    """An observer that counts."""

    passes: Counter[tuple[str, PassResult]] = field(default_factory=Counter)
    applied: Counter[Applied] = field(default_factory=Counter)
    ghosts: Counter[Kind] = field(default_factory=Counter)
    lists: Counter[Kind] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    ready_after: list[int] = field(default_factory=list)

    def pass_ended(self, key: Ref, result: PassResult, seconds: float, error: str) -> None:
        assert seconds >= 0
        self.passes[key.name, result] += 1
        if error:
            self.errors[error] += 1

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def became_ready(self, kind: Kind, seconds: float) -> None:
        self.ready_after.append(round(seconds))

    def child_applied(self, ref: Ref, applied: Applied) -> None:
        self.applied[applied] += 1

    def relisted(self, kind: Kind, ghosts: int) -> None:
        self.lists[kind] += 1
        self.ghosts[kind] += ghosts


class Stage:
    """The API and all that lives beside the operator; `restart` gives a new operator with empty memory."""

    def __init__(self) -> None:
        self.kubeapi = KubeApi()
        self.cluster = InProcessCluster(self.kubeapi)
        self.calls: list[Call] = []
        self.gateway_works = True
        self.deaf: set[Kind] = set()
        self.deaf_to: set[int] = set()
        self.heard = 0
        self.lag_seconds = 0.01
        self._engine: Engine | None = None
        self._fresh = 0
        self.kubeapi.faults.add(self._record)

    async def set_up(self) -> None:
        for kind in CUSTOM:
            await self.user.apply(_definition(kind))
        for name in (HOME, GATEWAY):
            await self.user.apply(manifest(Ref(NAMESPACE, "", name)))
        for kind, use in TABLE.items():
            if Use.WATCH in use or kind == SECRET:
                self.cluster.subscribe(kind, self._hear)
        for kind in (BACKEND, PRODUCT):
            self.cluster.subscribe(kind, self._sync_later)
        self.calls.clear()

    @property
    def user(self) -> User:
        return User(self)

    def restart(self, observer: Observer | None = None) -> Engine:
        """Begin anew with empty memory, and list everything as a watch does."""
        self.counts = Counts()
        self.cache = Cache(references)
        behaviour = Behaviour(MODEL_SERVICE, self.gather, decide)
        self._engine = Engine(
            self.cluster, self.cache, [behaviour], observer or self.counts, now=self.now, rng=lambda: 0.5
        )
        return self._engine

    async def run(self, seconds: float, engine: Engine | None = None) -> None:
        """Let the operator work for a while; without an `engine` a new one."""
        engine = engine or self.restart()
        try:
            await run_for(seconds, engine.run(), self._list(engine))
        finally:
            self._engine = None

    @property
    def writes(self) -> list[str]:
        """The operator's writes so far, Events aside."""
        return [
            f"{call.verb} {call.kind} {call.name} {call.subresource}".strip() for call in self.calls if _counts(call)
        ]

    async def gather(self, owner: Manifest) -> ToyWorld:
        self._fresh += 1
        stored = await self.find(KEY)
        key = base64.b64decode(stored["data"]["key"]).decode() if stored else f"key-{self._fresh}"
        return ToyWorld(owner=owner, now=self.now(), key=key)

    async def everything(self) -> list[Manifest]:
        """All objects of ours, of every kind that we write."""
        kinds = [kind for kind, use in TABLE.items() if (Use.WRITE | Use.STATUS) & use]
        found = [one for kind in kinds for one in await self.cluster.list(kind)]
        return [one for one in found if ref_of(one).kind == MODEL_SERVICE or labels_of(one)]

    async def snapshot(self) -> dict[Ref, Manifest]:
        """Every object of ours, byte by byte."""
        return {ref_of(one): one for one in await self.everything()}

    async def hold(self, ref: Ref) -> None:
        """Have somebody's finalizer on an object."""
        await self.user.apply(_with_finalizers(ref, ["example.com/hold"]), manager="holder")

    async def let_go(self, ref: Ref) -> None:
        """Take that finalizer off."""
        await self.user.apply(_with_finalizers(ref, []), manager="holder")

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=now())

    async def find(self, ref: Ref) -> Manifest | None:
        try:
            return await self.cluster.get(ref)
        except NotFound:
            return None

    async def owner(self) -> Manifest:
        return await self.cluster.get(OWNER)

    async def ready(self) -> tuple[str, str]:
        """The owner's Ready: status and reason."""
        conditions = (await self.owner())["status"]["conditions"]
        ready = next(condition for condition in conditions if condition["type"] == "Ready")
        return ready["status"], ready["reason"]

    async def _list(self, engine: Engine) -> None:
        for kind, use in TABLE.items():
            if Use.WATCH in use:
                try:
                    listed = await self.cluster.list(kind)
                except NotFound:
                    continue
                for one in listed:
                    engine.notify(one, listed=True)

    def _hear(self, type_: EventType, changed: Manifest) -> None:
        engine = self._engine
        if engine is None or ref_of(changed).kind in self.deaf:
            return
        self.heard += 1
        if self.heard in self.deaf_to:
            return
        # A watch is never as fast as the call that it tells of.
        loop = asyncio.get_running_loop()
        loop.call_later(self.lag_seconds, lambda: engine.notify(changed, deleted=type_ is EventType.DELETED))

    def _sync_later(self, type_: EventType, changed: Manifest) -> None:
        if self.gateway_works and type_ is not EventType.DELETED and not is_fresh(changed):
            asyncio.get_running_loop().call_later(1, self.sync, ref_of(changed))

    def change(self, ref: Ref, edit: Callable[[Manifest], object]) -> None:
        """Have somebody replace an object by an edited copy."""
        resource = self._resource(ref)
        edited = deepcopy(self.kubeapi.api.get(resource, ref.namespace, ref.name))
        edit(edited)
        self.kubeapi.api.update(resource, ref.namespace, ref.name, edited)

    def erase(self, ref: Ref) -> None:
        """Have an object gone at once, whoever holds it."""
        self.change(ref, lambda held: held["metadata"].pop("finalizers"))
        self.kubeapi.api.delete(self._resource(ref), ref.namespace, ref.name)

    def sync(self, ref: Ref) -> None:
        """Let 3scale accept an object as it is, if it is there."""
        resource = self._resource(ref)
        if Key(resource.storage, ref.namespace, ref.name) not in set(self.kubeapi.api.store.keys(ref.namespace)):
            return
        known = self.kubeapi.api.get(resource, ref.namespace, ref.name)
        status = {
            "conditions": [{"type": "Synced", "status": "True"}],
            "observedGeneration": known["metadata"]["generation"],
            "productId" if ref.kind == PRODUCT else "backendId": 7,
        }
        self.kubeapi.api.update(resource, ref.namespace, ref.name, {**known, "status": status}, subresource="status")

    def _resource(self, ref: Ref) -> Resource:
        return self.kubeapi.api.registry.find(ref.kind.group, ref.kind.version, ref.kind.plural)

    async def _record(self, call: Call) -> None:
        if call.moment is Moment.BEFORE:
            self.calls.append(call)


class User:
    """Somebody else than the operator: their calls are not counted and meet no fault."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def apply(self, manifest: Manifest, *, manager: str = "user", subresource: str = "") -> Manifest:
        with self._unseen():
            return await self._stage.cluster.apply(manifest, manager=manager, subresource=subresource)

    async def delete(self, ref: Ref) -> None:
        with self._unseen():
            found = await self._stage.cluster.get(ref)
            await self._stage.cluster.delete(ref, uid=found["metadata"]["uid"])

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        faults = self._stage.kubeapi.faults
        seen, faults._interceptors = faults._interceptors, []
        try:
            yield
        finally:
            faults._interceptors = seen


def _with_finalizers(ref: Ref, finalizers: list[str]) -> Manifest:
    held = manifest(ref)
    held["metadata"]["finalizers"] = finalizers
    return held


def _counts(call: Call) -> bool:
    return call.writes and call.kind != EVENT.name


def _definition(kind: Kind) -> Manifest:
    """A CRD that takes anything, with `status.children` as ours have it."""
    anything: Manifest = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    keys = ["apiVersion", "kind", "namespace", "name"]
    entry = anything | {"properties": {key: {"type": "string"} for key in keys}, "required": keys}
    children = {
        "type": "array",
        "nullable": True,
        "items": entry,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
    }
    status = anything | {"properties": {"children": children}}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": status}}},
    }
    names = {"kind": kind.name, "listKind": f"{kind.name}List", "plural": kind.plural, "singular": kind.name.lower()}
    scope = "Namespaced" if kind.namespaced else "Cluster"
    definition = Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{kind.plural}.{kind.group}")
    return manifest(definition, spec={"group": kind.group, "scope": scope, "names": names, "versions": [version]})

"""The operator of a scenario: the real engine and the real decisions, on the store instead of HTTP and kopf.

What a process has is made anew at each start: cache, memo, queue, watches. `Killed` ends one between two instructions.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from pydantic import SecretStr

from maas_operator.adapters.threescale.client import AdminApi
from maas_operator.adapters.watches import OURS, SELECTORS, WATCHED
from maas_operator.app.operator import behaviours
from maas_operator.domain.kinds import EVENT, MODEL_PLATFORM, SECRET, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.applier import Applied
from maas_operator.engine.cache import Cache
from maas_operator.engine.engine import Engine, PassResult
from maas_operator.engine.gather import Gatherer
from maas_operator.engine.inquiries import Inquiries
from maas_operator.engine.lookup import Lookup
from maas_operator.engine.packed_policy import packed_policy
from maas_operator.engine.triggers import named_secrets, references
from maas_operator.sandbox.kubeapi.faults import Call, Faults, Moment
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi
from maas_operator.sandbox.kubeapi.store import Event, EventType
from tests.virtual_time import now

LATENCY_SECONDS = 0.004
LAG_SECONDS = 0.01
RESTART_SECONDS = 1.0


class Killed(BaseException):
    """The process is gone, as after SIGKILL."""


@dataclass
class Fault:
    """What happens at the calls that match: the first `skip` of them pass, the next `times` raise.

    A call that the API refuses has no moment after its effect.
    """

    matches: Callable[[Call], bool]
    error: Callable[[], BaseException]
    moment: Moment = Moment.BEFORE
    skip: int = 0
    times: int = 1
    hits: int = 0
    _met: int = 0

    def strike(self, call: Call) -> None:
        if not self.matches(call):
            return
        if call.moment is Moment.BEFORE:
            self._met += 1
        if call.moment is self.moment and self.skip < self._met <= self.skip + self.times:
            self.hits += 1
            raise self.error()


@dataclass
class Records:
    """What the operator did, over all its lives."""

    calls: list[Call] = field(default_factory=list)
    effects: set[int] = field(default_factory=set)
    """The numbers of the calls that the API did not refuse."""
    passes: list[tuple[float, Ref, PassResult]] = field(default_factory=list)
    starts: int = 0

    def writes(self, since: int = 0) -> list[tuple[Call, bool]]:
        """Return the writes from a call on, each with whether it had an effect. Events are no state."""
        numbered = list(enumerate(self.calls))[since:]
        return [(call, n in self.effects) for n, call in numbered if is_write(call)]

    def pass_ended(self, key: Ref, result: PassResult, seconds: float, error: str) -> None:
        self.passes.append((now(), key, result))

    def waited(self, seconds: float) -> None:
        """Of no interest here."""

    def became_ready(self, kind: Kind, seconds: float) -> None:
        """Of no interest here."""

    def child_applied(self, ref: Ref, applied: Applied) -> None:
        """Of no interest here: what counts is what the store has."""

    def relisted(self, kind: Kind, ghosts: int) -> None:
        """Of no interest here."""

    def most_passes_in_a_minute(self) -> int:
        minutes = Counter((int(at // 60), key) for at, key, _ in self.passes)
        return max(minutes.values(), default=0)


def is_write(call: Call) -> bool:
    return call.writes and call.kind != EVENT.name


class _Cluster(InProcessCluster):
    """Calls that take time, are counted, and meet the faults of the scenario; stand-ins have calls of their own."""

    def __init__(self, kubeapi: KubeApi, records: Records, faults: list[Fault]) -> None:
        super().__init__(kubeapi)
        self._records = records
        self._plan = faults
        self._faults = Faults()
        self._faults.add(self._intercept)

    async def _intercept(self, call: Call) -> None:
        if call.moment is Moment.BEFORE:
            await asyncio.sleep(LATENCY_SECONDS)
            self._records.calls.append(call)
        else:
            # Between the two moments of a call nothing else runs.
            self._records.effects.add(len(self._records.calls) - 1)
        for fault in self._plan:
            fault.strike(call)


class _Watches:
    """Events of the store as the watches tell them: the kinds of the table, by their selectors, a moment later."""

    def __init__(self, kubeapi: KubeApi, is_dropped: Callable[[Event], bool]) -> None:
        self._api = kubeapi.api
        self._is_dropped = is_dropped
        self._events: asyncio.Queue[tuple[float, Manifest, bool]] = asyncio.Queue()
        self._kinds = {f"{kind.plural}.{kind.group}": kind for kind in (*WATCHED, SECRET)}
        self._secrets: dict[str, tuple[str, frozenset[Ref]]] = {}

    async def run(self, engine: Engine) -> None:
        unsubscribe = self._api.store.subscribe(self._hear)
        try:
            for kind in WATCHED:
                self._tell_all(engine, kind)
            while True:
                due, manifest, deleted = await self._events.get()
                await asyncio.sleep(due - now())
                self._tell(engine, manifest, deleted=deleted)
        finally:
            unsubscribe()

    def _tell_all(self, engine: Engine, kind: Kind) -> None:
        resource = self._api.registry.of_kind(kind.api_version, kind.name)
        for manifest in self._api.list(resource).objects if resource else ():
            if self._concerns(kind, manifest):
                self._tell(engine, manifest, listed=True)

    def _tell(self, engine: Engine, manifest: Manifest, *, deleted: bool = False, listed: bool = False) -> None:
        engine.notify(manifest, deleted=deleted, listed=listed)
        if manifest["kind"] == MODEL_PLATFORM.name:
            scope = manifest["spec"]["threescale"]["namespace"], named_secrets(manifest)
            if self._secrets.get(manifest["metadata"]["name"]) != scope:
                self._secrets[manifest["metadata"]["name"]] = scope
                self._tell_all(engine, SECRET)

    def _hear(self, event: Event) -> None:
        kind = self._kinds.get(event.key.storage)
        if kind is None or self._is_dropped(event):
            return
        is_in = event.type is not EventType.DELETED and self._concerns(kind, event.object)
        was_in = event.previous is not None and self._concerns(kind, event.previous)
        resource = self._api.registry.of_kind(kind.api_version, kind.name)
        if resource is not None and (is_in or was_in):
            self._events.put_nowait((now() + LAG_SECONDS, resource.present(event.object), not is_in))

    def _concerns(self, kind: Kind, manifest: Manifest) -> bool:
        resource = self._api.registry.of_kind(kind.api_version, kind.name)
        if resource is None:
            return False
        if kind != SECRET:
            return self._api.selector(resource, SELECTORS.get(kind, ""), "")(manifest)
        ref, ours = ref_of(manifest), self._api.selector(resource, OURS, "")(manifest)
        return any(ref in named or (ours and ref.namespace == place) for place, named in self._secrets.values())


class Operator:
    """Runs one process after the other: what is killed is started again, as Kubernetes does it."""

    def __init__(
        self,
        kubeapi: KubeApi,
        wall_clock: Callable[[], datetime],
        fresh: Callable[[], SecretStr],
        admin_api: httpx.AsyncBaseTransport,
    ) -> None:
        self.records = Records()
        self.faults: list[Fault] = []
        self.policy = packed_policy()
        self.dropped: Callable[[Event], bool] = lambda event: False
        self._kubeapi = kubeapi
        self._wall_clock = wall_clock
        self._fresh = fresh
        self._admin_api = admin_api
        self.started = asyncio.Event()
        self._kill = asyncio.Event()

    async def run(self) -> None:
        while True:
            self._kill.clear()
            self.records.starts += 1
            self.started.set()
            try:
                await self._process()
            except* Killed:
                await asyncio.sleep(RESTART_SECONDS)

    async def restart(self) -> None:
        """Kill the process, and wait until the next one runs."""
        self.started.clear()
        self._kill.set()
        await self.started.wait()

    async def _process(self) -> None:
        cluster, cache = _Cluster(self._kubeapi, self.records, self.faults), Cache(references)
        inquiries = Inquiries(AdminApi(transport=self._admin_api), Lookup(cache, cluster), self._wall_clock)
        gatherer = Gatherer(
            cache=cache,
            cluster=cluster,
            inquiries=inquiries,
            now=self._wall_clock,
            fresh=self._fresh,
            policy=self.policy,
        )
        engine = Engine(cluster, cache, behaviours(gatherer), self.records, now=self._wall_clock, rng=lambda: 0.5)
        watches = _Watches(self._kubeapi, lambda event: self.dropped(event))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._die())
            group.create_task(watches.run(engine))
            await asyncio.sleep(LAG_SECONDS)
            group.create_task(engine.run())

    async def _die(self) -> None:
        await self._kill.wait()
        raise Killed


def calls_in_words(calls: Iterable[Call]) -> Iterator[str]:
    """Return calls for a reader of a failure."""
    for number, call in enumerate(calls, 1):
        place = f"{call.namespace}/{call.name}" if call.namespace else call.name
        yield f"{number:4} {call.verb} {call.kind} {place} {call.subresource}".rstrip()

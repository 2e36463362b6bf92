"""What N ModelServices with a developer each cost the operator, from nothing to Ready and back to nothing.

The operator is a process of its own: its CPU time and memory are in its metrics, and its calls are those that the audit
log of the API server tells of. The API server is a process of its own as well; the stand-ins and this program share
another one. It fails if a count leaves its range; no time ever fails it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from maas_operator.app.rbac import NAMESPACE as OPERATOR_NAMESPACE
from maas_operator.domain.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    INFERENCE_SERVICE,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    NAMESPACE,
    PRODUCT,
    SERVING_RUNTIME,
    TABLE,
    Kind,
)
from maas_operator.domain.labels import OPERATOR
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound
from maas_operator.engine.status import inventory_of
from maas_operator.sandbox.environment import Environment, Setup, environment
from maas_operator.sandbox.operator_process import OperatorProcess

NEIGHBOURS: Final = 10
"""ModelServices in one namespace."""
SINGLE_EDITS: Final = 40
LIMIT_SECONDS: Final = 1800.0
QUIET_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.05
LIST_SECONDS: Final = 0.5
USER: Final = "benchmark"
READS: Final = ("get", "list")
WRITES: Final = ("create", "patch", "delete")
VERBS: Final = READS + WRITES
COMPLETE: Final = {"Ready", "Promoted", "Live", "DevelopersReady"}


@dataclass(frozen=True, slots=True)
class Range:
    """What a phase may cost: calls per ModelService, and objects of anybody whose version moves."""

    reads: tuple[float, float]
    writes: tuple[float, float]
    changed: tuple[float, float]


NOTHING: Final = (0.0, 0.0)
# Writes hold anywhere. Reads grow with the time that a model takes, since models look again every 30 seconds.
RANGES: Final = {
    "create": Range(reads=(40.0, 100.0), writes=(55.0, 66.0), changed=(20.0, 26.0)),
    "restart": Range(reads=(8.0, 14.0), writes=NOTHING, changed=NOTHING),
    "idle": Range(reads=NOTHING, writes=NOTHING, changed=NOTHING),
    "echo": Range(reads=NOTHING, writes=NOTHING, changed=(1.0, 1.0)),
    "edit some": Range(reads=(2.0, 15.0), writes=(5.0, 9.0), changed=(2.0, 5.0)),
    "drift": Range(reads=(2.0, 20.0), writes=(8.0, 13.0), changed=(1.0, 3.0)),
    "edit all": Range(reads=(8.0, 35.0), writes=(15.0, 21.0), changed=(3.0, 6.0)),
    "delete all": Range(reads=(40.0, 130.0), writes=(25.0, 36.0), changed=(22.0, 27.0)),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the operator, as the API server has logged it."""

    verb: str
    resource: str
    namespace: str
    name: str
    at: float


class AuditLog:
    """The operator's requests so far, but for watches, which are open all the time."""

    def __init__(self, path: Path) -> None:
        self._lines = path.open()
        self._begun = ""
        self._user = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR}"
        self.requests: list[Request] = []

    def read(self) -> list[Request]:
        """Take in what has been logged since the last time, and return all."""
        for line in self._lines:
            self._begun += line
            if self._begun.endswith("\n"):
                entry, self._begun = self._begun, ""
                if self._user in entry:
                    self.requests += self._request(json.loads(entry))
        return self.requests

    def _request(self, entry: Manifest) -> Iterator[Request]:
        target = entry.get("objectRef", {})
        if entry["user"].get("username") == self._user and entry["verb"] != "watch" and "resource" in target:
            resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
            at = datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
            yield Request(entry["verb"], resource, target.get("namespace", ""), target.get("name", ""), at)


@dataclass(frozen=True)
class Reading:
    """What the operator has told of itself since its start."""

    passes: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0
    memory_bytes: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One part of the run; `seconds` until its goal was reached, the rest until the operator was quiet again.

    `of`: how many ModelServices it was about. `latencies`: the seconds from each single change to the first write.
    """

    name: str
    of: int
    seconds: float
    latencies: list[float]
    requests: list[Request]
    passes: Counter[str]
    cpu_seconds: float
    memory_bytes: float
    changed: frozenset[Ref]

    def calls(self, *verbs: str) -> float:
        """Count the calls with these verbs per ModelService."""
        return sum(one.verb in verbs for one in self.requests) / self.of

    def strays(self) -> Iterator[str]:
        """Yield which counts are not within their ranges."""
        allowed = RANGES[self.name]
        for what, count, (least, most) in (
            ("reads", self.calls(*READS), allowed.reads),
            ("writes", self.calls(*WRITES), allowed.writes),
            ("objects changed", len(self.changed) / self.of, allowed.changed),
        ):
            if not least <= count <= most:
                yield f"{self.name}: {count:.2f} {what} per ModelService, expected {least:g} to {most:g}"
                if what == "objects changed" and most == 0:
                    yield from (f"  changed: {ref}" for ref in sorted(self.changed))


class Mirror:
    """The ModelServices as a watch tells them."""

    def __init__(self, around: Environment) -> None:
        self._around = around
        self._changed = asyncio.Event()
        self.objects: dict[Ref, Manifest] = {}

    async def run(self) -> None:
        """Follow the watch until cancelled."""
        while True:
            async for change in self._around.client.watch(MODEL_SERVICE):
                if change.type == "DELETED":
                    self.objects.pop(ref_of(change.object), None)
                else:
                    self.objects[ref_of(change.object)] = change.object
                self._changed.set()

    async def until(self, reached: Callable[[dict[Ref, Manifest]], bool]) -> None:
        """Return as soon as the objects are as wanted."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not reached(self.objects):
                self._changed.clear()
                await self._changed.wait()


class Bench:
    """The run: what it does to the cluster, and what it has measured."""

    def __init__(self, around: Environment, operator: OperatorProcess, count: int, idle_seconds: float) -> None:
        assert around.cluster.audit_log is not None, "the real control plane keeps one"
        self.around = around
        self.operator = operator
        self.count = count
        self.idle_seconds = idle_seconds
        self.phases: list[Phase] = []
        self.log = AuditLog(around.cluster.audit_log)
        self.services = Mirror(around)
        self._latencies: list[float] = []

    async def run(self) -> None:
        """Go through all phases."""
        async with asyncio.TaskGroup() as group:
            mirror = group.create_task(self.services.run())
            few = min(SINGLE_EDITS, self.count)
            await self._phase("create", self.create)
            await self._phase("restart", self.restart, fresh=True)
            # Now the next resync, which reads and compares, is ten minutes away for all.
            await self._phase("idle", lambda: asyncio.sleep(self.idle_seconds))
            await self._phase("echo", self.echo)
            await self._phase("edit some", self.edit_some, of=few)
            await self._phase("drift", self.drift, of=few)
            await self._phase("edit all", self.edit_all)
            await self._phase("delete all", self.delete_all)
            mirror.cancel()

    async def create(self) -> None:
        """Create all ModelServices and wait until they are served and published, and their developers have keys."""
        for manifest in [*_surroundings(self.count), *_services(self.count)]:
            await self.around.client.apply(manifest, manager=USER)
        await self.services.until(self._complete)

    async def echo(self) -> None:
        """Have somebody write to one child of each what is no affair of ours."""
        for service in list(self.services.objects.values()):
            note = {"metadata": {"annotations": {"example.com/note": "nobody's affair"}}}
            await self.around.client.merge_patch(_child(service, SERVING_RUNTIME), note)

    async def restart(self) -> None:
        """Start another process of the operator and wait until it has looked at each of our objects."""
        await self.operator.stop()
        await self.operator.start()
        await self.operator.ready()
        owners = 2 * self.count + 1
        async with asyncio.timeout(LIMIT_SECONDS):
            while (await self._read()).passes.total() < owners:  # noqa: ASYNC110 - another process can only be polled
                await asyncio.sleep(LOOK_SECONDS)

    async def edit_some(self) -> None:
        """Scale some ModelServices, one after the other, until each InferenceService is written."""
        for service in list(self.services.objects.values())[:SINGLE_EDITS]:
            replicas = {"spec": {"serving": {"replicas": 2}}}
            await self._measure(ref_of(service), replicas, _child(service, INFERENCE_SERVICE))

    async def drift(self) -> None:
        """Edit the Products of some, one after the other, until each is written back."""
        for service in list(self.services.objects.values())[:SINGLE_EDITS]:
            product = _child(service, PRODUCT)
            await self._measure(product, {"spec": {"description": "Somebody else's text"}}, product)

    async def edit_all(self) -> None:
        """Limit the rate of each ModelService and wait until the production gateways do."""
        limit = {"spec": {"api": {"rateLimit": {"requestsPerSecond": 50, "burst": 10}}}}
        for ref in list(self.services.objects):
            await self.around.client.merge_patch(ref, limit)
        await self.services.until(self._complete)

    async def delete_all(self) -> None:
        """Delete all ModelServices and wait until they are gone."""
        for manifest in list(self.services.objects.values()):
            await self.around.client.delete(ref_of(manifest), uid=manifest["metadata"]["uid"])
        # A watch that begins anew does not tell what went meanwhile.
        async with asyncio.timeout(LIMIT_SECONDS):
            while await self.around.client.list(MODEL_SERVICE):  # noqa: ASYNC110
                await asyncio.sleep(LIST_SECONDS)

    async def _phase(
        self, name: str, step: Callable[[], Awaitable[None]], *, of: int | None = None, fresh: bool = False
    ) -> None:
        """Measure a step; `fresh`: a new process of the operator begins there, and counts from zero."""
        versions = await self._versions()
        before = Reading() if fresh else await self._read()
        seen = len(self.log.read())
        self._latencies = []
        started = time.monotonic()
        await step()
        seconds = time.monotonic() - started
        after = await self._quiet()
        changed = frozenset(ref for ref, _ in versions.items() ^ (await self._versions()).items())
        self.phases.append(
            Phase(
                name=name,
                of=of or self.count,
                seconds=seconds,
                latencies=self._latencies,
                requests=self.log.requests[seen:],
                passes=after.passes - before.passes,
                cpu_seconds=after.cpu_seconds - before.cpu_seconds,
                memory_bytes=after.memory_bytes,
                changed=changed,
            )
        )
        print(_row(self.phases[-1]), file=sys.stderr)

    async def _measure(self, ref: Ref, patch: Manifest, answer: Ref) -> None:
        """Patch an object; note how long it took until the operator asked to write another, or the same."""
        seen = len(self.log.read())
        started = time.time()
        await self.around.client.merge_patch(ref, patch)
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (times := [one.at for one in self.log.read()[seen:] if _is_write_of(one, answer)]):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
        self._latencies.append(times[0] - started)

    async def _quiet(self) -> Reading:
        """Return the first reading after some seconds without a call."""
        async with asyncio.timeout(LIMIT_SECONDS):
            before = -1
            while before != len(self.log.read()):
                before = len(self.log.requests)
                await asyncio.sleep(QUIET_SECONDS)
        return await self._read()

    def _complete(self, services: dict[Ref, Manifest]) -> bool:
        return len(services) == self.count and all(map(_is_complete, services.values()))

    async def _read(self) -> Reading:
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            text = (await client.get(f"{self.operator.url}/metrics")).text
        passes: Counter[str] = Counter()
        scalars: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for name, labels, value, *_ in family.samples:
                if name == "maas_operator_reconcile_total":
                    passes[labels["kind"]] += int(value)
                elif name.startswith("process_"):
                    scalars[name] = value
        return Reading(passes, scalars["process_cpu_seconds_total"], scalars["process_resident_memory_bytes"])

    async def _versions(self) -> dict[Ref, str]:
        objects: list[Manifest] = []
        for kind in TABLE:
            if kind not in (CUSTOM_RESOURCE_DEFINITION, NAMESPACE):
                objects += await self._list(kind)
        return {ref_of(one): one["metadata"]["resourceVersion"] for one in objects}

    async def _list(self, kind: Kind) -> list[Manifest]:
        try:
            return await self.around.client.list(kind)
        except NotFound:
            return []  # Old servers do not know all kinds.


def _surroundings(count: int) -> Iterator[Manifest]:
    for namespace in {_namespace(number): None for number in range(count)}:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    yield {
        "apiVersion": MODEL_PLATFORM.api_version,
        "kind": MODEL_PLATFORM.name,
        "metadata": {"name": "default"},
        "spec": {"threescale": {"namespace": "3scale"}, "gateway": {"configurationCache": "0s"}},
    }


def _services(count: int) -> Iterator[Manifest]:
    for number in range(count):
        developer = {"name": f"dev{number}", "email": f"dev{number}@example.com", "plan": "standard"}
        yield {
            "apiVersion": MODEL_SERVICE.api_version,
            "kind": MODEL_SERVICE.name,
            "metadata": {"name": f"model-{number}", "namespace": _namespace(number)},
            "spec": {
                "model": {"source": {"uri": f"oci://registry.example.com/models/model-{number}:1"}},
                "serving": {"runtime": "vllm-cpu"},
                "developers": [developer],
            },
        }


def _namespace(number: int) -> str:
    return f"team-{number // NEIGHBOURS}"


def _child(service: Manifest, kind: Kind) -> Ref:
    return next(ref for ref in inventory_of(service) if ref.kind == kind)


def _is_write_of(request: Request, ref: Ref) -> bool:
    told = (request.resource, request.namespace, request.name)
    return request.verb in WRITES and told == (ref.kind.plural, ref.namespace, ref.name)


def _is_complete(service: Manifest) -> bool:
    status = service.get("status", {})
    true = {one["type"] for one in status.get("conditions", ()) if one["status"] == "True"}
    return status.get("observedGeneration") == service["metadata"]["generation"] and true >= COMPLETE


@asynccontextmanager
async def _benched(count: int, idle_seconds: float, setup: Setup) -> AsyncIterator[Bench]:
    async with (
        environment(setup) as around,
        OperatorProcess(around.operator_kubeconfig, around.admin_api_port, setup.folder / "operator.log") as operator,
    ):
        await operator.ready()
        yield Bench(around, operator, count, idle_seconds)


async def run(count: int, idle_seconds: float, setup: Setup) -> list[Phase]:
    """Bring up everything, go through all phases, and return what they cost."""
    async with _benched(count, idle_seconds, setup) as bench:
        await bench.run()
    return bench.phases


def report(phases: Iterable[Phase]) -> Iterator[str]:
    """Yield the figures as Markdown; calls, passes, CPU and objects are per ModelService."""
    yield f"| phase | s | {' | '.join(VERBS)} | calls | passes | CPU ms | objects changed | RSS MiB |"
    yield "|---|" + "--:|" * (len(VERBS) + 6)
    yield from map(_row, phases)
    for phase in phases:
        if len(phase.latencies) > 1:
            p50, p95 = (quantiles(phase.latencies, n=20)[at] for at in (9, 18))
            yield f"\n{phase.name}, from the change to the first write: p50 {p50:.2f} s, p95 {p95:.2f} s"


def _row(phase: Phase) -> str:
    cells = [
        phase.name,
        f"{phase.seconds:.1f}",
        *(f"{phase.calls(verb):.1f}" for verb in VERBS),
        f"{phase.calls(*VERBS):.1f}",
        f"{phase.passes.total() / phase.of:.1f}",
        f"{1000 * phase.cpu_seconds / phase.of:.0f}",
        f"{len(phase.changed) / phase.of:.1f}",
        f"{phase.memory_bytes / 2**20:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def details(phases: Iterable[Phase]) -> Iterator[str]:
    """Yield the passes by kind, and the calls by verb and resource, per ModelService."""
    for phase in phases:
        yield f"\n{phase.name}, passes and calls per ModelService:"
        for kind, count in phase.passes.most_common():
            yield f"  {kind:37}{count / phase.of:7.2f}"
        calls = Counter((one.verb, one.resource) for one in phase.requests)
        for (verb, resource), count in calls.most_common():
            yield f"  {verb:7}{resource:30}{count / phase.of:7.2f}"


def main() -> int:
    """Read the options, run, print; return 1 if a count is not within its range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="ModelServices (default: 100)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of the idle phase (default: 60)")
    parser.add_argument("--details", action="store_true", help="print passes by kind, calls by verb and resource")
    options = parser.parse_args()
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        parser.error("set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kube-controller-manager")
    with tempfile.TemporaryDirectory(prefix="maas-operator-") as folder:
        phases = asyncio.run(run(options.count, options.idle, Setup(folder=Path(folder), assets=Path(assets))))
    print(f"{options.count} ModelServices with a developer each\n")
    print(*report(phases), *(details(phases) if options.details else ()), sep="\n")
    strays = [stray for phase in phases for stray in phase.strays()]
    print(*strays, sep="\n", file=sys.stderr)
    return 1 if strays else 0


if __name__ == "__main__":
    sys.exit(main())

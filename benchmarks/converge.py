"""What N ModelServices with a developer each cost the operator, from nothing to Ready and back to nothing.

The operator is a process of its own: its CPU time and memory are in its metrics, and so are its calls to the API. The
API, the stand-ins and this program share another one. It prints figures and never fails because of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from maas_operator.domain.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    INFERENCE_SERVICE,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    NAMESPACE,
    TABLE,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.sandbox.environment import Environment, Setup, environment
from maas_operator.sandbox.operator_process import OperatorProcess

NEIGHBOURS: Final = 10
"""ModelServices in one namespace."""
EDITS: Final = 20
LIMIT_SECONDS: Final = 600.0
QUIET_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.5
WRITES: Final = frozenset({"apply", "delete"})
USER: Final = "benchmark"


@dataclass(frozen=True)
class Reading:
    """What the operator has counted since its start."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    passes: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0
    memory_bytes: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One part of the run; `seconds` until its goal was reached, the rest until the operator was quiet again."""

    name: str
    seconds: float
    calls: Counter[tuple[str, str]]
    passes: Counter[str]
    cpu_seconds: float
    memory_bytes: float
    changed: int

    @property
    def verbs(self) -> Counter[str]:
        """Count the calls by verb."""
        verbs: Counter[str] = Counter()
        for (verb, _), count in self.calls.items():
            verbs[verb] += count
        return verbs


class Mirror:
    """The objects of a kind as a watch tells them."""

    def __init__(self, around: Environment, kind: Kind) -> None:
        self._around = around
        self._kind = kind
        self._changed = asyncio.Event()
        self.objects: dict[Ref, Manifest] = {}

    async def run(self) -> None:
        """Follow the watch until cancelled."""
        while True:
            async for change in self._around.client.watch(self._kind):
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

    def __init__(self, around: Environment, operator: OperatorProcess, count: int) -> None:
        self.around = around
        self.operator = operator
        self.count = count
        self.phases: list[Phase] = []
        self.services = Mirror(around, MODEL_SERVICE)
        self.models = Mirror(around, INFERENCE_SERVICE)

    @asynccontextmanager
    async def phase(self, name: str, *, fresh: bool = False) -> AsyncIterator[None]:
        """Measure what happens inside; `fresh`: a new process of the operator begins there, and counts from zero."""
        versions = await self._versions()
        before = Reading() if fresh else await self._read()
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        after = await self.quiet()
        self.phases.append(
            Phase(
                name,
                seconds,
                after.calls - before.calls,
                after.passes - before.passes,
                after.cpu_seconds - before.cpu_seconds,
                after.memory_bytes,
                len(dict(versions.items() ^ (await self._versions()).items())),
            )
        )
        print(f"{name}: {seconds:.1f} s", file=sys.stderr)

    async def quiet(self) -> Reading:
        """Return the first reading after some seconds without a call."""
        async with asyncio.timeout(LIMIT_SECONDS):
            before, after = None, await self._read()
            while before is None or after.calls != before.calls:
                await asyncio.sleep(QUIET_SECONDS)
                before, after = after, await self._read()
        return after

    async def create(self) -> None:
        """Create all ModelServices and wait until they are served and published, and their developers have keys."""
        for manifest in [*_surroundings(self.count), *_services(self.count)]:
            await self.around.client.apply(manifest, manager=USER)
        await self.services.until(self._complete)

    async def edit_all(self) -> None:
        """Change a text of each ModelService and wait until 3scale has it."""
        for ref in list(self.services.objects):
            await self.around.client.merge_patch(ref, {"spec": {"description": "Another text"}})
        await self.services.until(self._complete)

    async def edit_one_by_one(self) -> list[float]:
        """Scale some ModelServices; return the seconds until each InferenceService has been written."""
        return [await self._scale(ref) for ref in list(self.services.objects)[:EDITS]]

    async def delete_all(self) -> None:
        """Delete all ModelServices and wait until they are gone."""
        for manifest in list(self.services.objects.values()):
            await self.around.client.delete(ref_of(manifest), uid=manifest["metadata"]["uid"])
        await self.services.until(lambda objects: not objects)

    async def restart(self) -> None:
        """Start another process of the operator and wait until it has looked at each of our objects."""
        await self.operator.stop()
        await self.operator.start()
        await self.operator.ready()
        owners = 2 * self.count + 1
        async with asyncio.timeout(LIMIT_SECONDS):
            while (await self._read()).passes.total() < owners:  # noqa: ASYNC110 - another process can only be polled
                await asyncio.sleep(LOOK_SECONDS)

    async def _scale(self, ref: Ref) -> float:
        model = Ref(INFERENCE_SERVICE, ref.namespace, ref.name)
        started = time.monotonic()
        await self.around.client.merge_patch(ref, {"spec": {"serving": {"replicas": 2}}})
        await self.models.until(lambda objects: objects[model]["spec"]["predictor"]["minReplicas"] == 2)
        return time.monotonic() - started

    def _complete(self, services: dict[Ref, Manifest]) -> bool:
        return len(services) == self.count and all(map(_is_complete, services.values()))

    async def _read(self) -> Reading:
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"{self.operator.url}/metrics")).text
        reading = Reading()
        scalars: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for name, labels, value, *_ in family.samples:
                if name == "maas_operator_api_requests_total":
                    reading.calls[labels["verb"], labels["kind"]] += int(value)
                elif name == "maas_operator_reconcile_total":
                    reading.passes[labels["kind"]] += int(value)
                elif name.startswith("process_"):
                    scalars[name] = value
        return Reading(
            reading.calls,
            reading.passes,
            scalars["process_cpu_seconds_total"],
            scalars["process_resident_memory_bytes"],
        )

    async def _versions(self) -> dict[Ref, str]:
        kinds = [kind for kind in TABLE if kind not in (CUSTOM_RESOURCE_DEFINITION, NAMESPACE)]
        objects = [one for kind in kinds for one in await self.around.client.list(kind)]
        return {ref_of(one): one["metadata"]["resourceVersion"] for one in objects}


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


def _is_complete(service: Manifest) -> bool:
    status = service.get("status", {})
    true = {one["type"] for one in status.get("conditions", ()) if one["status"] == "True"}
    seen = status.get("observedGeneration") == service["metadata"]["generation"]
    return seen and true >= {"Ready", "Live", "DevelopersReady"}


async def run(count: int, idle_seconds: float, setup: Setup) -> tuple[str, list[Phase], list[float]]:
    """Go through all phases; return the name of the cluster, the phases, and the latencies of single edits."""
    async with (
        environment(setup) as around,
        OperatorProcess(around.operator_kubeconfig, setup.folder / "operator.log") as operator,
        asyncio.TaskGroup() as group,
    ):
        await operator.ready()
        bench = Bench(around, operator, count)
        mirrors = [group.create_task(mirror.run()) for mirror in (bench.services, bench.models)]
        latencies: list[float] = []

        async def edit_some() -> None:
            latencies.extend(await bench.edit_one_by_one())

        steps: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("create", bench.create),
            ("idle", lambda: asyncio.sleep(idle_seconds)),
            ("restart", bench.restart),
            ("edit some", edit_some),
            ("edit all", bench.edit_all),
            ("delete all", bench.delete_all),
        ]
        for name, step in steps:
            async with bench.phase(name, fresh=name == "restart"):
                await step()
        for mirror in mirrors:
            mirror.cancel()
    return around.cluster.name, bench.phases, latencies


def report(count: int, phases: list[Phase], latencies: list[float]) -> Iterator[str]:
    """Yield the figures as Markdown; all but time and memory are per ModelService."""
    verbs = ("get", "list", "apply", "delete")
    yield f"| phase | s | of create | {' | '.join(verbs)} | calls | passes | CPU ms | objects changed | RSS MiB |"
    yield "|---|" + "--:|" * (len(verbs) + 7)
    for phase in phases:
        cells = [
            phase.name,
            f"{phase.seconds:.1f}",
            f"{phase.seconds / phases[0].seconds:.2f}",
            *(f"{phase.verbs[verb] / count:.1f}" for verb in verbs),
            f"{sum(phase.verbs[verb] for verb in verbs) / count:.1f}",
            f"{phase.passes.total() / count:.1f}",
            f"{1000 * phase.cpu_seconds / count:.0f}",
            f"{phase.changed / count:.1f}",
            f"{phase.memory_bytes / 2**20:.0f}",
        ]
        yield f"| {' | '.join(cells)} |"
    twentieths = quantiles(latencies, n=20)
    yield f"\nspec change to first write: p50 {twentieths[9]:.2f} s, p95 {twentieths[18]:.2f} s"
    for phase in phases:
        yield f"\n{phase.name}, calls per ModelService by verb and kind:"
        for (verb, kind), calls in phase.calls.most_common():
            yield f"  {verb:7}{kind:26}{calls / count:7.2f}"


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="ModelServices (default: 50)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of the idle phase (default: 60)")
    options = parser.parse_args()
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    with tempfile.TemporaryDirectory(prefix="maas-operator-") as folder:
        setup = Setup(folder=Path(folder), assets=Path(assets) if assets else None)
        cluster, phases, latencies = asyncio.run(run(options.count, options.idle, setup))
    print(f"{options.count} ModelServices with a developer each, on {cluster}\n")
    print(*report(options.count, phases, latencies), sep="\n")


if __name__ == "__main__":
    main()

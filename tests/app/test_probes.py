"""What the kubelet is told, by the server that tells it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry

from maas_operator.adapters import http
from maas_operator.api.crd.definitions import crd_files
from maas_operator.app import probes as probes_module
from maas_operator.app.probes import STILL_SECONDS, Probes
from maas_operator.domain.kinds import MODEL_SERVICE
from maas_operator.domain.objects import Ref
from maas_operator.engine.cache import Cache
from maas_operator.engine.queue import WorkQueue

OK = (200, "ok\n")


@dataclass
class Process:
    """What the probes look at."""

    cache: Cache = field(default_factory=Cache)
    still_seconds: float = 0.0
    listed: bool = True
    stands_by: bool = False

    def __post_init__(self) -> None:
        self.queue: WorkQueue[Ref] = WorkQueue()
        for number, text in enumerate(crd_files().values()):
            definition = yaml.safe_load(text)
            definition["metadata"] |= {"uid": str(number), "resourceVersion": "1"}
            self.cache.put(definition)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[httpx.AsyncClient]:
        probes = Probes(
            queue=self.queue,
            cache=self.cache,
            still_seconds=lambda: self.still_seconds,
            listed=lambda: self.listed,
            stands_by=lambda: self.stands_by,
        )
        async with (
            http.serve(
                CollectorRegistry(), host="127.0.0.1", port=0, healthy=probes.healthy, ready=probes.ready
            ) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            yield client

    async def answer(self, path: str) -> tuple[int, str]:
        async with self.served() as client:
            reply = await client.get(path)
        return reply.status_code, reply.text


async def test_a_process_that_has_listed_and_has_its_types_is_healthy_and_ready() -> None:
    assert await Process().answer("/healthz") == OK
    assert await Process().answer("/readyz") == OK


async def test_a_pass_over_twice_its_time_out_fails_health_but_not_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_module, "PASS_SECONDS", 0.0)
    process = Process()
    process.queue.add(Ref(MODEL_SERVICE, "llm", "chat"))
    await process.queue.get()
    assert await process.answer("/healthz") == (503, "a pass has been running for 0 s\n")
    assert await process.answer("/readyz") == OK


async def test_watches_that_stand_still_fail_health() -> None:
    assert await Process(still_seconds=STILL_SECONDS).answer("/healthz") == OK
    assert await Process(still_seconds=31).answer("/healthz") == (503, "the watches have stood still for 31 s\n")


async def test_before_the_first_lists_are_complete_it_is_not_ready_but_healthy() -> None:
    process = Process(listed=False)
    assert await process.answer("/readyz") == (503, "the watches have not told yet what there is\n")
    assert await process.answer("/healthz") == OK


async def test_a_standby_is_ready_although_it_has_listed_nothing() -> None:
    assert await Process(listed=False, stands_by=True, cache=Cache()).answer("/readyz") == OK


async def test_without_a_type_of_ours_or_its_version_it_is_not_ready() -> None:
    process = Process()
    [service] = [
        one
        for one in process.cache.of_kind(probes_module.CUSTOM_RESOURCE_DEFINITION)
        if "modelservices" in str(one["metadata"]["name"])
    ]
    process.cache.remove(service)
    words = "these types are not installed: ModelService; apply the CRDs\n"
    assert await process.answer("/readyz") == (503, words)
    versions = [one | {"served": False} for one in service["spec"]["versions"]]
    metadata = service["metadata"] | {"uid": "another"}
    process.cache.put(service | {"metadata": metadata, "spec": service["spec"] | {"versions": versions}})
    assert await process.answer("/readyz") == (503, words)


async def test_a_loop_that_is_blocked_answers_nothing() -> None:
    process, unblock, loop = Process(), threading.Event(), asyncio.get_running_loop()

    def ask(url: httpx.URL) -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(url, timeout=0.3, trust_env=False)
        unblock.set()

    async with process.served() as client:
        asking = loop.run_in_executor(None, ask, client.base_url.join("/healthz"))
        assert unblock.wait(10)
        await asking
        assert (await client.get("/healthz")).status_code == 200

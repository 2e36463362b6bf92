"""The gateway with its neighbours, one of each for the whole run; every test has keys of its own."""

from __future__ import annotations

import io
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from tests.gateway_policy.fakes import Backend, ModelServer, Script
from tests.gateway_policy.gateway import Gateway, State
from tests.gateway_policy.tools import no_gateway

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "hiding": {"hide_injected_usage": True},
    "continuous": {"continuous_usage": True},
    "quick": {"report": {"timeout_ms": 300, "retries": 2}},
}
KEYS = itertools.count()


async def serve(application: web.Application) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


@dataclass(repr=False)
class Bench:
    """A gateway, its neighbours, and a client."""

    gateway: Gateway
    model: ModelServer
    backend: Backend
    session: aiohttp.ClientSession

    def key(self) -> str:
        return f"key-{next(KEYS)}"

    def ask(
        self,
        script: Script,
        *,
        key: str,
        body: bytes | AsyncIterator[bytes] = b"{}",
        path: str = "/v1/chat/completions",
        policy: str = "default",
        cached: bool = False,
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> aiohttp.client._RequestContextManager:
        """Call the model; the answer follows the script."""
        self.model.scripts[key] = script
        known = {
            "Authorization": f"Bearer {key}",
            "X-Script": key,
            "X-Policy": policy,
            "Content-Type": "application/json",
        }
        if cached:
            known["X-Cached"] = "yes"
        data = io.BytesIO(body) if isinstance(body, bytes) and body else body
        return self.session.request(method, self.gateway.url + path, data=data, headers={**known, **(headers or {})})

    async def settled(self) -> State:
        return await self.gateway.settled(self.session)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def neighbours() -> AsyncIterator[tuple[ModelServer, int, Backend, int]]:
    model, backend = ModelServer(), Backend()
    model_runner, model_port = await serve(model.application())
    backend_runner, backend_port = await serve(backend.application())
    yield model, model_port, backend, backend_port
    await model_runner.cleanup()
    await backend_runner.cleanup()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        yield session


@pytest.fixture(scope="session", params=["prometheus", "on_failed"])
def gateway(
    request: pytest.FixtureRequest,
    neighbours: tuple[ModelServer, int, Backend, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """Run nginx twice: with Prometheus, and without it behind a policy that turns errors into 503."""
    if reason := no_gateway():
        pytest.skip(reason)
    _, upstream, _, backend = neighbours
    bare = request.param == "on_failed"
    folder: Path = tmp_path_factory.mktemp("nginx")
    gateway = Gateway(folder, upstream, backend, prometheus=not bare, on_failed=bare, configurations=CONFIGURATIONS)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def bench(
    gateway: Gateway, neighbours: tuple[ModelServer, int, Backend, int], session: aiohttp.ClientSession
) -> AsyncIterator[Bench]:
    """Give a bench, and fail the test on any error that the gateway or the policy swallowed."""
    model, _, backend, _ = neighbours
    model.requests.clear()
    backend.preflights.clear()
    backend.failures.clear()
    backend.delay = 0.0
    bench = Bench(gateway, model, backend, session)
    yield bench
    state = await bench.settled()
    assert not state.errors, "the gateway would have swallowed these"
    assert not state.count("failures_total")
    assert not backend.invalid
    assert "token policy failed" not in gateway.log
    assert "[alert]" not in gateway.log
    assert "key-" not in gateway.log

"""One small HTTP server: metrics, liveness, readiness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Probe = Callable[[], str]
"""Returns what is wrong, in words; an empty string means that all is well."""


@asynccontextmanager
async def serve(
    registry: CollectorRegistry, *, host: str, port: int, healthy: Probe, ready: Probe
) -> AsyncIterator[int]:
    """Serve `/metrics`, `/healthz` and `/readyz` meanwhile; yields the port, which differs from a `port` of 0."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(request: web.Request) -> web.Response:
        # A blocked event loop answers nothing: for that the kubelet's own time-out is the probe.
        return _verdict(healthy())

    async def readyz(request: web.Request) -> web.Response:
        return _verdict(ready())

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _verdict(problem: str) -> web.Response:
    return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")

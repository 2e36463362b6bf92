from __future__ import annotations

from aiohttp import ClientSession
from prometheus_client import CollectorRegistry, Counter

from maas_operator.adapters.http import serve


async def test_metrics_and_probes_are_served_on_one_port() -> None:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    problems = {"ready": "the first lists are not complete", "healthy": ""}
    async with (
        serve(
            registry,
            host="127.0.0.1",
            port=0,
            healthy=lambda: problems["healthy"],
            ready=lambda: problems["ready"],
        ) as port,
        ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        answers = {}
        for path in ("/healthz", "/readyz", "/metrics"):
            async with http.get(path) as response:
                answers[path] = response.status, await response.text()
        problems["ready"] = ""
        async with http.get("/readyz") as response:
            assert response.status == 200
    assert answers["/healthz"] == (200, "ok\n")
    assert answers["/readyz"] == (503, "the first lists are not complete\n")
    assert "things_total 3.0" in answers["/metrics"][1]

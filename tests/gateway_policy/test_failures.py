"""A failure inside the policy is counted and said; no client notices, not even behind a policy that fails closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway_policy import vectors
from tests.gateway_policy.conftest import CONFIGURATIONS, Bench
from tests.gateway_policy.fakes import Script
from tests.gateway_policy.gateway import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAM = Script([vectors.D, vectors.U, vectors.F], content_type=vectors.SSE, pause=0.005)
LONG = b'{"prompt":"' + vectors.PROMPT + b'","stream":true}'
SABOTAGE = [
    "maas_llm_config.has_path",
    "maas_llm_request.new",
    "maas_llm_request.feed",
    "maas_llm_request.edits",
    "maas_llm_request.editor",
    "maas_llm_answer.format",
    "maas_llm_answer.new",
    "maas_llm_answer.feed",
    "maas_llm_answer.finish",
    "maas_llm_metrics.application",
    "maas_llm_reporter.add",
]


async def answer(bench: Bench, gateway: Gateway, key: str, body: bytes, policy: str) -> bytes:
    bench = Bench(gateway, bench.model, bench.backend, bench.session)
    async with bench.ask(STREAM, key=key, body=body, policy=policy) as response:
        assert response.status == 200
        return await response.read()


@pytest.mark.parametrize("policy", ["default", "hiding"])
@pytest.mark.parametrize("name", SABOTAGE)
async def test_a_failure_is_counted_and_no_client_notices(bench: Bench, tmp_path: Path, name: str, policy: str) -> None:
    prometheus = bench.gateway.prometheus
    gateway = Gateway(
        tmp_path,
        bench.gateway.upstream,
        bench.gateway.backend,
        prometheus=prometheus,
        on_failed=bench.gateway.on_failed,
        configurations=CONFIGURATIONS,
        sabotage=(name,),
    )
    gateway.start()
    for body in (b'{"stream":true}', LONG):
        received = await answer(bench, gateway, bench.key(), body, policy)
        assert received in (vectors.STREAM, vectors.D + vectors.F)
        assert bench.model.requests[-1][1].endswith(body[1:])
    state = await gateway.settled(bench.session)
    gateway.stop()
    assert not state.errors
    assert "token policy failed in " in gateway.log
    assert "sabotaged" in gateway.log
    assert not prometheus or state.count("failures_total") >= 2


async def test_counters_that_fail_keep_no_report_back(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(
        tmp_path,
        bench.gateway.upstream,
        bench.gateway.backend,
        configurations=CONFIGURATIONS,
        sabotage=("maas_llm_metrics.add",),
    )
    gateway.start()
    keys = [bench.key() for _ in range(3)]
    for key in keys:
        assert await answer(bench, gateway, key, b'{"stream":true}', "default") == vectors.STREAM
    await gateway.settled(bench.session)
    gateway.stop()
    assert [bench.backend.tokens(key) for key in keys] == [vectors.COUNTED] * 3

"""Reports reach backend once, however slow or broken it is; what cannot be brought there is counted."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gateway_policy import vectors
from tests.gateway_policy.conftest import CONFIGURATIONS, Bench
from tests.gateway_policy.fakes import Script
from tests.gateway_policy.gateway import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLAIN = Script([vectors.WHOLE], content_type=vectors.JSON)


async def call(bench: Bench, key: str, policy: str = "default") -> None:
    async with bench.ask(PLAIN, key=key, policy=policy) as response:
        assert await response.read() == vectors.WHOLE


async def test_every_answer_of_a_key_is_reported_exactly_once(bench: Bench) -> None:
    key = bench.key()
    await asyncio.gather(*(call(bench, key) for _ in range(200)))
    await bench.settled()
    assert bench.backend.tokens(key) == (1000, 1400, 2400)


async def test_a_slow_backend_delays_no_call_and_loses_nothing(bench: Bench) -> None:
    bench.backend.delay, keys = 1.0, [bench.key() for _ in range(20)]
    began = time.monotonic()
    await asyncio.gather(*(call(bench, key) for key in keys for _ in range(20)))
    assert time.monotonic() - began < 5
    await bench.settled()
    assert [bench.backend.tokens(key) for key in keys] == [(100, 140, 240)] * 20
    assert max(bench.backend.calls[key] for key in keys) <= 4
    assert bench.backend.most_at_once <= 16


@pytest.mark.parametrize("failure", [500, 503, 429, None], ids=str)
async def test_a_report_that_backend_surely_did_not_count_is_sent_again(bench: Bench, failure: int | None) -> None:
    key = bench.key()
    bench.backend.failures = [failure, failure]
    await call(bench, key)
    await bench.settled()
    assert bench.backend.tokens(key) == vectors.COUNTED
    assert bench.backend.calls[key] == 1


async def test_what_was_gathered_during_a_failure_is_reported_too(bench: Bench) -> None:
    key = bench.key()
    bench.backend.failures = [500]
    for _ in range(3):
        await call(bench, key)
    await bench.settled()
    assert bench.backend.tokens(key) == (15, 21, 36)


@pytest.mark.parametrize(
    ("failures", "reason"), [([500] * 3, "status_500"), ([403], "status_403"), ([504], "unknown_outcome")]
)
async def test_what_is_given_up_is_counted_and_said(bench: Bench, failures: list[int], reason: str) -> None:
    key, before = bench.key(), await bench.settled()
    bench.backend.failures = list(failures)
    await call(bench, key, "quick")
    after = await bench.settled()
    assert bench.backend.tokens(key) is None
    assert f"token counts of 1 answers of service 42 are lost: {reason}" in bench.gateway.log
    if bench.gateway.prometheus:
        lost = [after.count("unreported_tokens_total", name, reason) for name in ("prompt_tokens", "total_tokens")]
        had = [before.count("unreported_tokens_total", name, reason) for name in ("prompt_tokens", "total_tokens")]
        assert [new - old for new, old in zip(lost, had, strict=True)] == [5, 12]
        assert after.count("report_failures_total") - before.count("report_failures_total") == len(failures)


async def test_a_report_that_may_have_been_counted_is_not_sent_twice(bench: Bench) -> None:
    key = bench.key()
    bench.backend.delay = 0.8
    await call(bench, key, "quick")
    await bench.settled()
    bench.backend.delay = 0
    await call(bench, key, "quick")
    await bench.settled()
    assert bench.backend.calls[key] <= 2
    assert "lost: unknown_outcome" in bench.gateway.log


async def test_a_revoked_key_takes_no_other_reports_along(bench: Bench) -> None:
    keys = [bench.key() for _ in range(5)]
    bench.backend.revoked.add(keys[2])
    await asyncio.gather(*(call(bench, key) for key in keys))
    await bench.settled()
    counted = [bench.backend.tokens(key) for key in keys]
    assert counted == [vectors.COUNTED, vectors.COUNTED, None, vectors.COUNTED, vectors.COUNTED]


async def test_the_next_call_on_a_connection_does_not_wait_for_the_report(bench: Bench) -> None:
    bench.backend.delay = 1.0
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.gateway.port)
    bench.model.scripts["plain"] = PLAIN
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bench.key()}\r\n"
        "X-Script: plain\r\nContent-Length: 2\r\n\r\n{}"
    )
    began = time.monotonic()
    for _ in range(3):
        writer.write(head.encode())
        assert b"200" in await reader.readline()
        await reader.readuntil(b"0\r\n\r\n")
    assert time.monotonic() - began < 0.8
    writer.close()
    await writer.wait_closed()


@pytest_asyncio.fixture(loop_scope="session")
async def own(bench: Bench, tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a gateway that a test may stop or reload."""
    gateway = Gateway(tmp_path, bench.gateway.upstream, bench.gateway.backend, configurations=CONFIGURATIONS)
    gateway.start()
    yield Bench(gateway, bench.model, bench.backend, bench.session)
    if gateway.process and gateway.process.poll() is None:
        gateway.stop()


async def test_a_graceful_stop_brings_out_what_is_left(own: Bench) -> None:
    key = own.key()
    own.backend.delay = 0.5
    for _ in range(3):
        await call(own, key)
    await asyncio.to_thread(own.gateway.stop)
    assert own.backend.tokens(key) == (15, 21, 36)


async def test_a_graceful_stop_does_not_wait_for_a_distant_retry(own: Bench) -> None:
    key = own.key()
    own.backend.failures = [500] * 5
    await call(own, key)
    await asyncio.sleep(1.0)
    began = time.monotonic()
    await asyncio.to_thread(own.gateway.stop)
    assert own.backend.tokens(key) == vectors.COUNTED
    assert time.monotonic() - began < 10


async def test_a_stream_that_outlives_a_reload_is_counted(own: Bench) -> None:
    key = own.key()
    script = Script([vectors.D, vectors.D, vectors.U + vectors.F], content_type=vectors.SSE, pause=0.4)
    async with own.ask(script, key=key) as response:
        await response.content.readany()
        own.gateway.signal(signal.SIGHUP)
        await response.read()
    await asyncio.to_thread(own.gateway.stop)
    assert own.backend.tokens(key) == vectors.COUNTED

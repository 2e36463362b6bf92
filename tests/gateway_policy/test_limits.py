"""Limits on tokens refuse a call before the model works, on inference paths only."""

from __future__ import annotations

import pytest

from tests.gateway_policy import vectors
from tests.gateway_policy.conftest import Bench
from tests.gateway_policy.fakes import Script

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAM = Script([vectors.STREAM], content_type=vectors.SSE)
NAMED = {"hits": "1", "prompt_tokens": "0", "completion_tokens": "0", "total_tokens": "0"}


async def status(bench: Bench, key: str, *, path: str = "/v1/chat/completions", cached: bool = False) -> int:
    async with bench.ask(STREAM, key=key, path=path, cached=cached) as response:
        await response.read()
    await bench.settled()
    return response.status


@pytest.mark.parametrize("metric", ["prompt_tokens", "completion_tokens", "total_tokens"])
async def test_an_exhausted_plan_is_refused_before_the_model_works(bench: Bench, metric: str) -> None:
    key = bench.key()
    bench.backend.limits[key] = {metric: {"prompt_tokens": 9, "completion_tokens": 13, "total_tokens": 20}[metric]}
    assert [await status(bench, key) for _ in range(4)] == [200, 200, 429, 429]
    assert len(bench.model.requests) == 2
    assert bench.backend.tokens(key) == (10, 14, 24)


async def test_other_paths_stay_open(bench: Bench) -> None:
    key = bench.key()
    bench.backend.limits[key] = {"total_tokens": 0}
    await status(bench, key)
    assert await status(bench, key) == 429
    assert await status(bench, key, path="/v1/models") == 200


async def test_a_trailing_slash_opens_nothing(bench: Bench) -> None:
    key = bench.key()
    bench.backend.limits[key] = {"total_tokens": 1}
    assert await status(bench, key, path="/v1/chat/completions/") == 200
    assert await status(bench, key, path="/v1//chat/%63ompletions/") == 429


async def test_all_metrics_that_plans_may_limit_are_named_with_nothing_used(bench: Bench) -> None:
    await status(bench, bench.key())
    assert bench.backend.preflights == [NAMED]


async def test_a_call_authorised_from_the_cache_names_them_afterwards(bench: Bench) -> None:
    key = bench.key()
    await status(bench, key, cached=True)
    assert bench.backend.preflights == [NAMED]
    assert bench.backend.tokens(key) == vectors.COUNTED


async def test_a_path_without_rule_stays_not_found(bench: Bench) -> None:
    async with bench.ask(STREAM, key=bench.key(), path="/elsewhere") as response:
        assert response.status == 404
    assert not bench.backend.preflights


async def test_a_refused_call_counts_nothing(bench: Bench) -> None:
    key, before = bench.key(), await bench.settled()
    bench.backend.limits[key] = {"hits": 0}
    assert await status(bench, key) == 429
    after = await bench.settled()
    assert bench.backend.tokens(key) is None
    assert after.counters == before.counters

"""Every answer passes a real gateway unchanged, is counted right, and reported once."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.gateway_policy import vectors
from tests.gateway_policy.conftest import Bench
from tests.gateway_policy.fakes import Script
from tests.gateway_policy.gateway import State
from tests.gateway_policy.vectors import Answer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWERS = [*vectors.STREAMS, *vectors.BODIES, *vectors.ODD_BODIES]
SHORT = [answer for answer in ANSWERS if len(answer.body) < 2000]
CUT = [answer for answer in vectors.STREAMS if not answer.aborted and len(answer.pieces) <= 4 and answer in SHORT]
EVENTS = ("missing_usage", "parse_errors", "aborted")


def script(answer: Answer) -> Script:
    pause = 0.0 if len(answer.pieces) == 1 else 0.0005
    return Script(answer.pieces, answer.status, answer.content_type, answer.encoding, pause=pause, stay=answer.aborted)


async def read(bench: Bench, answer: Answer, *, key: str, cached: bool = False) -> bytes:
    async with bench.ask(script(answer), key=key, cached=cached) as response:
        assert response.status == answer.status
        if not answer.aborted:
            return await response.read()
        received = await response.content.readexactly(len(answer.body))
        response.close()
        return received


def noticed(before: State, after: State) -> dict[str, int]:
    return {name: after.count(f"{name}_total") - before.count(f"{name}_total") for name in EVENTS}


@pytest.mark.parametrize("cached", [False, True], ids=["authorised by a call", "authorised from the cache"])
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
async def test_an_answer_is_counted_and_passes_unchanged(bench: Bench, answer: Answer, cached: bool) -> None:
    key, before = bench.key(), await bench.settled()
    assert await read(bench, answer, key=key, cached=cached) == answer.body
    after = await bench.settled()
    assert bench.backend.tokens(key) == answer.counts
    assert bench.backend.calls[key] == (answer.counts is not None)
    assert bench.backend.texts[key].items() >= answer.reported.items()
    if bench.gateway.prometheus:
        expected = {"missing_usage": answer.missing_usage, "aborted": answer.aborted}
        assert noticed(before, after) == {**expected, "parse_errors": answer.parse_errors}


@pytest.mark.parametrize("answer", CUT, ids=lambda answer: answer.name)
async def test_a_stream_is_counted_wherever_it_is_cut_in_two(bench: Bench, answer: Answer) -> None:
    keys = {bench.key(): cut for cut in vectors.cuts(answer.body)}
    turns = asyncio.Semaphore(20)

    async def follow(key: str, cut: tuple[bytes, bytes]) -> None:
        async with turns, bench.ask(Script(cut, content_type=answer.content_type, pause=0.02), key=key) as response:
            assert await response.read() == answer.body

    await asyncio.gather(*(follow(key, cut) for key, cut in keys.items()))
    await bench.settled()
    wrong = {cut: bench.backend.tokens(key) for key, cut in keys.items() if bench.backend.tokens(key) != answer.counts}
    assert not wrong


async def test_the_tokens_of_an_answer_are_counted_by_type_and_application(bench: Bench) -> None:
    if not bench.gateway.prometheus:
        pytest.skip("this gateway has no metrics port")
    before = await bench.settled()
    key = bench.key()
    await read(bench, vectors.STREAMS[0], key=key)
    after = await bench.settled()
    types = ("prompt", "completion", "total")
    counted = {each: after.count("tokens_total", each) - before.count("tokens_total", each) for each in types}
    assert counted == {"prompt": 5, "completion": 7, "total": 12}
    assert not any(key in name for name in after.counters)


async def test_a_head_request_is_let_alone(bench: Bench) -> None:
    key = bench.key()
    async with bench.ask(Script([vectors.WHOLE]), key=key, method="HEAD") as response:
        assert response.status == 200
    await bench.settled()
    assert bench.backend.tokens(key) is None


async def test_other_paths_are_let_alone(bench: Bench) -> None:
    key = bench.key()
    async with bench.ask(Script([vectors.WHOLE]), key=key, path="/v1/models", method="GET") as response:
        assert await response.read() == vectors.WHOLE
    async with bench.ask(Script([vectors.WHOLE]), key=key, path="/v1/models", body=b'{"stream":true}') as response:
        assert await response.read() == vectors.WHOLE
    await bench.settled()
    assert bench.backend.tokens(key) is None
    assert bench.model.requests[-1][1] == b'{"stream":true}'
    assert bench.backend.preflights == [{"hits": "1"}] * 2


async def test_a_model_server_that_breaks_off_is_counted_as_far_as_it_came(bench: Bench) -> None:
    key, before = bench.key(), await bench.settled()
    script = Script(vectors.CUMULATIVE, content_type=vectors.SSE, cut=True, pause=0.05)
    async with bench.ask(script, key=key) as response:
        await response.content.readexactly(len(b"".join(vectors.CUMULATIVE)))
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
    after = await bench.settled()
    assert bench.backend.tokens(key) == (5, 2, 7)
    if bench.gateway.prometheus:
        assert noticed(before, after)["aborted"] == 1

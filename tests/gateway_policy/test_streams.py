"""A stream flows through the gateway as if nobody looked."""

from __future__ import annotations

import asyncio
import random
import time
from itertools import pairwise

import pytest

from tests.gateway_policy import vectors
from tests.gateway_policy.conftest import Bench
from tests.gateway_policy.fakes import Script

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_every_piece_reaches_the_client_before_the_next_is_written(bench: Bench) -> None:
    pieces = [vectors.D[:20], vectors.D[20:], vectors.U, vectors.F]
    arrived = []
    async with bench.ask(Script(pieces, content_type=vectors.SSE, pause=0.2), key=bench.key()) as response:
        for piece in pieces:
            assert await response.content.readexactly(len(piece)) == piece
            arrived.append(time.monotonic())
    assert min(later - sooner for sooner, later in pairwise(arrived)) > 0.1


async def test_a_line_of_48_mb_costs_the_worker_no_memory(bench: Bench) -> None:
    key = bench.key()
    pieces = [b'data: {"x":"', *([b"x" * 2**20] * 48), b'"}\n\n', vectors.U, vectors.F]
    before = bench.gateway.peak_memory()
    async with bench.ask(Script(pieces, content_type=vectors.SSE), key=key) as response:
        async for _ in response.content.iter_chunked(2**20):
            pass
    # The collector of a cold worker may lag some pieces behind: a quarter of the line tells that from keeping it.
    assert bench.gateway.peak_memory() - before < 12 * 2**20
    await bench.settled()
    assert bench.backend.tokens(key) == vectors.COUNTED


async def test_a_client_that_leaves_frees_the_model_server(bench: Bench) -> None:
    key = bench.key()
    bench.model.left.clear()
    script = Script([vectors.D] * 1000, content_type=vectors.SSE, pause=0.01)
    async with bench.ask(script, key=key) as response:
        await response.content.readany()
        response.close()
    async with asyncio.timeout(5):
        await bench.model.left.wait()
    await bench.settled()
    assert bench.backend.tokens(key) is None


async def test_a_client_that_leaves_before_the_answer_is_counted_as_aborted(bench: Bench) -> None:
    before = await bench.settled()
    script = Script([vectors.D] * 3, content_type=vectors.SSE, stay=True)
    task = asyncio.ensure_future(_open(bench, script))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    after = await bench.settled()
    if bench.gateway.prometheus:
        assert after.count("aborted_total") - before.count("aborted_total") == 1


async def _open(bench: Bench, script: Script) -> None:
    async with bench.ask(script, key=bench.key()) as response:
        await response.read()


async def test_calls_on_one_connection_are_counted_apart(bench: Bench) -> None:
    keys = [bench.key() for _ in range(20)]
    for index, key in enumerate(keys):
        script = Script([vectors.completion(vectors.usage(index, 1, index + 1))], content_type=vectors.JSON)
        async with bench.ask(script, key=key) as response:
            await response.read()
    await bench.settled()
    assert [bench.backend.tokens(key) for key in keys] == [(index, 1, index + 1) for index in range(20)]


async def test_streams_side_by_side_are_counted_apart(bench: Bench) -> None:
    chance = random.Random(7)
    streams = {}
    for index in range(100):
        stream = vectors.D * chance.randint(1, 5) + vectors.chunk(vectors.usage(index, 1, index + 1)) + vectors.F
        streams[bench.key()] = (vectors.pieces_of(stream, chance.randint(5, 200)), (index, 1, index + 1))

    async def follow(key: str, pieces: tuple[bytes, ...]) -> None:
        async with bench.ask(Script(pieces, content_type=vectors.SSE, pause=0.001), key=key) as response:
            assert await response.read() == b"".join(pieces)

    await asyncio.gather(*(follow(key, pieces) for key, (pieces, _) in streams.items()))
    await bench.settled()
    assert {key: bench.backend.tokens(key) for key in streams} == {key: counts for key, (_, counts) in streams.items()}

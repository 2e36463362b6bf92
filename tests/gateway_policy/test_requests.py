"""Requests reach the model server byte for byte, but for the option that makes a stream carry its usage."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tests.gateway_policy import vectors
from tests.gateway_policy.conftest import Bench
from tests.gateway_policy.fakes import Script
from tests.gateway_policy.vectors import Request

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAM = Script([vectors.STREAM], content_type=vectors.SSE)
ASKING = b'{"stream":true}'
PATHS = ["/v1/chat/completions", "/v1/completions"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("request_", vectors.REQUESTS, ids=lambda request: request.name)
async def test_a_request_is_spliced_and_nothing_else(bench: Bench, request_: Request, path: str) -> None:
    headers = {"Content-Type": request_.content_type}
    async with bench.ask(STREAM, key=bench.key(), body=request_.sent, path=path, headers=headers) as response:
        assert response.status == 200
        await response.read()
    asked, received = bench.model.requests[-1]
    assert received == request_.received
    assert asked.content_length in (len(received), None if not received else len(received))
    assert asked.headers["Content-Type"] == request_.content_type
    assert asked.path == path


async def test_a_chunked_request_is_spliced(bench: Bench) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield ASKING[:3]
        yield ASKING[3:]

    async with bench.ask(STREAM, key=bench.key(), body=parts()) as response:
        await response.read()
    assert bench.model.requests[-1][1] == vectors.REQUESTS[0].received


async def test_a_request_of_32_mb_costs_the_worker_no_memory(bench: Bench) -> None:
    prompt = b'"prompt":"' + b"p" * 32 * 2**20 + b'",'
    before = bench.gateway.peak_memory()
    async with bench.ask(STREAM, key=bench.key(), body=b"{" + prompt + ASKING[1:]) as response:
        await response.read()
    # As for a line of a stream: the collector may lag some pieces behind.
    assert bench.gateway.peak_memory() - before < 8 * 2**20
    assert bench.model.requests[-1][1] == b"{" + vectors.OPTIONS + prompt + ASKING[1:]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses", "/v1/messages"])
async def test_paths_that_know_no_stream_options_keep_their_requests(bench: Bench, path: str) -> None:
    async with bench.ask(STREAM, key=bench.key(), body=ASKING, path=path) as response:
        await response.read()
    assert bench.model.requests[-1][1] == ASKING


async def test_answers_come_uncompressed(bench: Bench) -> None:
    async with bench.ask(STREAM, key=bench.key(), headers={"Accept-Encoding": "gzip"}) as response:
        await response.read()
    assert "Accept-Encoding" not in bench.model.requests[-1][0].headers


@pytest.mark.parametrize("piece", [1, 3, 50, 10_000])
async def test_a_client_that_did_not_ask_gets_no_usage_when_so_configured(bench: Bench, piece: int) -> None:
    key = bench.key()
    script = Script(vectors.pieces_of(vectors.STREAM, piece), content_type=vectors.SSE, pause=0.0005)
    async with bench.ask(script, key=key, body=ASKING, policy="hiding") as response:
        assert await response.read() == vectors.D + vectors.F
    await bench.settled()
    assert bench.backend.tokens(key) == vectors.COUNTED


async def test_a_client_that_asked_gets_its_usage(bench: Bench) -> None:
    key = bench.key()
    body = b'{"stream":true,"stream_options":{"include_usage":true}}'
    async with bench.ask(STREAM, key=key, body=body, policy="hiding") as response:
        assert await response.read() == vectors.STREAM


async def test_hiding_leaves_plain_answers_alone(bench: Bench) -> None:
    key = bench.key()
    script = Script([vectors.WHOLE], content_type=vectors.JSON)
    async with bench.ask(script, key=key, body=ASKING, policy="hiding") as response:
        assert await response.read() == vectors.WHOLE
    await bench.settled()
    assert bench.backend.tokens(key) == vectors.COUNTED


async def test_usage_in_every_chunk_is_asked_for_when_so_configured(bench: Bench) -> None:
    async with bench.ask(STREAM, key=bench.key(), body=ASKING, policy="continuous") as response:
        await response.read()
    options = b'"stream_options":{"include_usage":true,"continuous_usage_stats":true},'
    assert bench.model.requests[-1][1] == b"{" + options + ASKING[1:]


async def test_the_body_of_a_refused_call_is_not_read(bench: Bench) -> None:
    """The client announces a body and never sends it: the refusal comes all the same."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {10**6}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.gateway.port, family=socket.AF_INET)
    writer.write(head)
    async with asyncio.timeout(5):
        status = await reader.readline()
    assert b" 403 " in status
    writer.close()
    await writer.wait_closed()

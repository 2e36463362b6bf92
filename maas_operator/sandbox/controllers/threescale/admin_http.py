"""Two ways to the stand-in's Admin API: over HTTP on the loopback, and in this process."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
from aiohttp import web

from .admin_api import AdminApi, Answer, Request
from .errors import Unreachable

_LOOPBACK: Final = "127.0.0.1"


class InProcess(httpx.AsyncBaseTransport):
    """Takes the place of the network between a client and the stand-in."""

    def __init__(self, api: AdminApi) -> None:
        self._api = api

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request at once."""
        asked = Request(
            method=request.method,
            host=request.url.netloc.decode(),
            path=request.url.path,
            query=dict(request.url.params),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        try:
            answer = await self._api.answer(asked)
        except Unreachable as error:
            refused = ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
            raise httpx.ConnectError(str(error)) from refused
        return httpx.Response(answer.code, content=answer.text)


class Detour(httpx.AsyncHTTPTransport):
    """Leads every request to the stand-in on the loopback, whatever host it is for: that host has no address."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, with the Host header that it has."""
        request.url = request.url.copy_with(scheme="http", host=_LOOPBACK, port=self._port)
        return await super().handle_async_request(request)


@asynccontextmanager
async def serve(api: AdminApi) -> AsyncIterator[int]:
    """Serve the Admin API on a free port of the loopback; yield the port."""

    async def handle(request: web.Request) -> web.Response:
        asked = Request(
            method=request.method,
            host=request.host,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        try:
            return _response(await api.answer(asked))
        except Unreachable:
            # As if nobody had listened: the client sees its connection break.
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, _LOOPBACK, 0)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.code, text=answer.text, content_type="application/json")

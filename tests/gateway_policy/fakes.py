"""The model server and 3scale's backend, as far as the policy can tell."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

TOKEN_METRICS = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(repr=False)
class Script:
    """How the model server answers: the pieces, each written on its own, `pause` seconds apart."""

    pieces: Sequence[bytes] = ()
    status: int = 200
    content_type: str = "application/json"
    encoding: str = ""
    pause: float = 0.0
    stay: bool = False
    """Leave the answer open after the last piece."""
    cut: bool = False
    """Close the connection after the last piece instead of ending the answer."""


@dataclass(repr=False)
class ModelServer:
    """Answers by script and keeps what it was asked."""

    scripts: dict[str, Script] = field(default_factory=dict)
    requests: list[tuple[web.Request, bytes]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client left an answer."""

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request, await request.read()))
        script = self.scripts[request.headers.get("X-Script", "default")]
        headers = {"Content-Type": script.content_type}
        if script.encoding:
            headers["Content-Encoding"] = script.encoding
        response = web.StreamResponse(status=script.status, headers=headers)
        await response.prepare(request)
        try:
            await self._write(response, script)
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        if script.cut and request.transport:
            request.transport.abort()
        return response

    async def _write(self, response: web.StreamResponse, script: Script) -> None:
        for piece in script.pieces:
            await response.write(piece)
            await asyncio.sleep(script.pause)
        if script.stay:
            await asyncio.sleep(60)


@dataclass(repr=False)
class Backend:
    """Checks the limits of named metrics only, counts reports, refuses a report with one bad value whole."""

    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    texts: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """The value of each metric as it was last written."""
    calls: Counter[str] = field(default_factory=Counter)
    """Reports per key."""
    preflights: list[dict[str, str]] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    limits: dict[str, dict[str, int]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    failures: list[int | None] = field(default_factory=list)
    """Statuses to answer the next reports with, None for a closed connection; nothing of them is counted."""
    delay: float = 0.0
    most_at_once: int = 0
    _open: int = 0

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/transactions/authrep.xml", self.authrep)
        app.router.add_post("/transactions.xml", self.report)
        return app

    async def authrep(self, request: web.Request) -> web.Response:
        usage = {name[6:-1]: value for name, value in request.query.items() if name.startswith("usage[")}
        key = request.query["user_key"]
        self.preflights.append(usage)
        if not all(re.fullmatch(r"\d+", value) for value in usage.values()):
            self.invalid.append(str(usage))
            return web.Response(status=403)
        limits = self.limits.get(key, {})
        if any(metric in limits and self.counts[key][metric] + int(usage[metric]) > limits[metric] for metric in usage):
            return web.Response(status=409)
        self.counts[key].update({metric: int(value) for metric, value in usage.items()})
        return web.Response(status=200)

    async def report(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self._open -= 1
        failure = self.failures.pop(0) if self.failures else 202
        if failure is None:
            assert request.transport
            request.transport.abort()
        if failure == 202:
            self._count({name: str(value) for name, value in form.items()})
        return web.Response(status=failure or 500)

    def _count(self, form: dict[str, str]) -> None:
        keys = {
            match[1]: value
            for name, value in form.items()
            if (match := re.match(r"transactions\[(\d+)\]\[user_key", name))
        }
        usages = [
            (keys[match[1]], match[2], value)
            for name, value in form.items()
            if (match := re.match(r"transactions\[(\d+)\]\[usage\]\[(\w+)\]", name))
        ]
        bad = [value for key, metric, value in usages if not re.fullmatch(r"\d+", value) or metric not in TOKEN_METRICS]
        if bad or not usages:
            self.invalid.append(str(form))
            return
        if self.revoked & set(keys.values()):
            return
        for key, metric, value in usages:
            self.counts[key][metric] += int(value)
            self.texts[key][metric] = value
        self.calls.update(keys.values())

    def tokens(self, key: str) -> tuple[int, int, int] | None:
        """Return what was reported for a key, or nothing if nothing was."""
        if not self.calls[key]:
            return None
        prompt, completion, total = (self.counts[key][metric] for metric in TOKEN_METRICS)
        return prompt, completion, total

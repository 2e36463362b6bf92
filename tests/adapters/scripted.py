"""An HTTP server that answers what a test tells it to, in turn: the seam below the Kubernetes client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from maas_operator.adapters.kubernetes.client import KubernetesCluster
from maas_operator.engine.fence import WriteSeconds, always


@dataclass(frozen=True)
class Answer:
    code: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """`answers` are given in turn, the last one for ever; None drops the connection. `requests` is what came in."""

    answers: list[Answer | None]
    requests: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    delay_seconds: float = 0.0

    async def serve(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(json.loads(await request.text() or "null"))
        await asyncio.sleep(self.delay_seconds)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return web.Response(status=answer.code, text=text, headers=answer.headers, content_type="application/json")


def status(code: int, reason: str = "", message: str = "", **details: Any) -> Answer:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return Answer(code, body)


@asynccontextmanager
async def scripted(
    *answers: Answer | None, may_write: WriteSeconds = always
) -> AsyncIterator[tuple[KubernetesCluster, Script]]:
    script = Script(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.serve)
    server = TestServer(app)
    await server.start_server()
    configuration = Configuration(host=str(server.make_url("")).rstrip("/"))
    try:
        async with ApiClient(configuration) as client:
            yield KubernetesCluster(client, may_write=may_write), script
    finally:
        await server.close()

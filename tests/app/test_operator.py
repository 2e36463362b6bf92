"""The whole process: what it says, what it serves, and with what code it exits."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi

MAIN = "from maas_operator.app.cli import main; main()"


@asynccontextmanager
async def operator(kubeconfig: Path) -> AsyncIterator[Process]:
    options = ["run", "--kubeconfig", str(kubeconfig), "--http-host", "127.0.0.1", "--http-port", "0"]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", MAIN, *options, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines(process: Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stderr is not None
    async for line in process.stderr:
        yield json.loads(line)


async def answer(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.text()


async def test_it_serves_until_a_signal_and_exits_with_0(tmp_path: Path) -> None:
    async with KubeApi() as api, operator(api.write_kubeconfig(tmp_path / "kubeconfig")) as process:
        logged = lines(process)
        started = await anext(logged)
        url = f"http://127.0.0.1:{started['message'].rpartition(' ')[2]}"
        assert (await anext(logged))["message"] == "ready"
        assert await answer(f"{url}/readyz") == (200, "ok\n")
        assert await answer(f"{url}/healthz") == (200, "ok\n")
        assert "maas_operator_build_info" in (await answer(f"{url}/metrics"))[1]
        process.terminate()
        assert [line["message"] async for line in logged] == ["stopped"]
        assert await process.wait() == 0


async def test_a_missing_permission_is_named_once_and_exits_with_1(tmp_path: Path) -> None:
    async def deny(call: Call) -> None:
        if call.kind == "Pod":
            raise ApiError(403, "Forbidden", "cannot list pods")

    async with KubeApi() as api:
        api.faults.add(deny)
        async with operator(api.write_kubeconfig(tmp_path / "kubeconfig")) as process:
            messages = [(line["level"], line["message"]) async for line in lines(process)]
            assert await process.wait() == 1
    assert messages[1:] == [("CRITICAL", "pods: Forbidden: cannot list pods")]

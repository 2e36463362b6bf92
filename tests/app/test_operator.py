"""The whole process: what it says, what it serves, and with what code it exits."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml

from maas_operator.api.crd.definitions import crd_files
from maas_operator.domain.kinds import LEASE, MODEL_PLATFORM
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi

METRICS_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
PLATFORM = {
    "apiVersion": MODEL_PLATFORM.api_version,
    "kind": MODEL_PLATFORM.name,
    "metadata": {"name": "default"},
    "spec": {"threescale": {"namespace": "3scale"}},
}
MAIN = "from maas_operator.app.cli import main; main()"


@asynccontextmanager
async def operator(kubeconfig: Path, *more: str) -> AsyncIterator[Process]:
    options = ["run", "--kubeconfig", str(kubeconfig), "--http-host", "127.0.0.1", "--http-port", "0", *more]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MAIN,
        *options,
        stdout=PIPE,
        stderr=PIPE,
        # As a shell starts what is to run in its background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
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


async def started(logged: AsyncIterator[dict[str, Any]]) -> str:
    """Return the URL that the operator serves."""
    return f"http://127.0.0.1:{(await anext(logged))['message'].rpartition(' ')[2]}"


async def become(url: str, expected: tuple[int, str]) -> None:
    async with asyncio.timeout(20):
        while await answer(url) != expected:
            await asyncio.sleep(0.1)


async def install(api: KubeApi) -> None:
    for text in crd_files().values():
        await InProcessCluster(api).apply(yaml.safe_load(text))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_a_signal_and_exits_with_0(number: signal.Signals, tmp_path: Path) -> None:
    async with KubeApi() as api, operator(api.write_kubeconfig(tmp_path / "kubeconfig")) as process:
        await install(api)
        logged = lines(process)
        url = await started(logged)
        assert (await anext(logged))["message"] == "ready"
        assert await answer(f"{url}/readyz") == (200, "ok\n")
        assert await answer(f"{url}/healthz") == (200, "ok\n")
        page = (await answer(f"{url}/metrics"))[1]
        served = set(re.findall(r"^(maas_operator_\w+?)(?:_bucket|_sum|_count)?[{ ]", page, re.MULTILINE))
        assert "maas_operator_build_info" in served
        assert served <= set(re.findall(r"maas_operator_\w+", METRICS_PAGE.read_text()))
        process.send_signal(number)
        assert [line["message"] async for line in logged] == ["stopped"]
        assert await process.wait() == 0
        assert await InProcessCluster(api).list(LEASE) == []


async def test_its_options_reach_what_they_are_for(tmp_path: Path) -> None:
    async with KubeApi() as api:
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
        kubeconfig.write_text(kubeconfig.read_text().replace("current-context: sandbox", "current-context: elsewhere"))
        terms = {"lease-duration": "7s", "renew-deadline": "5s", "retry-period": "1s", "resource-namespace": "default"}
        election = [f"--leader-elect-{name}={value}" for name, value in terms.items()]
        async with operator(
            kubeconfig, "--context=sandbox", "--log-level=warning", "--leader-elect", *election
        ) as process:
            cluster = InProcessCluster(api)
            while not (leases := await cluster.list(LEASE, namespace="default")):
                await asyncio.sleep(0.1)
            (lease,) = leases
            assert lease["spec"]["leaseDurationSeconds"] == 7
            assert lease["spec"]["holderIdentity"].startswith(f"{socket.gethostname()}_")
            process.kill()
            assert [line async for line in lines(process) if line["level"] == "INFO"] == []


async def test_without_its_own_types_it_is_not_ready_and_says_what_to_do(tmp_path: Path) -> None:
    async with KubeApi() as api, operator(api.write_kubeconfig(tmp_path / "kubeconfig")) as process:
        logged = lines(process)
        url = await started(logged)
        assert (await anext(logged))["message"] == "ready"
        missing = "these types are not installed: ModelService, ModelSubscription, ModelPlatform; apply the CRDs\n"
        assert await answer(f"{url}/readyz") == (503, missing)
        assert await answer(f"{url}/healthz") == (200, "ok\n")
        await install(api)
        await become(f"{url}/readyz", (200, "ok\n"))


async def test_while_the_api_server_can_not_be_reached_it_waits_and_is_not_ready_before_it_could_list(
    tmp_path: Path,
) -> None:
    async with KubeApi() as api:
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
    async with operator(kubeconfig) as process:
        logged = lines(process)
        url = await started(logged)
        assert "no answer from the Kubernetes API" in (await anext(logged))["message"]
        assert await answer(f"{url}/readyz") == (503, "the watches have not told yet what there is\n")
        assert await answer(f"{url}/healthz") == (200, "ok\n")
        assert process.returncode is None


async def test_an_api_server_that_is_away_later_is_no_reason_to_restart_and_then_all_goes_on(tmp_path: Path) -> None:
    async with KubeApi() as api, operator(api.write_kubeconfig(tmp_path / "kubeconfig")) as process:
        await install(api)
        logged = lines(process)
        url = await started(logged)
        assert (await anext(logged))["message"] == "ready"
        await api.stop()
        assert await answer(f"{url}/readyz") == (200, "ok\n")
        assert await answer(f"{url}/healthz") == (200, "ok\n")
        await InProcessCluster(api).apply(PLATFORM)
        await api.start(urlsplit(api.url).port or 0)
        async with asyncio.timeout(20):
            while 'maas_operator_resources{kind="ModelPlatform"} 1.0' not in (await answer(f"{url}/metrics"))[1]:
                await asyncio.sleep(0.1)
        assert process.returncode is None


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("Pod", [], "pods: Forbidden: no"),
        ("Lease", ["--leader-elect"], "Lease maas-operator/maas-operator: Forbidden: no"),
    ],
)
async def test_a_missing_permission_is_named_once_and_exits_with_1(
    tmp_path: Path, kind: str, options: list[str], words: str
) -> None:
    async def deny(call: Call) -> None:
        if call.kind == kind:
            raise ApiError(403, "Forbidden", "no")

    async with KubeApi() as api:
        api.faults.add(deny)
        async with operator(api.write_kubeconfig(tmp_path / "kubeconfig"), *options) as process:
            messages = [(line["level"], line["message"]) async for line in lines(process)]
            assert await process.wait() == 1
    assert messages[1:] == [("CRITICAL", words)]

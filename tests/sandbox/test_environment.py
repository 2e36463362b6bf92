"""What the sandbox starts ends with it, and a cluster that was there before is left as it was."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from maas_operator.domain.kinds import NAMESPACE, TABLE
from maas_operator.domain.objects import Ref, ref_of
from maas_operator.engine.errors import KindNotServed
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.demo import sample
from maas_operator.sandbox.environment import Setup, environment
from maas_operator.sandbox.install import ForeignCluster, LeftBehind
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi
from tests.sandbox.commands import LIMIT_SECONDS, ended, started, until


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[KubeApi]:
    """A cluster of somebody else."""
    async with KubeApi() as kubeapi:
        yield kubeapi


@pytest.fixture
def setup(cluster: KubeApi, tmp_path: Path) -> Setup:
    return Setup(folder=tmp_path, kubeconfig=cluster.write_kubeconfig(tmp_path / "kubeconfig"))


async def everything(cluster: KubeApi) -> set[Ref]:
    client, found = InProcessClient(cluster), set()
    for kind in TABLE:
        with suppress(KindNotServed):
            found |= {ref_of(one) for one in await client.list(kind)}
    return found


async def test_a_cluster_is_left_as_it_was(setup: Setup, cluster: KubeApi) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "3scale"}}
    await InProcessClient(cluster).create(namespace)
    before = await everything(cluster)
    async with environment(setup):
        assert await everything(cluster) > before
    assert await everything(cluster) == before


async def test_a_cluster_with_a_real_kserve_is_not_touched(setup: Setup, cluster: KubeApi) -> None:
    await InProcessClient(cluster).create(third_party_crds()[0])
    before = await everything(cluster)
    with pytest.raises(ForeignCluster, match=r"servingruntimes\.serving\.kserve\.io is there already"):
        async with environment(setup):
            pytest.fail("it came up")
    assert await everything(cluster) == before


async def test_nothing_is_taken_out_while_it_is_in_use(setup: Setup, cluster: KubeApi) -> None:
    async with environment(setup) as around:
        for manifest in sample():
            await around.client.apply(manifest)
        with pytest.raises(LeftBehind, match="delete ModelService llm-hosting/llama-32-1b-instruct-cpu"):
            await around.installation.remove()
        for manifest in reversed(sample()):
            live = await around.client.get(ref_of(manifest))
            await around.client.delete(ref_of(manifest), uid=live["metadata"]["uid"])
        assert Ref(NAMESPACE, "", "maas-operator") in await everything(cluster)


async def test_ctrl_c_ends_the_sandbox_in_order(tmp_path: Path) -> None:
    child = await started(tmp_path, "start")
    output = await until(child, "The operator's log")
    assert f"export KUBECONFIG={tmp_path}/.sandbox/admin.kubeconfig" in output
    child.send_signal(signal.SIGINT)
    assert await ended(child) == (0, "\nstopped\n")


async def test_a_second_sandbox_does_not_start_in_the_folder_of_the_first(tmp_path: Path) -> None:
    first = await started(tmp_path, "start")
    await until(first, "The operator's log")
    code, output = await ended(await started(tmp_path, "start"))
    assert (code, "a sandbox is running in" in output) == (2, True)
    first.terminate()
    assert (await ended(first))[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_the_operator_dies_with_a_sandbox_that_is_killed(tmp_path: Path) -> None:
    child = await started(tmp_path, "start")
    await until(child, "The operator's log")
    (url,) = operator_urls(tmp_path / ".sandbox" / "operator.log")
    assert await answers(url)
    child.kill()
    await ended(child)
    async with asyncio.timeout(LIMIT_SECONDS):
        while await answers(url):
            await asyncio.sleep(0.05)


async def answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


def operator_urls(log: Path) -> list[str]:
    messages = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    ports = [message.rsplit(" ", 1)[-1] for message in messages if "probes on port" in message]
    return [f"http://127.0.0.1:{port}/healthz" for port in ports]

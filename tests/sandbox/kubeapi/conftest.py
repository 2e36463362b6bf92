"""Two servers to ask the same questions: the embedded one, and the real one where its binaries are.

All tests share one event loop: TLS connections that a watch cut off need it to close in peace.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from maas_operator.sandbox.control_plane import ControlPlane
from maas_operator.sandbox.kubeapi import KubeApi
from tests.sandbox.kubeapi.client import CRDS, WIDGETS, Client, widget

_numbers = itertools.count()


@pytest_asyncio.fixture(loop_scope="session")
async def kubeapi() -> AsyncIterator[KubeApi]:
    """The embedded API, listening."""
    async with KubeApi() as api:
        yield api


@pytest_asyncio.fixture(loop_scope="session")
async def embedded(kubeapi: KubeApi) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(session, kubeapi.url)
        assert (await client.create(CRDS, WIDGETS)).code == 201
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real(control_plane: ControlPlane) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {control_plane.token}"}
    connector = aiohttp.TCPConnector(ssl=control_plane.tls())
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        client = Client(session, control_plane.url)
        await client.create(CRDS, WIDGETS)
        await _typed(client)
        yield client


async def _typed(client: Client) -> None:
    """Wait until the real server serves the kind and knows its schema in applies too, which takes some seconds."""
    probe = "/apis/example.io/v1/namespaces/default/widgets/probe"
    async with asyncio.timeout(30):
        nonsense = widget("probe", {"nonsense": 1})
        while (await client.apply(probe, nonsense, "probe", dryRun="All")).code != 500:
            await asyncio.sleep(0.2)


@pytest.fixture(params=["embedded", "real"])
def api(request: pytest.FixtureRequest) -> Client:
    """Each test that asks for it runs on both servers."""
    client = request.getfixturevalue(request.param)
    assert isinstance(client, Client)
    return client


@pytest_asyncio.fixture(loop_scope="session")
async def home(api: Client) -> str:
    """The path of a namespace of the test's own."""
    name = f"home-{next(_numbers)}"
    assert (await api.create("/api/v1/namespaces", {"metadata": {"name": name}})).code == 201
    return f"namespaces/{name}"


@pytest.fixture
def widgets(home: str) -> str:
    """The path of the Widgets in that namespace."""
    return f"/apis/example.io/v1/{home}/widgets"


@pytest.fixture
def config_maps(home: str) -> str:
    """The path of its ConfigMaps."""
    return f"/api/v1/{home}/configmaps"

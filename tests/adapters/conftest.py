"""An API server to talk to: the embedded one always, the real one as well where its binaries are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from maas_operator.adapters.kubernetes.access import Access, connect
from maas_operator.adapters.kubernetes.client import KubernetesCluster
from maas_operator.sandbox.control_plane import ControlPlane
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi


@pytest_asyncio.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Access]:
    async with KubeApi() as api:
        yield Access(kubeconfig=api.write_kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def real(control_plane: ControlPlane) -> Access:
    return Access(kubeconfig=control_plane.kubeconfig)


@pytest.fixture(params=["embedded", "real"])
def access(request: pytest.FixtureRequest) -> Access:
    """Each test that asks for it runs on both servers."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Access)
    return found


@pytest_asyncio.fixture
async def cluster(access: Access) -> AsyncIterator[KubernetesCluster]:
    async with connect(access) as cluster:
        yield cluster

"""What several layers' tests share."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from maas_operator.sandbox.control_plane import ControlPlane

# How long an example takes is the machine's affair: what is slow is told by the benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def control_plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """The real control plane, one for all tests; skips where its binaries are not."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no real control plane")
    async with ControlPlane(Path(assets), tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane

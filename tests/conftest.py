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

ON_BOTH = ("test_life.py", "test_pages.py")
"""What the embedded API is held to by the end-to-end tests where the real servers take all of them."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would run on both servers, but for a part; `SERVERS=all` takes it all, as does naming it."""
    if os.environ.get("SERVERS") == "all" or not os.environ.get("KUBEBUILDER_ASSETS"):
        return
    on_real = {item.nodeid for item in items}
    twice = [one for one in items if "[embedded" in one.name and one.nodeid.replace("[embedded", "[real") in on_real]
    left_out = {one for one in twice if one.path.parent.name in ("e2e", "install") and one.path.name not in ON_BOTH}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def control_plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """The real control plane, one for all tests; skips where its binaries are not."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no real control plane")
    async with ControlPlane(Path(assets), tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane

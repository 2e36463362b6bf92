"""One world for each server: the embedded API always, the real one where its binaries are."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from maas_operator.sandbox.control_plane import ControlPlane
from maas_operator.sandbox.environment import Cluster, Setup, environment
from maas_operator.sandbox.operator_process import OperatorProcess
from tests.e2e.world import LEFT_OUT, PLATFORM, World, sample, service_of

UPSTREAM = Path(__file__).parents[3] / "shared" / "upstream-crds"
_numbers = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the looks at the whole run come last, before pytest groups the tests by server and keeps this order."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    last = [item for item in ours if item.path.name in ("test_log.py", "test_permissions.py")]
    slots = iter([*(item for item in ours if item not in last), *last])
    items[:] = [next(slots) if item in ours else item for item in items]


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note that this is no whole run on the server that keeps an audit log."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    if ours := [item for item in here if "embedded" not in item.name]:
        ours[0].config.stash[LEFT_OUT] = True


@pytest.fixture(scope="package", params=["embedded", "real"])
def cluster(request: pytest.FixtureRequest) -> Cluster | None:
    """Where the tests run; None is the API that comes with the sandbox."""
    if request.param == "embedded":
        return None
    plane: ControlPlane = request.getfixturevalue("control_plane")
    return Cluster(plane.kubeconfig, "the real control plane", plane.audit_log)


@pytest.fixture(scope="package")
def setup(cluster: Cluster | None, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    crds = UPSTREAM if UPSTREAM.is_dir() else None
    return Setup(folder=tmp_path_factory.mktemp("e2e"), kubeconfig=cluster and cluster.kubeconfig, crds=crds)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared(setup: Setup, cluster: Cluster | None) -> AsyncIterator[World]:
    async with environment(setup) as around:
        operator = OperatorProcess(around.operator_kubeconfig, around.admin_api_port, setup.folder / "operator.log")
        world = World(around, operator, cluster and cluster.audit_log)
        yield world
        if operator.running:
            await world.removed(PLATFORM)
            await operator.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def world(shared: World) -> AsyncIterator[World]:
    """The cluster with a running operator, whatever a test did to it."""
    await shared.run()
    yield shared
    # Shown if the test failed.
    print(shared.operator.log.read_text()[-5000:])
    await shared.run()


@pytest_asyncio.fixture(loop_scope="session")
async def namespace(world: World) -> AsyncIterator[str]:
    """A name for a namespace; what is in it at the end is deleted."""
    name = f"e2e-{next(_numbers)}"
    yield name
    await world.remove(name)


@pytest_asyncio.fixture(loop_scope="session")
async def model(world: World, namespace: str) -> str:
    """The namespace of a model that is served, published and has its developer."""
    await world.apply(sample(namespace))
    await world.complete(service_of(namespace))
    return namespace

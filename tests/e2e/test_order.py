"""Applied in the wrong order: first the model, then its platform, then KServe and 3scale."""

import os
from pathlib import Path

import pytest

from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.environment import Setup, environment
from maas_operator.sandbox.operator_process import OperatorProcess
from tests.e2e.conftest import UPSTREAM
from tests.e2e.world import World, condition, sample, service_of

SERVICE = service_of("early")


@pytest.fixture(params=["embedded", "real"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    """A cluster of its own that knows neither KServe nor 3scale."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if request.param == "embedded":
        return Setup(folder=tmp_path, complete=False)
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no real control plane")
    return Setup(folder=tmp_path, assets=Path(assets), complete=False)


async def test_a_model_waits_for_its_platform_and_for_kserve_and_3scale(bare: Setup) -> None:
    namespace, platform, service = sample("early")
    log = bare.folder / "operator.log"
    async with environment(bare) as around, OperatorProcess(around.operator_kubeconfig, log) as operator:
        world = World(around, operator, around.cluster.audit_log)
        await operator.ready()
        await world.apply([namespace, service])
        await world.until(SERVICE, lambda live: reason(live, "PlatformReady") == "PlatformMissing")
        await world.apply([platform])
        await world.until(SERVICE, lambda live: reason(live, "ModelReady") == "DependencyMissing")
        await around.installation.surroundings(UPSTREAM if UPSTREAM.is_dir() else None)
        await world.complete(SERVICE)
        await world.remove("early")


def reason(manifest: Manifest, type_: str) -> object:
    return condition(manifest, type_).get("reason")

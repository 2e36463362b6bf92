"""Each sample becomes Ready, beside what it needs, renders what the real CRDs take, and goes without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from maas_operator.domain.kinds import MODEL_PLATFORM, MODEL_SERVICE, NAMESPACE
from maas_operator.domain.objects import Manifest, ref_of
from tests.scenarios.harness import ROOT, World, a_world, sample
from tests.upstream import CRDS, FILES, objections

SAMPLES = sorted((ROOT / "deploy" / "samples").glob("*.yaml"))


def documents(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
async def test_a_sample_becomes_ready(path: Path) -> None:
    manifests = documents(path)
    ours = [one for one in manifests if one["apiVersion"] == MODEL_SERVICE.api_version or one["kind"] == NAMESPACE.name]
    async with a_world() as world:
        if not any(one["kind"] == MODEL_PLATFORM.name for one in manifests):
            await world.apply(*sample()[:2])
        for one in manifests:
            await (world.apply(one) if one in ours else world.foreign(one))
        await world.settle()
        services = [ref_of(one) for one in manifests if one["kind"] == MODEL_SERVICE.name]
        assert services
        for service in services:
            assert await world.told(service, "Ready") == ("True", "Ready"), await world.message(service)
        assert list(strictly_invalid(world)) == []


def strictly_invalid(world: World) -> Iterator[str]:
    """Yield what servers with the real CRDs and strict validation would say against what there is."""
    written = [one for one in world.objects() if one["kind"] in FILES]
    assert {"InferenceService", "Product", "Backend"} <= {one["kind"] for one in written}
    for one in written if CRDS.is_dir() else ():
        wanted = {key: value for key, value in one.items() if key != "status"}
        yield from (f"{ref_of(one)}: {objection}" for objection in objections(wanted))

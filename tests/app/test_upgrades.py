"""What an upgrade restarts: what the samples have their pods run is committed, so that a change of it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from maas_operator.app.render import render
from maas_operator.domain.emitted import digest
from maas_operator.domain.kinds import INFERENCE_SERVICE, SERVING_RUNTIME
from maas_operator.domain.objects import Manifest

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "deploy" / "samples").glob("*.yaml"))
COMMITTED = Path(__file__).with_name("pods.yaml")


def running(path: Path, folder: Path) -> dict[str, str]:
    """Return a digest of what KServe makes the pods of, by sample and model."""
    platform = folder / "platform.yaml"
    platform.write_text(
        "apiVersion: maas-operator.io/v1alpha1\nkind: ModelPlatform\nmetadata: {name: default}\n"
        "spec: {threescale: {namespace: 3scale}}\n"
    )
    brought = "kind: ModelPlatform" in path.read_text()
    children = list(render([path] if brought else [path, platform]))
    return {f"{path.stem}: {one['kind']}": digest(of_pods(one))[:16] for one in children if is_of_pods(one)}


def is_of_pods(manifest: Manifest) -> bool:
    return manifest["kind"] in (INFERENCE_SERVICE.name, SERVING_RUNTIME.name)


def of_pods(manifest: Manifest) -> Manifest:
    # KServe copies labels and annotations of an InferenceService to the pods, and none of a ServingRuntime.
    metadata = manifest["metadata"] if manifest["kind"] == INFERENCE_SERVICE.name else {}
    return {"metadata": metadata, "spec": manifest["spec"]}


def committed() -> Iterator[tuple[str, str]]:
    yield from yaml.safe_load(COMMITTED.read_text()).items()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_an_upgrade_restarts_no_model_by_accident(path: Path, tmp_path: Path) -> None:
    assert running(path, tmp_path) == {name: one for name, one in committed() if name.startswith(f"{path.stem}: ")}, (
        "this restarts the pods of models that run: if it must, say so in the changelog and commit the new digest"
    )

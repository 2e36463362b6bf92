"""The kustomizations under `deploy/` and what they become: by kubectl, and by reading their lists."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FOLDERS = sorted(path.parent for path in [*DEPLOY.rglob("kustomization.yaml"), ROOT / "crds" / "kustomization.yaml"])
EVERY_FOLDER = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))

Object = dict[str, Any]


def built(folder: Path) -> list[Object]:
    """Return what kubectl makes of a kustomization; skips where there is none."""
    program = shutil.which("kubectl", path=os.environ.get("KUBEBUILDER_ASSETS") or "/nonexistent")
    if program is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl: kustomizations are not built, only their lists are read")
    ran = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "deprecated" not in ran.stderr
    return [one for one in yaml.safe_load_all(ran.stdout) if one]


def listed(folder: Path) -> Iterator[Object]:
    """Yield the objects of the files that a kustomization lists, and of those that it builds upon; no patches."""
    for name in kustomization(folder).get("resources", ()):
        path = folder / name
        if path.is_dir():
            yield from listed(path)
        else:
            yield from yaml.safe_load_all(path.read_text())


def kustomization(folder: Path) -> Object:
    loaded: Object = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return loaded


def address(manifest: Object) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]

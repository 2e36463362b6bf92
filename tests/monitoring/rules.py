"""The alerts under `deploy/monitoring`, and promtool, which judges them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.debian import needs
from tests.deploy.kustomizations import DEPLOY, Object, listed

MONITORING = DEPLOY / "monitoring"
OBJECTS = list(listed(MONITORING))
GROUPS: list[Object] = [group for one in OBJECTS if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]
ALERTS: dict[str, Object] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}

needs_promtool = needs("promtool")


def promtool(*arguments: str | Path) -> str:
    """Run promtool; return what it objects to, or nothing."""
    command = ["promtool", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ran.stdout + ran.stderr if ran.returncode else ""


def written(folder: Path, name: str, content: Any) -> Path:
    """Write a file for promtool, and return its path."""
    path = folder / name
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path

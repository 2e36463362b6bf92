"""The commands that the pages show: tests/install runs them all, but those that are named here with a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from docs.generate import HERE

ROOT = HERE.parent
PAGES = [
    *ROOT.glob("*.md"),
    *HERE.rglob("*.md"),
    ROOT / "benchmarks" / "README.md",
    ROOT / "tests" / "gateway_policy" / "README.md",
]

SAMPLE = "deploy/samples/llama-32-1b-instruct-cpu.yaml"
RUN: dict[str, tuple[str, ...]] = {
    "README.md": (),
    "docs/install.md": (),
    "docs/gitops.md": (),
    "docs/alerts.md": (SAMPLE,),
    "docs/monitoring.md": (),
    "docs/consumers.md": ("deploy/examples/gitops/platform", "deploy/examples/gitops/teams/search"),
    "docs/failure-modes.md": (SAMPLE,),
    "docs/kserve.md": (SAMPLE,),
    "docs/plan.md": ("models/llama.yaml",),
    "docs/scaling.md": ("deploy/samples/llama-31-8b-instruct.yaml",),
    "docs/storage.md": ("storage.yaml",),
    "docs/upgrade.md": (SAMPLE,),
}
"""Pages with commands, in any order, each with what is applied before them."""

ELSEWHERE = {
    "make demo": "tests/sandbox/test_demo.py::test_the_demo_shows_each_stage_and_leaves_nothing",
    "make sandbox": "tests/sandbox/test_environment.py::test_ctrl_c_ends_the_sandbox_in_order",
    ".venv/bin/maas-operator sandbox start --kubeconfig": (
        "tests/sandbox/test_environment.py::test_a_cluster_is_left_as_it_was"
    ),
    "docker build": "tests/deploy/test_image_steps.py::test_the_operator_becomes_ready_and_ends_in_order",
    "make install OVERLAY=openshift": "tests/install/test_pages.py::test_the_page_on_monitoring",
}
"""Beginnings of commands that another test runs, as far as they can be run: there is no engine, and no OpenShift."""

EXCUSED = {
    "docker push": "it needs a registry",
    "kubectl -n maas-operator logs": "the sandbox has no pods",
    "kubectl -n 3scale patch apimanager": "the sandbox has no APIManager of that name",
    "kubectl -n grafana create serviceaccount": "kubectl says it in protobuf, which the embedded API does not know",
    "kubectl create clusterrolebinding": "the same",
    "curl": "it needs a gateway and a model",
    "aws s3": "it needs an S3 store and its program",
    "mc alias": "it needs an S3 store and its program",
    "rclone": "it needs an S3 store and its program",
    "make setup": "it downloads; whoever runs the tests has run it",
    "make test": "it runs these tests",
    "make fmt": "it changes the checkout",
    "export KUBEBUILDER_ASSETS=": "the tests have their own",
    "KUBEBUILDER_ASSETS=/path/to/them": "it needs programs that are not in the repository, and runs for long",
    "SEQUENCES=": "a search that runs for hours",
    "FUZZ_SECONDS=": "a search that runs for minutes",
    ".venv/bin/python benchmarks/": "a measurement, which runs for minutes",
    "apt-get": "it installs packages",
}
"""Beginnings of commands that no test runs, each with the reason."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a reader types at one place of a page."""

    page: str
    commands: tuple[str, ...]

    @property
    def to_run(self) -> tuple[str, ...]:
        return tuple(one for one in self.commands if not one.startswith((*ELSEWHERE, *EXCUSED)))


def blocks(path: Path) -> list[Block]:
    """Return the commands of a page; what a command prints is none, and a script is one command."""
    page = str(path.relative_to(ROOT))
    found = re.findall(r"^ *```(console|sh|bash|shell)\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(page, _typed(text) if kind == "console" else (text,)) for kind, text in found]


def _typed(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE))

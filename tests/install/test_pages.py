"""Each command of the pages on installing and GitOps is run, in the order of its page, or is excused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from maas_operator.domain.kinds import NAMESPACE
from maas_operator.domain.objects import Ref
from tests.install.conftest import ROOT, UPSTREAM, Administrator

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXCUSED = {
    "docker": "there is no engine for images",
    "make install OVERLAY=openshift": "it needs ServiceMonitors; tests/deploy builds it",
}
ARGO_CD = [UPSTREAM / "argo-cd" / name for name in ("application-crd.yaml", "appproject-crd.yaml")]


def commands(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [command for command in found if not command.startswith(tuple(EXCUSED))]


async def test_no_excuse_is_left_over() -> None:
    text = "".join((ROOT / "docs" / page).read_text() for page in ("install.md", "gitops.md"))
    assert all(f"$ {command}" in text for command in EXCUSED)


async def run(administrator: Administrator, command: str) -> None:
    if command.startswith("make install"):
        await administrator.installed(command.removeprefix("make install"))
        return
    code, output = await administrator.shell(command)
    assert code == 0, f"{command}\n{output}"


async def test_the_page_on_installing(administrator: Administrator) -> None:
    first, *others = commands("install.md")
    await run(administrator, first)
    async with administrator.running():
        for command in others:
            await run(administrator, command)
    # The sample's namespace is its user's.
    await administrator.world.removed(Ref(NAMESPACE, "", "llm-hosting"))


async def test_the_page_on_gitops(administrator: Administrator) -> None:
    if administrator.real or not UPSTREAM.is_dir():
        pytest.skip("it needs the upstream CRDs, and a server that is new enough for them")
    await administrator.world.apply([_loaded(path) for path in ARGO_CD])
    await administrator.world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}])
    await administrator.installed()
    async with administrator.running():
        for command in commands("gitops.md"):
            await run(administrator, command)
        await run(administrator, "make uninstall")
    for name in ("argocd", "search", "support"):
        await administrator.world.removed(Ref(NAMESPACE, "", name))


def _loaded(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load(path.read_text())
    return loaded

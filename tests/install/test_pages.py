"""Each command of the pages on installing, GitOps and monitoring is run, in its order, or is excused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from maas_operator.domain.kinds import NAMESPACE
from maas_operator.domain.objects import Ref
from tests.install.conftest import ROOT, UPSTREAM, Administrator
from tests.upstream import definition

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXCUSED = {
    "docker": "there is no engine for images",
    "make install OVERLAY=openshift": "it needs ServiceMonitors; the page on monitoring has it as well",
}
EXCUSED_OF_MONITORING = {
    "kubectl -n 3scale patch apimanager": "there is no APIManager of that name",
    "kubectl -n grafana create serviceaccount": "kubectl says it in protobuf, which the embedded API does not know",
    "kubectl create clusterrolebinding": "the same",
}
MONITORS = sorted((UPSTREAM / "prometheus-operator").glob("*.yaml"))
ARGO_CD = [UPSTREAM / "argo-cd" / name for name in ("application-crd.yaml", "appproject-crd.yaml")]


def commands(page: str, excused: Iterable[str] = EXCUSED) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [command for command in found if not command.startswith(tuple(excused))]


async def test_no_excuse_is_left_over() -> None:
    text = "".join((ROOT / "docs" / page).read_text() for page in ("install.md", "gitops.md"))
    assert all(f"$ {command}" in text for command in EXCUSED)
    text = (ROOT / "docs" / "monitoring.md").read_text()
    assert all(f"$ {command}" in text for command in EXCUSED_OF_MONITORING)


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
    await administrator.world.apply([definition(path) for path in ARGO_CD])
    await administrator.world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}])
    await administrator.installed()
    async with administrator.running():
        for command in commands("gitops.md"):
            await run(administrator, command)
        await run(administrator, "make uninstall")
    for name in ("argocd", "search", "support"):
        await administrator.world.removed(Ref(NAMESPACE, "", name))


async def test_the_page_on_monitoring(administrator: Administrator) -> None:
    if administrator.real or not UPSTREAM.is_dir():
        pytest.skip("it needs the upstream CRDs, and a server that is new enough for them")
    await administrator.world.apply([definition(path) for path in MONITORS])
    others = ("llm-hosting", "grafana")
    for name in others:
        await administrator.world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    for command in commands("monitoring.md", EXCUSED_OF_MONITORING):
        await run(administrator, command)
    await run(administrator, "kubectl delete -k deploy/monitoring")
    await run(administrator, "make uninstall OVERLAY=openshift")
    for name in others:
        await administrator.world.removed(Ref(NAMESPACE, "", name))

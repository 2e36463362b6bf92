"""Each command of the pages is run, in the order of its page; tests/docs/commands.py names those that are not."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from maas_operator.domain.kinds import MODEL_PLATFORM, MODEL_SERVICE, MODEL_SUBSCRIPTION, NAMESPACE
from maas_operator.domain.objects import Ref, ref_of
from tests.docs.commands import RUN, SAMPLE, blocks
from tests.install.conftest import ROOT, UPSTREAM, Administrator
from tests.upstream import definition

pytestmark = pytest.mark.asyncio(loop_scope="session")

ARGO_CD = [UPSTREAM / "argo-cd" / name for name in ("application-crd.yaml", "appproject-crd.yaml")]
MONITORS = sorted((UPSTREAM / "prometheus-operator").glob("*.yaml"))
FROM_NOTHING = ("docs/install.md", "docs/gitops.md", "docs/monitoring.md")
"""Pages that begin without an operator."""
PLACES = {"NAMESPACE": "llm-hosting", "NAME": "llama-32-1b-instruct-cpu"}
"""What the words that a reader replaces stand for here."""


async def run(administrator: Administrator, page: str) -> None:
    """Type what a page shows, in one shell up to the next installation."""
    typed: list[str] = []
    for command in (command for block in blocks(ROOT / page) for command in block.to_run):
        if command.startswith("make install"):
            await in_a_shell(administrator, typed)
            await administrator.installed(command.removeprefix("make install"))
            typed = []
        else:
            typed.append(re.sub(r"\b(NAMESPACE|NAME)\b", lambda word: PLACES[word[0]], command))
    await in_a_shell(administrator, typed)


async def in_a_shell(administrator: Administrator, commands: list[str]) -> None:
    script = "\n".join(["set -eE", """trap 'echo "failed: $BASH_COMMAND"' ERR""", *commands])
    code, output = await administrator.shell(script)
    assert code == 0, output


async def test_the_page_on_installing(administrator: Administrator) -> None:
    # Once before, since the operator needs an account to run as.
    await administrator.installed()
    async with administrator.running():
        await run(administrator, "docs/install.md")
    # The sample's namespace is its user's.
    await administrator.world.removed(Ref(NAMESPACE, "", "llm-hosting"))


async def test_the_page_on_gitops(administrator: Administrator) -> None:
    if administrator.real or not UPSTREAM.is_dir():
        pytest.skip("it needs the upstream CRDs, and a server that is new enough for them")
    await administrator.world.apply([definition(path) for path in ARGO_CD])
    await administrator.world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}])
    await administrator.installed()
    async with administrator.running():
        await run(administrator, "docs/gitops.md")
        await administrator.make("uninstall")
    for name in ("argocd", "search", "support"):
        await administrator.world.removed(Ref(NAMESPACE, "", name))


async def test_the_page_on_monitoring(administrator: Administrator) -> None:
    if administrator.real or not UPSTREAM.is_dir():
        pytest.skip("it needs the upstream CRDs, and a server that is new enough for them")
    await administrator.world.apply([definition(path) for path in MONITORS])
    others = ("llm-hosting", "grafana")
    for name in others:
        await administrator.world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    await administrator.installed("OVERLAY=openshift")
    await run(administrator, "docs/monitoring.md")
    await in_a_shell(administrator, ["kubectl delete -k deploy/monitoring", "make uninstall OVERLAY=openshift"])
    for name in others:
        await administrator.world.removed(Ref(NAMESPACE, "", name))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(administrator: Administrator) -> AsyncIterator[Administrator]:
    """Somebody whose cluster has the operator, and who has the files that the pages speak of."""
    if administrator.real:
        pytest.skip("the pages are for one server, and the embedded one is quicker")
    here = administrator.checkout
    (here / ".sandbox").mkdir()
    (here / ".sandbox" / "admin.kubeconfig").symlink_to(administrator.around.cluster.kubeconfig.resolve())
    (here / "models").mkdir()
    (here / "models" / "llama.yaml").write_text(
        (ROOT / SAMPLE).read_text().replace("llama-32-1b-instruct-cpu", "llama")
    )
    bucket = (ROOT / "deploy/samples/s3-with-odf.yaml").read_text()
    (here / "storage.yaml").write_text(bucket.replace("llama-in-odf", "llama").replace("llm-odf", "team-a"))
    await administrator.installed()
    async with administrator.running():
        yield administrator
        await administrator.make("uninstall")


async def test_a_backup_as_the_page_makes_it_brings_model_and_key_back(reader: Administrator) -> None:
    commands = [one for block in blocks(ROOT / "docs" / "upgrade.md") for one in block.commands]
    (backup,) = (one for one in commands if "maas-backup" in one)
    namespace, name = PLACES.values()
    wait = f"kubectl wait --namespace={namespace} --for=condition=Ready --timeout=60s"
    ready = [f"{wait} msvc/{name}", f"{wait} msub/{name}-dev1"]
    await in_a_shell(reader, [f"kubectl apply --server-side -f {SAMPLE}", *ready, backup])
    everything_goes = ["kubectl delete msvc,mplat --all --all-namespaces --timeout=60s"]
    await in_a_shell(reader, everything_goes)
    # The embedded API publishes nothing by which kubectl could validate.
    await in_a_shell(reader, ["kubectl create --validate=false -f maas-backup.yaml", *ready])
    await in_a_shell(reader, everything_goes)


@pytest.mark.parametrize("page", [page for page in RUN if page not in FROM_NOTHING])
async def test_a_page(reader: Administrator, page: str) -> None:
    if "jq " in (ROOT / page).read_text() and not shutil.which("jq"):
        pytest.skip("there is no jq")
    for file in RUN[page]:
        flag = "-k" if (reader.checkout / file).is_dir() else "-f"
        code, output = await reader.shell(f"kubectl apply --server-side --force-conflicts {flag} {file}")
        assert code == 0, output
    await run(reader, page)
    for kind in (MODEL_SERVICE, MODEL_SUBSCRIPTION, MODEL_PLATFORM):
        for one in await reader.around.client.list(kind):
            await reader.world.removed(ref_of(one))

"""A cluster that has KServe and 3scale but not the operator, and the commands of the Makefile against it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from maas_operator.adapters.kubernetes.access import Access, load
from maas_operator.domain.kinds import DEPLOYMENT
from maas_operator.domain.labels import OPERATOR
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import NotFound
from maas_operator.sandbox.control_plane import ControlPlane, without_new_words
from maas_operator.sandbox.environment import Environment, Setup, environment
from maas_operator.sandbox.kubeapi.kubeapi import write_kubeconfig
from maas_operator.sandbox.operator_process import OperatorProcess
from tests.e2e.world import World

ROOT = Path(__file__).parents[2]
UPSTREAM = ROOT.parent / "shared" / "upstream-crds"
LIMIT_SECONDS = 120.0
RUNNING = Ref(DEPLOYMENT, OPERATOR, OPERATOR)


@dataclass
class Administrator:
    """Somebody with a checkout, a kubeconfig and kubectl; `real` tells which server it is."""

    world: World
    checkout: Path
    real: bool

    @property
    def around(self) -> Environment:
        return self.world.environment

    async def make(self, *arguments: str) -> tuple[int | None, str]:
        """Return exit code and output of a command of the Makefile."""
        return await self.shell(f"make --no-print-directory {' '.join(arguments)}")

    async def shell(self, command: str) -> tuple[int | None, str]:
        """Return exit code and output of a command that somebody types in the checkout."""
        assets = os.environ.get("KUBEBUILDER_ASSETS", "")
        child = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            command,
            cwd=self.checkout,
            env={
                "PATH": f"{Path(sys.executable).parent}:{assets}:{os.environ['PATH']}",
                "EDITOR": "true",
                "HOME": str(self.checkout),
                "KUBECONFIG": str(self.around.cluster.kubeconfig),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(child.communicate(), LIMIT_SECONDS)
        return child.returncode, output.decode()

    async def installed(self, *variables: str) -> str:
        """Install the operator and return what was said; there is no kubelet, so that its part is played here."""
        async with asyncio.TaskGroup() as group:
            kubelet = group.create_task(self._start_pods())
            code, output = await self.make("install", *variables)
            kubelet.cancel()
        assert code == 0, output
        return output

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the installed operator run meanwhile, as its own service account."""
        configuration = await load(Access(kubeconfig=self.around.cluster.kubeconfig))
        authority = Path(configuration.ssl_ca_cert) if configuration.ssl_ca_cert else None
        token = await self.around.installation.token()
        write_kubeconfig(
            self.around.operator_kubeconfig, configuration.host, token=token, certificate_authority=authority
        )
        await self.world.run()
        try:
            yield
        finally:
            await self.world.operator.stop()

    async def scaled(self, pods: int) -> None:
        """Have the Deployment tell that so many pods are available."""
        live = await self.world.get(RUNNING)
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), pods)
        status: dict[str, Any] = {"observedGeneration": live["metadata"]["generation"], **counts}
        await self.around.client.merge_patch(RUNNING, {"status": status}, subresource="status")

    async def everything(self) -> set[str]:
        """Return the names of all objects in the cluster, Events apart."""
        _, kinds = await self.shell("kubectl api-resources --verbs=list --output=name")
        wanted = ",".join(kind for kind in kinds.split() if not kind.startswith(("events", "componentstatuses")))
        line = "{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{'\\n'}{end}"
        code, found = await self.shell(f'kubectl get {wanted} --all-namespaces --output=jsonpath="{line}"')
        assert code == 0, found
        return set(found.splitlines())

    async def _start_pods(self) -> None:
        while True:
            with suppress(NotFound):
                await self.scaled(1)
            await asyncio.sleep(0.2)


@pytest.fixture(scope="package", params=["embedded", "real"])
def kubeconfig(request: pytest.FixtureRequest) -> Path | None:
    """Whose cluster it is; None is the API that comes with the sandbox."""
    if request.param == "embedded":
        return None
    plane: ControlPlane = request.getfixturevalue("control_plane")
    return plane.kubeconfig


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def administrator(
    kubeconfig: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Administrator]:
    if not shutil.which("kubectl", path=f"{os.environ.get('KUBEBUILDER_ASSETS', '')}:{os.environ['PATH']}"):
        pytest.skip("there is no kubectl")
    folder = tmp_path_factory.mktemp("install")
    setup = Setup(folder=folder, kubeconfig=kubeconfig, crds=UPSTREAM if UPSTREAM.is_dir() else None)
    async with environment(setup) as around:
        operator = OperatorProcess(around.operator_kubeconfig, around.admin_api_port, folder / "operator.log")
        world = World(around, operator, None)
        yield Administrator(world, _checkout(folder / "checkout", old=kubeconfig is not None), kubeconfig is not None)
        # It is removed by whoever brought the environment up, which needs our kinds for that.
        await around.installation.base()


def _checkout(folder: Path, *, old: bool) -> Path:
    """Return a copy of what an installation is made from, for a server of 1.20 if it is `old`."""
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    shutil.copytree(ROOT / "crds", folder / "crds")
    shutil.copy(ROOT / "Makefile", folder)
    for path in (folder / "crds").glob("maas-operator.io_*.yaml") if old else ():
        definition, _ = without_new_words(yaml.safe_load(path.read_text()))
        path.write_text(yaml.safe_dump(definition))
    return folder

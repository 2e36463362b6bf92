"""The command line of the sandbox: `maas-operator sandbox demo|start`."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from maas_operator.adapters.kubernetes.access import NoAccess
from maas_operator.app.cli import WrongSetup

from .controllers.faults import FAULT_ANNOTATION, Delays, PodFault, PortaFault
from .demo import SAMPLE, Demo, DemoFailed
from .environment import Environment, Setup, environment
from .install import ForeignCluster, LeftBehind
from .operator_process import OperatorProcess
from .processes import ProcessFailed, end_of

_FOLDER: Final = Path(".sandbox")
# Long enough to be seen, short enough not to bore.
_DELAYS: Final = Delays(pod_start=1.0, porta=0.1, route=0.2)
_ASSETS: Final = "KUBEBUILDER_ASSETS"

_kubeconfig = click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this cluster, which must not have KServe or 3scale; everything is taken out again at the end.",
)


@click.group()
def sandbox() -> None:
    """A cluster on a laptop: an embedded Kubernetes API, the operator, and stand-ins for KServe and 3scale.

    With KUBEBUILDER_ASSETS set to a folder with etcd, kube-apiserver and kube-controller-manager these are started
    instead of the embedded API.
    """


@sandbox.command()
@_kubeconfig
@click.option(
    "--timeout", default=60.0, show_default=True, help="Seconds for the sample to be ready, and to be gone again."
)
def demo(kubeconfig: Path | None, timeout: float) -> None:
    """Serve and publish the sample, show what became of it, and delete it again."""
    with tempfile.TemporaryDirectory(prefix="maas-operator-") as folder:
        _run(_demo(_setup(Path(folder), kubeconfig), timeout))


@sandbox.command()
@_kubeconfig
def start(kubeconfig: Path | None) -> None:
    """Start the sandbox and stay until Ctrl-C. Its files are in .sandbox/, with a kubeconfig among them."""
    try:
        with _own_folder() as folder:
            _run(_start(_setup(folder, kubeconfig)))
    except KeyboardInterrupt:
        click.echo("stopped")


def _setup(folder: Path, kubeconfig: Path | None) -> Setup:
    logging.basicConfig(filename=folder / "sandbox.log", level=logging.INFO)
    assets = os.environ.get(_ASSETS)
    return Setup(folder=folder, kubeconfig=kubeconfig, assets=Path(assets) if assets else None, delays=_DELAYS)


@contextmanager
def _own_folder() -> Iterator[Path]:
    folder = _FOLDER.resolve()
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongSetup(f"a sandbox is running in {folder}: stop that one first") from None
        yield folder


def _run(work: Coroutine[Any, Any, None]) -> None:
    # A SIGTERM ends everything in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failure: click.ClickException | None = None
    try:
        asyncio.run(work)
    except* (NoAccess, ForeignCluster) as group:
        failure = WrongSetup(_first(group))
    except* (DemoFailed, LeftBehind, ProcessFailed) as group:
        failure = click.ClickException(_first(group))
    if failure:
        raise failure


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def _demo(setup: Setup, limit_seconds: float) -> None:
    console = Console(highlight=False)
    async with _with_operator(setup, console) as (around, operator), asyncio.TaskGroup() as group:
        watcher = group.create_task(operator.watch())
        try:
            await Demo(around, console, limit_seconds).run()
        except DemoFailed:
            console.print(
                "The end of the operator's log:", end_of(operator.log), sep="\n", markup=False, soft_wrap=True
            )
            raise
        watcher.cancel()


async def _start(setup: Setup) -> None:
    console = Console(highlight=False)
    async with _with_operator(setup, console) as (around, operator):
        await operator.ready()
        console.print(_instructions(around, operator), soft_wrap=True)
        await operator.watch()


@asynccontextmanager
async def _with_operator(setup: Setup, console: Console) -> AsyncIterator[tuple[Environment, OperatorProcess]]:
    console.print("Starting a Kubernetes API, stand-ins for KServe and 3scale, and the operator")
    async with environment(setup) as around:
        console.print(f"Running on {around.cluster.name}", soft_wrap=True)
        if rules := around.installation.unenforced_rules:
            console.print(f"[yellow]This API server is too old for CEL: {rules} validation rules are not enforced")
        async with OperatorProcess(around.operator_kubeconfig, setup.folder / "operator.log") as operator:
            yield around, operator


def _instructions(around: Environment, operator: OperatorProcess) -> str:
    model = "-n llm-hosting annotate --overwrite msvc llama-32-1b-instruct-cpu"
    account = "-n 3scale annotate --overwrite secret threescale-provider-account"
    sample = os.path.relpath(SAMPLE)
    others = ", ".join(fault for fault in PodFault if fault is not PodFault.UNSCHEDULABLE)
    return f"""
Ready. Ctrl-C stops it. In another terminal:
  export KUBECONFIG={around.cluster.kubeconfig}
  kubectl apply -f {sample}
  kubectl get msvc -A -w
  kubectl -n llm-hosting describe msvc
  kubectl delete -f {sample}

Break something, see what the conditions say, and repair it:
  kubectl {model} {FAULT_ANNOTATION}={PodFault.UNSCHEDULABLE}
  kubectl {model} {FAULT_ANNOTATION}-
  kubectl {account} {FAULT_ANNOTATION}={PortaFault.DOWN}
  kubectl {account} {FAULT_ANNOTATION}-
Models can also be {others}; 3scale {PortaFault.FORBIDDEN}.

The operator's log: {operator.log}
"""

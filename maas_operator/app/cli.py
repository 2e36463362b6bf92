"""The command line: `maas-operator run|render|crds|version`, and `sandbox` where that part is installed.

Each command imports what it needs: kopf and the Kubernetes client alone take a second.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

import click

from maas_operator import __version__

_SANDBOX = "maas_operator.sandbox.cli"


class WrongSetup(click.ClickException):
    """Something outside must be changed first: one line on stderr, and exit code 2."""

    exit_code = 2


class _Commands(click.Group):
    """The commands, and the sandbox's only when it is asked for: it needs packages that the product does not have."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "sandbox"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _sandbox() if cmd_name == "sandbox" else super().get_command(ctx, cmd_name)


def _sandbox() -> click.Command:
    try:
        command = importlib.import_module(_SANDBOX).sandbox
    except ModuleNotFoundError as error:
        return _unavailable(error.name or "")
    assert isinstance(command, click.Command)
    return command


def _unavailable(module: str) -> click.Command:
    @click.command("sandbox", short_help="A cluster in one process (not installed).")
    def sandbox() -> None:
        raise WrongSetup(f"the sandbox needs {module}: pip install 'maas-operator[sandbox]'")

    return sandbox


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """One ModelService in Git becomes a running, metered, rate-limited, key-protected LLM API.

    \b
    In a cluster (the image's default command):
      maas-operator run
    From a laptop, against the cluster of a kubeconfig:
      maas-operator run --kubeconfig ~/.kube/config --context dev
    What a file would become, without a cluster:
      maas-operator render -f deploy/samples/llama-32-1b-instruct-cpu.yaml
    The API types, to be applied before anything else:
      maas-operator crds | kubectl apply --server-side -f -

    Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
    """


@main.command()
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="Default: the pod's service account, else KUBECONFIG."
)
@click.option("--context", help="A context of the kubeconfig; default: its current one.")
@click.option("--http-host", default="0.0.0.0", show_default=True, help="Address of /metrics, /healthz and /readyz.")
@click.option(
    "--http-port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Their port; 0 = any."
)
@click.option(
    "--log-level",
    default="INFO",
    show_default=True,
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="Logs are JSON lines on stderr.",
)
def run(kubeconfig: Path | None, context: str | None, http_host: str, http_port: int, log_level: str) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Its permissions are in deploy/rbac/; it says which one is missing and exits with 1. Run one replica only.
    """
    from maas_operator.adapters.kubernetes.access import Access, NoAccess
    from maas_operator.app import logs, operator
    from maas_operator.app.settings import Settings

    logs.configure(log_level)
    settings = Settings(access=Access(kubeconfig=kubeconfig, context=context), http_host=http_host, http_port=http_port)
    try:
        sys.exit(asyncio.run(operator.run(settings)))
    except (NoAccess, OSError) as error:
        # The only OSError that comes here as such: the port is taken, or not for us.
        raise WrongSetup(str(error)) from None


@main.command()
@click.option(
    "-f",
    "--filename",
    "paths",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file; give it once for each file.",
)
def render(paths: tuple[Path, ...]) -> None:
    """Print the KServe and 3scale objects that ModelServices and ModelSubscriptions become.

    The files must have their ModelPlatform too; objects of other kinds are passed over. No cluster is asked: what
    depends on one (ids, the promotion, the document with the public URL, Secrets) is left out.
    """
    import yaml

    from maas_operator.app.render import Unrenderable
    from maas_operator.app.render import render as children_of

    try:
        children = children_of(paths)
    except Unrenderable as error:
        raise WrongSetup(str(error)) from None
    click.echo(yaml.safe_dump_all(children, sort_keys=False, explicit_start=True), nl=False)


@main.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file per type into this folder instead of printing them.",
)
def crds(output: Path | None) -> None:
    """Print the CustomResourceDefinitions of ModelService, ModelSubscription and ModelPlatform.

    \b
    Install or upgrade them (always before the operator):
      maas-operator crds | kubectl apply --server-side -f -
    """
    from maas_operator.api.crd.definitions import crd_files

    files = crd_files()
    if output is None:
        click.echo("---\n".join(files.values()), nl=False)
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (output / name).write_text(text)


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)

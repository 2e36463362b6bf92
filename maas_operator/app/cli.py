"""The command line: `maas-operator run|render|plan|crds|version`, and `sandbox` where that part is installed.

Each command imports what it needs: kopf and the Kubernetes client alone take a second.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

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
    What applying a file would change in a cluster, and what follows:
      maas-operator plan -f deploy/samples/llama-32-1b-instruct-cpu.yaml
    The API types, to be applied before anything else:
      maas-operator crds | kubectl apply --server-side -f -

    Exit codes: 0 done, 1 failed, 2 wrong usage or configuration; `plan` has others.
    """


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from maas_operator.api.fields import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{value}: {error}", param, ctx)


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
@click.option("--leader-elect", is_flag=True, help="Of several replicas let one work, and the others stand by.")
@click.option(
    "--leader-elect-lease-duration",
    "lease",
    default="15s",
    show_default=True,
    type=_Duration(),
    help="How long a standby waits for a leader that says nothing.",
)
@click.option(
    "--leader-elect-renew-deadline",
    "renew",
    default="10s",
    show_default=True,
    type=_Duration(),
    help="After this time without a renewal a leader writes nothing more, and exits with 1.",
)
@click.option(
    "--leader-elect-retry-period",
    "retry",
    default="2s",
    show_default=True,
    type=_Duration(),
    help="How often a leader renews, and a standby looks.",
)
@click.option(
    "--leader-elect-resource-namespace",
    "lease_namespace",
    help="Where the Lease is; default: the pod's own namespace, else maas-operator.",
)
def run(
    kubeconfig: Path | None,
    context: str | None,
    http_host: str,
    http_port: int,
    log_level: str,
    leader_elect: bool,
    lease_namespace: str | None,
    **terms: timedelta,
) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Its permissions are in deploy/rbac/; it says which one is missing and exits with 1. Run one replica, or all of them
    with --leader-elect.
    """
    from maas_operator.adapters.kubernetes.access import Access, NoAccess
    from maas_operator.app import logs, operator
    from maas_operator.app.election import elected
    from maas_operator.app.settings import Settings

    logs.configure(log_level)
    try:
        election = elected(lease_namespace, **terms) if leader_elect else None
    except ValueError as error:
        raise click.UsageError(f"--leader-elect: {error}") from None
    access = Access(kubeconfig=kubeconfig, context=context)
    settings = Settings(access=access, election=election, http_host=http_host, http_port=http_port)
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


class _WrongUsage(click.UsageError):
    exit_code = 1


class _ExitsWithOne(click.Command):
    """A command whose exit code 2 means something else than wrong usage."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _WrongUsage(error.format_message(), ctx) from None


@main.command(cls=_ExitsWithOne)
@click.option(
    "-f",
    "--filename",
    "paths",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A YAML file, or - for the standard input; give it once for each file.",
)
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Default: KUBECONFIG, else the pod's own account.")
@click.option("--context", help="A context of the kubeconfig; default: its current one.")
@click.option(
    "--field-manager",
    default="",
    help="Who will apply the files by server-side apply; default: who did so before, else kubectl.",
)
@click.option(
    "-o", "--output", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="The form."
)
def plan(paths: tuple[Path, ...], kubeconfig: Path | None, context: str | None, field_manager: str, form: str) -> None:
    """Tell what would change if these files were applied, and what follows from it; change nothing.

    Each ModelPlatform, ModelService and ModelSubscription of the files is laid over what is in the cluster, and what
    the operator would then do is rehearsed by dry runs of the API server. Objects of other kinds are passed over.
    It works with and without a running operator.

    It needs your permission to get, list and patch the objects concerned, as `kubectl diff` does. Where you lack it,
    set spec.managementPolicy to Observe: then the operator tells the same in the object's status.

    \b
    Exit codes, other than those of the other commands:
      0  nothing would change
      1  failed, wrong usage, or a file that is not valid
      2  something would change
    """
    from maas_operator.adapters.kubernetes.access import Access
    from maas_operator.app.plan import Unplannable, make
    from maas_operator.app.plan_output import as_json, as_text

    try:
        made = asyncio.run(make(paths, Access(kubeconfig=kubeconfig, context=context), field_manager=field_manager))
    except Unplannable as error:
        raise click.ClickException(str(error)) from None
    click.echo(as_json(made) if form == "json" else as_text(made), nl=False)
    sys.exit(2 if made.changes else 0)


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

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from maas_operator import __version__
from maas_operator.app.cli import main
from maas_operator.sandbox.kubeapi.kubeapi import write_kubeconfig

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml"


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_it_knows_its_version() -> None:
    assert invoke("version") == (0, f"{__version__}\n")


def test_it_prints_the_definitions_of_its_kinds() -> None:
    code, output = invoke("crds")
    assert code == 0
    assert [document["spec"]["names"]["kind"] for document in yaml.safe_load_all(output)] == [
        "ModelService",
        "ModelSubscription",
        "ModelPlatform",
    ]


def test_it_writes_the_definitions_into_a_folder(tmp_path: Path) -> None:
    assert invoke("crds", "--output", str(tmp_path / "crds")) == (0, "")
    assert len(list((tmp_path / "crds").glob("maas-operator.io_*.yaml"))) == 3


@pytest.mark.parametrize("arguments", [["--bogus"], ["bogus"], ["run", "--http-port", "x"], ["run", "--bogus"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    code, output = invoke(*arguments)
    assert code == 2
    assert "Error:" in output


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{",
        "a: [token-of-somebody",
        "apiVersion: v1\nkind: Config\ncurrent-context: none\ntoken: token-of-somebody",
    ],
)
def test_an_unusable_kubeconfig_exits_with_2_and_one_line_that_does_not_quote_it(
    content: str | None, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if content is not None:
        kubeconfig.write_text(content)
    code, output = invoke("run", "--kubeconfig", str(kubeconfig))
    assert code == 2
    assert output.startswith(f"Error: no access to Kubernetes by {kubeconfig}: ")
    assert output.count("\n") == 1
    assert "token-of-somebody" not in output


def test_without_any_kubeconfig_the_file_and_the_options_are_named(tmp_path: Path) -> None:
    # Where the default is, the client's library looks up once per process.
    missing = str(tmp_path / "missing")
    command = [sys.executable, "-c", "from maas_operator.app.cli import main; main()", "plan", "-f", str(SAMPLE)]
    done = subprocess.run(command, env={"KUBECONFIG": missing}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"by {missing}: there is no such file; name one with --kubeconfig or KUBECONFIG" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--leader-elect-lease-duration", "15"], "want a duration such as 30s"),
        (["--leader-elect-renew-deadline", "15s"], "the renew deadline must be shorter than the lease"),
    ],
)
def test_terms_of_an_election_that_are_not_safe_exit_with_2(options: list[str], problem: str) -> None:
    code, output = invoke("run", "--leader-elect", *options)
    assert code == 2
    assert problem in output


def test_the_help_names_each_command() -> None:
    code, output = invoke("--help")
    assert code == 0
    assert all(f"\n  {command} " in output for command in ("run", "crds", "version", "sandbox"))


@pytest.mark.parametrize(
    ("host", "problem"),
    # The second is an address of documentation, which no machine has.
    [("127.0.0.1", "address already in use"), ("192.0.2.1", "annot assign requested address")],
)
def test_an_address_that_can_not_be_had_exits_with_2_and_one_line(host: str, problem: str, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = invoke("run", "--kubeconfig", str(kubeconfig), "--http-host", host, "--http-port", port)
    assert code == 2
    assert output.startswith("Error: ")
    assert problem in output
    assert output.count("\n") == 1

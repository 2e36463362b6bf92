"""Rules for the image that can be held to by reading its Dockerfile."""

from __future__ import annotations

import json
import re

from maas_operator import __version__
from tests.deploy.dockerfile import TEXT, arguments, sent, stages
from tests.deploy.kustomizations import ROOT

BUILD, FINAL = stages()
KNOWN = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "ARG", "LABEL", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}


def test_it_uses_only_instructions_that_every_engine_knows() -> None:
    assert {one.name for stage in stages() for one in stage} <= KNOWN
    assert "--mount" not in TEXT


def test_both_stages_start_from_the_same_slim_python_of_a_named_version() -> None:
    assert {argument.split()[0] for stage in stages() for argument in arguments(stage, "FROM")} == {"${PYTHON}"}
    (image,) = re.findall(r"^ARG PYTHON=(\S+)", TEXT, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim", image)


def test_what_is_installed_is_locked_by_hashes_and_comes_as_wheels() -> None:
    (environment,) = arguments(BUILD, "ENV")
    assert "PIP_ONLY_BINARY=:all:" in environment
    for command in (part for run in arguments(BUILD, "RUN") for part in run.split("&&") if " install " in part):
        assert "--require-hashes" in command or "--no-deps /wheels/" in command, command


def test_nothing_is_installed_from_the_distribution() -> None:
    assert not re.search(r"\b(apt|apt-get|apk|dnf|microdnf|curl|wget|gcc|ADD)\b", TEXT)


def test_the_final_stage_runs_nothing_and_copies_from_the_first_only() -> None:
    assert arguments(FINAL, "RUN") == []
    assert arguments(FINAL, "COPY") == ["--from=build /opt/maas-operator /opt/maas-operator"]


def test_what_runs_has_no_pip() -> None:
    assert "python -m venv --without-pip /opt/maas-operator" in arguments(BUILD, "RUN")


def test_it_runs_as_any_user_of_group_0() -> None:
    (user,) = arguments(FINAL, "USER")
    identity, group = user.split(":")
    assert int(identity) > 0
    assert group == "0"


def test_the_process_gets_signals_itself() -> None:
    # A string instead of a list would be run by a shell.
    assert json.loads(arguments(FINAL, "ENTRYPOINT")[0]) == ["maas-operator"]
    assert json.loads(arguments(FINAL, "CMD")[0]) == ["run"]


def test_it_is_labelled_as_the_open_container_initiative_wants() -> None:
    (label,) = arguments(FINAL, "LABEL")
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', label))
    assert labels.keys() == {"title", "description", "licenses", "version", "revision", "source"}
    assert f"VERSION={__version__}" in arguments(FINAL, "ARG")


def test_no_secret_and_no_setting_is_built_in() -> None:
    names = {word.split("=")[0] for stage in stages() for line in arguments(stage, "ENV") for word in line.split()}
    assert names == {
        "HOME",
        "PATH",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_NO_CACHE_DIR",
        "PIP_ONLY_BINARY",
        "PIP_ROOT_USER_ACTION",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
    }


def test_what_is_copied_is_sent_to_the_engine_and_nothing_else_is() -> None:
    sources = [name for line in arguments(BUILD, "COPY") for name in line.split()[:-1]]
    assert sources
    assert all((ROOT / name).exists() and sent(name) for name in sources)
    for name in ("tests/conftest.py", ".git/config", ".venv/bin/python", "docs/security.md", "deploy/rbac/users.yaml"):
        assert not sent(name)
    assert not sent("maas_operator/api/__pycache__/base.cpython-312.pyc")

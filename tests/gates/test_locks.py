"""The locks pin and hash everything that pyproject.toml asks for, and say nothing of where it came from."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.gates.code import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
RUNTIME = PROJECT["project"]["dependencies"]
WANTED = {
    "build": PROJECT["build-system"]["requires"],
    "runtime": RUNTIME,
    "sandbox": RUNTIME + EXTRAS["sandbox"],
    "dev": RUNTIME + EXTRAS["sandbox"] + [wish for wish in EXTRAS["dev"] if not wish.startswith("maas-operator")],
}


def lock(name: str) -> str:
    return Path(ROOT, "requirements", f"{name}.lock").read_text()


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.sub(r"\[.*\]", "", name)).lower()


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_holds_what_the_project_asks_for(name: str) -> None:
    wanted = {normal(wish.split("==")[0]): wish.split("==")[1] for wish in WANTED[name]}
    assert wanted.items() <= pins(lock(name)).items(), "run `make lock`"


@pytest.mark.parametrize("name", WANTED)
def test_every_pin_has_a_hash(name: str) -> None:
    bare = [line for line in lock(name).splitlines() if "==" in line and "#" not in line and not line.endswith("\\")]
    assert not bare


@pytest.mark.parametrize("name", WANTED)
def test_no_lock_names_a_registry(name: str) -> None:
    assert "://" not in lock(name)
    assert "--index-url" not in lock(name)


@pytest.mark.parametrize("name", ["build", "runtime", "sandbox"])
def test_all_locks_agree_with_the_largest(name: str) -> None:
    largest = pins(lock("dev"))
    assert not {each: pin for each, pin in pins(lock(name)).items() if largest.get(each, pin) != pin}

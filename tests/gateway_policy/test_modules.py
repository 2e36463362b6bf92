"""The Lua modules on their own, under LuaJIT: the specs run with busted, the vectors come from here."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.debian import needs
from tests.gateway_policy import vectors
from tests.gateway_policy.tools import POLICY

SPECS = Path(__file__).with_name("specs")


def as_text(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(type(value))


@pytest.fixture(scope="session")
def vector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = [*vectors.STREAMS, *vectors.BODIES, *vectors.ODD_BODIES]
    content = {
        "answers": [dataclasses.asdict(answer) for answer in answers],
        "requests": [dataclasses.asdict(request) for request in vectors.REQUESTS],
        "stream": {"whole": vectors.STREAM, "hidden": vectors.D + vectors.F},
    }
    path = tmp_path_factory.mktemp("vectors") / "vectors.json"
    path.write_text(json.dumps(content, default=as_text, ensure_ascii=False), encoding="utf-8")
    return path


@needs("luajit", "busted")
@pytest.mark.parametrize("spec", sorted(SPECS.glob("*_spec.lua")), ids=lambda spec: spec.stem)
def test_the_specs_hold(spec: Path, vector_file: Path) -> None:
    environment = {**os.environ, "VECTORS": str(vector_file), "LUA_PATH": f"{POLICY}/?.lua;{SPECS}/?.lua;;"}
    command = ["busted", "--lua=luajit", "--output=TAP", "--pattern=_spec", str(spec)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    failed = [line for line in run.stdout.splitlines() if not line.startswith("ok ")]
    assert run.returncode == 0, "\n".join(failed[:60]) + run.stderr


@needs("luacheck")
def test_the_modules_use_no_global_names() -> None:
    command = ["luacheck", "--std", "ngx_lua", "--codes", "--no-color", str(POLICY)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout

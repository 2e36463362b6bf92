"""Argo CD's health check, run by a Lua interpreter."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.deploy.kustomizations import DEPLOY

HEALTH = DEPLOY / "argocd" / "health.lua"
_INTERPRETERS = ("luajit", "lua5.1", "lua")


def interpreter() -> str:
    """Return a Lua 5.1, which is the language of Argo CD's checks; skips where there is none."""
    found = next(filter(None, map(shutil.which, _INTERPRETERS)), None)
    if found is None:
        pytest.skip("no Lua interpreter: apt-get install $(cat requirements/debian.txt)")
    return found


def health(manifest: dict[str, Any]) -> tuple[str, str]:
    """Return status and message that Argo CD shows for an object."""
    program = (
        f"obj = {_literal(manifest)}\nlocal function check()\n{HEALTH.read_text()}\nend\n"
        'local found = check()\nio.write(found.status, "\\n", found.message or "")\n'
    )
    ran = subprocess.run([interpreter(), "-"], input=program, capture_output=True, text=True, timeout=10, check=True)
    status, _, message = ran.stdout.partition("\n")
    return status, message


def _literal(value: Any) -> str:
    """Return a value in Lua's words; null is absent there, as in Argo CD."""
    if isinstance(value, dict):
        entries = (f"[{_literal(key)}] = {_literal(entry)}" for key, entry in value.items() if entry is not None)
        return f"{{{', '.join(entries)}}}"
    if isinstance(value, list):
        return f"{{{', '.join(map(_literal, value))}}}"
    if isinstance(value, str):
        return "".join(('"', *(f"\\{byte:03}" for byte in value.encode()), '"'))
    return json.dumps(value)

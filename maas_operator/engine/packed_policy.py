"""The metering policy that comes with this operator, read from its package data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from maas_operator.domain.metering.package import PolicyPackage

_FOLDER: Final = "gateway_policy"
_SUFFIXES: Final = (".lua", ".json")


@cache
def packed_policy() -> PolicyPackage:
    """Return the policy's files; they are the same as long as the process runs."""
    folder = files("maas_operator") / _FOLDER
    found = sorted((file for file in folder.iterdir() if file.name.endswith(_SUFFIXES)), key=lambda file: file.name)
    return PolicyPackage({file.name: file.read_text(encoding="utf-8") for file in found})

"""Modules, classes and functions carry words of the domain."""

import ast
import re

import pytest

from tests.gates.code import Module, modules

VAGUE = {"util", "utils", "helper", "helpers", "manager", "managers", "misc", "common"}


def words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()))


def names(module: Module) -> list[str]:
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [module.name, *(node.name for node in ast.walk(ast.parse(module.text)) if isinstance(node, definitions))]


def test_no_name_is_vague() -> None:
    assert not [(module.name, name) for module in modules() for name in names(module) if words(name) & VAGUE]


@pytest.mark.parametrize("name", ["StatusManager", "http_utils", "maas_operator/domain/helpers.py"])
def test_vague_words_are_seen_in_any_spelling(name: str) -> None:
    assert words(name) & VAGUE

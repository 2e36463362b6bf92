"""The product's source as the gates see it: modules with their lines, functions with their lengths."""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lizard

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "maas_operator"
ALLOWED = Path(__file__).with_name("allowed.toml")


@dataclass(frozen=True, slots=True)
class Function:
    """One function; `name` is unique enough for the allow-list."""

    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Module:
    """One source file of the product."""

    name: str
    text: str
    functions: tuple[Function, ...]

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def comment_lines(self) -> int:
        return sum(line.lstrip().startswith("#") for line in self.text.splitlines())


def sources(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if path.read_text().strip())


@cache
def modules() -> tuple[Module, ...]:
    return tuple(map(_module, sources(PACKAGE)))


def _module(path: Path) -> Module:
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    found = lizard.analyze_file.analyze_source_code(name, text).function_list
    return Module(name, text, tuple(Function(f"{name}::{each.name}", each.length) for each in found))


def functions() -> tuple[Function, ...]:
    return tuple(function for module in modules() for function in module.functions)


@cache
def allowed(table: str) -> dict[str, int]:
    """Return the exceptions of one gate, each with the size that it may not exceed."""
    return tomllib.loads(ALLOWED.read_text())[table]


@dataclass(frozen=True, slots=True)
class Spread:
    """How sizes are spread."""

    median: float
    p90: float
    p99: float
    max: int

    def __str__(self) -> str:
        return f"median {self.median:.0f}, p90 {self.p90:.0f}, p99 {self.p99:.0f}, max {self.max}"

    @classmethod
    def of(cls, sizes: Sequence[int]) -> Spread:
        hundredths = statistics.quantiles(sizes, n=100, method="inclusive")
        return cls(hundredths[49], hundredths[89], hundredths[98], max(sizes))


def spread(items: Iterable[Module | Function]) -> Spread:
    return Spread.of([item.lines for item in items])

"""The Dockerfile, read; there is no engine at hand that would build it."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.deploy.kustomizations import ROOT

TEXT = (ROOT / "Dockerfile").read_text()


@dataclass(frozen=True)
class Instruction:
    name: str
    argument: str


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage, its FROM first; what stands before all of them is left out."""
    text = re.sub(r"\\\n\s*", " ", "\n".join(line for line in TEXT.splitlines() if not line.startswith("#")))
    found: list[list[Instruction]] = []
    for line in filter(None, text.splitlines()):
        name, _, argument = line.partition(" ")
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(name, argument.strip()))
    return found


def arguments(stage: list[Instruction], name: str) -> list[str]:
    return [one.argument for one in stage if one.name == name]


def sent(path: str) -> bool:
    """Tell whether .dockerignore lets a path of the checkout through; the last pattern that fits decides."""
    verdict = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").rstrip("/").removeprefix("**/")
        if line and not line.startswith("#"):
            parts = [str(PurePosixPath(path)), *map(str, PurePosixPath(path).parents), *PurePosixPath(path).parts]
            if any(fnmatch.fnmatch(part, pattern) for part in parts if part != "."):
                verdict = line.startswith("!")
    return verdict

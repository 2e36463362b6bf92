"""The sandbox's commands as processes, as a user starts them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

LIMIT_SECONDS = 60.0
_PROGRAM = (sys.executable, "-c", "from maas_operator.app.cli import main; main()", "sandbox")


async def started(folder: Path, *arguments: str, embedded: bool = True) -> asyncio.subprocess.Process:
    """Start a command in a folder, with an embedded API whatever the tests themselves run on, unless told otherwise."""
    environment = {key: value for key, value in os.environ.items() if key != "KUBEBUILDER_ASSETS" or not embedded}
    return await asyncio.create_subprocess_exec(
        *_PROGRAM,
        *arguments,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(child: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Return exit code and output of a command when it has ended."""
    output, _ = await asyncio.wait_for(child.communicate(), LIMIT_SECONDS)
    return child.returncode, output.decode()


async def until(child: asyncio.subprocess.Process, words: str) -> str:
    """Return what a command has printed when these words appear."""
    assert child.stdout is not None
    output = ""
    async with asyncio.timeout(LIMIT_SECONDS):
        while words not in output:
            line = await child.stdout.readline()
            assert line, f"it ended before it said {words!r}:\n{output}"
            output += line.decode()
    return output

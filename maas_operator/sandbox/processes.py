"""Child processes that end with us, and the ports that they listen on."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

_STOP_SECONDS: Final = 10.0
_SET_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_LOG_END: Final = 2000


class ProcessFailed(Exception):
    """A child process ended by itself; the message holds the end of its log."""


class Process:
    """A running child with its log file. It does not see our Ctrl-C: we end it when we are done with it."""

    def __init__(self, child: asyncio.subprocess.Process, log: Path) -> None:
        self._child = child
        self._log = log

    @classmethod
    async def start(cls, program: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None) -> Process:
        """Start a program; its output goes to the end of the log file."""
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *program,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                preexec_fn=_die_with_parent(),
                process_group=0,
            )
        return cls(child, log)

    @property
    def running(self) -> bool:
        """Tell whether the child has not ended yet."""
        return self._child.returncode is None

    def check(self) -> None:
        """Raise ProcessFailed if the child has ended."""
        if not self.running:
            raise ProcessFailed(f"{self._log.stem} ended with {self._child.returncode}:\n{end_of(self._log)}")

    async def watch(self) -> NoReturn:
        """Wait for ever; ProcessFailed when the child ends."""
        await self._child.wait()
        self.check()
        raise AssertionError("check raises when the child has ended")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._child.send_signal(number)

    async def ended(self) -> int:
        """Wait until the child ends by itself, and return its exit code."""
        return await self._child.wait()

    async def stop(self) -> int:
        """End the child and return its exit code; one that does not go is killed."""
        if self.running:
            self._child.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                return await self._child.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End the child without giving it a chance, and return its exit code."""
        if self.running:
            self._child.kill()
        return await self._child.wait()


def end_of(log: Path) -> str:
    """Return the last lines of a log."""
    return log.read_text(errors="replace")[-_LOG_END:]


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on."""
    # All are held until the last is found, so that they differ.
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in held]
    for taken in held:
        taken.close()
    return ports


def _die_with_parent() -> Any:
    """What a child does before it runs the program: ask the kernel to end it when we end. Only Linux knows how."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)

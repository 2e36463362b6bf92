"""The operator as a child process, as it runs in a pod: by its own command, as its own service account."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final, NoReturn

import aiohttp

from .processes import Process, free_ports

_READY_SECONDS: Final = 60.0
_PROGRAM: Final = (sys.executable, "-c", "from maas_operator.app.cli import main; main()", "run")


class OperatorProcess:
    """`maas-operator run` as a child process, as its own service account; `url` is where it tells its metrics."""

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        self._kubeconfig = kubeconfig
        self.log = log
        self._process: Process | None = None
        self.url = ""

    async def start(self) -> None:
        """Start it; it may not be ready yet."""
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        options = [f"--kubeconfig={self._kubeconfig}", "--http-host=127.0.0.1", f"--http-port={port}"]
        self._process = await Process.start([*_PROGRAM, *options], self.log)

    async def ready(self) -> None:
        """Return when it is ready; ProcessFailed if it ends before."""
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
            while not await self._says_ok(session):
                self._child.check()
                await asyncio.sleep(0.05)

    async def watch(self) -> NoReturn:
        """Wait for ever; ProcessFailed when it ends by itself."""
        await self._child.watch()

    async def stop(self) -> int:
        """End it in order and return its exit code."""
        return await self._child.stop()

    async def kill(self) -> None:
        """End it with SIGKILL."""
        await self._child.kill()

    @property
    def running(self) -> bool:
        """Tell whether it has been started and has not ended."""
        return self._process is not None and self._process.running

    @property
    def _child(self) -> Process:
        assert self._process is not None, "start it first"
        return self._process

    async def _says_ok(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def __aenter__(self) -> OperatorProcess:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

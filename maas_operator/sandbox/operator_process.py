"""The operator as a child process, as it runs in a pod: as its own service account."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

import aiohttp

from maas_operator.domain.lease import Terms

from .processes import Process, free_ports

_READY_SECONDS: Final = 60.0
_PROGRAM: Final = (sys.executable, "-m", "maas_operator.sandbox.run_operator")


class OperatorProcess:
    """The operator as a child process; `url` is where it tells its metrics.

    `admin_api_port`: where 3scale's Admin API is on the loopback. `terms`: those by which it and others elect a leader.
    """

    def __init__(self, kubeconfig: Path, admin_api_port: int, log: Path, *, terms: Terms | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._admin_api_port = admin_api_port
        self._terms = terms
        self.log = log
        self._process: Process | None = None
        self.url = ""

    async def start(self) -> None:
        """Start it; it may not be ready yet."""
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        arguments = [str(self._kubeconfig), str(port), str(self._admin_api_port)]
        if self._terms:
            arguments += [f"{one.total_seconds()}" for one in (self._terms.lease, self._terms.renew, self._terms.retry)]
        self._process = await Process.start([*_PROGRAM, *arguments], self.log)

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

    def pause(self) -> None:
        """Stop it with SIGSTOP, as a node does that gives it no time."""
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had happened."""
        self._child.signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return await self._child.ended()

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

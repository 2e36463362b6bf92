"""A real nginx with ngx_lua that runs the policy in a chain like APIcast's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import aiohttp

from tests.gateway_policy.tools import POLICY, lua_modules

NGINX = Path(__file__).with_name("nginx")
SERVICE_ID = "42"
PATIENCE = 10.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@dataclass(frozen=True)
class State:
    """What the gateway counted since it started."""

    begun: int
    settled: int
    timers: int
    counters: dict[str, float]
    errors: list[str]

    def count(self, name: str, *labels: str) -> int:
        """Sum a counter of the policy over all label values that contain `labels`."""
        found = (
            (key[: key.index("{")], key[key.index("{") + 1 : -1].split(","), value)
            for key, value in self.counters.items()
        )
        return int(sum(value for key, have, value in found if key == f"maas_llm_{name}" and set(labels) <= set(have)))


@dataclass
class Gateway:
    """One nginx in a folder of its own; `start` before use, `stop` after."""

    configuration: ClassVar[Path] = NGINX / "nginx.conf"
    folder: Path
    upstream: int
    backend: int
    prometheus: bool = True
    on_failed: bool = False
    configurations: dict[str, dict[str, Any]] = field(default_factory=lambda: {"default": {}})
    sabotage: tuple[str, ...] = ()
    """Functions of the policy's modules that raise whenever they are called."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text(errors="replace")

    def _settings(self) -> dict[str, Any]:
        service = {
            "id": SERVICE_ID,
            "system_name": "llama",
            "backend_version": "1",
            "backend": {"endpoint": f"http://127.0.0.1:{self.backend}"},
            "backend_authentication": {"type": "service_token", "value": "token-of-the-service"},
        }
        return {
            "policy": str(POLICY),
            "prometheus": self.prometheus,
            "on_failed": self.on_failed,
            "sabotage": self.sabotage,
            "service": service,
            "configurations": self.configurations,
        }

    def _write_files(self) -> None:
        (self.folder / "settings.json").write_text(json.dumps(self._settings()))
        values = {
            "MODULES": "\n".join(f"load_module {path};" for path in lua_modules()),
            "USER": "user root;" if os.geteuid() == 0 else "",
            "RUN": str(self.folder),
            "LUA": str(NGINX / "lua"),
            "PORT": str(self.port),
            "UPSTREAM": str(self.upstream),
        }
        text = self.configuration.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        (self.folder / "nginx.conf").write_text(text)

    def start(self) -> None:
        self._write_files()
        log = self.folder / "error.log"
        command = ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(log)]
        self.process = subprocess.Popen([*command, "-g", "daemon off;"])
        deadline = time.monotonic() + PATIENCE
        while not (self._listens() and self.workers()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start: {self.log}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def peak_memory(self) -> int:
        """Return the most bytes that the worker ever had in memory."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.workers()[0]}/status").read_text())
        assert found
        return int(found[1]) * 1024

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def stop(self, *, gracefully: bool = True) -> None:
        assert self.process
        self.signal(signal.SIGQUIT if gracefully else signal.SIGTERM)
        self.process.wait(timeout=60)

    async def state(self, session: aiohttp.ClientSession) -> State:
        async with session.get(f"{self.url}/_test/state") as response:
            return State(**await response.json())

    async def settled(self, session: aiohttp.ClientSession) -> State:
        """Wait until every call is settled and no report is under way."""
        async with asyncio.timeout(PATIENCE * 3):
            while True:
                state = await self.state(session)
                if state.begun == state.settled and state.timers == 0:
                    return state
                await asyncio.sleep(0.005)

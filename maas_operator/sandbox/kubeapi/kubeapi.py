"""The embedded API as one thing to start and stop."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import yaml
from aiohttp import web

from .api import Api
from .faults import Faults
from .server import Server


class KubeApi:
    """An in-memory Kubernetes API; usable in process at once, over HTTP after `start`."""

    def __init__(self, *, history: int = 20_000) -> None:
        self.api = Api(history=history)
        self.faults = Faults()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> str:
        """Listen on loopback, on a free port if none is given; return the base URL."""
        application = Server(self.api, self.faults).application()
        # Watches of clients that went away must end, and a stop must not wait for those that are still here.
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        """Stop listening; open watches are cut off."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> KubeApi:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def write_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for the started server; return its path."""
        return write_kubeconfig(path, self.url)


def write_kubeconfig(path: Path, url: str, *, token: str = "", certificate_authority: Path | None = None) -> Path:
    """Write a kubeconfig with one context; readable by its owner only."""
    cluster = {"server": url}
    if certificate_authority is not None:
        cluster["certificate-authority"] = str(certificate_authority)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "sandbox", "user": {"token": token} if token else {}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": "default"}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path

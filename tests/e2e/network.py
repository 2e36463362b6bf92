"""A network between a process and the API server, which can be slow and can be cut."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Network:
    """Passes bytes on until it is cut: then nothing arrives, nothing is refused, and what is sent is lost.

    Who is connected then hears nothing more, not even an end, until it is mended. `kubeconfig` leads through it.
    """

    def __init__(self, kubeconfig: Path, name: str) -> None:
        self._original = kubeconfig
        self._passes, self._answers = asyncio.Event(), asyncio.Event()
        self._passes.set()
        self._answers.set()
        self._lines: set[asyncio.Task[None]] = set()
        self.kubeconfig = kubeconfig.with_name(f"{name}.kubeconfig")

    async def __aenter__(self) -> Network:
        config = yaml.safe_load(self._original.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._url = urlsplit(cluster["server"])
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        cluster["server"] = f"{self._url.scheme}://127.0.0.1:{port}"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(config))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.mend()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def cut(self) -> None:
        """Let nothing through."""
        self._passes.clear()

    def mend(self) -> None:
        """Let new connections through; those from before end."""
        for line in self._lines:
            line.cancel()
        self._passes.set()

    def hold_answers(self) -> None:
        """Let requests through, and keep their answers."""
        self._answers.clear()

    def release_answers(self) -> None:
        """Deliver them."""
        self._answers.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.ensure_future(self._line(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._passes.wait()
            theirs, ours = await asyncio.open_connection(self._url.hostname, self._url.port)
            ways = [
                asyncio.ensure_future(self._way(reader, ours, self._passes)),
                asyncio.ensure_future(self._way(theirs, writer, self._answers)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ours.close()
                for way in ways:
                    way.cancel()
        finally:
            writer.close()

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, free: asyncio.Event) -> None:
        data = b"first"
        while data:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            if not self._passes.is_set():
                await asyncio.Event().wait()
            await free.wait()
            writer.write(data)

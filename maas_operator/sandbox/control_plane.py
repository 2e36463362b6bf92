"""The real control plane on a laptop: etcd, kube-apiserver and kube-controller-manager as child processes.

The binaries come from a folder (`KUBEBUILDER_ASSETS`). Everything listens on loopback, on free ports, and keeps its
state in one folder. RBAC and the audit log are on. The children die with this process.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import aiohttp

from .kubeapi.kubeapi import write_kubeconfig
from .processes import Process, free_ports

_START_TIMEOUT: Final = 60.0
_AUDIT_POLICY: Final = (
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
)
_CONTROLLERS: Final = "namespace,garbagecollector,serviceaccount,clusterrole-aggregation"
# Words of newer CRDs that API servers before 1.25 do not know.
_NEW_WORDS: Final = frozenset({"x-kubernetes-validations", "selectableFields"})


class ControlPlane:
    """A running control plane: `async with ControlPlane(assets, folder) as plane`."""

    def __init__(self, assets: Path, folder: Path) -> None:
        self._assets = assets
        self._folder = folder
        self._children: list[Process] = []
        self.token = secrets.token_hex(16)
        self.url = ""
        self.certificate_authority = folder / "certs" / "apiserver.crt"
        self.kubeconfig = folder / "admin.kubeconfig"
        self.audit_log = folder / "audit.log"

    async def __aenter__(self) -> ControlPlane:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def tls(self) -> ssl.SSLContext:
        """The TLS settings of a client that trusts this API server."""
        return ssl.create_default_context(cafile=str(self.certificate_authority))

    async def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        etcd, peers, api, controllers = free_ports(4)
        self.url = f"https://127.0.0.1:{api}"
        await self._spawn("etcd", _etcd_options(self._folder, etcd, peers))
        await self._spawn("kube-apiserver", self._api_server_options(etcd, api))
        await self._ready()
        write_kubeconfig(self.kubeconfig, self.url, token=self.token, certificate_authority=self.certificate_authority)
        await self._spawn("kube-controller-manager", self._controller_options(controllers))

    def _api_server_options(self, etcd: int, port: int) -> dict[str, str]:
        tokens, policy = self._folder / "tokens.csv", self._folder / "audit-policy.yaml"
        tokens.touch(mode=0o600)
        tokens.write_text(f"{self.token},admin,admin,system:masters\n")
        policy.write_text(_AUDIT_POLICY)
        # The server makes this key for TLS before it reads it as the key that signs service account tokens.
        key = str(self._folder / "certs" / "apiserver.key")
        return {
            "etcd-servers": f"http://127.0.0.1:{etcd}",
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": str(port),
            "cert-dir": str(self._folder / "certs"),
            "token-auth-file": str(tokens),
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": "https://sandbox.invalid",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "disable-admission-plugins": "ServiceAccount",
            "audit-policy-file": str(policy),
            "audit-log-path": str(self.audit_log),
            # In one file, however long the tests run.
            "audit-log-maxsize": "2000",
        }

    def _controller_options(self, port: int) -> dict[str, str]:
        return {
            "kubeconfig": str(self.kubeconfig),
            "controllers": _CONTROLLERS,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": str(port),
            "port": "0",
            "cert-dir": str(self._folder / "controller-certs"),
        }

    async def _spawn(self, program: str, options: Mapping[str, str]) -> None:
        arguments = [f"--{name}={value}" for name, value in options.items()]
        log = self._folder / f"{program}.log"
        self._children.append(await Process.start([str(self._assets / program), *arguments], log))

    async def _ready(self) -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session:
            while not await self._says_ok(session):
                for child in self._children:
                    child.check()
                await asyncio.sleep(0.1)

    async def _says_ok(self, session: aiohttp.ClientSession) -> bool:
        if not self.certificate_authority.exists():
            return False
        try:
            async with session.get(f"{self.url}/readyz", ssl=self.tls()) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, ssl.SSLError):
            return False

    async def _stop(self) -> None:
        """End the children, the last one started first; those that do not go are killed."""
        for child in reversed(self._children):
            await child.stop()
        shutil.rmtree(self._folder / "etcd", ignore_errors=True)


def _etcd_options(folder: Path, port: int, peers: int) -> dict[str, str]:
    return {
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": f"http://127.0.0.1:{port}",
        "advertise-client-urls": f"http://127.0.0.1:{port}",
        "listen-peer-urls": f"http://127.0.0.1:{peers}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def without_new_words(definition: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A CRD as an API server of 1.20 takes it, and how many of its rules are not enforced there."""
    dropped = 0

    def strip(value: Any) -> Any:
        nonlocal dropped
        if isinstance(value, list):
            return [strip(item) for item in value]
        if not isinstance(value, dict):
            return value
        dropped += len(value.get("x-kubernetes-validations", ()))
        return {name: strip(entry) for name, entry in value.items() if name not in _NEW_WORDS}

    return strip(dict(definition)), dropped

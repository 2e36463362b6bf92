"""A cluster with everything around the operator, and the operator itself: to be shown, tried and tested."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kubernetes.aio.client import Configuration

from maas_operator.adapters.kubernetes.access import Access, load

from .control_plane import ControlPlane
from .controllers.clients import HttpClient, InformedClient
from .controllers.faults import Delays
from .controllers.runner import Runner
from .controllers.surroundings import Surroundings, surroundings
from .controllers.threescale.admin_http import serve
from .install import ADMIN_URL, Installation
from .kubeapi.kubeapi import KubeApi, write_kubeconfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What to bring up, and where its files go.

    `kubeconfig`: an existing cluster. `assets`: a folder with the real servers' binaries. With neither, the embedded
    API. `crds`: a folder with the CRDs of KServe and 3scale; small stand-ins for them if None. Unless `complete`, these
    are left out, to be installed later.
    """

    folder: Path
    kubeconfig: Path | None = None
    assets: Path | None = None
    crds: Path | None = None
    complete: bool = True
    delays: Delays = field(default_factory=Delays)


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server, and a kubeconfig of somebody who may do everything there."""

    kubeconfig: Path
    name: str
    audit_log: Path | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """A cluster that is ready for the operator; `operator_kubeconfig` is its service account's.

    `admin_api_port`: where 3scale's Admin API is on the loopback.
    """

    cluster: Cluster
    client: HttpClient
    around: Surroundings
    installation: Installation
    operator_kubeconfig: Path
    admin_api_port: int


@asynccontextmanager
async def environment(setup: Setup) -> AsyncIterator[Environment]:
    """Bring up API, CRDs, permissions and stand-ins, and take them down again at the end."""
    setup.folder.mkdir(parents=True, exist_ok=True)
    async with _cluster(setup) as cluster:
        configuration = await load(Access(kubeconfig=cluster.kubeconfig))
        async with (
            await _client(configuration) as client,
            # Apart from ours, whose lists must be live: with many models, live ones would be most of the server's work.
            await _client(configuration, InformedClient) as informed,
            _installed(client, setup) as installation,
        ):
            around = surroundings(informed, delays=setup.delays)
            around.porta.add_tenant(ADMIN_URL, installation.provider_token)
            kubeconfig = setup.folder / "operator.kubeconfig"
            authority = Path(configuration.ssl_ca_cert) if configuration.ssl_ca_cert else None
            token = await installation.token()
            write_kubeconfig(kubeconfig, configuration.host, token=token, certificate_authority=authority)
            async with _running(around.runner), serve(around.admin_api) as port:
                yield Environment(cluster, client, around, installation, kubeconfig, port)


@asynccontextmanager
async def _cluster(setup: Setup) -> AsyncIterator[Cluster]:
    if setup.kubeconfig:
        yield Cluster(setup.kubeconfig, f"the cluster of {setup.kubeconfig}")
    elif setup.assets:
        async with ControlPlane(setup.assets, setup.folder) as plane:
            yield Cluster(plane.kubeconfig, f"kube-apiserver of {setup.assets}", plane.audit_log)
    else:
        async with KubeApi() as kubeapi:
            yield Cluster(kubeapi.write_kubeconfig(setup.folder / "admin.kubeconfig"), "the embedded Kubernetes API")


@asynccontextmanager
async def _installed(client: HttpClient, setup: Setup) -> AsyncIterator[Installation]:
    installation = Installation(client)
    try:
        await installation.base()
        if setup.complete:
            await installation.surroundings(setup.crds)
        yield installation
    finally:
        # The other clusters end with us.
        if setup.kubeconfig:
            await installation.remove()


@asynccontextmanager
async def _running(runner: Runner) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner.run())
        yield
        task.cancel()


async def _client(configuration: Configuration, of: type[HttpClient] = HttpClient) -> HttpClient:
    tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    header = await configuration.get_api_key_with_prefix("BearerToken")
    token = header.split(" ", 1)[-1] if header else ""
    return of(configuration.host, token=token, tls=tls if configuration.verify_ssl else False)

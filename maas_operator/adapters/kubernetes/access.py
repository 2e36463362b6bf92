"""Where the API server is and who we are there: the pod's service account, or a kubeconfig."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import getproxies

import kopf
import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import (
    KUBE_CONFIG_DEFAULT_LOCATION,
    ConfigException,
    load_incluster_config,
    load_kube_config,
)

from maas_operator import __version__
from maas_operator.adapters.kubernetes.client import KubernetesCluster, RequestObserver, ignore_request
from maas_operator.engine.errors import OperatorError
from maas_operator.engine.fence import WriteSeconds, always

POOL_SIZE = 32
"""Open connections: the engine's workers, and some for lists, the watches of Secrets and events."""


class NoAccess(OperatorError):
    """There is no usable address or credential; says which file is at fault, never what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach the API server: with neither field set, the pod's service account, else the default kubeconfig."""

    kubeconfig: Path | None = None
    context: str | None = None

    @property
    def in_cluster(self) -> bool:
        """Tell whether the pod's service account is used."""
        return self.kubeconfig is None and self.context is None and "KUBERNETES_SERVICE_HOST" in os.environ

    @property
    def source(self) -> str:
        """Return what address and credentials come from."""
        if self.in_cluster:
            return "the pod's service account"
        return str(self.kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)

    @property
    def is_there(self) -> bool:
        """Tell whether there is any file to read; KUBECONFIG may name several."""
        return self.in_cluster or any(Path(one).expanduser().is_file() for one in self.source.split(os.pathsep))


async def load(access: Access) -> Configuration:
    """Read address and credentials afresh, into a configuration of our own; NoAccess if that fails."""
    # `Configuration()` copies a process-wide default if somebody has set one; ours must not depend on that.
    configuration: Configuration = type.__call__(Configuration)
    configuration.connection_pool_maxsize = POOL_SIZE
    # aiohttp looks for a ~/.netrc before each request, in a thread, if it trusts the environment; that is half of what
    # a call costs. What we want of the environment are the proxies.
    configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
    source = access.source
    if not access.is_there:
        raise NoAccess(
            f"no access to Kubernetes by {source}: there is no such file; name one with --kubeconfig or KUBECONFIG"
        )
    try:
        if access.in_cluster:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(
                config_file=access.kubeconfig and str(access.kubeconfig),
                context=access.context,
                client_configuration=configuration,
                persist_config=False,
            )
    except (ConfigException, OSError) as error:
        raise NoAccess(f"no access to Kubernetes by {source}: {error}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        # Their texts quote the file, and the file holds tokens.
        raise NoAccess(f"no access to Kubernetes by {source}: not a valid kubeconfig") from None
    return configuration


@asynccontextmanager
async def connect(
    access: Access,
    *,
    on_request: RequestObserver = ignore_request,
    may_write: WriteSeconds = always,
    identity: str = "",
) -> AsyncIterator[KubernetesCluster]:
    """Open the one client of this process; it connects on first use, so a server that is down is no error here.

    `identity`: which of several processes the audit log of the server is to name.
    """
    async with ApiClient(await load(access)) as client:
        client.user_agent = f"maas-operator/{__version__}" + (f" ({identity})" if identity else "")
        yield KubernetesCluster(client, on_request=on_request, may_write=may_write)


async def login(access: Access) -> kopf.ConnectionInfo:
    """Return the same access for kopf, read afresh: it asks again whenever the server answers 401."""
    configuration = await load(access)
    header = await configuration.get_api_key_with_prefix("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        username=configuration.username or None,
        password=configuration.password or None,
        token=header.split(" ", 1)[-1] if header else None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        # The client honours the proxy variables, so kopf must do so too.
        trust_env=True,
    )

"""The calls of `engine.leadership.Leases`: one try each, since what tries again is the election itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from maas_operator.adapters.kubernetes.client import TRY_SECONDS, KubernetesCluster
from maas_operator.domain.kinds import LEASE
from maas_operator.domain.objects import Manifest, Ref, ref_of

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class KubernetesLeases:
    """Leases on a real API server."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster
        self._resource = cluster.resources[LEASE]

    async def get(self, ref: Ref) -> Manifest:
        """Read a Lease; NotFound if there is none."""
        return await self._cluster.attempt(
            "get",
            ref,
            lambda options: self._resource.get(name=ref.name, namespace=ref.namespace, **options),
            seconds=TRY_SECONDS,
        )

    async def create(self, lease: Manifest) -> Manifest:
        """Create a Lease; Conflict if there is one."""
        ref = ref_of(lease)
        return await self._cluster.attempt(
            "create",
            ref,
            lambda options: self._resource.create(body=lease, namespace=ref.namespace, **options),
            seconds=TRY_SECONDS,
        )

    async def replace(self, lease: Manifest) -> Manifest:
        """Replace a Lease that is still at the version of this manifest, else Conflict."""
        ref = ref_of(lease)
        return await self._cluster.attempt(
            "update",
            ref,
            lambda options: self._resource.replace(body=lease, name=ref.name, namespace=ref.namespace, **options),
            seconds=TRY_SECONDS,
        )


def own_namespace() -> str:
    """Return the namespace of this pod; nothing outside of one."""
    try:
        return NAMESPACE_FILE.read_text().strip()
    except OSError:
        return ""

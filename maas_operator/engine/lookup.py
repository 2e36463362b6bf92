"""Reads of objects: from the cache, and live where absence in the cache would count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from maas_operator.domain.kinds import SECRET, Kind
from maas_operator.domain.objects import Manifest, Ref

from .cache import Cache
from .cluster import Cluster
from .errors import KindNotServed, NotFound


@dataclass(frozen=True, slots=True)
class Lookup:
    """Finds objects; only a live read proves that one is not there."""

    cache: Cache
    cluster: Cluster

    async def find(self, ref: Ref) -> Manifest | None:
        """Return an object, or None. Secrets are read live: what they say is kept nowhere."""
        cached = self.cache.get(ref) if ref.kind != SECRET else None
        return cached if cached is not None else await self.live(ref)

    async def live(self, ref: Ref) -> Manifest | None:
        """Return an object as the API has it now, or None."""
        try:
            return await self.cluster.get(ref)
        except NotFound:
            return None

    async def list(self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """Return all objects of a kind, with these labels, as the API has them now; none if the kind is not served."""
        try:
            return await self.cluster.list(kind, namespace=namespace, labels=labels)
        except NotFound:
            return []

    async def is_served(self, kind: Kind, namespace: str) -> bool:
        """Tell whether the API has a kind now; `namespace` is one in which we may list it."""
        if self.cache.of_kind(kind):
            # There are some, and a list of all would say no more.
            return True
        try:
            await self.cluster.list(kind, namespace=namespace)
        except KindNotServed:
            return False
        return True


def of_product(applications: Iterable[Manifest], product: Ref) -> list[Manifest]:
    """Return the Applications that use a Product."""
    return [one for one in applications if one["spec"]["productCR"].get("name") == product.name]

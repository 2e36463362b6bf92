"""The Secrets of the 3scale namespaces: watched there alone, and of them only ours and those that a platform names.

The server filters. So what else is secret there never reaches this process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from maas_operator.adapters.kubernetes.client import KubernetesCluster, Scope
from maas_operator.adapters.watches import OURS
from maas_operator.domain.kinds import SECRET, Kind
from maas_operator.domain.objects import Manifest
from maas_operator.engine.cache import kept_of
from maas_operator.engine.errors import ApiError, Forbidden
from maas_operator.engine.triggers import named_secrets

REJOIN_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5.0
FORBIDDEN_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class SecretWatches:
    """One list and watch for each scope that a ModelPlatform needs, begun and ended while the operator runs."""

    def __init__(self, cluster: KubernetesCluster, seen: Callable[[Manifest, Kind, str | None], None]) -> None:
        self._cluster = cluster
        self._seen = seen
        self._needed: dict[str, set[Scope]] = {}
        # It outlives a watch: what goes while nobody watches is told when somebody does again.
        self._known: dict[Scope, dict[str, Manifest]] = {}
        self._changed = asyncio.Event()

    def platform_seen(self, platform: Manifest, type_: str | None) -> None:
        """Take note of the Secrets that a ModelPlatform needs."""
        name = platform["metadata"]["name"]
        if type_ == "DELETED":
            self._needed.pop(name, None)
        else:
            self._needed[name] = _scopes(platform)
        self._changed.set()

    async def run(self) -> None:
        """Keep the watches that are needed, until cancelled."""
        running: dict[Scope, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                self._changed.clear()
                wanted = set().union(*self._needed.values())
                for scope in running.keys() - wanted:
                    running.pop(scope).cancel()
                for scope in wanted - running.keys():
                    watch = _Watch(self._cluster, scope, self._seen, self._known.setdefault(scope, {}))
                    running[scope] = group.create_task(watch.run())


class _Watch:
    """The list and watch of one scope; survives everything but its cancellation."""

    def __init__(
        self,
        cluster: KubernetesCluster,
        scope: Scope,
        seen: Callable[[Manifest, Kind, str | None], None],
        known: dict[str, Manifest],
    ) -> None:
        self._cluster = cluster
        self._scope = scope
        self._seen = seen
        self._known = known
        self._told = ""

    async def run(self) -> None:
        while True:
            try:
                version = await self._list()
                self._told = ""
                while True:
                    version = await self._follow(version)
                    await asyncio.sleep(REJOIN_SECONDS)
            except Forbidden as error:
                # What nobody keeps true is not believed: who needs one reads it live, and tells that it can not.
                for manifest in list(self._known.values()):
                    self._tell("DELETED", manifest)
                self._log(f"{error}. Bind the role maas-operator-threescale-secrets in {self._scope.namespace}")
                await asyncio.sleep(FORBIDDEN_SECONDS)
            except ApiError as error:
                if error.status != 410:
                    self._log(str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _list(self) -> str:
        """Tell all Secrets as they are now, and those as deleted that went while nobody watched."""
        listing = await self._cluster.select(self._scope)
        gone = dict(self._known)
        self._known.clear()
        for manifest in listing.objects:
            gone.pop(manifest["metadata"]["uid"], None)
            self._tell(None, manifest)
        for manifest in gone.values():
            self._tell("DELETED", manifest)
        return listing.resource_version

    async def _follow(self, version: str) -> str:
        async with aclosing(self._cluster.watch(self._scope, since=version)) as events:
            async for type_, manifest in events:
                version = manifest["metadata"]["resourceVersion"]
                if type_ != "BOOKMARK":
                    self._tell(type_, manifest)
        return version

    def _tell(self, type_: str | None, manifest: Manifest) -> None:
        uid = manifest["metadata"]["uid"]
        if type_ == "DELETED":
            self._known.pop(uid, None)
        else:
            # It is kept to be told as deleted, no more.
            self._known[uid] = kept_of(manifest)
        self._seen(manifest, SECRET, type_)

    def _log(self, problem: str) -> None:
        """Log a problem once, not each time that it is met again."""
        if self._told != problem:
            self._told = problem
            logger.error("Secrets are not watched: %s", problem, extra={"namespace": self._scope.namespace})


def _scopes(platform: Manifest) -> set[Scope]:
    named = named_secrets(platform)
    namespace = platform.get("spec", {}).get("threescale", {}).get("namespace")
    if not namespace:
        return set()
    each = {Scope(kind=SECRET, namespace=namespace, fields=f"metadata.name={ref.name}") for ref in named}
    return {Scope(kind=SECRET, namespace=namespace, labels=OURS), *each}

"""The Secrets of the 3scale namespaces: watched there alone, and as metadata only, so that no content is ever held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from maas_operator.adapters.kubernetes.client import KubernetesCluster
from maas_operator.domain.kinds import SECRET, Kind
from maas_operator.domain.objects import Manifest
from maas_operator.engine.errors import ApiError, Forbidden

REJOIN_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5.0
FORBIDDEN_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class SecretWatches:
    """One list and watch per namespace that a ModelPlatform names, begun and ended while the operator runs."""

    def __init__(self, cluster: KubernetesCluster, seen: Callable[[Manifest, Kind, str | None], None]) -> None:
        self._cluster = cluster
        self._seen = seen
        self._namespace_by_platform: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._known: dict[str, dict[str, Manifest]] = {}
        self._last_error: dict[str, str] = {}

    def platform_seen(self, platform: Manifest, type_: str | None) -> None:
        """Take note of the namespace that a ModelPlatform names."""
        name = platform["metadata"]["name"]
        namespace = platform.get("spec", {}).get("threescale", {}).get("namespace")
        if type_ == "DELETED" or not namespace:
            self._namespace_by_platform.pop(name, None)
        else:
            self._namespace_by_platform[name] = namespace
        self._changed.set()

    async def run(self) -> None:
        """Keep the watches that are needed, until cancelled."""
        running: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                self._changed.clear()
                wanted = set(self._namespace_by_platform.values())
                for namespace in running.keys() - wanted:
                    running.pop(namespace).cancel()
                for namespace in wanted - running.keys():
                    running[namespace] = group.create_task(self._watch(namespace))

    async def _watch(self, namespace: str) -> None:
        while True:
            try:
                version = await self._list(namespace)
                self._last_error.pop(namespace, None)
                while True:
                    version = await self._follow(namespace, version)
                    await asyncio.sleep(REJOIN_SECONDS)
            except Forbidden as error:
                self._log(namespace, f"{error}. Bind the role maas-operator-threescale-secrets in {namespace}")
                await asyncio.sleep(FORBIDDEN_SECONDS)
            except ApiError as error:
                if error.status != 410:
                    self._log(namespace, str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _list(self, namespace: str) -> str:
        """Tell all Secrets as they are now, and those as deleted that went while nobody watched."""
        listing = await self._cluster.select(SECRET, namespace=namespace, metadata_only=True)
        gone = self._known.get(namespace, {})
        self._known[namespace] = {}
        for manifest in listing.objects:
            gone.pop(manifest["metadata"]["uid"], None)
            self._tell(namespace, None, manifest)
        for manifest in gone.values():
            self._tell(namespace, "DELETED", manifest)
        return listing.resource_version

    async def _follow(self, namespace: str, version: str) -> str:
        async with aclosing(self._cluster.watch(SECRET, namespace=namespace, since=version)) as events:
            async for type_, manifest in events:
                version = manifest["metadata"]["resourceVersion"]
                if type_ != "BOOKMARK":
                    self._tell(namespace, type_, manifest)
        return version

    def _tell(self, namespace: str, type_: str | None, manifest: Manifest) -> None:
        uid = manifest["metadata"]["uid"]
        if type_ == "DELETED":
            self._known[namespace].pop(uid, None)
        else:
            self._known[namespace][uid] = manifest
        self._seen(manifest, SECRET, type_)

    def _log(self, namespace: str, problem: str) -> None:
        """Log a problem once, not each time that it is met again."""
        if self._last_error.get(namespace) != problem:
            self._last_error[namespace] = problem
            logger.error("Secrets are not watched: %s", problem, extra={"namespace": namespace})

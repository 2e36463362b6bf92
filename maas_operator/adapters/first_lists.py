"""kopf does not say when its first lists are complete: live lists, compared with the cache, do."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from maas_operator.adapters.kubernetes.client import KubernetesCluster, Scope
from maas_operator.adapters.watches import SELECTORS, WATCHED
from maas_operator.domain.objects import ref_of
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import KindNotServed, Unavailable

PAUSE_SECONDS: Final = 0.2

logger = logging.getLogger(__name__)


async def first_lists(cluster: KubernetesCluster, cache: Cache) -> None:
    """Return when the cache knows all that is there now; a pass before that would decide on half a world."""
    for kind in WATCHED:
        await _known(cluster, cache, Scope(kind=kind, labels=SELECTORS.get(kind, "")))


async def _known(cluster: KubernetesCluster, cache: Cache, scope: Scope) -> None:
    while True:
        try:
            listing = await cluster.select(scope)
        except KindNotServed:
            return
        except Unavailable as error:
            logger.warning("%s", error)
        else:
            if all(cache.get(ref_of(one)) is not None for one in listing.objects):
                return
        await asyncio.sleep(PAUSE_SECONDS)

"""kopf does not say when its first lists are complete: live lists, compared with the cache, do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from maas_operator.adapters.kubernetes.client import KubernetesCluster, Scope
from maas_operator.adapters.watches import SELECTORS, WATCHED
from maas_operator.domain.objects import Ref, ref_of
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import KindNotServed, Unavailable

PAUSE_SECONDS: Final = 0.2

logger = logging.getLogger(__name__)

Lists = Mapping[Scope, Iterable[Ref]]


async def live_lists(cluster: KubernetesCluster) -> Lists:
    """Read what there is of each watched kind; Forbidden if a permission is missing, so that kopf never meets that."""
    scopes = [Scope(kind=kind, labels=SELECTORS.get(kind, "")) for kind in WATCHED]
    return {scope: await _live(cluster, scope) for scope in scopes}


async def caught_up(cluster: KubernetesCluster, cache: Cache, lists: Lists) -> None:
    """Return when the cache knows all that these lists show, but for what has gone since."""
    for scope, refs in lists.items():
        missing = _unknown(cache, refs)
        while missing:
            await asyncio.sleep(PAUSE_SECONDS)
            missing = _unknown(cache, missing) and _unknown(cache, await _live(cluster, scope))


def _unknown(cache: Cache, refs: Iterable[Ref]) -> list[Ref]:
    return [ref for ref in refs if cache.get(ref) is None]


async def _live(cluster: KubernetesCluster, scope: Scope) -> list[Ref]:
    while True:
        try:
            return [ref_of(one) for one in (await cluster.select(scope)).objects]
        except KindNotServed:
            return []
        except Unavailable as error:
            logger.warning("%s", error)
        await asyncio.sleep(PAUSE_SECONDS)

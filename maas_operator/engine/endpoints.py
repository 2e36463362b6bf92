"""Where products are published in a cluster without Routes: 3scale tells it, whenever it may have changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import ROUTE

from .errors import ThreescaleError
from .lookup import Lookup
from .tenants import Tenants
from .threescale import REGULARLY, Threescale

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What 3scale told of which product and promotion, and until when that holds."""

    occasion: tuple[int, str | None]
    endpoint: str
    until: datetime


class Endpoints:
    """What is known of the public endpoints; a process that begins knows what the status says."""

    def __init__(self, threescale: Threescale, tenants: Tenants, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._lookup = lookup
        self._now = now
        self._known: dict[str, _Known] = {}

    async def of(self, service: ModelService, platform: ModelPlatform, product_id: int) -> str:
        """Return a product's public base URL; empty where Routes tell it. A promotion, or time, makes it ask anew."""
        uid, gateway = service.metadata.uid, service.status.gateway
        occasion = product_id, gateway.config_hash if gateway else None
        known = self._known.get(uid)
        if known is not None and known.occasion == occasion and self._now() < known.until:
            return known.endpoint
        try:
            endpoint = await self._ask(platform, product_id)
        except ThreescaleError as error:
            logger.info("the endpoint of product %d is not known: %s", product_id, error)
            # No answer is no reason to take a URL away.
            return known.endpoint if known else (service.status.url or "").removesuffix("/v1")
        self._known[uid] = _Known(occasion, endpoint, self._now() + REGULARLY)
        return endpoint

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a service that goes."""
        self._known.pop(uid, None)

    async def _ask(self, platform: ModelPlatform, product_id: int) -> str:
        # On OpenShift Routes are there without a CRD: only a list proves that they are not.
        if await self._lookup.is_served(ROUTE, platform.spec.threescale.namespace):
            return ""
        return await self._threescale.endpoint(await self._tenants.of(platform), product_id)

"""Deletes in 3scale what the 3scale-operator would leave behind there.

A child of such a kind is held by our finalizer, and while it is being deleted the 3scale-operator does not touch it: so
its object in 3scale can be deleted meanwhile, and a crash at any moment forgets nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from maas_operator.domain.model_service import ModelServiceWorld
from maas_operator.domain.names import document_system_name
from maas_operator.domain.objects import Manifest

from .errors import RemoteNotFound, ThreescaleError
from .tenants import Tenants
from .threescale import Threescale

IN_FLIGHT: Final = timedelta(seconds=10)
"""How long the 3scale-operator may still write what it began before the deletion. It looks before it makes something:
what is found in 3scale is not made a second time, only of what is not there yet nobody knows."""

logger = logging.getLogger(__name__)


class Withdrawals:
    """Takes documents out of the developer portal."""

    def __init__(self, threescale: Threescale, tenants: Tenants, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._now = now

    async def withdraw(self, world: ModelServiceWorld, active_doc: Manifest) -> str:
        """Delete the document of an ActiveDoc that is being deleted; return nothing, or why it is still there."""
        if world.platform is None:
            return f"there is no ModelPlatform {world.service.spec.platform_ref.name}, by which 3scale could be called"
        name = document_system_name(world.service)
        try:
            tenant = await self._tenants.of(world.platform)
            found = [one for one in await self._threescale.documents(tenant) if one.system_name == name]
            for document in found:
                await self._threescale.delete_document(tenant, document.id)
                logger.info("document %s is deleted in 3scale", name)
        except RemoteNotFound:
            return ""
        except ThreescaleError as error:
            return str(error)
        since = datetime.fromisoformat(active_doc["metadata"]["deletionTimestamp"])
        settled = found or self._now() >= since + IN_FLIGHT
        return "" if settled else "the 3scale-operator may be making its document at this moment"

"""Compares what 3scale was told with what it has, so that an edit in its portal is found and put back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.documents.active_doc import active_doc_state, secret_ref_of, text_of
from maas_operator.domain.gateway.drift import backend_edits, document_edits, product_edits
from maas_operator.domain.gateway.status import backend_state, product_state
from maas_operator.domain.kinds import ACTIVE_DOC, BACKEND, PRODUCT
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import status_of

from .errors import RemoteNotFound, RemoteUnavailable, ThreescaleError
from .lookup import Lookup
from .tenants import Tenants
from .threescale import REGULARLY, Tenant, Threescale

DOUBLINGS: Final = 6
"""An edit that comes back is looked for later and later, at last five times a day."""
COMPARISON_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _History:
    """When to compare next; how often in a row something differed; when which kind was last found to be edited."""

    due: datetime
    strikes: int = 0
    edited_at: Mapping[str, datetime] = field(default_factory=dict)


class Comparisons:
    """One comparison of each Product and its Backend in each resync; a new process begins with a whole interval."""

    def __init__(self, threescale: Threescale, tenants: Tenants, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._lookup = lookup
        self._now = now
        self._histories: dict[str, _History] = {}

    async def edited_at(
        self, uid: str, platform: ModelPlatform, product: Manifest, backend: Manifest
    ) -> Mapping[str, datetime]:
        """Return when a service's Product and Backend were last found to be edited in 3scale, by kind."""
        settled = product_state(product).synced and backend_state(backend).synced
        name = product["metadata"]["name"]
        return await self._look(uid, name, settled, partial(self._edits, platform, product, backend))

    async def document_edited_at(
        self, uid: str, platform: ModelPlatform, active_doc: Manifest, product: Manifest
    ) -> Mapping[str, datetime]:
        """Return when a service's document was last found to be edited in 3scale, by kind.

        It has a history of its own: a document that 3scale writes otherwise must not make edits of the Product wait.
        """
        settled = product_state(product).synced and active_doc_state(active_doc).ready
        name = active_doc["metadata"]["name"]
        edits_of = partial(self._document_edits, platform, active_doc, product)
        return await self._look(f"{uid} document", name, settled, edits_of)

    async def _look(
        self, key: str, name: str, settled: bool, edits_of: Callable[[], Awaitable[list[str]]]
    ) -> Mapping[str, datetime]:
        """Compare if it is time to."""
        history = self._histories.setdefault(key, _History(self._now() + REGULARLY))
        if self._now() < history.due or not settled:
            return history.edited_at
        history.due = self._now() + REGULARLY
        try:
            edits = await edits_of()
        except ThreescaleError as error:
            logger.info("%s is not compared with 3scale: %s", name, error)
            return history.edited_at
        history.strikes = min(history.strikes + 1, DOUBLINGS) if edits else 0
        history.due = self._now() + REGULARLY * 2 ** max(history.strikes - 1, 0)
        history.edited_at = {**history.edited_at, **dict.fromkeys(edits, self._now())}
        return history.edited_at

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a service that goes."""
        self._histories.pop(uid, None)
        self._histories.pop(f"{uid} document", None)

    async def _edits(self, platform: ModelPlatform, product: Manifest, backend: Manifest) -> list[str]:
        """Return the kinds of what was edited."""
        tenant, name = await self._tenants.of(platform), product["spec"]["systemName"]
        try:
            async with asyncio.timeout(COMPARISON_SECONDS):
                edits = {
                    BACKEND: await self._backend_edits(tenant, backend),
                    PRODUCT: await self._product_edits(tenant, product, {name: backend}),
                }
        except TimeoutError:
            raise RemoteUnavailable("3scale answers too slowly") from None
        for kind, words in edits.items():
            if words:
                logger.warning("%s %s was edited in 3scale and is put back: %s", kind, name, ", ".join(words))
        return [kind.name for kind, words in edits.items() if words]

    async def _document_edits(self, platform: ModelPlatform, active_doc: Manifest, product: Manifest) -> list[str]:
        text = text_of(await self._lookup.live(secret_ref_of(active_doc)))
        tenant, number = await self._tenants.of(platform), status_of(active_doc)["activeDocId"]
        try:
            words = document_edits(active_doc, text, product, await self._threescale.document(tenant, number))
        except RemoteNotFound:
            words = ("deleted",)
        if words:
            name = active_doc["spec"]["systemName"]
            logger.warning("%s %s was edited in 3scale and is put back: %s", ACTIVE_DOC, name, ", ".join(words))
        return [ACTIVE_DOC.name] if words else []

    async def _backend_edits(self, tenant: Tenant, backend: Manifest) -> tuple[str, ...]:
        try:
            return backend_edits(backend, await self._threescale.backend(tenant, status_of(backend)["backendId"]))
        except RemoteNotFound:
            return ("deleted",)

    async def _product_edits(
        self, tenant: Tenant, product: Manifest, backends: Mapping[str, Manifest]
    ) -> tuple[str, ...]:
        try:
            remote = await self._threescale.product(tenant, status_of(product)["productId"])
        except RemoteNotFound:
            return ("deleted",)
        return product_edits(product, backends, remote)

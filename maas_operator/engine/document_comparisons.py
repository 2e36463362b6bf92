"""Compares a document with what the developer portal has of it, so that an edit there is found and put back.

Apart from the comparison of the Product: a document that 3scale writes otherwise must not make that wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.documents.active_doc import active_doc_state, secret_ref_of, text_of
from maas_operator.domain.gateway.drift import document_edits
from maas_operator.domain.gateway.status import product_state
from maas_operator.domain.kinds import ACTIVE_DOC
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import status_of

from .errors import RemoteNotFound, ThreescaleError
from .lookup import Lookup
from .rhythm import Rhythm
from .tenants import Tenants
from .threescale import Threescale

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _History:
    """When to compare next, and when something was last found to differ."""

    rhythm: Rhythm
    edited_at: datetime | None = None


class DocumentComparisons:
    """One comparison of each document in each resync; a new process begins with a whole interval."""

    def __init__(self, threescale: Threescale, tenants: Tenants, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._lookup = lookup
        self._now = now
        self._histories: dict[str, _History] = {}

    async def edited_at(
        self, uid: str, platform: ModelPlatform, active_doc: Manifest, product: Manifest
    ) -> Mapping[str, datetime]:
        """Return when a service's document was last found to be edited in 3scale, by kind."""
        history = self._histories.setdefault(uid, _History(Rhythm.beginning(self._now())))
        if self._now() >= history.rhythm.due and product_state(product).synced and active_doc_state(active_doc).ready:
            await self._compare(history, platform, active_doc, product)
        return {ACTIVE_DOC.name: history.edited_at} if history.edited_at else {}

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a service that goes."""
        self._histories.pop(uid, None)

    async def _compare(
        self, history: _History, platform: ModelPlatform, active_doc: Manifest, product: Manifest
    ) -> None:
        history.rhythm.postpone(self._now())
        name = active_doc["spec"]["systemName"]
        try:
            words = await self._edits(platform, active_doc, product)
        except ThreescaleError as error:
            logger.info("document %s is not compared with 3scale: %s", name, error)
            return
        history.rhythm.note(self._now(), differs=bool(words))
        if words:
            logger.warning("document %s was edited in 3scale and is put back: %s", name, ", ".join(words))
            history.edited_at = self._now()

    async def _edits(self, platform: ModelPlatform, active_doc: Manifest, product: Manifest) -> tuple[str, ...]:
        text = text_of(await self._lookup.live(secret_ref_of(active_doc)))
        tenant, number = await self._tenants.of(platform), status_of(active_doc)["activeDocId"]
        try:
            return document_edits(active_doc, text, product, await self._threescale.document(tenant, number))
        except RemoteNotFound:
            return ("deleted",)

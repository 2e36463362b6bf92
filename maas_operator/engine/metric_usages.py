"""Asks which metrics and methods of a Product its gateways still count on, while something may have to go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.gateway.drift import awaits_correction, has_its_rules
from maas_operator.domain.gateway.metrics import COUNTED
from maas_operator.domain.gateway.remote import MetricUsage, RemoteProduct
from maas_operator.domain.gateway.status import SyncPhase, product_state, promotion_state
from maas_operator.domain.gateway.steps import is_locked_up, strays
from maas_operator.domain.objects import Manifest

from .errors import ThreescaleError
from .tenants import Tenants
from .threescale import REGULARLY, Threescale

SOON: Final = timedelta(minutes=1)
"""How long the 3scale-operator may take to put back rules, and how long no answer holds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was told; `overtaken`: the uid of a promotion after which something that counts on strays was deployed."""

    metrics: MetricUsage | None = None
    overtaken: str = ""


NOT_ASKED: Final = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One service's Product, as the pass found it.

    `product`: None for one that is to be adopted. `promotion`: as for `Comparisons`. `edited_at`: see `Remote`.
    """

    uid: str
    platform: ModelPlatform
    system_name: str
    product: Manifest | None
    promotion: Manifest | None = None
    edited_at: datetime | None = None

    @property
    def is_worth_a_call(self) -> bool:
        """Tell whether the answer can change what is written."""
        if self.product is None or is_locked_up(self.product):
            return True
        if not product_state(self.product).synced:
            return False
        return bool(strays(self.product, COUNTED)) or awaits_correction(self.product, self.edited_at)

    @property
    def occasion(self) -> tuple[object, ...]:
        """Return what makes an answer old when it changes."""
        generation = self.product["metadata"]["generation"] if self.product else None
        promoted = self.promotion["metadata"]["uid"] if self.promotion else None
        return generation, self.phase, self.edited_at, promoted, self.is_promoted

    @property
    def phase(self) -> SyncPhase:
        """Return how far 3scale is with the Product."""
        return product_state(self.product).phase

    @property
    def is_promoted(self) -> bool:
        """Tell whether the promotion of this Product is done."""
        return promotion_state(self.promotion).done


@dataclass(frozen=True, slots=True)
class _Known:
    occasion: tuple[object, ...]
    usage: Usage
    until: datetime


class MetricUsages:
    """What was told last about each service; a process that begins asks anew."""

    def __init__(self, threescale: Threescale, tenants: Tenants, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._now = now
        self._known: dict[str, _Known] = {}

    async def of(self, subject: Subject) -> Usage:
        """Return what a Product's gateways count on; nothing where that does not matter, or 3scale does not answer."""
        if not subject.is_worth_a_call:
            self.forget(subject.uid)
            return NOT_ASKED
        known = self._known.get(subject.uid)
        if known is None or known.occasion != subject.occasion or self._now() >= known.until:
            usage, holds = await self._ask(subject)
            known = self._known[subject.uid] = _Known(subject.occasion, usage, self._now() + holds)
        return known.usage

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a service."""
        self._known.pop(uid, None)

    async def _ask(self, subject: Subject) -> tuple[Usage, timedelta]:
        """Return what is told, and how long that holds."""
        try:
            remote = await self._product(subject)
        except ThreescaleError as error:
            logger.info("the metrics of %s are not known: %s", subject.system_name, error)
            return NOT_ASKED, SOON
        return _judged(subject, remote) if remote else (NOT_ASKED, REGULARLY)

    async def _product(self, subject: Subject) -> RemoteProduct | None:
        tenant = await self._tenants.of(subject.platform)
        number = product_state(subject.product).remote_id
        number = number or await self._threescale.product_id(tenant, subject.system_name)
        return await self._threescale.product(tenant, number) if number else None


def _judged(subject: Subject, remote: RemoteProduct) -> tuple[Usage, timedelta]:
    usage = remote.usage
    blocked = bool(usage.used & usage.metrics.keys() - COUNTED)
    if not (blocked and subject.product and subject.promotion and subject.is_promoted):
        return Usage(metrics=usage), REGULARLY
    # Promoted before they are put back, edited rules would come to production.
    if subject.phase is not SyncPhase.SYNCED or not has_its_rules(subject.product, remote):
        return Usage(metrics=usage), SOON
    logger.warning("%s has metrics in use that are not wanted: it is promoted again", subject.system_name)
    return Usage(metrics=usage, overtaken=subject.promotion["metadata"]["uid"]), REGULARLY

"""Compares what 3scale was told with what it has, so that an edit in its portal is found and put back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.gateway.drift import backend_edits, product_edits, production_edits
from maas_operator.domain.gateway.status import backend_state, product_state, promotion_state
from maas_operator.domain.kinds import BACKEND, PRODUCT, PROXY_CONFIG_PROMOTE, SECRET, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import status_of
from maas_operator.domain.people.secrets import read_secret
from maas_operator.domain.policies.platform import KEY, parse_configuration, referred_to

from .errors import RemoteNotFound, RemoteUnavailable, ThreescaleError
from .tenants import Tenants
from .threescale import REGULARLY, Tenant, Threescale

DOUBLINGS: Final = 6
"""An edit that comes back is looked for later and later, at last five times a day."""
SOON: Final = timedelta(minutes=1)
"""How long the 3scale-operator may take to put back what was edited."""
COMPARISON_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a comparison found; each field is as in `Remote`."""

    edited_at: Mapping[str, datetime] = field(default_factory=dict)
    overtaken: str = ""
    look_again: bool = False


@dataclass(slots=True)
class _History:
    """When to compare next; how often in a row something differed; what was found last."""

    due: datetime
    strikes: int = 0
    findings: Findings = Findings()


class Comparisons:
    """One comparison of each Product and its Backend in each resync; a new process begins with a whole interval."""

    def __init__(self, threescale: Threescale, tenants: Tenants, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._now = now
        self._histories: dict[str, _History] = {}

    async def findings(
        self, uid: str, platform: ModelPlatform, product: Manifest, backend: Manifest, promotion: Manifest | None
    ) -> Findings:
        """Return what of a service was last found to be edited in 3scale.

        `promotion`: the one that brought this very Product to production; None while there is none.
        """
        history = self._histories.setdefault(uid, _History(self._now() + REGULARLY))
        settled = product_state(product).synced and backend_state(backend).synced
        if self._now() < history.due or not settled:
            return history.findings
        history.due = self._now() + REGULARLY
        try:
            edits = await self._edits(platform, product, backend, promotion)
        except ThreescaleError as error:
            logger.info("%s is not compared with 3scale: %s", product["metadata"]["name"], error)
            return history.findings
        self._learn(history, edits, promotion)
        return history.findings

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a service that goes."""
        self._histories.pop(uid, None)

    def _learn(self, history: _History, edits: AbstractSet[Kind], promotion: Manifest | None) -> None:
        history.strikes = min(history.strikes + 1, DOUBLINGS) if edits else 0
        put_back = edits - {PROXY_CONFIG_PROMOTE}
        overtaken = promotion is not None and edits == {PROXY_CONFIG_PROMOTE}
        # Promoted before it is put back, an edit would only come to production anew.
        look_again = put_back != edits and bool(put_back) and history.strikes == 1
        wait = SOON if look_again else REGULARLY * 2 ** max(history.strikes - 1, 0)
        history.due = self._now() + wait
        history.findings = Findings(
            edited_at={**history.findings.edited_at, **{kind.name: self._now() for kind in put_back}},
            overtaken=promotion["metadata"]["uid"] if promotion is not None and overtaken else "",
            look_again=look_again,
        )

    async def _edits(
        self, platform: ModelPlatform, product: Manifest, backend: Manifest, promotion: Manifest | None
    ) -> frozenset[Kind]:
        """Return the kinds of what was edited; that of the promotion if something else is in production."""
        tenant, name = await self._tenants.of(platform), product["spec"]["systemName"]
        try:
            async with asyncio.timeout(COMPARISON_SECONDS):
                edits = {
                    BACKEND: await self._backend_edits(tenant, backend),
                    **await self._product_edits(tenant, product, {name: backend}, promotion),
                }
        except TimeoutError:
            raise RemoteUnavailable("3scale answers too slowly") from None
        for kind, words in edits.items():
            if words:
                logger.warning("%s %s was edited in 3scale and is put back: %s", kind, name, ", ".join(words))
        return frozenset(kind for kind, words in edits.items() if words)

    async def _backend_edits(self, tenant: Tenant, backend: Manifest) -> tuple[str, ...]:
        try:
            return backend_edits(backend, await self._threescale.backend(tenant, status_of(backend)["backendId"]))
        except RemoteNotFound:
            return ("deleted",)

    async def _product_edits(
        self, tenant: Tenant, product: Manifest, backends: Mapping[str, Manifest], promotion: Manifest | None
    ) -> dict[Kind, tuple[str, ...]]:
        try:
            remote = await self._threescale.product(tenant, status_of(product)["productId"])
        except RemoteNotFound:
            return {PRODUCT: ("deleted",)}
        configurations = await self._configurations(product)
        edits = {PRODUCT: product_edits(product, backends, configurations, remote)}
        state = promotion_state(promotion)
        if not state.done:
            return edits
        return edits | {PROXY_CONFIG_PROMOTE: production_edits(product, configurations, state, remote.production)}

    async def _configurations(self, product: Manifest) -> dict[str, Any]:
        """Return what is in the Secrets that a Product's chain refers to; the 3scale-operator has read the same."""
        namespace = ref_of(product).namespace
        refs = [Ref(SECRET, namespace, name) for name in referred_to(product)]
        found = {ref.name: await self._tenants.lookup.find(ref) for ref in refs}
        secrets = {name: read_secret(one) for name, one in found.items() if one is not None}
        return {name: parse_configuration(secret.get(KEY)) for name, secret in secrets.items()}

"""Asks 3scale itself, at the moments when an answer counts, and remembers what need not be asked again.

No answer is a reason to change less: what can not be proved free is taken, and a plan of unknown users is in use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.decision import Acceptance
from maas_operator.domain.gateway.drift import backend_edits, product_edits
from maas_operator.domain.gateway.remote import RemoteApplication
from maas_operator.domain.gateway.status import backend_state, product_state
from maas_operator.domain.kinds import BACKEND, CONFIG_MAP, PRODUCT, SECRET, Kind
from maas_operator.domain.model_platform import ADMIN_URL, TOKEN, account_problem
from maas_operator.domain.names import system_name
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of
from maas_operator.domain.people.secrets import read_secret
from maas_operator.domain.people.world import ModelSubscriptionWorld

from .errors import AuthorityMissing, RemoteNotFound, RemoteRefused, RemoteUnavailable, ThreescaleError
from .lookup import Lookup
from .refusals import threescale_problem
from .threescale import Tenant, Threescale

REGULARLY: Final = timedelta(seconds=500)
"""A little less than the resync, so that each resync finds it time to look."""
DOUBLINGS: Final = 6
"""A difference that stays is looked at later and later, at last as seldom as the 3scale-operator does by itself."""
COMPARISON_SECONDS: Final = 60.0
NAMED: Final = 5

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Comparison:
    """When to compare next; how often in a row something differed; when which kind was last found to be edited."""

    due: datetime
    strikes: int = 0
    edited_at: Mapping[str, datetime] = field(default_factory=dict)


class Inquiries:
    """What the passes ask 3scale; it forgets everything when the process ends."""

    def __init__(self, threescale: Threescale, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._lookup = lookup
        self._now = now
        self._proven: dict[str, tuple[Tenant, datetime]] = {}
        self._comparisons: dict[str, _Comparison] = {}

    async def platform_problem(self, platform: ModelPlatform) -> Verdict | None:
        """Return what is wrong with the calls to a platform's 3scale; asked anew when a Secret or the time changes."""
        name = platform.metadata.name
        try:
            tenant = await self._tenant(platform)
            known, until = self._proven.get(name, (None, self._now()))
            if tenant != known or self._now() >= until:
                await self._threescale.check(tenant)
                self._proven[name] = tenant, self._now() + REGULARLY
        except ThreescaleError as error:
            self._proven.pop(name, None)
            return threescale_problem(error)
        return None

    async def barrier(self, service: ModelService, platform: ModelPlatform, new: Collection[Kind]) -> Verdict | None:
        """Return why what is `new` of Product and Backend may not be written; 3scale would adopt what it has."""
        name = system_name(service)
        if not new or name in platform.spec.threescale.adopt:
            return None
        try:
            tenant = await self._tenant(platform)
            asked = {BACKEND: self._threescale.has_backend, PRODUCT: self._threescale.has_product}
            taken = [kind for kind, has in asked.items() if kind in new and await has(tenant, name)]
        except ThreescaleError as error:
            return threescale_problem(error)
        if not taken:
            return None
        what = " and ".join(kind.name.lower() for kind in taken)
        return false(
            Reason.REMOTE_NAME_TAKEN,
            f"3scale has a {what} {name} already, which this operator did not make: delete it there, or add the name to"
            f" spec.threescale.adopt of ModelPlatform {platform.metadata.name}",
        )

    async def users_of_plans(
        self, platform: ModelPlatform, product_id: int | None, plans: Collection[str]
    ) -> dict[str, str]:
        """Return who uses these plans, in words, as 3scale counts: applications made in the portal, too."""
        if not plans or product_id is None:
            return {}
        try:
            tenant = await self._tenant(platform)
            numbers = {plan.id: plan.system_name for plan in await self._threescale.plans(tenant, product_id)}
            applications = await self._threescale.applications(tenant, product_id)
        except ThreescaleError as error:
            return dict.fromkeys(plans, f"its applications are not known: {error}")
        users = {plan: [one for one in applications if numbers.get(one.plan_id) == plan] for plan in plans}
        return {plan: _in_words(found) for plan, found in users.items() if found}

    async def edited_at(
        self, service: ModelService, platform: ModelPlatform, product: Manifest, backend: Manifest
    ) -> Mapping[str, datetime]:
        """Return when Product and Backend were last found to be edited in 3scale; looked at once in each resync."""
        uid = service.metadata.uid
        comparison = self._comparisons.setdefault(uid, _Comparison(self._now() + REGULARLY))
        if self._now() < comparison.due or not _is_settled(product, backend):
            return comparison.edited_at
        comparison.due = self._now() + REGULARLY
        try:
            edits = await self._edits(platform, product, backend)
        except ThreescaleError as error:
            logger.info("%s is not compared with 3scale: %s", product["metadata"]["name"], error)
            return comparison.edited_at
        comparison.strikes = min(comparison.strikes + 1, DOUBLINGS) if edits else 0
        comparison.due = self._now() + REGULARLY * 2 ** max(comparison.strikes - 1, 0)
        comparison.edited_at = {**comparison.edited_at, **dict.fromkeys(edits, self._now())}
        return comparison.edited_at

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a service that goes."""
        self._comparisons.pop(uid, None)

    async def accept(self, world: ModelSubscriptionWorld, acceptance: Acceptance) -> str:
        """Have 3scale accept an application; return nothing, or why that failed."""
        assert world.platform is not None
        try:
            tenant = await self._tenant(world.platform)
            await self._threescale.accept(tenant, acceptance.account_id, acceptance.application_id)
        except ThreescaleError as error:
            return str(error)
        logger.info("application %d is accepted", acceptance.application_id)
        return ""

    async def _edits(self, platform: ModelPlatform, product: Manifest, backend: Manifest) -> list[str]:
        """Return the kinds of what was edited."""
        tenant, name = await self._tenant(platform), product["spec"]["systemName"]
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

    async def _tenant(self, platform: ModelPlatform) -> Tenant:
        threescale = platform.spec.threescale
        found = await self._lookup.find(Ref(SECRET, threescale.namespace, threescale.provider_account_secret_ref.name))
        account = read_secret(found) if found else None
        url, token = (account.get(ADMIN_URL), account.get(TOKEN)) if account else (None, None)
        if url is None or token is None or account_problem(account):
            raise RemoteRefused("the provider account can not be used: see the ModelPlatform")
        return Tenant(url.get_secret_value(), token, await self._authority(platform))

    async def _authority(self, platform: ModelPlatform) -> str:
        threescale = platform.spec.threescale
        wanted = threescale.ca_config_map_ref
        if wanted is None:
            return ""
        found = await self._lookup.live(Ref(CONFIG_MAP, threescale.namespace, wanted.name))
        authority: str = (found or {}).get("data", {}).get(wanted.key, "")
        if not authority:
            where = f"{threescale.namespace}/{wanted.name}"
            raise AuthorityMissing(f"there is no ConfigMap {where} with the key {wanted.key}: create it")
        return authority


def _is_settled(product: Manifest, backend: Manifest) -> bool:
    return product_state(product).synced and backend_state(backend).synced


def _in_words(applications: Sequence[RemoteApplication]) -> str:
    """Say how many there are, and where to find the first of them."""
    first = ", ".join(f"{one.id} of account {one.account_id}" for one in applications[:NAMED])
    more = ", ..." if len(applications) > NAMED else ""
    return f"3scale has {len(applications)} applications on it, which must move to another plan: {first}{more}"

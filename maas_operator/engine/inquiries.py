"""Asks 3scale itself, at the moments when an answer counts, and remembers what need not be asked again.

No answer is a reason to change less: what can not be proved free is taken, and a plan of unknown users is in use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.decision import Acceptance
from maas_operator.domain.farewell import Obstacles
from maas_operator.domain.gateway.plans import plans_of
from maas_operator.domain.gateway.platform import problem_of
from maas_operator.domain.gateway.remote import NOTHING_ASKED, MetricUsage, Remote, RemoteApplication
from maas_operator.domain.gateway.status import SyncPhase, product_state
from maas_operator.domain.kinds import APPLICATION, BACKEND, PRODUCT, Kind
from maas_operator.domain.labels import is_owned_by
from maas_operator.domain.names import (
    active_doc_ref,
    backend_ref,
    document_system_name,
    product_ref,
    promotion_ref,
    system_name,
)
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.people.remote import Findings
from maas_operator.domain.people.status import application_state
from maas_operator.domain.people.world import ModelSubscriptionWorld

from .access_comparisons import AccessComparisons
from .comparisons import Comparisons
from .document_comparisons import DocumentComparisons
from .endpoints import Endpoints
from .errors import ThreescaleError
from .lookup import Lookup, of_product
from .metric_usages import SOON, MetricUsages, Subject
from .obstacles import ObstacleFinder
from .refusals import threescale_problem
from .shared import Shared
from .tenants import Tenants
from .threescale import REGULARLY, Tenant, Threescale
from .withdrawals import Withdrawals

NAMED: Final = 5

logger = logging.getLogger(__name__)


class Inquiries:
    """What the passes ask 3scale; it forgets everything when the process ends."""

    def __init__(self, threescale: Threescale, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._lookup = lookup
        self._now = now
        self._tenants = Tenants(lookup)
        self._comparisons = Comparisons(threescale, self._tenants, now)
        self._usages = MetricUsages(threescale, self._tenants, now)
        self._access = AccessComparisons(threescale, self._tenants, now)
        self._endpoints = Endpoints(threescale, self._tenants, lookup, now)
        self._obstacles = ObstacleFinder(threescale, self._tenants, lookup, now)
        self._documents = DocumentComparisons(threescale, self._tenants, lookup, now)
        self.withdraw = Withdrawals(threescale, self._tenants, now).withdraw
        self._plan_users = Shared(self._users, now=now, holds=SOON)
        self._proven: dict[str, tuple[Tenant, datetime]] = {}

    async def platform_problem(self, platform: ModelPlatform) -> Verdict | None:
        """Return what is wrong with the calls to a platform's 3scale; asked anew when the account or the time moves."""
        name = platform.metadata.name
        try:
            tenant = await self._tenants.of(platform)
            known, until = self._proven.get(name, (None, self._now()))
            if tenant != known or self._now() >= until:
                await self._threescale.check(tenant)
                self._proven[name] = tenant, self._now() + REGULARLY
        except ThreescaleError as error:
            self._proven.pop(name, None)
            return threescale_problem(error)
        return None

    async def about_service(self, service: ModelService, platform: ModelPlatform | None) -> Remote:
        """Return what 3scale says that a pass must know; nothing for a service that leaves or is paused."""
        uid, paused = service.metadata.uid, service.spec.management_policy is ManagementPolicy.PAUSED
        if platform is None or paused or service.metadata.deletion_timestamp is not None:
            self._comparisons.forget(uid)
            self._documents.forget(uid)
            self._endpoints.forget(uid)
            self._usages.forget(uid)
            return NOTHING_ASKED
        refs = (backend_ref(service, platform), product_ref(service, platform))
        found = {ref.kind: await self._lookup.find(ref) for ref in refs}
        # What 3scale has of an object of ours is ours: its name was free before. One of others is a conflict anyway.
        ours = {kind: one for kind, one in found.items() if one is not None and is_owned_by(one, uid)}
        absent = {kind for kind, one in found.items() if one is None}
        plans_in_use = await self._plans_in_use(service, platform, ours.get(PRODUCT))
        if problem_of(platform, ConditionType.THREESCALE_READY) is not None:
            return Remote(plans_in_use=plans_in_use)
        if ours.keys() != found.keys():
            return Remote(
                barrier=await self._barrier(service, platform, absent),
                plans_in_use=plans_in_use,
                metric_usage=await self._adopted_usage(service, platform) if PRODUCT in absent else None,
            )
        promotion = self._published(service, platform)
        edits = await self._comparisons.findings(uid, platform, ours[PRODUCT], ours[BACKEND], promotion)
        usage = await self._usages.of(
            Subject(
                uid=uid,
                platform=platform,
                system_name=system_name(service),
                product=ours[PRODUCT],
                promotion=promotion,
                edited_at=edits.edited_at.get(PRODUCT.name),
            )
        )
        document = await self._document_edited_at(service, platform, ours[PRODUCT])
        return Remote(
            plans_in_use=plans_in_use,
            stray_plans=await self._stray_plans(platform, ours[PRODUCT]),
            metric_usage=usage.metrics,
            edited_at={**edits.edited_at, **document},
            overtaken=edits.overtaken or usage.overtaken,
            look_again=edits.look_again,
        )

    async def endpoint(self, service: ModelService, platform: ModelPlatform, product_id: int) -> str:
        """Return where 3scale publishes a product, in a cluster without Routes; empty where they tell it."""
        return await self._endpoints.of(service, platform, product_id)

    async def about_subscription(self, world: ModelSubscriptionWorld) -> Findings:
        """Return what of a subscription is not so in 3scale, where it was compared."""
        return await self._access.findings(world)

    async def obstacles(self, children: Iterable[Manifest]) -> Obstacles:
        """Return what keeps 3scale from deleting the children of an owner under deletion."""
        return await self._obstacles.find(children)

    async def document_barrier(self, service: ModelService, platform: ModelPlatform) -> Verdict | None:
        """Return why a document may not be written for the first time: what is there would be adopted."""
        name, ref = document_system_name(service), active_doc_ref(service, platform)
        if name in platform.spec.threescale.adopt or await self._lookup.find(ref) is not None:
            return None
        try:
            documents = await self._threescale.documents(await self._tenants.of(platform))
        except ThreescaleError as error:
            return threescale_problem(error)
        return _name_taken("document", name, platform) if name in {one.system_name for one in documents} else None

    async def _adopted_usage(self, service: ModelService, platform: ModelPlatform) -> MetricUsage | None:
        """Return what the gateways count on of a product that is about to be taken over."""
        name, uid = system_name(service), service.metadata.uid
        if name not in platform.spec.threescale.adopt:
            return None
        return (await self._usages.of(Subject(uid=uid, platform=platform, system_name=name, product=None))).metrics

    async def _document_edited_at(
        self, service: ModelService, platform: ModelPlatform, product: Manifest
    ) -> Mapping[str, datetime]:
        """Return when the document was last found to be edited in 3scale: for this the cache knows enough."""
        active_doc = self._lookup.cache.get(active_doc_ref(service, platform))
        if active_doc is None or not is_owned_by(active_doc, service.metadata.uid):
            return {}
        return await self._documents.edited_at(service.metadata.uid, platform, active_doc, product)

    async def accept(self, world: ModelSubscriptionWorld, acceptance: Acceptance) -> str:
        """Have 3scale accept an application; return nothing, or why that failed."""
        assert world.platform is not None, "without a platform nothing is decided to be accepted"
        try:
            tenant = await self._tenants.of(world.platform)
            await self._threescale.accept(tenant, acceptance.account_id, acceptance.application_id)
        except ThreescaleError as error:
            return str(error)
        logger.info("application %d is accepted", acceptance.application_id)
        return ""

    def _published(self, service: ModelService, platform: ModelPlatform) -> Manifest | None:
        """Return the promotion that brought the present configuration to production, as the last pass found it."""
        gateway = service.status.gateway
        if gateway is None or gateway.config_hash is None or gateway.candidate_hash is not None:
            return None
        return self._lookup.cache.get(promotion_ref(service, platform, gateway.config_hash))

    async def _barrier(
        self, service: ModelService, platform: ModelPlatform, absent: Collection[Kind]
    ) -> Verdict | None:
        """Return why what is absent may not be written; 3scale would adopt what it has of that name."""
        name = system_name(service)
        if not absent or name in platform.spec.threescale.adopt:
            return None
        try:
            tenant = await self._tenants.of(platform)
            asked = {BACKEND: self._threescale.has_backend, PRODUCT: self._threescale.product_id}
            taken = [kind for kind, has in asked.items() if kind in absent and await has(tenant, name)]
        except ThreescaleError as error:
            return threescale_problem(error)
        if not taken:
            return None
        return _name_taken(" and ".join(kind.name.lower() for kind in taken), name, platform)

    async def _plans_in_use(
        self, service: ModelService, platform: ModelPlatform, product: Manifest | None
    ) -> dict[str, str]:
        """Return who uses the plans that a product is about to lose, in words; 3scale is asked when nobody else is."""
        present = product["spec"].get("applicationPlans", {}).keys() if product else set()
        unwanted = sorted(present - {plan.name for plan in plans_of(service, platform)})
        if product is None or not unwanted:
            return {}
        applications = of_product(await self._lookup.list(APPLICATION, ref_of(product).namespace), ref_of(product))
        # One that is on its way to another plan may still be on any of them.
        moving = [ref_of(one).name for one in applications if not application_state(one).ready]
        if moving:
            return dict.fromkeys(unwanted, f"waiting for Application {', '.join(moving)}")
        users = {plan: [ref_of(one).name for one in applications if _is_on(one, plan)] for plan in unwanted}
        used = {plan: f"Application {', '.join(found)} uses it" for plan, found in users.items() if found}
        others = [plan for plan in unwanted if plan not in used]
        return used | await self._remote_users(platform, product_state(product).remote_id, others)

    async def _remote_users(
        self, platform: ModelPlatform, product_id: int | None, plans: Collection[str]
    ) -> dict[str, str]:
        """Return who uses these plans as 3scale counts: applications that were made in the portal, too."""
        if not plans or product_id is None:
            return {}
        try:
            users = await self._users((await self._tenants.of(platform), product_id))
        except ThreescaleError as error:
            return dict.fromkeys(plans, f"its applications are not known: {error}")
        return {plan: _in_words(users[plan]) for plan in plans if users.get(plan)}

    async def _stray_plans(self, platform: ModelPlatform, product: Manifest) -> dict[str, str]:
        """Return who uses the plans that 3scale has besides a Product's: it can not delete them, and gets stuck."""
        state = product_state(product)
        if state.phase is not SyncPhase.FAILED or state.remote_id is None:
            return {}
        try:
            users = await self._plan_users.get((await self._tenants.of(platform), state.remote_id))
        except ThreescaleError:
            return {}
        named = product["spec"].get("applicationPlans", {})
        return {plan: _in_words(found) for plan, found in users.items() if found and plan not in named}

    async def _users(self, product: tuple[Tenant, int]) -> dict[str, list[RemoteApplication]]:
        """Return the applications on each plan that 3scale has of a tenant's product."""
        tenant, product_id = product
        plans = await self._threescale.plans(tenant, product_id)
        applications = await self._threescale.applications(tenant, product_id)
        return {plan.system_name: [one for one in applications if one.plan_id == plan.id] for plan in plans}


def _name_taken(what: str, name: str, platform: ModelPlatform) -> Verdict:
    return false(
        Reason.REMOTE_NAME_TAKEN,
        f"3scale has a {what} {name} already, which this operator did not make: delete it there, or add the name to"
        f" spec.threescale.adopt of ModelPlatform {platform.metadata.name}",
    )


def _is_on(application: Manifest, plan: str) -> bool:
    return bool(application["spec"]["applicationPlanName"] == plan)


def _in_words(applications: Sequence[RemoteApplication]) -> str:
    """Say how many there are, and where to find the first of them."""
    first = ", ".join(f"{one.id} of account {one.account_id}" for one in applications[:NAMED])
    more = ", ..." if len(applications) > NAMED else ""
    return f"3scale has {len(applications)} applications on it, which must move to another plan: {first}{more}"

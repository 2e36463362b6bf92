"""Compares what a subscription should have in 3scale with what it has: its plan, its key, its account's user."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.domain.gateway.status import product_state
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import status_of
from maas_operator.domain.people.acceptance import model_accepted
from maas_operator.domain.people.remote import NOTHING_FOUND, Findings, RemoteAccess
from maas_operator.domain.people.world import Access, ModelSubscriptionWorld

from .errors import RemoteNotFound, ThreescaleError
from .rhythm import Rhythm
from .shared import Shared
from .tenants import Tenants
from .threescale import Tenant, Threescale

TOGETHER: Final = timedelta(seconds=60)
"""How long what many subscriptions ask is good for: those of one process are due at about the same time."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _History:
    """When to compare next, and what was found last."""

    rhythm: Rhythm
    findings: Findings = NOTHING_FOUND


@dataclass(frozen=True, slots=True)
class _Known:
    """What 3scale is asked about: ids that the custom resources know."""

    tenant: Tenant
    account_id: int
    user_id: int
    application_id: int
    product_id: int


class AccessComparisons:
    """One comparison of each subscription in each resync; a new process begins with a whole interval."""

    def __init__(self, threescale: Threescale, tenants: Tenants, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._now = now
        self._histories: dict[str, _History] = {}
        self._plans = Shared(self._plans_of, now=now, holds=TOGETHER)
        self._users = Shared(self._has_user, now=now, holds=TOGETHER)

    async def findings(self, world: ModelSubscriptionWorld) -> Findings:
        """Return what of a subscription was last found not to be so in 3scale."""
        uid, granted = world.subscription.metadata.uid, _granted(world)
        if granted is None:
            self._histories.pop(uid, None)
            return NOTHING_FOUND
        history = self._histories.setdefault(uid, _History(Rhythm.beginning(self._now())))
        if self._now() < history.rhythm.due or not _is_settled(granted):
            return history.findings
        history.rhythm.postpone(self._now())
        try:
            found = await self._compare(granted, await self._known(granted), history.findings)
        except ThreescaleError as error:
            logger.info("%s is not compared with 3scale: %s", granted.application_ref, error)
            return history.findings
        history.rhythm.note(self._now(), differs=_differs(history.findings, found))
        # A key is pushed once for each comparison that misses it.
        history.findings = _lasting(found)
        return found

    async def _known(self, granted: Access) -> _Known:
        account, user = (granted.world.seen[ref] for ref in reversed(granted.identity_refs[1:]))
        return _Known(
            tenant=await self._tenants.of(granted.platform),
            account_id=status_of(account)["accountID"],
            user_id=status_of(user)["developerUserID"],
            application_id=_id(granted.application_id),
            product_id=_id(granted.product_id),
        )

    async def _compare(self, granted: Access, known: _Known, before: Findings) -> Findings:
        there = await self._users.get((known.tenant, known.account_id, known.user_id))
        lost_at = before.lost_at if there else self._now()
        if not there:
            logger.warning("%s is gone in 3scale and is made again", granted.identity_refs[1])
        try:
            remote = await self._threescale.access(known.tenant, known.account_id, known.application_id, granted.key)
        except RemoteNotFound:
            return self._edited(granted, "is gone", lost_at)
        if remote.state == "suspended":
            # That is a person's decision. Any change to its custom resource would make the 3scale-operator resume it.
            return Findings(edited_at=before.edited_at, lost_at=before.lost_at, suspended=True)
        if not await self._is_on_plan(granted, known, remote):
            return self._edited(granted, "is on another plan", lost_at, other_key=not remote.has_key)
        if not remote.has_key:
            logger.warning("%s has another key in 3scale, and gets ours again", granted.application_ref)
        return Findings(edited_at=before.edited_at, lost_at=lost_at, other_key=not remote.has_key)

    def _edited(self, granted: Access, what: str, lost_at: datetime | None, *, other_key: bool = False) -> Findings:
        logger.warning("%s %s in 3scale and is put back", granted.application_ref, what)
        return Findings(edited_at=self._now(), lost_at=lost_at, other_key=other_key)

    async def _is_on_plan(self, granted: Access, known: _Known, remote: RemoteAccess) -> bool:
        plans = await self._plans.get((known.tenant, known.product_id))
        return plans.get(remote.plan_id) == granted.world.subscription.spec.plan

    async def _plans_of(self, product: tuple[Tenant, int]) -> dict[int, str]:
        return {plan.id: plan.system_name for plan in await self._threescale.plans(*product)}

    async def _has_user(self, user: tuple[Tenant, int, int]) -> bool:
        return await self._threescale.has_user(*user)


def _granted(world: ModelSubscriptionWorld) -> Access | None:
    """Return the access that a subscription has; None for one that leaves, or has none to compare."""
    if world.deleting or world.service is None or world.platform is None:
        return None
    if model_accepted(world).status is not ConditionStatus.TRUE:
        return None
    return Access(world=world, service=world.service, platform=world.platform)


def _is_settled(granted: Access) -> bool:
    """Tell whether 3scale was told all, and by its operator's word has it."""
    refs = (*granted.identity_refs[1:], granted.application_ref, granted.auth_ref)
    application = granted.world.seen.get(granted.application_ref)
    ready = all(ref in granted.world.seen and granted.state(ref).ready for ref in refs)
    return ready and product_state(granted.world.product).synced and _plan_of(application) == granted.plan


def _differs(before: Findings, found: Findings) -> bool:
    return found.other_key or (before.edited_at, before.lost_at) != (found.edited_at, found.lost_at)


def _lasting(found: Findings) -> Findings:
    return Findings(edited_at=found.edited_at, lost_at=found.lost_at, suspended=found.suspended)


def _plan_of(application: Manifest | None) -> str:
    return str(application["spec"]["applicationPlanName"]) if application else ""


def _id(number: int | None) -> int:
    assert number is not None, "what is settled has its id"
    return number

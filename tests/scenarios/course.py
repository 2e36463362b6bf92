"""Walks a sequence of steps, and compares its end with a world that was asked for the last wish only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from maas_operator.domain.gateway.promotion import config_hash
from maas_operator.domain.kinds import API_MANAGER
from maas_operator.domain.labels import ACCEPTED, CORRECTED_AT
from maas_operator.domain.metering import mounts
from maas_operator.domain.objects import ref_of
from maas_operator.domain.people.access import PRODUCT_ID
from maas_operator.engine.packed_policy import packed_policy
from maas_operator.engine.relist import INTERVAL_SECONDS
from maas_operator.engine.threescale import REGULARLY
from maas_operator.sandbox.controllers.faults import PodFault, PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Product
from maas_operator.sandbox.controllers.threescale.people import Application
from maas_operator.sandbox.controllers.threescale.porta import Tenant
from maas_operator.sandbox.kubeapi.faults import Call, Moment
from tests.domain.worlds import a_package
from tests.edits import edited
from tests.scenarios import portal
from tests.scenarios.harness import HOME, NAME, SERVICE, Checkpoint, World, a_world, apart
from tests.scenarios.operator import Fault, Killed, is_write
from tests.scenarios.sequences import (
    GUEST,
    NEIGHBOUR,
    Apply,
    Approve,
    Break,
    Delete,
    Heal,
    Kill,
    Portal,
    PortalEdit,
    Refuse,
    Step,
    Tamper,
    Trouble,
    Turn,
    Upgrade,
    Wish,
    the_first_wish,
)
from tests.scenarios.snapshot import Snapshot, differences
from tests.scenarios.test_errors import conflict, internal, timeout
from tests.virtual_time import now

ERRORS = {"conflict": conflict, "internal": internal, "timeout": timeout}
OF_THE_WAY = re.compile(
    # Each promotion makes a version, and what was promoted before may say "no changes".
    r"\.(latestS|s)tagingVersion: |\.(latestP|p)roductionVersion: |^\.ProxyConfigPromote .*\.conditions"
    # An APIManager that was patched keeps empty lists.
    r"|^\.APIManager [^:]*\.apicast: appeared"
    # 3scale gives numbers in the order of arrival.
    r"|\.metric_id: "
    # KServe remembers a failure.
    r"|\.lastFailureInfo: appeared"
)
"""Differences that tell of the way to an end, not of the end."""
NOTES = {CORRECTED_AT, ACCEPTED, PRODUCT_ID}
"""What was edited or accepted in the portal is noted down."""


@dataclass(frozen=True)
class End:
    """Where everything came to rest: in Kubernetes, and in 3scale."""

    checkpoint: Checkpoint
    objects: Snapshot
    remote: Mapping[str, Any]

    @classmethod
    def of(cls, world: World) -> End:
        remote = {**remote_state(world), "mounted": mounted(world)}
        return cls(Checkpoint.of(world), _without_notes(world.snapshot()), remote)

    @property
    def waits(self) -> list[str]:
        """Return what is not ready of our kinds."""
        ours = [one for one in self.objects.values() if one["kind"] in ("ModelService", "ModelSubscription")]
        conditions = [(one["metadata"]["name"], each) for one in ours for each in one["status"]["conditions"]]
        usual = {"Reconciling": "False", "Stalled": "False"}
        return [
            f"{name} {one['message']}" for name, one in conditions if one["status"] != usual.get(one["type"], "True")
        ]

    def differences(self, other: End) -> list[str]:
        found = [*differences(self.objects, other.objects), *differences(self.remote, other.remote, "3scale")]
        return [line for line in found if not OF_THE_WAY.search(line)]


def _without_notes(objects: Snapshot) -> Snapshot:
    for one in objects.values():
        metadata = one["metadata"]
        rest = {key: value for key, value in metadata.pop("annotations", {}).items() if key not in NOTES}
        metadata |= {"annotations": rest} if rest else {}
    return objects


@lru_cache(maxsize=16)
def _fresh_end(text: str) -> End:
    wish = Wish.from_text(text)

    async def settled() -> End:
        async with a_world(ends=False) as world:
            await _upgrade(world, wish.policy)
            await world.apply(*wish.manifests())
            await world.settle()
            return End.of(world)

    return apart(settled())


async def _upgrade(world: World, version: str) -> None:
    """Replace the operator by one that comes with a version of the metering policy."""
    if version != packed_policy().version:
        world.operator.policy = a_package(version)
        await world.operator.restart()


def fresh_end(wish: Wish) -> End:
    """Return the end of a world in which this was all that anybody ever asked for."""
    return _fresh_end(wish.as_text())


async def walk(turns: Sequence[Turn], start: Wish | None = None) -> None:
    """Take the steps one after the other; then let all heal, conclude, and hold the end against a fresh one."""
    wish = start or the_first_wish()
    checkpoint = fresh_end(wish).checkpoint
    await asyncio.sleep(checkpoint.at)
    async with a_world(checkpoint=checkpoint) as world:
        await world.rest(3.0)
        course = Course(world, wish)
        for turn in turns:
            await course.take(turn)
        await course.conclude()
        end, expected = End.of(world), fresh_end(course.wish)
        assert not expected.waits, f"a fresh apply does not become ready: {expected.waits}"
        found = expected.differences(end)
        assert not found, "unlike a fresh apply:\n" + "\n".join(found)
        course.forget_the_dismissed()


TROUBLED_SECONDS = 600.0
GRACE_SECONDS = 60.0
"""How long the operator may take to hear that promotions need an approval now."""


class Course:
    """A sequence on its way."""

    def __init__(self, world: World, wish: Wish) -> None:
        self.world = world
        self.wish = wish
        self._throughout = {one["name"] for one in wish.developers}
        self._known = {name: self._access(name) for name in self._throughout}
        self._guests: list[Application] = []
        self._patience = 0.0
        self._renumbered = False
        self._edits = 0
        self._troubled = False
        self._rule_since = now()
        self._unapproved: list[str] = []
        self._watch_production()

    def _watch_production(self) -> None:
        """Note what comes to production a minute after somebody said that it must be approved, and is not."""
        catalogue = self._tenant.catalogue
        promote = catalogue.promote

        def watched(product: Product, version: int) -> None:
            promote(product, version)
            if product is not self._product:
                return
            wanted = self.wish.service.get("api", {}).get("promotion", {})
            told_long_ago = now() - self._rule_since > GRACE_SECONDS and not self._patience
            if wanted.get("mode") == "Manual" and told_long_ago and self._hash(product) != wanted.get("approved"):
                self._unapproved.append(f"{now():.1f} s: {product.system_name} {version}")

        catalogue.promote = watched  # type: ignore[method-assign]

    def _hash(self, product: Product) -> str:
        name = f"{HOME}.{NAME}"
        ours = {one["kind"]: one for one in self.world.objects() if one["metadata"]["name"] == name}
        return config_hash(ours["Product"], ours["Backend"], product_id=product.id)

    async def take(self, turn: Turn) -> None:
        await self._do(turn.step)
        if turn.then is not None:
            await self.world.rest(turn.then)
        elif self._troubled:
            # What fails may be tried again and again: nothing has to settle before it heals.
            await self.world.rest(TROUBLED_SECONDS)
        else:
            await self.world.settle(quiet_seconds=130.0)

    async def _do(self, step: Step) -> None:
        match step:
            case Break(trouble):
                self._break(trouble)
            case Heal():
                self._heal()
            case Refuse(error, skip, times):
                self.world.operator.faults.append(Fault(_any_call, ERRORS[error], skip=skip, times=times))
            case Kill(write, moment):
                await self._kill(write, moment)
            case Upgrade() if not self.wish.mounted:
                self.wish = replace(self.wish, policy="9.0.0")
                await _upgrade(self.world, self.wish.policy)
            case Tamper(kind):
                await self._tamper(kind)
            case Delete():
                await self._delete_the_service()
            case Approve():
                await self._approve()
            case Portal(edit):
                self._edit_in_portal(edit)
            case Apply(plan):
                self._apply_in_portal(plan)
            case Upgrade():
                pass
            case _:
                await self.ask_for(step.of(self.wish))

    async def ask_for(self, wish: Wish) -> None:
        """Apply what differs from what was asked for before."""
        before = self.wish.manifests()
        await self.world.apply(*[one for one in wish.manifests() if one not in before])
        if self.wish.guest and not wish.guest:
            await self.world.delete(GUEST)
        if self.wish.neighbour and not wish.neighbour:
            await self.world.delete(NEIGHBOUR)
        if wish.service.get("api", {}).get("promotion") != self.wish.service.get("api", {}).get("promotion"):
            self._rule_since = now()
        self.wish = wish
        self._throughout &= {one["name"] for one in wish.developers}

    async def _kill(self, write: int, moment: Moment) -> None:
        if write == 0:
            await self.world.operator.restart()
        else:
            self.world.operator.faults.append(Fault(is_write, Killed, moment=moment, skip=write - 1))

    async def _tamper(self, kind: str) -> None:
        self._renumbered |= kind in ("Product", "Backend", "Application")
        ours = [one for one in self.world.objects() if one["kind"] == kind]
        await self.world.delete(*[ref_of(one) for one in ours if "deletionTimestamp" not in one["metadata"]])

    async def _delete_the_service(self) -> None:
        found = await self.world.find(SERVICE)
        if found is not None and "deletionTimestamp" not in found["metadata"]:
            await self.world.delete(SERVICE)
        self._throughout.clear()
        self._renumbered = True

    async def _approve(self) -> None:
        told = (await self.world.find(SERVICE) or {}).get("status", {}).get("gateway", {})
        waiting = told.get("candidateHash") or told.get("configHash")
        if waiting is not None and self.wish.service.get("api", {}).get("promotion", {}).get("mode") == "Manual":
            promotion = {"mode": "Manual", "approved": waiting}
            await self.ask_for(replace(self.wish, service=edited(self.wish.service, "api.promotion", promotion)))

    # --- trouble -----------------------------------------------------------------------------------------------------

    def _break(self, trouble: Trouble) -> None:
        self._troubled = True
        faults, delays = self.world.around.faults, self.world.around.delays
        match trouble:
            case Trouble.THREESCALE_DOWN:
                faults.porta = PortaFault.DOWN
            case Trouble.THREESCALE_FORBIDS:
                faults.porta = PortaFault.FORBIDDEN
            case Trouble.ADMIN_API_AWAY:
                self.world.admin_api.fails = lambda call: True
            case Trouble.PODS_CRASH:
                faults.pods[NAME] = PodFault.CRASH_LOOP
            case Trouble.SLOW_3SCALE:
                delays.porta = 10.0
            case Trouble.SLOW_PODS:
                delays.pod_start = 120.0
            case Trouble.SLOW_ROUTES:
                delays.route = 30.0
            case Trouble.NO_EVENTS:
                self.world.operator.dropped = lambda event: True
                self._patience = INTERVAL_SECONDS

    def _heal(self) -> None:
        self._troubled = False
        faults, delays = self.world.around.faults, self.world.around.delays
        faults.porta = None
        faults.pods.clear()
        delays.porta = delays.pod_start = delays.route = 0.0
        self.world.admin_api.fails = lambda call: False
        self.world.operator.dropped = lambda event: False
        self.world.operator.faults.clear()

    # --- the portal --------------------------------------------------------------------------------------------------

    @property
    def _tenant(self) -> Tenant:
        (tenant,) = self.world.around.porta
        return tenant

    @property
    def _product(self) -> Product | None:
        products = self._tenant.catalogue.products.values()
        return next((one for one in products if one.system_name.startswith(NAME)), None)

    def _edit_in_portal(self, edit: PortalEdit) -> None:
        product = self._product
        if product is None:
            return
        _PORTAL_EDITS[edit](self._tenant, product)
        self._renumbered |= edit is PortalEdit.DELETE_THE_PRODUCT
        self._edits += 1

    def _apply_in_portal(self, name: str) -> None:
        people, product = self._tenant.people, self._product
        if product is None or not product.plans:
            return
        account = next((one for one in people.accounts.values() if one.org_name == "Guests"), None)
        account = account or people.sign_up(
            org_name="Guests", username="walk-in", email="walk-in@guests.example.com", password="x" * 20
        )
        plan = product.plans.get(name) or next(iter(product.plans.values()))
        names = {"name": f"guest-{len(self._guests)}", "description": "by hand"}
        self._guests.append(people.create_application(account.id, product, plan, **names))

    def _guests_leave(self) -> None:
        accounts = self._tenant.people.accounts
        for number in [number for number, one in accounts.items() if one.org_name == "Guests"]:
            self._tenant.people.delete_account(number)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def conclude(self) -> None:
        """Let all heal and settle; no application or key may be lost, and none of the portal's."""
        assert not self._unapproved, f"promoted without an approval: {self._unapproved}"
        self._heal()
        while "deletionTimestamp" in (await self.world.find(SERVICE) or {"metadata": {}})["metadata"]:
            await self.world.rest(60.0)
        self.wish = self.wish.concluded()
        await self.world.apply(*self.wish.manifests())
        await self._come_to_rest()
        if not self._renumbered:
            alive = self._tenant.people.applications.values()
            lost = [one.name for one in self._guests if all(one is not other for other in alive)]
            assert not lost, f"applications of the portal are lost: {lost}"
        if self._guests:
            self._guests_leave()
            await self._come_to_rest()
        for name in sorted(self._throughout):
            self._is_not_lost(name)

    async def _come_to_rest(self) -> None:
        # An edit that comes back is looked for later and later.
        looked_for = REGULARLY.total_seconds() * 2 ** min(max(self._edits - 1, 0), 5) if self._edits else 0.0
        await self.world.rest(max(self._patience, looked_for))
        await self.world.settle()

    def _is_not_lost(self, developer: str) -> None:
        (number, key), known = self._access(developer), self._known[developer]
        assert key == known[1], f"the key of {developer} is another one"
        assert number == known[0] or self._renumbered, f"the application of {developer} is another one"

    def _access(self, developer: str) -> tuple[int, str]:
        """Return an application's id and the key that 3scale has of it."""
        name = f"{NAME}-{developer}"
        found = [one for one in self._tenant.people.applications.values() if one.name == name]
        assert len(found) == 1, f"{developer} has {len(found)} applications"
        return found[0].id, found[0].user_key

    def forget_the_dismissed(self) -> None:
        """Whoever was taken away and came back has other credentials: those of the others must have stayed."""
        credentials = self.world.historian.credentials
        for where in [where for where in credentials if not any(f"{one}" in where[1] for one in self._throughout)]:
            del credentials[where]


def _any_call(call: Call) -> bool:
    return call.kind != "Event"


_PORTAL_EDITS: Mapping[PortalEdit, Callable[[Tenant, Product], None]] = {
    PortalEdit.RENAME: portal.rename,
    PortalEdit.OPEN_A_PATH: portal.open_a_path,
    PortalEdit.DROP_A_POLICY: portal.drop_a_policy,
    PortalEdit.RAISE_A_LIMIT: portal.raise_a_limit,
    PortalEdit.HIDE_A_PLAN: portal.hide_a_plan,
    PortalEdit.ADD_A_PLAN: portal.add_a_plan,
    PortalEdit.ADD_A_METRIC: portal.add_a_metric,
    PortalEdit.LEAD_ELSEWHERE: portal.lead_elsewhere,
    PortalEdit.PROMOTE: portal.promote,
    PortalEdit.DELETE_THE_PRODUCT: portal.delete_the_product,
}


# --- 3scale's own state ----------------------------------------------------------------------------------------------


def remote_state(world: World) -> Mapping[str, Any]:
    """Return what 3scale has, without its numbers: what consumers, gateways and bills go by."""
    (tenant,) = world.around.porta
    backends = {one.id: one.system_name for one in tenant.catalogue.backends.values()}
    accounts = {one.id: one.org_name for one in tenant.people.accounts.values()}
    return {
        "products": {
            one.system_name: _product_state(one, backends)
            for one in tenant.catalogue.products.values()
            if one.system_name != "api"
        },
        "backends": {
            one.system_name: [one.name, one.description, one.endpoint] for one in tenant.catalogue.backends.values()
        },
        "accounts": {
            one.org_name: [one.state, one.billing, one.charging, *_users(one.users.values())]
            for one in tenant.people.accounts.values()
        },
        "applications": {
            f"{accounts[one.account_id]} {one.name}": [one.description, one.plan.system_name, one.state]
            for one in tenant.people.applications.values()
        },
    }


def mounted(world: World) -> list[list[Any]]:
    """Return the policies that each gateway mounts."""
    found = [one for one in world.objects() if one["kind"] == API_MANAGER.name]
    return [list(mounts.entries(one, environment)) for one in found for environment in mounts.ENVIRONMENTS]


def _users(users: Any) -> Iterator[list[str]]:
    for user in users:
        yield [user.username, user.email, user.role, user.state]


def _product_state(product: Product, backends: Mapping[int, str]) -> dict[str, Any]:
    return {
        "name": product.name,
        "description": product.description,
        "metrics": {m.system_name: [m.friendly_name, m.unit, m.parent] for m in product.metrics.values()},
        "rules": [vars(rule) for rule in product.rules],
        "usages": {backends[number]: path for number, path in product.usages.items()},
        "proxy": product.proxy,
        "policies": product.policies,
        "plans": {
            plan.system_name: {key: value for key, value in vars(plan).items() if key not in ("id", "limits")}
            | {"limits": {str(key): value for key, value in plan.limits.items()}}
            for plan in product.plans.values()
        },
        "staging": _content(product.staging),
        "production": _content(product.production),
    }


def _content(configs: Sequence[Any]) -> dict[str, Any] | None:
    if not configs:
        return None
    return {key: value for key, value in configs[-1].content.items() if key != "updated_at"}

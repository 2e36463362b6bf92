"""Walks a sequence of steps, and compares its end with a world that was asked for the last wish only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from maas_operator.engine.relist import INTERVAL_SECONDS
from maas_operator.engine.threescale import REGULARLY
from maas_operator.sandbox.controllers.faults import PodFault, PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Product, Rule
from maas_operator.sandbox.controllers.threescale.people import Application
from maas_operator.sandbox.controllers.threescale.porta import Tenant
from maas_operator.sandbox.kubeapi.faults import Call, Moment
from tests.scenarios.harness import NAME, Checkpoint, World, a_world, apart
from tests.scenarios.operator import Fault, Killed, is_write
from tests.scenarios.sequences import (
    Apply,
    Break,
    Heal,
    Kill,
    Portal,
    PortalEdit,
    Refuse,
    Step,
    Trouble,
    Turn,
    Wish,
    the_first_wish,
)
from tests.scenarios.snapshot import Snapshot, differences
from tests.scenarios.test_errors import conflict, internal, timeout

ERRORS = {"conflict": conflict, "internal": internal, "timeout": timeout}
OF_THE_WAY = re.compile(
    # Each promotion makes a version, and what was promoted before may say "no changes".
    r"\.\w*[vV]ersion: |^\.ProxyConfigPromote .*\.conditions"
    # What was edited in the portal, and what was accepted there, is noted down.
    r"|\.annotations\.maas-operator\.io/(corrected-at|accepted|product-id)"
    r"|\.annotations: (appeared|disappeared)"
)
"""Differences that tell of the way to an end, not of the end."""


@dataclass(frozen=True)
class End:
    """Where everything came to rest: in Kubernetes, and in 3scale."""

    checkpoint: Checkpoint
    objects: Snapshot
    remote: Mapping[str, Any]

    @classmethod
    def of(cls, world: World) -> End:
        return cls(Checkpoint.of(world), world.snapshot(), remote_state(world))

    def differences(self, other: End) -> list[str]:
        found = [*differences(self.objects, other.objects), *differences(self.remote, other.remote, "3scale")]
        return [line for line in found if not OF_THE_WAY.search(line)]


@cache
def _fresh_end(text: str) -> End:
    wish = Wish.from_text(text)

    async def settled() -> End:
        async with a_world(ends=False) as world:
            await world.apply(*wish.manifests())
            await world.settle()
            return End.of(world)

    return apart(settled())


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
        found = fresh_end(course.wish).differences(End.of(world))
        assert not found, "unlike a fresh apply:\n" + "\n".join(found)
        course.forget_the_dismissed()


class Course:
    """A sequence on its way."""

    def __init__(self, world: World, wish: Wish) -> None:
        self.world = world
        self.wish = wish
        self._throughout = {one["name"] for one in wish.developers}
        self._known = {name: self._access(name) for name in self._throughout}
        self._guests: list[Application] = []
        self._patience = 0.0
        self._product_deleted = False
        self._edits = 0

    async def take(self, turn: Turn) -> None:
        await self._do(turn.step)
        if turn.then is None:
            await self.world.settle(quiet_seconds=130.0)
        else:
            await self.world.rest(turn.then)

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
            case Portal(edit):
                self._edit_in_portal(edit)
            case Apply(plan):
                self._apply_in_portal(plan)
            case _:
                await self.ask_for(step.of(self.wish))

    async def ask_for(self, wish: Wish) -> None:
        """Apply what differs from what was asked for before."""
        pairs = zip(self.wish.manifests(), wish.manifests(), strict=True)
        await self.world.apply(*[after for before, after in pairs if before != after])
        self.wish = wish
        self._throughout &= {one["name"] for one in wish.developers}

    async def _kill(self, write: int, moment: Moment) -> None:
        if write == 0:
            await self.world.operator.restart()
        else:
            self.world.operator.faults.append(Fault(is_write, Killed, moment=moment, skip=write - 1))

    # --- trouble -----------------------------------------------------------------------------------------------------

    def _break(self, trouble: Trouble) -> None:
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
        self._product_deleted |= edit is PortalEdit.DELETE_THE_PRODUCT
        self._edits += 1

    def _apply_in_portal(self, name: str) -> None:
        people, product = self._tenant.people, self._product
        if product is None or not product.plans:
            return
        account = next((one for one in people.accounts.values() if one.org_name == "Guests"), None)
        account = account or people.sign_up(
            org_name="Guests", username="guest", email="guest@guests.example.com", password="x" * 20
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
        self._heal()
        await self.ask_for(self.wish.concluded())
        await self._come_to_rest()
        if not self._product_deleted:
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
        assert number == known[0] or self._product_deleted, f"the application of {developer} is another one"

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


# --- edits in the portal ---------------------------------------------------------------------------------------------


def _rename(tenant: Tenant, product: Product) -> None:
    product.name = "Edited"


def _open_a_path(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.set_rules(product, [*product.rules, Rule("GET", "/", "hits", 1)])


def _drop_a_policy(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.set_policies(product, [one for one in product.policies if one["name"] != "headers"])


def _raise_a_limit(tenant: Tenant, product: Product) -> None:
    for plan in product.plans.values():
        tenant.catalogue.set_limits(plan, {("hits", 0, "minute"): 10**6})


def _hide_a_plan(tenant: Tenant, product: Product) -> None:
    for plan in product.plans.values():
        plan.published = False


def _add_a_plan(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.put_plan(product, "free_lunch", published=True)


def _add_a_metric(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.put_metric(product, "clicks", friendly_name="Clicks")


def _lead_elsewhere(tenant: Tenant, product: Product) -> None:
    for backend in tenant.catalogue.backends.values():
        tenant.catalogue.update_backend(backend, name=backend.name, description="", endpoint="http://evil.example.com")


def _delete_the_product(tenant: Tenant, product: Product) -> None:
    tenant.catalogue.delete_product(product.id)


_PORTAL_EDITS: Mapping[PortalEdit, Callable[[Tenant, Product], None]] = {
    PortalEdit.RENAME: _rename,
    PortalEdit.OPEN_A_PATH: _open_a_path,
    PortalEdit.DROP_A_POLICY: _drop_a_policy,
    PortalEdit.RAISE_A_LIMIT: _raise_a_limit,
    PortalEdit.HIDE_A_PLAN: _hide_a_plan,
    PortalEdit.ADD_A_PLAN: _add_a_plan,
    PortalEdit.ADD_A_METRIC: _add_a_metric,
    PortalEdit.LEAD_ELSEWHERE: _lead_elsewhere,
    PortalEdit.DELETE_THE_PRODUCT: _delete_the_product,
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

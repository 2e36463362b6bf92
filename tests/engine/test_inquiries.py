"""When 3scale is asked, what is remembered of it, and what follows from no answer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.decision import Acceptance
from maas_operator.domain.gateway.remote import (
    Remote,
    RemoteApplication,
    RemoteBackend,
    RemoteDocument,
    RemotePlan,
    RemoteProduct,
)
from maas_operator.domain.kinds import APPLICATION, CONFIG_MAP, Kind
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.names import promotion_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.people.remote import RemoteAccess
from maas_operator.engine import comparisons
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import KindNotServed, NotFound, RemoteNotFound, RemoteUnavailable
from maas_operator.engine.inquiries import Inquiries
from maas_operator.engine.lookup import Lookup
from maas_operator.engine.threescale import REGULARLY, Tenant
from tests.domain import worlds
from tests.domain.children import children_of
from tests.domain.remotes import as_written

AS_IT_SHOULD_BE = RemoteAccess(plan_id=0, state="live", has_key=True)
HASH = "0123456789abcdef"
AUTHORITY = Ref(CONFIG_MAP, "3scale", "ca")


@dataclass
class Threescale:
    """A 3scale that knows nothing; it counts what it is asked, and fails as it is told."""

    asked: list[str] = field(default_factory=list)
    fails: Mapping[str, BaseException] = field(default_factory=dict)
    tenants: list[Tenant] = field(default_factory=list)
    remote: RemoteAccess = AS_IT_SHOULD_BE
    plan_names: Mapping[int, str] = field(default_factory=dict)
    users: bool = True
    products: RemoteProduct | None = None
    adoptable: int | None = None
    backends: RemoteBackend | None = None
    applications_made: list[RemoteApplication] = field(default_factory=list)

    def _ask(self, what: str, tenant: Tenant) -> None:
        self.asked.append(what)
        self.tenants.append(tenant)
        if what in self.fails:
            raise self.fails[what]

    async def documents(self, tenant: Tenant) -> list[RemoteDocument]:
        self._ask("documents", tenant)
        return []

    async def check(self, tenant: Tenant) -> None:
        self._ask("check", tenant)

    async def product_id(self, tenant: Tenant, system_name: str) -> int | None:
        self._ask("product_id", tenant)
        return self.adoptable

    async def has_backend(self, tenant: Tenant, system_name: str) -> bool:
        self._ask("has_backend", tenant)
        return False

    async def product(self, tenant: Tenant, product_id: int) -> RemoteProduct:
        self._ask("product", tenant)
        if self.products is None:
            raise RemoteNotFound("gone")
        return self.products

    async def endpoint(self, tenant: Tenant, product_id: int) -> str:
        self._ask("endpoint", tenant)
        return f"https://product-{product_id}.example.com"

    async def backend(self, tenant: Tenant, backend_id: int) -> RemoteBackend:
        self._ask("backend", tenant)
        if self.backends is None:
            raise RemoteNotFound("gone")
        return self.backends

    async def plans(self, tenant: Tenant, product_id: int) -> list[RemotePlan]:
        self._ask("plans", tenant)
        return [a_plan(number, name) for number, name in self.plan_names.items()]

    async def applications(self, tenant: Tenant, product_id: int) -> list[RemoteApplication]:
        self._ask("applications", tenant)
        return self.applications_made

    async def access(self, tenant: Tenant, account_id: int, application_id: int, key: SecretStr) -> RemoteAccess:
        self._ask("access", tenant)
        return self.remote

    async def has_user(self, tenant: Tenant, account_id: int, user_id: int) -> bool:
        self._ask("has_user", tenant)
        return self.users

    async def accept(self, tenant: Tenant, account_id: int, application_id: int) -> None:
        self._ask("accept", tenant)


def a_plan(number: int, name: str) -> RemotePlan:
    free = Decimal(0)
    return RemotePlan(
        id=number, system_name=name, name=name, published=True, custom=False, trial_days=0, setup_fee=free,
        month_fee=free, approval_required=False,
    )  # fmt: skip


@dataclass
class Cluster:
    """A cluster that has what it is given."""

    objects: dict[Ref, Manifest]

    async def get(self, ref: Ref) -> Manifest:
        if ref not in self.objects:
            raise NotFound(f"{ref} not found")
        return self.objects[ref]

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        found = [one for ref, one in self.objects.items() if ref.kind == kind]
        if not found:
            raise KindNotServed(f"{kind} is not served")
        return found

    async def apply(self, *_: Any, **__: Any) -> Manifest:
        raise AssertionError("nobody writes here")

    async def delete(self, *_: Any, **__: Any) -> None:
        raise AssertionError("nobody deletes here")


class Bench:
    """Inquiries about one service, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.threescale = Threescale()
        self.cluster = Cluster({})
        self.service = worlds.a_service()
        self.platform = worlds.a_platform()
        self.cache = Cache()
        self.inquiries = Inquiries(self.threescale, Lookup(self.cache, self.cluster), lambda: self.now)
        self.put(account())

    def put(self, *manifests: Manifest) -> None:
        self.cluster.objects |= {ref_of(one): one for one in manifests}

    def publish(self, *, plan: str = "standard", synced: bool = True) -> None:
        """Have Product and Backend there, as written for the service."""
        children = children_of(self.service)
        for kind in ("Backend", "Product"):
            child = children[kind]
            metadata = child["metadata"] | {"labels": owner_labels(self.service.dump())}
            one = worlds.synced(child | {"metadata": metadata}) if synced else child | {"metadata": metadata}
            self.put(one)
        product = self.cluster.objects[ref_of(children["Product"])]
        product["spec"]["applicationPlans"] = {plan: {"name": plan}}

    def promote(self, *, done: bool = True, candidate: str | None = None) -> str:
        """Have the Product published as written, promoted by a promotion in our cache; return its uid."""
        self.publish()
        children = children_of(self.service)
        product, target = self.cluster.objects[ref_of(children["Product"])], children["Backend"]["spec"]
        product["spec"]["applicationPlans"] = children["Product"]["spec"]["applicationPlans"]
        self.threescale.products = as_written(product)
        endpoint, words = target["privateBaseURL"], target["description"]
        self.threescale.backends = RemoteBackend(name=target["name"], description=words, endpoint=endpoint)
        told = {"configHash": HASH, **({"candidateHash": candidate} if candidate else {})}
        self.service = worlds.a_service(status={"gateway": told})
        ref = promotion_ref(self.service, self.platform, HASH)
        promotion = worlds.child(ref.kind.name, ref.name)
        self.cache.put(worlds.content(promotion) if done else promotion)
        return f"uid-{ref.name}" if done else str(promotion["metadata"]["uid"])

    async def remote(self) -> Remote:
        return await self.inquiries.about_service(self.service, self.platform)

    async def after_a_resync(self) -> Remote:
        await self.remote()
        self.now += REGULARLY
        return await self.remote()

    async def edited_at(self) -> dict[str, datetime]:
        return dict((await self.inquiries.about_service(self.service, self.platform)).edited_at)

    async def plans_in_use(self) -> Mapping[str, str]:
        return (await self.inquiries.about_service(self.service, self.platform)).plans_in_use


def account(token: str = "canary") -> Manifest:
    values = {"adminURL": "https://3scale-admin.apps.example.com", "token": token}
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": "threescale-provider-account", "namespace": "3scale"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def an_application(plan: str, *, ready: bool = True) -> Manifest:
    conditions = [worlds.condition("Ready")] if ready else []
    one = worlds.child("Application", "llm.dev1", observedGeneration=1, applicationID=6, conditions=conditions)
    return one | {"spec": {"productCR": {"name": "llm.tiny"}, "applicationPlanName": plan}}


def with_authority(platform: ModelPlatform) -> ModelPlatform:
    document = platform.dump()
    document["spec"]["threescale"]["caConfigMapRef"] = {"name": "ca", "key": "ca.crt"}
    return ModelPlatform.model_validate(document)


def in_production(bench: Bench, *, version: int) -> RemoteProduct:
    """Return what 3scale tells of the Product, with another version in production."""
    assert bench.threescale.products is not None
    production = bench.threescale.products.production
    assert production is not None
    return replace(bench.threescale.products, production=replace(production, version=version))


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the token -------------------------------------------------------------------------------------------------------


async def test_a_token_that_was_proven_is_not_proven_again_before_the_next_resync(bench: Bench) -> None:
    for _ in range(5):
        assert await bench.inquiries.platform_problem(bench.platform) is None
    assert bench.threescale.asked == ["check"]
    bench.now += REGULARLY
    await bench.inquiries.platform_problem(bench.platform)
    assert bench.threescale.asked == ["check", "check"]


async def test_another_token_is_proven_at_once(bench: Bench) -> None:
    await bench.inquiries.platform_problem(bench.platform)
    bench.put(account(token="another-canary"))
    await bench.inquiries.platform_problem(bench.platform)
    assert [tenant.token for tenant in bench.threescale.tenants] == [SecretStr("canary"), SecretStr("another-canary")]


async def test_a_token_that_failed_is_tried_each_time(bench: Bench) -> None:
    bench.threescale.fails = {"check": RemoteUnavailable("no answer")}
    for _ in range(3):
        problem = await bench.inquiries.platform_problem(bench.platform)
        assert problem is not None
        assert problem.reason == "AdminAPIUnavailable"
    assert bench.threescale.asked == ["check"] * 3


async def test_the_authority_comes_from_the_config_map_of_the_platform(bench: Bench) -> None:
    metadata = {"name": "ca", "namespace": "3scale"}
    bench.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": "PEM"}})
    assert await bench.inquiries.platform_problem(with_authority(bench.platform)) is None
    assert bench.threescale.tenants[0].authority == "PEM"


@pytest.mark.parametrize("data", [None, {}, {"other": "PEM"}, {"ca.crt": ""}])
async def test_an_authority_that_is_not_there_is_told_and_nobody_is_called_without_it(
    bench: Bench, data: dict[str, str] | None
) -> None:
    metadata = {"name": "ca", "namespace": "3scale"}
    bench.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    problem = await bench.inquiries.platform_problem(with_authority(bench.platform))
    assert problem is not None
    assert problem.reason == "AuthorityMissing"
    assert not bench.threescale.asked


async def test_an_account_that_is_gone_meanwhile_is_no_tenant(bench: Bench) -> None:
    bench.cluster.objects.clear()
    world = worlds.a_subscription_world(platform=bench.platform)
    assert "provider account" in await bench.inquiries.accept(world, Acceptance(4, 6))
    assert not bench.threescale.asked


# --- first writes and plans ------------------------------------------------------------------------------------------


async def test_only_what_is_not_there_yet_is_asked_for(bench: Bench) -> None:
    bench.publish()
    del bench.cluster.objects[ref_of(children_of(bench.service)["Product"])]
    remote = await bench.inquiries.about_service(bench.service, bench.platform)
    assert remote.barrier is None
    assert bench.threescale.asked == ["product_id"]


@pytest.mark.parametrize("spec", [{"managementPolicy": "Paused"}, {}])
async def test_nothing_is_asked_about_a_service_that_is_paused_or_has_no_platform(
    bench: Bench, spec: dict[str, str]
) -> None:
    service = worlds.a_service(**spec)
    await bench.inquiries.about_service(service, bench.platform if spec else None)
    assert not bench.threescale.asked


async def test_a_platform_that_can_not_be_asked_is_not_asked(bench: Bench) -> None:
    await bench.inquiries.about_service(bench.service, worlds.a_platform(problem="no answer"))
    assert not bench.threescale.asked


async def test_while_an_application_moves_every_plan_may_be_in_use(bench: Bench) -> None:
    bench.publish(plan="old")
    bench.put(an_application("new", ready=False))
    assert (await bench.plans_in_use()).keys() == {"old"}
    assert "plans" not in bench.threescale.asked


async def test_a_plan_of_an_application_of_ours_is_in_use_without_asking_3scale(bench: Bench) -> None:
    bench.publish(plan="old")
    bench.put(an_application("old"))
    assert await bench.plans_in_use() == {"old": "Application llm.dev1 uses it"}
    assert "plans" not in bench.threescale.asked


async def test_a_plan_that_nobody_is_on_may_go(bench: Bench) -> None:
    bench.publish(plan="old")
    assert await bench.plans_in_use() == {}
    assert bench.threescale.asked[:2] == ["plans", "applications"]


async def test_a_product_that_3scale_never_had_has_no_users(bench: Bench) -> None:
    bench.publish(plan="old", synced=False)
    assert await bench.plans_in_use() == {}
    assert not bench.threescale.asked


async def test_who_can_not_say_who_uses_a_plan_keeps_it(bench: Bench) -> None:
    bench.publish(plan="old")
    bench.put(an_application("standard"))
    bench.threescale.fails = {"applications": RemoteUnavailable("no answer")}
    assert "no answer" in (await bench.plans_in_use())["old"]
    assert APPLICATION in {ref.kind for ref in bench.cluster.objects}


async def stray_plans(bench: Bench, *, conditions: list[Manifest], **status: Any) -> Mapping[str, str]:
    bench.publish()
    ref = ref_of(children_of(bench.service)["Product"])
    told = {"observedGeneration": 1, "conditions": conditions, **status}
    bench.cluster.objects[ref] = worlds.with_status(bench.cluster.objects[ref], **told)
    bench.threescale.plan_names = {1: "standard", 2: "lunch", 3: "empty"}
    users = [
        RemoteApplication(id=number, account_id=3, plan_id=plan, state="live") for number, plan in [(11, 1), (12, 2)]
    ]
    bench.threescale.applications_made = users
    return (await bench.remote()).stray_plans


async def test_plans_of_the_portal_with_applications_are_looked_for_when_a_product_fails(bench: Bench) -> None:
    found = await stray_plans(bench, conditions=[worlds.condition("Failed")], productId=7)
    assert found.keys() == {"lunch"}
    assert "12 of account 3" in found["lunch"]


async def test_while_a_product_fails_its_plans_are_not_looked_for_in_each_pass(bench: Bench) -> None:
    await stray_plans(bench, conditions=[worlds.condition("Failed")], productId=7)
    await bench.remote()
    assert bench.threescale.asked.count("plans") == 1


async def test_plans_of_the_portal_are_not_looked_for_while_all_is_well(bench: Bench) -> None:
    assert await stray_plans(bench, conditions=[worlds.condition("Synced")], productId=7) == {}
    assert "plans" not in bench.threescale.asked


async def test_a_product_that_fails_before_3scale_has_it_has_no_plans(bench: Bench) -> None:
    assert await stray_plans(bench, conditions=[worlds.condition("Failed")]) == {}
    assert "plans" not in bench.threescale.asked


async def test_no_answer_about_plans_of_the_portal_says_nothing_of_them(bench: Bench) -> None:
    bench.threescale.fails = {"plans": RemoteUnavailable("no answer")}
    assert await stray_plans(bench, conditions=[worlds.condition("Failed")], productId=7) == {}


# --- comparisons -----------------------------------------------------------------------------------------------------


async def test_a_comparison_waits_for_the_first_resync_and_happens_once_in_each(bench: Bench) -> None:
    bench.publish()
    assert await bench.edited_at() == {}
    assert not bench.threescale.asked
    bench.now += REGULARLY
    found = bench.now
    for _ in range(3):
        assert await bench.edited_at() == {"Backend": found, "Product": found}
        bench.now += timedelta(seconds=1)
    # What was found is asked for once more: is something counted on that would go?
    assert bench.threescale.asked == ["backend", "product", "product"]


async def test_an_edit_that_stays_is_looked_for_later_and_later(bench: Bench) -> None:
    bench.publish()
    await bench.edited_at()
    times = []
    for _ in range(3 * 64):
        bench.now += REGULARLY
        times.append((await bench.edited_at()).get("Product"))
    # After 1, 2, 4, 8, 16, 32 and 64 intervals, and then after 32 more each time.
    assert len(set(times)) == 11


async def test_what_was_promoted_as_it_was_written_is_no_difference(bench: Bench) -> None:
    bench.promote()
    assert await bench.after_a_resync() == Remote()


async def test_a_promotion_after_which_something_else_came_to_production_is_named(bench: Bench) -> None:
    uid = bench.promote()
    bench.threescale.products = in_production(bench, version=4)
    assert await bench.after_a_resync() == Remote(overtaken=uid)


@pytest.mark.parametrize("how", [{"done": False}, {"candidate": "f" * 16}])
async def test_production_says_nothing_while_another_configuration_is_on_its_way(
    bench: Bench, how: dict[str, Any]
) -> None:
    bench.promote(**how)
    bench.threescale.products = in_production(bench, version=4)
    assert await bench.after_a_resync() == Remote()


async def test_an_edit_that_was_promoted_too_is_put_back_before_anything_is_promoted_again(bench: Bench) -> None:
    uid = bench.promote()
    put_back = in_production(bench, version=4)
    bench.threescale.products = replace(put_back, rules=())
    found = await bench.after_a_resync()
    assert (found.overtaken, found.look_again) == ("", True)
    assert found.edited_at.keys() == {"Product"}
    assert await bench.remote() == found
    bench.threescale.products = put_back
    bench.now += comparisons.SOON
    found = await bench.remote()
    assert (found.overtaken, found.look_again) == (uid, False)


async def test_an_edit_that_is_not_put_back_soon_is_not_looked_for_every_minute(bench: Bench) -> None:
    bench.promote()
    bench.threescale.products = replace(in_production(bench, version=4), rules=())
    await bench.after_a_resync()
    bench.now += comparisons.SOON
    assert not (await bench.remote()).look_again
    bench.now += comparisons.SOON
    await bench.remote()
    assert bench.threescale.asked.count("backend") == 2


async def test_a_product_that_3scale_works_on_is_not_compared(bench: Bench) -> None:
    bench.publish(synced=False)
    await bench.edited_at()
    bench.now += REGULARLY
    assert await bench.edited_at() == {}
    assert not bench.threescale.asked


async def test_a_comparison_that_fails_says_nothing_and_is_made_again_next_time(bench: Bench) -> None:
    bench.publish()
    await bench.edited_at()
    bench.threescale.fails = {"backend": RemoteUnavailable("no answer")}
    bench.now += REGULARLY
    assert await bench.edited_at() == {}
    bench.threescale.fails = {}
    bench.now += REGULARLY
    assert (await bench.edited_at()).keys() == {"Backend", "Product"}


async def test_a_comparison_that_takes_too_long_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "COMPARISON_SECONDS", 0.0)
    bench.publish()
    await bench.edited_at()
    bench.threescale.fails = {"product": TimeoutError()}
    bench.now += REGULARLY
    assert await bench.edited_at() == {}


async def test_a_service_that_leaves_is_forgotten(bench: Bench) -> None:
    bench.publish()
    await bench.edited_at()
    bench.now += REGULARLY
    assert await bench.edited_at()
    metadata = bench.service.metadata.model_copy(update={"deletion_timestamp": bench.now})
    leaving = bench.service.model_copy(update={"metadata": metadata})
    await bench.inquiries.about_service(leaving, bench.platform)
    assert await bench.edited_at() == {}

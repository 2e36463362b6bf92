"""The 3scale-operator's Backend and Product: defaults, conditions, refusals, deletion."""

from typing import Any

import pytest

from maas_operator.domain.kinds import BACKEND, PRODUCT
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.faults import FAULT_ANNOTATION, PortaFault
from maas_operator.sandbox.controllers.threescale.catalogue import Catalogue
from maas_operator.sandbox.controllers.threescale.porta import Tenant
from tests.sandbox.controllers.objects import (
    ADMIN_URL,
    GATEWAY,
    HITS,
    MODELS,
    PASSWORD,
    TOKEN,
    account,
    apicast,
    application,
    backend,
    limit,
    manifest,
    product,
    promotion,
    provider_secret,
    rule,
    secret,
    user,
)
from tests.sandbox.controllers.world import World

SYNCED = {"Synced": "True", "Orphan": "False", "Invalid": "False", "Failed": "False"}


def tenant(world: World) -> Tenant:
    (found,) = world.around.porta
    return found


def catalogue(world: World) -> Catalogue:
    return tenant(world).catalogue


async def test_a_backend_is_synced_with_its_id_and_host(world: World) -> None:
    await world.settle(backend())
    status = await world.status(backend())
    assert await world.conditions(backend()) == {"Synced": "True", "Invalid": "False", "Failed": "False"}
    assert status["providerAccountHost"] == ADMIN_URL
    remote = catalogue(world).backends[status["backendId"]]
    assert (remote.system_name, remote.endpoint) == ("llama", "http://llama-api.models.svc.cluster.local:8080")


async def test_a_product_is_synced_with_what_its_spec_says(world: World) -> None:
    await world.settle(backend(), product())
    assert await world.conditions(product()) == SYNCED
    remote = catalogue(world).product((await world.status(product()))["productId"])
    assert remote.metrics.keys() == {"hits", "chat"}
    assert remote.metrics["chat"].parent == "hits"
    assert [r.pattern for r in remote.rules] == ["/v1/chat/completions$"]
    assert remote.plans["standard"].limits == {("hits", 0, "minute"): 60}
    assert remote.proxy["credentials_location"] == "authorization"


async def test_observed_generation_is_written_on_failures_too(world: World) -> None:
    await world.settle(product())
    live = await world.get(PRODUCT, "llama")
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    assert live["status"]["conditions"]


async def test_a_product_whose_backend_is_missing_is_an_orphan_until_it_is_there(world: World) -> None:
    await world.settle(product())
    assert await world.conditions(product()) == {**SYNCED, "Synced": "False", "Orphan": "True", "Failed": "True"}
    assert "does not have valid backend reference" in await world.message(product(), "Orphan")
    await world.settle(backend(), retries=False)
    assert (await world.conditions(product()))["Orphan"] == "True"
    await world.settle()
    assert await world.conditions(product()) == SYNCED


async def test_defaults_are_written_by_a_full_update(world: World) -> None:
    bare = manifest(PRODUCT, GATEWAY, "llama", {"name": "My Llama 3.2!", "providerAccountRef": {"name": "provider"}})
    await world.settle(bare)
    live = await world.get(PRODUCT, "llama")
    assert live["spec"]["systemName"] == "MyLlama32"
    assert live["spec"]["metrics"] == HITS
    assert live["spec"]["policies"] == [{**apicast(), "configurationRef": {}}]
    assert live["metadata"]["finalizers"] == ["product.capabilities.3scale.net/finalizer"]
    assert live["metadata"]["generation"] > 1


async def test_the_apicast_policy_is_appended_last(world: World) -> None:
    headers = {"name": "headers", "version": "builtin", "enabled": True}
    await world.settle(backend(), product(policies=[headers]))
    policies = (await world.get(PRODUCT, "llama"))["spec"]["policies"]
    assert [policy["name"] for policy in policies] == ["headers", "apicast"]
    assert policies[0]["configuration"] == {}


async def test_a_backend_gets_its_system_name_and_hits(world: World) -> None:
    spec = {"name": "B 1", "privateBaseURL": "http://b:8080", "providerAccountRef": {"name": "provider"}}
    await world.settle(manifest(BACKEND, GATEWAY, "b", spec))
    live = await world.get(BACKEND, "b")
    assert (live["spec"]["systemName"], live["spec"]["metrics"]) == ("B1", HITS)


INVALID: dict[str, dict[str, Any]] = {
    "a key that is metric and method": {"methods": {"hits": {"friendlyName": "Other"}}},
    "a friendly name that is another's key": {"methods": {"chat": {"friendlyName": "hits"}}},
    "a rule without its metric": {"mappingRules": [rule("absent")]},
    "a limit without its metric": {"applicationPlans": {"standard": {"limits": [limit("absent")]}}},
    "a period twice": {"applicationPlans": {"standard": {"limits": [limit(), limit(value=1)]}}},
    "a price range upside down": {
        "applicationPlans": {
            "standard": {
                "pricingRules": [
                    {"from": 9, "to": 1, "pricePerUnit": "0.05", "metricMethodRef": {"systemName": "hits"}}
                ]
            }
        }
    },
    "price ranges that touch": {
        "applicationPlans": {
            "standard": {
                "pricingRules": [
                    {"from": low, "to": high, "pricePerUnit": "0.05", "metricMethodRef": {"systemName": "hits"}}
                    for low, high in ((1, 10), (10, 20))
                ]
            }
        }
    },
}


@pytest.mark.parametrize("spec", INVALID.values(), ids=INVALID.keys())
async def test_an_invalid_product_is_not_tried_again(world: World, spec: dict[str, Any]) -> None:
    await world.settle(backend(), product(**spec))
    assert await world.conditions(product()) == {**SYNCED, "Synced": "False", "Invalid": "True", "Failed": "True"}
    assert catalogue(world).find_product("llama") is None


FAILED: dict[str, tuple[dict[str, Any], str]] = {
    "a dot in the system name": ({"systemName": "llama-3.2"}, "system_name"),
    "a dot in a plan's name": ({"applicationPlans": {"v1.0": {"name": "Plan"}}}, "system_name"),
    "a metric of one letter": ({"metrics": {**HITS, "x": {"friendlyName": "X", "unit": "x"}}}, "system_name"),
    "a friendly name twice": (
        {"methods": {"aa": {"friendlyName": "Same"}, "bb": {"friendlyName": "same"}}, "mappingRules": []},
        "friendly_name",
    ),
    "a method that gateways do not know": ({"mappingRules": [rule("chat", httpMethod="TRACE")]}, "http_method"),
    "a pattern with a space": ({"mappingRules": [rule("chat", pattern="/v1 x")]}, "pattern"),
    "a rule that does not count": ({"mappingRules": [rule("chat", increment=0)]}, "delta"),
    "a fee with one decimal": ({"applicationPlans": {"standard": {"setupFee": "1.5"}}}, "setup_fee"),
    "a period of a second": ({"applicationPlans": {"standard": {"limits": [limit(period="second")]}}}, "period"),
    "an apostrophe in an error body": (
        {
            "deployment": {
                "apicastHosted": {
                    "authentication": {"userkey": {"gatewayResponse": {"errorAuthFailed": "can't"}}},
                }
            }
        },
        "error_auth_failed",
    ),
    "an error body that is too long": (
        {
            "deployment": {
                "apicastHosted": {
                    "authentication": {"userkey": {"gatewayResponse": {"errorNoMatch": "a" * 256}}},
                }
            }
        },
        "error_no_match",
    ),
    "an error status that is none": (
        {
            "deployment": {
                "apicastHosted": {
                    "authentication": {"userkey": {"gatewayResponse": {"errorStatusAuthMissing": 600}}},
                }
            }
        },
        "error_status_auth_missing",
    ),
    "a dot in the secret token": (
        {
            "deployment": {"apicastHosted": {"authentication": {"userkey": {"security": {"secretToken": "a.b"}}}}},
        },
        "secret_token",
    ),
    "a path without a slash": ({"backendUsages": {"llama": {"path": "v1"}}}, "path"),
}


@pytest.mark.parametrize(("spec", "field"), FAILED.values(), ids=FAILED.keys())
async def test_3scale_refuses(world: World, spec: dict[str, Any], field: str) -> None:
    await world.settle(backend(), product(**spec))
    assert await world.conditions(product()) == {**SYNCED, "Synced": "False", "Failed": "True"}
    message = await world.message(product(), "Failed")
    assert field in message
    assert "error calling 3scale system - reason:" in message
    assert "code: 422" in message


REFUSED_BACKENDS = {
    "a dot in the system name": ({"systemName": "a.b"}, "system_name"),
    "a backend on this host": ({"privateBaseURL": "http://localhost:8080"}, "private_endpoint"),
    "a loopback address": ({"privateBaseURL": "http://127.0.0.1:8080"}, "private_endpoint"),
    "a URL with credentials": ({"privateBaseURL": "http://me:you@host:8080"}, "private_endpoint"),
    "a URL with a query": ({"privateBaseURL": "http://host:8080/?a=b"}, "private_endpoint"),
    "a host label of 64 characters": ({"privateBaseURL": f"http://{'a' * 64}:8080"}, "private_endpoint"),
}


@pytest.mark.parametrize(("spec", "field"), REFUSED_BACKENDS.values(), ids=REFUSED_BACKENDS.keys())
async def test_3scale_refuses_a_backend(world: World, spec: dict[str, Any], field: str) -> None:
    await world.settle(backend(**spec))
    assert (await world.conditions(backend()))["Failed"] == "True"
    assert field in await world.message(backend(), "Failed")


async def test_two_usages_with_one_path_are_refused(world: World) -> None:
    usages = {"llama": {"path": "/v1"}, "other": {"path": "/v1/"}}
    await world.settle(backend(), backend("other"), product(backendUsages=usages))
    assert "path" in await world.message(product(), "Failed")


async def test_a_fixed_product_recovers(world: World) -> None:
    await world.settle(backend(), product(mappingRules=[rule("absent")]))
    await world.settle(product())
    assert await world.conditions(product()) == SYNCED


SILENT: dict[str, Manifest | None] = {
    "a missing secret": None,
    "a secret without a token": secret("provider", adminURL=ADMIN_URL),
    "an empty URL": secret("provider", adminURL="", token=TOKEN),
}


@pytest.mark.parametrize("provider", SILENT.values(), ids=SILENT.keys())
async def test_without_credentials_there_is_no_status_at_all(world: World, provider: Manifest | None) -> None:
    await world.delete(provider_secret())
    await world.settle(*([provider] if provider else []))
    await world.settle(backend(), product(), account(), user())
    for silent in (backend(), product(), account(), user()):
        assert await world.status(silent) == {}


async def test_a_secret_that_comes_later_is_not_watched(world: World) -> None:
    await world.delete(provider_secret())
    await world.settle(backend())
    await world.settle(provider_secret(), retries=False)
    assert await world.status(backend()) == {}
    await world.settle()
    assert (await world.conditions(backend()))["Synced"] == "True"


async def test_the_default_secret_is_used_where_none_is_named(world: World) -> None:
    spec = {**backend()["spec"]}
    del spec["providerAccountRef"]
    await world.settle(secret("threescale-provider-account", adminURL=ADMIN_URL, token=TOKEN))
    await world.settle(manifest(BACKEND, GATEWAY, "llama", spec))
    assert (await world.conditions(backend()))["Synced"] == "True"


async def test_two_spellings_of_the_admin_url_are_two_tenants(world: World) -> None:
    await world.apply(secret("slash", adminURL=f"{ADMIN_URL}/", token=TOKEN))
    await world.settle(backend(providerAccountRef={"name": "slash"}), product())
    assert (await world.conditions(product()))["Orphan"] == "True"


async def test_a_wrong_token_is_forbidden(world: World) -> None:
    await world.settle(secret("provider", adminURL=ADMIN_URL, token="wrong"), backend())
    message = await world.message(backend(), "Failed")
    assert "Your access token does not have the correct permissions" in message
    assert "code: 403" in message
    assert "wrong" not in message


async def test_an_unknown_host_cannot_be_looked_up(world: World) -> None:
    await world.settle(secret("provider", adminURL="https://elsewhere.example.com", token=TOKEN), backend())
    assert "no such host" in await world.message(backend(), "Failed")


async def test_3scale_down_fails_and_recovers(world: World) -> None:
    world.around.faults.porta = PortaFault.DOWN
    await world.settle(backend())
    assert "connect: connection refused" in await world.message(backend(), "Failed")
    world.around.faults.porta = None
    await world.settle()
    assert (await world.conditions(backend()))["Synced"] == "True"


async def test_3scale_down_by_annotation_of_the_secret(world: World) -> None:
    await world.patch(provider_secret(), {"metadata": {"annotations": {FAULT_ANNOTATION: "Down"}}})
    await world.settle(backend())
    assert (await world.conditions(backend()))["Failed"] == "True"


async def test_a_slow_3scale_takes_its_time_for_each_generation(world: World) -> None:
    world.around.delays.porta = 10
    await world.settle(backend())
    assert await world.status(backend()) == {}
    world.clock.advance(10)
    await world.settle()
    assert (await world.conditions(backend()))["Synced"] == "True"


async def test_another_namespace_is_ignored_and_noticed(world: World) -> None:
    elsewhere = {**backend(), "metadata": {"name": "llama", "namespace": MODELS}}
    await world.settle(elsewhere)
    assert await world.status(elsewhere) == {}
    (violation,) = world.around.violations
    assert violation.rule == "ThreescaleOperatorDoesNotLook"


@pytest.mark.parametrize("deployment", [{}, {"apicastHosted": {"authentication": {}}}])
async def test_a_union_without_a_member_crashes_the_operator(world: World, deployment: dict[str, Any]) -> None:
    await world.settle(backend(), product(deployment=deployment))
    assert world.around.threescale.crashed
    assert [violation.rule for violation in world.around.violations] == ["ThreescaleOperatorCrashes"]
    await world.settle(backend("other"))
    assert await world.status(backend("other")) == {}


async def test_lists_are_authoritative(world: World) -> None:
    more = {"methods": {"chat": {"friendlyName": "Chat"}, "tokens": {"friendlyName": "Tokens"}}}
    await world.settle(backend(), product(**more))
    await world.settle(product())
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    assert remote.metrics.keys() == {"hits", "chat"}


async def test_a_setting_that_is_left_out_stays_as_it_was(world: World) -> None:
    response = {"gatewayResponse": {"errorStatusAuthFailed": 401}}
    await world.settle(backend(), product(deployment={"apicastHosted": {"authentication": {"userkey": response}}}))
    await world.settle(product())
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    assert remote.proxy["error_status_auth_failed"] == 401


async def test_a_plan_with_applications_cannot_go_and_blocks_the_new_one(world: World) -> None:
    await world.settle(secret("dev1-password", password=PASSWORD), backend(), product(), user(), account())
    await world.settle(application())
    renamed = product(applicationPlans={"premium": {"name": "Premium"}})
    await world.settle(renamed)
    assert "cannot be deleted" in await world.message(product(), "Failed")
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    assert remote.plans.keys() == {"standard"}


async def test_a_metric_that_a_promoted_rule_uses_deadlocks_the_product(world: World) -> None:
    tokens = {**HITS, "tokens": {"friendlyName": "Tokens", "unit": "token"}}
    await world.settle(backend(), product(metrics=tokens, mappingRules=[rule("tokens")]))
    await world.settle(promotion())
    await world.settle(product(mappingRules=[rule("chat")]))
    message = await world.message(product(), "Failed")
    assert "Metric is used by the latest gateway configuration and cannot be deleted" in message
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    assert [r.metric for r in remote.rules] == ["tokens"]


async def test_a_metric_goes_in_two_steps(world: World) -> None:
    tokens = {**HITS, "tokens": {"friendlyName": "Tokens", "unit": "token"}}
    await world.settle(backend(), product(metrics=tokens, mappingRules=[rule("tokens")]))
    await world.settle(promotion("first"))
    await world.settle(product(metrics=tokens))
    await world.settle(promotion("second"))
    await world.settle(product())
    assert await world.conditions(product()) == SYNCED


async def test_a_method_that_a_promoted_rule_uses_is_tolerated_until_the_next_promotion(world: World) -> None:
    methods = {"chat": {"friendlyName": "Chat"}, "tokenize": {"friendlyName": "Tokenize"}}
    await world.settle(backend(), product(methods=methods, mappingRules=[rule("tokenize")]))
    await world.settle(promotion("first"))
    await world.settle(product())
    assert (await world.message(product(), "Failed")).startswith("method is used by the latest gateway configuration")
    await world.settle(promotion("second"))
    assert await world.conditions(promotion("second")) == {"Ready": "True", "Failed": "False"}
    await world.settle()
    assert await world.conditions(product()) == SYNCED


async def test_deleting_a_product_frees_its_name_when_it_is_purged(world: World) -> None:
    world.around.delays.purge = 60
    await world.settle(backend(), product())
    await world.delete(product())
    await world.settle()
    assert await world.is_gone(product())
    await world.settle(product())
    message = await world.message(product(), "Failed")
    world.clock.advance(60)
    await world.settle()
    assert "has already been taken" in message
    assert await world.conditions(product()) == SYNCED


async def test_the_default_product_cannot_be_deleted(world: World) -> None:
    await world.settle(backend(), product("api"))
    await world.delete(product("api"))
    await world.settle()
    assert not await world.is_gone(product("api"))


async def test_a_backend_in_use_outside_of_the_cluster_waits(world: World) -> None:
    await world.settle(backend(), product())
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    other = catalogue(world).create_product(name="Portal-made", system_name="portal-made")
    other.usages = dict(remote.usages)
    await world.delete(product())
    await world.delete(backend())
    await world.settle()
    assert await world.is_gone(product())
    assert not await world.is_gone(backend())
    catalogue(world).delete_product(other.id)
    await world.settle()
    assert await world.is_gone(backend())


async def test_deleting_a_backend_edits_the_products_that_use_it(world: World) -> None:
    qualified = {"period": "day", "value": 1, "metricMethodRef": {"systemName": "hits", "backend": "llama"}}
    await world.settle(backend(), product(applicationPlans={"standard": {"limits": [limit(), qualified]}}))
    await world.delete(backend())
    await world.settle()
    spec = (await world.get(PRODUCT, "llama"))["spec"]
    assert spec["backendUsages"] == {}
    assert spec["applicationPlans"]["standard"]["limits"] == [limit()]
    assert await world.is_gone(backend())


async def test_a_product_without_its_secret_leaks_the_remote_one(world: World) -> None:
    await world.settle(backend(), product())
    await world.delete(provider_secret())
    await world.delete(product())
    await world.settle()
    assert await world.is_gone(product())
    assert catalogue(world).find_product("llama") is not None


async def test_deleting_while_3scale_is_down_waits(world: World) -> None:
    await world.settle(backend(), product())
    world.around.faults.porta = PortaFault.DOWN
    await world.delete(product())
    await world.settle()
    assert not await world.is_gone(product())
    world.around.faults.porta = None
    await world.settle()
    assert await world.is_gone(product())


async def test_a_product_of_the_same_name_is_adopted(world: World) -> None:
    foreign = catalogue(world).create_product(name="Theirs", system_name="llama")
    await world.settle(backend(), product())
    assert (await world.status(product()))["productId"] == foreign.id


async def test_a_policy_takes_its_configuration_from_a_secret_that_nobody_watches(world: World) -> None:
    policy = {"name": "metering", "version": "1", "enabled": True, "configurationRef": {"name": "metering"}}
    with_policy = product(policies=[apicast(), policy])
    await world.settle(backend(), with_policy)
    assert 'secrets "metering" not found' in await world.message(product(), "Failed")
    await world.settle(secret("metering", configuration='{"a": 1}'))
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    assert remote.policies[1]["configuration"] == {"a": 1}


def priced(price: str) -> dict[str, Any]:
    pricing = {"from": 1, "to": 10, "pricePerUnit": price, "metricMethodRef": {"systemName": "hits"}}
    return {"applicationPlans": {"standard": {"name": "Standard", "pricingRules": [pricing]}}}


async def test_a_price_has_no_or_two_decimals(world: World) -> None:
    await world.settle(backend(), product(**priced("0.05")))
    assert await world.conditions(product()) == SYNCED
    await world.settle(product(**priced("0.5")))
    assert "cost_per_unit" in await world.message(product(), "Failed")


@pytest.mark.parametrize("ref", [{"systemName": "absent", "backend": "llama"}, {"systemName": "hits", "backend": "x"}])
async def test_a_limit_on_a_metric_that_no_used_backend_has_is_an_orphan(world: World, ref: dict[str, str]) -> None:
    limits = [{"period": "day", "value": 1, "metricMethodRef": ref}]
    await world.settle(backend(), product(applicationPlans={"standard": {"limits": limits}}))
    assert (await world.conditions(product()))["Orphan"] == "True"


async def test_a_metric_goes_with_its_limits(world: World) -> None:
    tokens = {**HITS, "tokens": {"friendlyName": "Tokens", "unit": "token"}}
    plans = {"standard": {"name": "Standard", "limits": [limit(), limit("tokens", "day")]}}
    await world.settle(backend(), product(metrics=tokens, applicationPlans=plans))
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    assert remote.plans["standard"].limits.keys() == {("hits", 0, "minute"), ("tokens", 0, "day")}
    await world.settle(product())
    assert remote.plans["standard"].limits.keys() == {("hits", 0, "minute")}


async def test_a_dropped_backend_usage_takes_its_limits_and_leaves_its_prices(world: World) -> None:
    ref = {"systemName": "hits", "backend": "llama"}
    plan = {
        "limits": [{"period": "day", "value": 1, "metricMethodRef": ref}],
        "pricingRules": [{"from": 1, "to": 2, "pricePerUnit": "1.00", "metricMethodRef": ref}],
    }
    await world.settle(backend(), product(applicationPlans={"standard": plan}))
    remote = catalogue(world).find_product("llama")
    assert remote is not None
    catalogue(world).set_usages(remote, {})
    assert remote.plans["standard"].limits == {}
    assert len(remote.plans["standard"].prices) == 1


async def test_a_backend_is_deleted_without_its_secret_and_leaks(world: World) -> None:
    await world.settle(backend())
    await world.delete(provider_secret())
    await world.delete(backend())
    await world.settle()
    assert await world.is_gone(backend())
    assert catalogue(world).find_backend("llama") is not None


async def test_a_backend_whose_default_secret_is_gone_hangs(world: World) -> None:
    spec = {key: value for key, value in backend()["spec"].items() if key != "providerAccountRef"}
    default = secret("threescale-provider-account", adminURL=ADMIN_URL, token=TOKEN)
    await world.settle(default, manifest(BACKEND, GATEWAY, "llama", spec))
    await world.delete(default)
    await world.delete(backend())
    await world.settle()
    assert not await world.is_gone(backend())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"config": "{}"}, "not found configuration field in secret (ns: 3scale, name: metering)"),
        ({"configuration": "{"}, "json: cannot unmarshal"),
        ({"configuration": "[]"}, "json: cannot unmarshal"),
    ],
)
async def test_a_policy_without_a_configuration_to_read_fails(world: World, values: dict[str, str], words: str) -> None:
    policy = {"name": "metering", "version": "1", "enabled": True, "configurationRef": {"name": "metering"}}
    await world.settle(secret("metering", **values), backend(), product(policies=[apicast(), policy]))
    assert words in await world.message(product(), "Failed")


async def test_a_chain_that_is_too_long_is_refused(world: World) -> None:
    policy = {"name": "own", "version": "1", "enabled": True, "configuration": {"text": "x" * 2 * 1024 * 1024}}
    await world.settle(backend(), product(policies=[apicast(), policy]))
    assert "is too long" in await world.message(product(), "Failed")


async def test_what_a_plan_does_not_say_is_left_as_it_was(world: World) -> None:
    priced = {"setupFee": "1.00", "costMonth": "2.00", "trialPeriod": 3, "appsRequireApproval": True}
    await world.settle(backend(), product(applicationPlans={"standard": {"name": "Standard", **priced}}))
    await world.settle(product(applicationPlans={"standard": {"published": True}}))
    (remote,) = [one for one in catalogue(world).products.values() if one.plans]
    plan = remote.plans["standard"]
    assert (plan.setup_fee, plan.month_fee, plan.trial_days, plan.approval_required) == ("1.00", "2.00", 3, True)
    assert (plan.name, plan.published) == ("Standard", True)

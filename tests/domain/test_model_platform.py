"""Decisions on ModelPlatforms: what is wrong with 3scale or KServe, and who still needs the platform."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import false
from maas_operator.domain.kinds import INFERENCE_SERVICE, PRODUCT, SECRET
from maas_operator.domain.model_platform import ModelPlatformWorld, account_problem, decide
from maas_operator.domain.objects import Ref
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.policies.platform import PlatformPolicies, is_copy

from . import worlds
from .worlds import NOW, a_platform, condition_of, told

ADMIN_URL = "https://3scale-admin.apps.example.com"


def an_account(url: str = ADMIN_URL) -> StoredSecret:
    return worlds.stored(adminURL=url, token="canary-token")


def a_world(**known: Any) -> ModelPlatformWorld:
    return worlds.a_platform_world(**({"provider_account": an_account()} | known))


def leaving(**known: Any) -> ModelPlatformWorld:
    platform = a_platform()
    metadata = platform.metadata.model_copy(update={"deletion_timestamp": NOW})
    gone = platform.model_copy(update={"metadata": metadata})
    world = a_world(**known)
    return replace(world, owner=gone.dump(), platform=gone)


def test_a_platform_whose_parts_are_all_there_is_ready() -> None:
    decision = decide(a_world(portal_host="3scale.apps.example.com"))
    assert told(decision, Type.READY) == told(decision, Type.THREESCALE_READY) == ("True", "Ready")
    assert decision.status == {
        "capabilities": {"kserve": True, "threescale": True},
        "adminURL": ADMIN_URL,
        "portalURL": "https://3scale.apps.example.com",
    }
    assert decision.wake_after is None


def test_missing_kserve_is_told_and_leaves_3scale_ready() -> None:
    decision = decide(a_world(served={INFERENCE_SERVICE: False, PRODUCT: True}))
    assert told(decision, Type.READY) == ("False", "DependencyMissing")
    assert "inferenceservices.serving.kserve.io" in condition_of(decision, Type.READY).message
    assert told(decision, Type.THREESCALE_READY)[0] == "True"


@pytest.mark.parametrize(
    ("known", "reason", "words"),
    [
        (
            {"served": {INFERENCE_SERVICE: True, PRODUCT: False}},
            "DependencyMissing",
            "products.capabilities.3scale.net",
        ),
        ({"namespace_exists": False}, "NamespaceMissing", "namespace 3scale"),
        ({"provider_account": None}, "ProviderSecretMissing", "3scale/threescale-provider-account"),
        ({"provider_account": worlds.stored(adminURL=ADMIN_URL)}, "ProviderSecretInvalid", "token"),
        ({"provider_account": worlds.stored(token="x", adminURL="")}, "ProviderSecretInvalid", "adminURL"),
    ],
)
def test_what_3scale_would_stay_silent_about_is_told(known: dict[str, Any], reason: str, words: str) -> None:
    decision = decide(a_world(**known))
    assert told(decision, Type.THREESCALE_READY) == told(decision, Type.READY) == ("False", reason)
    assert words in condition_of(decision, Type.THREESCALE_READY).message
    assert decision.wake_after is not None


@pytest.mark.parametrize(
    "url",
    [
        f"{ADMIN_URL}/",
        f"{ADMIN_URL}:443",
        f"{ADMIN_URL}/p/admin",
        "http://3scale-admin.apps.example.com",
        "https://admin:canary-password@3scale-admin.apps.example.com",
        f"{ADMIN_URL}?access_token=canary-query",
        f" {ADMIN_URL}",
        f"{ADMIN_URL}\n",
        "https://[",
        "3scale-admin.apps.example.com",
    ],
)
def test_an_admin_url_that_3scale_takes_for_another_tenant_is_refused_and_never_shown(url: str) -> None:
    decision = decide(a_world(provider_account=an_account(url)))
    assert told(decision, Type.STALLED) == ("True", "ProviderSecretInvalid")
    assert "adminURL" not in decision.status
    assert "canary" not in repr(decision)


def test_a_platform_that_models_need_does_not_go() -> None:
    decision = decide(leaving(tenants=("ModelService llm/tiny",)))
    assert not decision.releasable
    assert told(decision, Type.READY) == ("False", "DeletionBlocked")
    assert "ModelService llm/tiny" in condition_of(decision, Type.READY).message


def test_a_platform_that_nobody_needs_goes_even_if_3scale_is_gone() -> None:
    decision = decide(leaving(provider_account=None))
    assert decision.releasable
    assert told(decision, Type.READY) == ("False", "Deleting")


@pytest.mark.parametrize("reason", [Reason.TOKEN_REFUSED, Reason.ADMIN_API_UNAVAILABLE, Reason.AUTHORITY_MISSING])
def test_what_is_wrong_with_our_calls_to_3scale_is_told_in_its_words(reason: Reason) -> None:
    decision = decide(a_world(admin_api=false(reason, "3scale answers 403: Access denied")))
    assert told(decision, Type.THREESCALE_READY) == ("False", reason)
    assert "Access denied" in condition_of(decision, Type.THREESCALE_READY).message
    assert decision.wake_after is not None


@pytest.mark.parametrize(
    ("account", "usable"),
    [
        (None, False),
        (worlds.stored(adminURL=ADMIN_URL), False),
        (worlds.stored(token="canary-token"), False),
        (an_account("https://3scale-admin.apps.example.com/"), False),
        (an_account(), True),
    ],
)
def test_3scale_is_called_with_a_complete_account_only(account: StoredSecret | None, usable: bool) -> None:
    assert (account_problem(account) is None) is usable


LIST = {"name": "ip_check", "position": "BeforeAuth", "configurationSecretRef": {"name": "ip-list"}}


def with_policies(*policies: dict[str, Any], **known: Any) -> ModelPlatformWorld:
    """Return the world of a platform with policies, and with the Secret `ip-list`."""
    platform = a_platform(gateway={"policies": list(policies)})
    configuration = worlds.stored(configuration='{"check_type": "whitelist", "ips": ["10.0.0.0/8"]}')
    chain = PlatformPolicies(platform=platform, secrets={"ip-list": configuration}, installation=None)
    return worlds.a_platform_world(platform, policies=chain, **known)


def test_policies_that_can_not_stand_in_a_chain_keep_the_platform_from_being_ready() -> None:
    decision = decide(with_policies({"name": "echo", "position": "BeforeAuth"}))
    assert told(decision, Type.POLICIES_READY) == ("False", "PolicyRefused")
    assert told(decision, Type.READY) == ("False", "PolicyRefused")
    assert told(decision, Type.STALLED) == ("True", "PolicyRefused")
    assert told(decision, Type.THREESCALE_READY)[0] == "True"


def test_a_secret_configuration_is_copied() -> None:
    decision = decide(with_policies(LIST))
    copies = [child for child in decision.children if is_copy(child["metadata"]["name"])]
    assert [list(copy["data"]) for copy in copies] == [["configuration"]]
    assert told(decision, Type.POLICIES_READY) == ("True", "Ready")


def test_an_old_copy_stays_while_a_product_refers_to_it() -> None:
    old = Ref(SECRET, "3scale", "ip-list.maas-0123456789abcdef")
    assert old in decide(with_policies(LIST, copies_in_use=frozenset({old}))).keep


def test_a_platform_that_leaves_takes_its_copies_along() -> None:
    world = with_policies(LIST)
    metadata = world.platform.metadata.model_copy(update={"deletion_timestamp": NOW})
    gone = world.platform.model_copy(update={"metadata": metadata})
    for tenants, staying in ((("ModelService llm/tiny",), True), ((), False)):
        decision = decide(replace(world, owner=gone.dump(), platform=gone, tenants=tenants))
        assert any(is_copy(child["metadata"]["name"]) for child in decision.children) is staying

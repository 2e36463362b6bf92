"""Which policies of a platform may stand in the chains, what is said of the others, and what the chains become."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.api.model_platform import BUILTIN, ModelPlatform, Position
from maas_operator.domain.gateway.product import product
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.policies.admission import ADMITTED, REFUSED, objection
from maas_operator.domain.policies.platform import PlatformPolicies, is_copy, referred_to
from tests.domain.worlds import a_platform, a_service, stored

IPS = {"check_type": "whitelist", "ips": ["10.0.0.0/8"]}
CANARY = "canary-of-a-configuration"
INSTALLATION: Manifest = {
    "apiVersion": "apps.3scale.net/v1alpha1",
    "kind": "APIManager",
    "metadata": {"name": "apimanager", "namespace": "3scale"},
    "spec": {"apicast": {"stagingSpec": {"customPolicies": [{"name": "mine", "version": "1.0"}]}}},
}


def link(name: str, position: str = "BeforeAuth", **more: Any) -> dict[str, Any]:
    return {"name": name, "position": position, **more}


def from_secret(name: str, source: str = "ip-list", **more: Any) -> dict[str, Any]:
    return link(name, configurationSecretRef={"name": source}, **more)


def a_secret(text: str = "", *, version: str = "uid/1", key: str = "configuration") -> StoredSecret:
    return replace(stored(**{key: text or json.dumps(IPS)}), version=version)


def platform_of(*policies: dict[str, Any]) -> ModelPlatform:
    return a_platform(gateway={"policies": list(policies)})


def of(*policies: dict[str, Any], installation: Manifest | None = None, **secrets: StoredSecret) -> PlatformPolicies:
    named = {name.replace("_", "-"): secret for name, secret in secrets.items()}
    return PlatformPolicies(platform=platform_of(*policies), secrets=named, installation=installation)


def told(policies: PlatformPolicies) -> tuple[str, str]:
    assert (policies.condition.status == "True") == (policies.problem is None)
    return str(policies.condition.reason), policies.condition.message


# --- what may stand where --------------------------------------------------------------------------------------------


def test_a_platform_without_policies_has_nothing_to_say() -> None:
    assert told(of()) == ("Ready", "policies besides the operator's own: none")


@pytest.mark.parametrize("name", ["apicast", "maas-llm-metering"])
@pytest.mark.parametrize("version", ["builtin", "1.0"])
def test_what_stands_in_the_chain_by_itself_can_not_be_added_in_any_version(name: str, version: str) -> None:
    reason, message = told(of(link("retry", configuration={"retries": 1}), link(name, version=version)))
    assert reason == "PolicyRefused"
    assert message.startswith(f"spec.gateway.policies[1].name: {name} can not be added: it is in the chain already")


@pytest.mark.parametrize("name", REFUSED)
def test_a_built_in_policy_that_would_do_harm_is_refused_with_the_reason(name: str) -> None:
    assert told(of(link(name))) == (
        "PolicyRefused",
        f"spec.gateway.policies[0].name: {name} can not be added: {REFUSED[name]}",
    )


def test_a_built_in_policy_that_nobody_knows_is_refused_with_the_choice() -> None:
    reason, message = told(of(link("find_service")))
    assert reason == "PolicyRefused"
    assert all(name in message for name in ADMITTED)


@pytest.mark.parametrize("name", ["url_rewriting", "rewrite_url_captures", "rate_limit_headers"])
def test_what_counting_rests_on_is_not_changed_after_authentication(name: str) -> None:
    reason, message = told(of(link(name, "AfterAuth")))
    assert reason == "PolicyRefused"
    assert message.startswith(f"spec.gateway.policies[0].position: {name} can only stand BeforeAuth: ")


def test_a_policy_of_ones_own_may_have_the_name_and_the_place_of_any_other() -> None:
    (policy,) = platform_of(link("upstream", "AfterAuth", version="2.0")).spec.gateway.policies
    assert objection(policy) is None


# --- configurations --------------------------------------------------------------------------------------------------


def test_a_mistake_in_a_configuration_is_told_with_its_path_and_what_is_wanted() -> None:
    wrong = {"check_type": "maybe", "ips": ["10.0.0.0/8", "::1"], "typo": 1}
    reason, message = told(of(link("ip_check", configuration=wrong)))
    assert reason == "PolicyInvalid"
    path = "spec.gateway.policies[0].configuration"
    assert f"{path}.check_type: Input should be 'whitelist' or 'blacklist'" in message
    assert ".ips[1]: want an IPv4 address or network such as 10.0.0.0/8" in message
    assert ".typo: the policy has no such field" in message


def test_it_is_said_why_less_is_allowed_than_the_gateway_would_take() -> None:
    _, message = told(of(link("caching", configuration={"caching_type": "allow"})))
    assert message.endswith("(other types would serve, uncounted, while 3scale is away)")


def test_a_policy_without_configuration_has_an_empty_one() -> None:
    assert told(of(link("ip_check")))[0] == "PolicyInvalid"
    assert told(of(link("maintenance_mode"))) == ("Ready", "policies besides the operator's own: 1")


def test_the_configuration_of_a_policy_of_ones_own_is_not_known() -> None:
    assert told(of(link("mine", version="1.0", configuration={"any": [None]})))[0] == "Ready"


def test_a_policy_of_ones_own_must_be_mounted_in_both_gateways() -> None:
    policies = of(link("mine", version="1.0"), installation=INSTALLATION)
    assert told(policies) == (
        "PolicyNotMounted",
        "spec.gateway.policies[0].name: add mine 1.0 to spec.apicast.productionSpec.customPolicies"
        " of APIManager 3scale/apimanager",
    )
    specs = INSTALLATION["spec"]["apicast"] | {"productionSpec": INSTALLATION["spec"]["apicast"]["stagingSpec"]}
    both = INSTALLATION | {"spec": {"apicast": specs}}
    assert told(of(link("mine", version="1.0"), installation=both))[0] == "Ready"
    assert told(of(link("maintenance_mode"), installation=INSTALLATION))[0] == "Ready"


# --- configurations in Secrets ---------------------------------------------------------------------------------------


def test_a_secret_that_is_not_there_is_named_with_its_key() -> None:
    assert told(of(from_secret("ip_check"))) == (
        "PolicySecretMissing",
        "spec.gateway.policies[0].configurationSecretRef: Secret 3scale/ip-list does not exist:"
        " create it with the key configuration",
    )


def test_a_secret_without_the_key_is_named_with_it() -> None:
    _, message = told(of(from_secret("ip_check"), ip_list=a_secret("{}", key="config")))
    assert message.endswith("Secret 3scale/ip-list lacks the key configuration")


@pytest.mark.parametrize(
    "text", ["[]", "null", f'{{"{CANARY}"', '{"a": NaN}', "[" * 100_000, f'"{CANARY}"', "\ufeff{}"]
)
def test_what_is_no_json_object_is_told_without_a_word_of_it(text: str) -> None:
    reason, message = told(of(from_secret("mine", version="1"), ip_list=a_secret(text)))
    assert reason == "PolicyInvalid"
    assert message.endswith("Secret 3scale/ip-list, key configuration: want a JSON object")


@pytest.mark.parametrize(
    "configuration",
    [
        {CANARY: 1},
        {"check_type": CANARY, "ips": ["10.0.0.1"]},
        {"check_type": "whitelist", "ips": [CANARY]},
        {"check_type": "whitelist", "ips": ["10.0.0.1"], "error_msg": {CANARY: CANARY}},
        {"check_type": "whitelist", "ips": ["10.0.0.1"], "client_ip_sources": [{CANARY: None}]},
    ],
)
def test_nothing_of_a_secret_configuration_is_told_but_where_it_is_wrong(configuration: dict[str, Any]) -> None:
    policies = of(from_secret("ip_check"), ip_list=a_secret(json.dumps(configuration)))
    reason, message = told(policies)
    assert reason == "PolicyInvalid"
    assert "Secret 3scale/ip-list, key configuration: " in message
    assert CANARY not in message + repr(policies)


def test_what_is_wrong_inline_is_told_before_what_a_secret_lacks() -> None:
    assert told(of(from_secret("ip_check"), link("retry")))[0] == "PolicyInvalid"


def test_nothing_is_copied_while_anything_is_wrong() -> None:
    right = of(from_secret("ip_check"), ip_list=a_secret())
    wrong = of(from_secret("ip_check"), link("retry"), ip_list=a_secret())
    assert len(list(right.children())) == 1
    assert not list(wrong.children())


def copy_of(policies: PlatformPolicies) -> Ref:
    (ref,) = policies.copies
    return ref


def test_a_copy_has_the_configuration_and_a_name_that_says_nothing_of_it() -> None:
    policies = of(from_secret("ip_check"), ip_list=a_secret())
    ref, (copy,) = copy_of(policies), policies.children()
    assert (ref.kind, ref.namespace, list(copy["data"])) == (SECRET, "3scale", ["configuration"])
    assert ref.name.startswith("ip-list.maas-")
    assert is_copy(ref.name)
    assert not is_copy("ip-list")
    other = a_secret(json.dumps(IPS | {"error_msg": "no"}))
    assert copy_of(of(from_secret("ip_check"), ip_list=other)) == ref


def test_another_version_of_the_secret_is_another_copy() -> None:
    first, second = (
        copy_of(of(from_secret("ip_check"), ip_list=a_secret(version=version))) for version in ("uid/1", "uid/2")
    )
    assert first != second


def test_two_policies_may_share_a_secret() -> None:
    policies = of(from_secret("ip_check"), from_secret("ip_check", position="AfterAuth"), ip_list=a_secret())
    assert len(policies.copies) == 1


@given(name=st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True))
def test_the_name_of_a_copy_is_one_that_kubernetes_takes(name: str) -> None:
    policies = PlatformPolicies(
        platform=platform_of(from_secret("ip_check", name)), secrets={name: a_secret()}, installation=None
    )
    copy = copy_of(policies)
    assert len(copy.name) <= 253
    assert ".." not in copy.name.removeprefix(name[:200])
    assert ".-" not in copy.name.removeprefix(name[:200])


# --- the chain -------------------------------------------------------------------------------------------------------


def spec_of(*policies: dict[str, Any], metering: str | None = "1.0.0", **secrets: StoredSecret) -> dict[str, Any]:
    api = {"cors": {"allowedOrigins": ["*"]}, "rateLimit": {"requestsPerSecond": 1, "burst": 0}}
    platform = platform_of(*policies)
    found: dict[str, Any] = product(a_service(api=api), platform, metering, of(*policies, **secrets))["spec"]
    return found


def names(spec: dict[str, Any]) -> list[str]:
    return [policy["name"] for policy in spec["policies"]]


def test_the_order_of_a_whole_chain() -> None:
    before, after = link("ip_check", configuration=IPS), link("maintenance_mode", "AfterAuth")
    assert names(spec_of(after, before, link("mine", version="1.0"))) == [
        "on_failed",
        "cors",
        "ip_check",
        "mine",
        "upstream_connection",
        "apicast",
        "maintenance_mode",
        "rate_limit",
        "maas-llm-metering",
        "headers",
    ]


def test_at_a_position_policies_stand_as_they_are_listed_and_may_stand_twice() -> None:
    spec = spec_of(
        link("retry", configuration={"retries": 1}), link("tls"), link("retry", configuration={"retries": 2})
    )
    start = names(spec).index("retry")
    assert names(spec)[start : start + 3] == ["retry", "tls", "retry"]


def test_a_policy_that_can_not_be_loaded_stops_calls_even_where_nobody_meters() -> None:
    assert "on_failed" not in names(spec_of(metering=None))
    assert names(spec_of(link("ip_check", configuration=IPS), metering=None))[0] == "on_failed"
    assert names(spec_of(link("maintenance_mode", "AfterAuth"), metering=None))[0] == "on_failed"


def test_a_link_has_its_version_and_configuration() -> None:
    spec = spec_of(link("mine", version="2.0", configuration={"deep": {"list": [1, None]}}))
    (found,) = [policy for policy in spec["policies"] if policy["name"] == "mine"]
    assert found == {
        "name": "mine",
        "version": "2.0",
        "configuration": {"deep": {"list": [1, None]}},
        "configurationRef": {},
        "enabled": True,
    }


def test_a_secret_configuration_is_referred_to_and_stands_nowhere_in_the_product() -> None:
    secret = a_secret(json.dumps(IPS | {"error_msg": CANARY}))
    spec = spec_of(from_secret("ip_check"), ip_list=secret)
    (found,) = [policy for policy in spec["policies"] if policy["name"] == "ip_check"]
    copy = copy_of(of(from_secret("ip_check"), ip_list=secret))
    assert (found["configuration"], found["configurationRef"]) == ({}, {"name": copy.name})
    assert list(referred_to({"spec": spec})) == [copy.name]
    assert CANARY not in json.dumps(spec)


def test_a_secret_that_nobody_has_read_is_referred_to_as_it_is() -> None:
    assert list(referred_to({"spec": spec_of(from_secret("ip_check"))})) == ["ip-list"]


@given(position=st.sampled_from(Position), name=st.sampled_from(sorted(ADMITTED)))
def test_nothing_of_a_platform_takes_the_place_of_the_operators_own(position: Position, name: str) -> None:
    plain, chain = spec_of()["policies"], spec_of(link(name, position))["policies"]
    added = {"name": name, "version": BUILTIN, "configuration": {}, "configurationRef": {}, "enabled": True}
    chain.remove(added)
    assert chain == plain

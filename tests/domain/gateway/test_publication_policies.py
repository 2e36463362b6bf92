"""A publication with policies of the platform: held while they can not stand in a chain, promoted when they change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.decision import Decision
from maas_operator.domain.model_service import ModelServiceWorld, decide
from maas_operator.domain.objects import Ref, ref_of
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.policies.platform import PlatformPolicies
from tests.domain import worlds
from tests.domain.worlds import a_model_world, a_platform, condition_of, kept, kinds, settle, told

SOURCE = {"name": "ip_check", "position": "BeforeAuth", "configurationSecretRef": {"name": "ip-list"}}


def a_world(*policies: dict[str, Any], **known: Any) -> ModelServiceWorld:
    return a_model_world(platform=a_platform(gateway={"policies": list(policies)}), **known)


def a_secret(version: str = "uid/1") -> StoredSecret:
    text = '{"check_type": "whitelist", "ips": ["10.0.0.0/8"]}'
    return replace(worlds.stored(configuration=text), version=version)


def copied(secret: StoredSecret) -> frozenset[Ref]:
    world = a_world(SOURCE)
    assert world.platform is not None
    chain = PlatformPolicies(platform=world.platform, secrets={"ip-list": secret}, installation=None)
    return frozenset(chain.copies)


def promotion_of(decision: Decision) -> str:
    return next(one["metadata"]["name"] for one in decision.children if one["kind"] == "ProxyConfigPromote")


def test_while_a_policy_can_not_stand_in_a_chain_nothing_is_written_and_nothing_goes() -> None:
    decision = settle(decide, a_world({"name": "echo", "position": "BeforeAuth"}))
    assert told(decision, Type.GATEWAY_READY) == ("False", "PlatformNotReady")
    assert condition_of(decision, Type.GATEWAY_READY).message.startswith(
        "ModelPlatform default: spec.gateway.policies[0].name: echo can not be added: "
    )
    assert not {"Backend", "Product", "ProxyConfigPromote"} & set(kinds(decision))
    assert {"Backend", "Product"} <= kept(decision)


def test_a_product_waits_for_the_copy_that_it_is_to_refer_to() -> None:
    secret = a_secret()
    waiting = settle(decide, a_world(SOURCE, policy_secrets={"ip-list": secret}))
    (copy,) = copied(secret)
    assert told(waiting, Type.GATEWAY_READY) == ("False", "PlatformNotReady")
    assert condition_of(waiting, Type.GATEWAY_READY).message == f"ModelPlatform default: waiting for {copy}"
    there = settle(decide, a_world(SOURCE, policy_secrets={"ip-list": secret}, copied=copied(secret)))
    assert told(there, Type.GATEWAY_READY) == ("True", "Ready")


def test_another_version_of_a_secret_is_promoted_anew_and_the_same_is_not() -> None:
    first, again, second = (
        settle(decide, a_world(SOURCE, policy_secrets={"ip-list": secret}, copied=copied(secret)))
        for secret in (a_secret(), a_secret(), a_secret("uid/2"))
    )
    assert promotion_of(first) == promotion_of(again) != promotion_of(second)


def test_another_configuration_and_another_order_are_promoted() -> None:
    tls, retry = {"name": "tls", "position": "BeforeAuth"}, {"name": "retry", "position": "BeforeAuth"}
    certificate = {"certificates": [{"certificate_path": "/a", "certificate_key_path": "/b"}]}
    one = {**tls, "configuration": certificate}
    other = {**retry, "configuration": {"retries": 1}}
    chains = ([one, other], [other, one], [one], [])
    names = [promotion_of(settle(decide, a_world(*policies))) for policies in chains]
    assert len(set(names)) == len(names)


def test_a_policy_that_goes_leaves_the_chain_as_it_was() -> None:
    before, after = settle(decide, a_model_world()), settle(decide, a_world())
    assert [one for one in before.children if ref_of(one).kind.name == "Product"] == [
        one for one in after.children if ref_of(one).kind.name == "Product"
    ]

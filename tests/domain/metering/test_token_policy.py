"""TokenPolicyReady, and what a ModelPlatform does with the versions of the metering policy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.decision import Decision, Patch
from maas_operator.domain.kinds import CUSTOM_POLICY_DEFINITION, SECRET
from maas_operator.domain.metering import mounts
from maas_operator.domain.metering.package import definition_ref, object_name, secret_ref
from maas_operator.domain.model_platform import ModelPlatformWorld, decide
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, RefusalReason, ref_of
from maas_operator.engine.packed_policy import packed_policy
from tests.domain import worlds
from tests.domain.worlds import NOW, a_package, a_platform, a_platform_world, condition_of, content, settle, told
from tests.upstream import needs_crds, objections

V1, V2 = "1.0.0", "1.1.0"
OTHER = {"name": "rate-shaper", "version": "2", "secretRef": {"name": "rate-shaper"}}
PATCHING = {"gateway": {"tokenPolicy": {"patchAPIManager": True}}}
OFF = {"gateway": {"tokenPolicy": {"mode": "None"}}}


def an_installation(staging: Iterable[Any] = (), production: Iterable[Any] | None = None, **spec: Any) -> Manifest:
    """Return an APIManager with these policies, in production the same unless told otherwise."""
    lists = {"stagingSpec": list(staging), "productionSpec": list(staging if production is None else production)}
    apicast = {environment: {"customPolicies": policies} for environment, policies in lists.items()}
    return {
        "apiVersion": "apps.3scale.net/v1alpha1",
        "kind": "APIManager",
        "metadata": worlds.metadata("apimanager", "3scale", resourceVersion="41"),
        "spec": {"wildcardDomain": "apps.example.com", "apicast": apicast, **spec},
    }


def mounting(*versions: str) -> Manifest:
    return an_installation([OTHER, *map(mounts.entry, versions)])


def a_gateway(name: str, *versions: str, **status: Any) -> Manifest:
    volumes = [{"name": "tmp", "emptyDir": {}}, *({"secret": {"secretName": object_name(one)}} for one in versions)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": worlds.metadata(name, "3scale"),
        "spec": {"template": {"spec": {"volumes": volumes}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, **status},
    }


def gateways(*versions: str, **status: Any) -> tuple[Manifest, ...]:
    return tuple(a_gateway(name, *versions, **status) for name in mounts.DEPLOYMENTS)


def registered(version: str) -> dict[Ref, Manifest]:
    """Return the definition of a version, as an earlier pass saw it."""
    ref = definition_ref(version, "3scale")
    stored = {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.name,
        "metadata": worlds.metadata(ref.name, "3scale"),
    }
    return {ref: content(stored)}


def leaving(platform: ModelPlatform) -> ModelPlatform:
    gone = platform.metadata.model_copy(update={"deletion_timestamp": NOW})
    return platform.model_copy(update={"metadata": gone})


def patched(installation: Manifest, patch: Patch) -> Manifest:
    """Return the APIManager after a patch, whose operations all add."""
    after = json.loads(json.dumps(installation))
    for operation in patch.operations:
        assert operation["op"] == "add"
        *parents, last = operation["path"].lstrip("/").split("/")
        target = after
        for parent in parents:
            target = target[parent]
        target[last] = json.loads(json.dumps(operation["value"]))
    return after


def run(
    world: ModelPlatformWorld, answer: Callable[[Manifest], Manifest | Refusal] = content
) -> tuple[Decision, Manifest | None]:
    """Play a pass with its patches; return the last decision, and the APIManager after it."""
    live: dict[Ref, Manifest] = {}

    def decide_with_patches(inner: ModelPlatformWorld) -> Decision:
        children = Children({**inner.children.live, **live}, inner.children.refused)
        decision = decide(replace(inner, children=children))
        for patch in decision.patches:
            assert patch.resource_version == "41"
            known = live.get(patch.ref, world.installation)
            assert known is not None
            live[patch.ref] = patched(known, patch)
            live[patch.ref]["metadata"]["resourceVersion"] = "42"
            return decide_with_patches(inner)
        return decision

    decision = settle(decide_with_patches, world, answer)
    return decision, next(iter(live.values()), world.installation)


def names_of(refs: Iterable[Ref]) -> set[str]:
    return {str(ref) for ref in refs}


def test_secret_and_definition_are_written_and_the_rest_is_told() -> None:
    decision = settle(decide, a_platform_world(), content)
    assert [ref_of(child) for child in decision.children] == [secret_ref(V1, "3scale"), definition_ref(V1, "3scale")]
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "APIManagerMissing")
    assert told(decision, Type.READY) == ("True", "Ready")
    assert "tokenPolicyVersion" not in decision.status


def test_the_secret_has_every_file_and_the_label_that_rolls_the_gateways() -> None:
    world = a_platform_world(policy=packed_policy())
    secret = decide(world).children[0]
    assert {"init.lua", "apicast-policy.json"} <= secret["data"].keys()
    assert not [name for name in secret["data"] if "/" in name]
    assert secret["metadata"]["labels"] == {"apimanager.apps.3scale.net/watched-by": "apimanager"}


@needs_crds
def test_the_real_crd_accepts_the_definition_and_current_3scale_its_schema() -> None:
    definition = decide(a_platform_world(policy=packed_policy())).children[1]
    assert objections(definition) == []
    schema = definition["spec"]["schema"]
    assert schema["$schema"] == "http://apicast.io/policy-v1/schema#manifest#"
    assert (schema["version"], definition["spec"]["version"]) == (packed_policy().version,) * 2
    assert len(schema["summary"]) <= 75


def test_mounted_registered_and_rolled_out_is_ready() -> None:
    decision = settle(decide, a_platform_world(installation=mounting(V1), gateways=gateways(V1)), content)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("True", "Ready")
    assert decision.status["tokenPolicyVersion"] == V1
    assert decision.wake_after is None


@pytest.mark.parametrize(
    ("installation", "lists"),
    [
        (mounting(), ["stagingSpec", "productionSpec"]),
        (an_installation([mounts.entry(V1)], []), ["productionSpec"]),
        (an_installation([], [mounts.entry(V1)]), ["stagingSpec"]),
        (an_installation(apicast=None), ["stagingSpec", "productionSpec"]),
    ],
)
def test_the_lines_to_add_are_told_exactly(installation: Manifest, lists: list[str]) -> None:
    decision = settle(decide, a_platform_world(installation=installation), content)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyNotMounted")
    message = condition_of(decision, Type.TOKEN_POLICY_READY).message
    assert "APIManager 3scale/apimanager" in message
    assert [
        name for name in ("stagingSpec", "productionSpec") if f"spec.apicast.{name}.customPolicies" in message
    ] == lists
    assert yaml.safe_load(message[message.index("- {") :]) == [mounts.entry(V1)]
    assert decision.patches == ()


def test_a_version_that_looks_like_a_number_stays_text() -> None:
    assert yaml.safe_load(mounts.line("1.0"))[0]["version"] == "1.0"


def test_the_same_version_from_another_secret_is_not_ours_and_is_left_alone() -> None:
    foreign = mounts.entry(V1) | {"secretRef": {"name": "by-hand"}}
    world = a_platform_world(a_platform(**PATCHING), installation=an_installation([foreign]))
    decision, after = run(world)
    assert after == world.installation
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyNotMounted")
    assert "by-hand" in condition_of(decision, Type.TOKEN_POLICY_READY).message


@pytest.mark.parametrize(
    "installation",
    [
        mounting(),
        an_installation([OTHER], []),
        an_installation(apicast=None),
        an_installation(apicast={"stagingSpec": {}}),
    ],
)
def test_a_platform_that_may_patches_its_entry_in_and_nothing_else(installation: Manifest) -> None:
    decision, after = run(a_platform_world(a_platform(**PATCHING), installation=installation, gateways=gateways()))
    assert after is not None
    for environment in mounts.ENVIRONMENTS:
        assert mounts.entries(after, environment) == (*mounts.entries(installation, environment), mounts.entry(V1))
    rest = {"apicast"}
    assert {k: v for k, v in after["spec"].items() if k not in rest} == {
        k: v for k, v in installation["spec"].items() if k not in rest
    }
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyRollingOut")


@needs_crds
def test_the_real_crd_accepts_the_apimanager_after_the_patch() -> None:
    _, after = run(a_platform_world(a_platform(**PATCHING), installation=mounting()))
    assert after is not None
    assert objections(after) == []


def test_nothing_is_mounted_before_its_secret_is_there_since_3scale_would_stop() -> None:
    refusal = Refusal(RefusalReason.FORBIDDEN, "Secret 3scale/maas was refused: quota")

    def answer(child: Manifest) -> Manifest | Refusal:
        return refusal if child["kind"] == "Secret" else content(child)

    decision, after = run(a_platform_world(a_platform(**PATCHING), installation=mounting()), answer)
    assert after == mounting()
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "Forbidden")


def test_a_patch_that_is_refused_is_told_and_not_repeated_in_the_pass() -> None:
    installation = mounting()
    refusal = Refusal(RefusalReason.FORBIDDEN, "APIManager 3scale/apimanager was refused")
    world = a_platform_world(a_platform(**PATCHING), installation=installation)
    live = {ref_of(child): content(child) for child in decide(world).children}
    decision = decide(replace(world, children=Children(live, {ref_of(installation): refusal})))
    assert decision.patches == ()
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "Forbidden")


@pytest.mark.parametrize(
    "rolled",
    [
        (),
        gateways(),
        gateways(V1, updatedReplicas=1),
        gateways(V1, observedGeneration=0),
        (a_gateway("apicast-staging", V1),),
        (a_gateway("apicast-staging", V1), a_gateway("apicast-production", V2)),
    ],
)
def test_products_wait_until_every_pod_of_the_gateways_has_the_policy(rolled: tuple[Manifest, ...]) -> None:
    decision = settle(decide, a_platform_world(installation=mounting(V1), gateways=rolled), content)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyRollingOut")
    assert "apicast-production" in condition_of(decision, Type.TOKEN_POLICY_READY).message
    assert decision.wake_after is not None


def test_later_rollouts_of_the_gateways_change_nothing() -> None:
    world = a_platform_world(
        a_platform(metering=V1), installation=mounting(V1), gateways=gateways(V1, updatedReplicas=1)
    )
    assert told(settle(decide, world, content), Type.TOKEN_POLICY_READY) == ("True", "Ready")


@pytest.mark.parametrize("word", ["Invalid", "Failed"])
def test_what_3scale_says_against_the_definition_is_told(word: str) -> None:
    def answer(child: Manifest) -> Manifest:
        if child["kind"] == "Secret":
            return child
        said = [worlds.condition(word, "unsupported schema")]
        return worlds.with_status(child, observedGeneration=1, conditions=said)

    world = a_platform_world(a_platform(metering=V1), installation=mounting(V1))
    decision = settle(decide, world, answer)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyNotRegistered")
    assert "3scale says: unsupported schema" in condition_of(decision, Type.TOKEN_POLICY_READY).message
    assert decision.status["tokenPolicyVersion"] == V1


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"observedGeneration": 0, "policyID": 9, "conditions": [worlds.condition("Ready")]},
        {"observedGeneration": 1},
    ],
)
def test_a_definition_that_3scale_has_not_read_yet_is_waited_for(status: dict[str, Any]) -> None:
    def answer(child: Manifest) -> Manifest:
        return child if child["kind"] == "Secret" else worlds.with_status(child, **status)

    decision = settle(decide, a_platform_world(installation=mounting(V1)), answer)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyNotRegistered")


def test_mode_none_writes_nothing() -> None:
    decision = settle(decide, a_platform_world(a_platform(**OFF), installation=mounting()), content)
    assert (decision.children, decision.patches, decision.keep) == ((), (), frozenset())
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyOff")


# --- from one version to the next ------------------------------------------------------------------------------------


def an_upgrade(installation: Manifest, **known: Any) -> ModelPlatformWorld:
    platform = a_platform(metering=V1, **known.pop("spec", PATCHING))
    defaults = {"policy": a_package(V2), "seen": registered(V1), "policies_in_use": frozenset({V1})}
    return a_platform_world(platform, installation=installation, **(defaults | known))


def test_a_new_version_is_mounted_beside_the_old_one_which_counts_until_then() -> None:
    decision, after = run(an_upgrade(mounting(V1), gateways=gateways(V1)))
    assert after == mounting(V1, V2) | {"metadata": mounting()["metadata"] | {"resourceVersion": "42"}}
    assert told(decision, Type.TOKEN_POLICY_READY) == ("True", "TokenPolicyOutdated")
    assert decision.status["tokenPolicyVersion"] == V1
    assert {secret_ref(V1, "3scale"), definition_ref(V1, "3scale")} == decision.keep


def test_by_hand_the_lines_of_the_new_version_are_told_while_the_old_one_counts() -> None:
    decision = settle(decide, an_upgrade(mounting(V1), spec={}), content)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("True", "TokenPolicyOutdated")
    assert mounts.line(V2) in condition_of(decision, Type.TOKEN_POLICY_READY).message


def test_products_switch_when_all_gateways_have_the_new_version_and_the_old_one_stays_for_those_that_have_not() -> None:
    decision, after = run(an_upgrade(mounting(V1, V2), gateways=gateways(V1, V2)))
    assert told(decision, Type.TOKEN_POLICY_READY) == ("True", "Ready")
    assert decision.status["tokenPolicyVersion"] == V2
    assert after == mounting(V1, V2)
    assert {secret_ref(V1, "3scale"), definition_ref(V1, "3scale")} == decision.keep
    assert decision.wake_after is not None


def test_the_old_version_is_unmounted_when_nobody_uses_it_and_only_then_goes_its_secret() -> None:
    world = an_upgrade(mounting(V1, V2), gateways=gateways(V1, V2), policies_in_use=frozenset({V2}))
    decision, after = run(world)
    assert after is not None
    assert mounts.entries(after, "productionSpec") == (OTHER, mounts.entry(V2))
    assert decision.keep == frozenset()


def test_by_hand_the_old_secret_stays_as_long_as_it_is_mounted() -> None:
    world = an_upgrade(mounting(V1, V2), gateways=gateways(V1, V2), policies_in_use=frozenset({V2}), spec={})
    decision = settle(decide, world, content)
    assert secret_ref(V1, "3scale") in decision.keep
    after = settle(decide, replace(world, installation=mounting(V2)), content)
    assert after.keep == frozenset()


def test_an_old_version_that_is_broken_is_not_relied_on() -> None:
    decision = settle(decide, an_upgrade(mounting(), spec={}), content)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "TokenPolicyNotMounted")
    assert decision.status["tokenPolicyVersion"] == V1
    assert secret_ref(V1, "3scale") in decision.keep


# --- the end ---------------------------------------------------------------------------------------------------------


def test_switched_off_the_policy_stays_while_a_product_uses_it() -> None:
    platform = a_platform(metering=V1, gateway={"tokenPolicy": {"mode": "None", "patchAPIManager": True}})
    busy, after = run(a_platform_world(platform, installation=mounting(V1), policies_in_use=frozenset({V1})))
    assert after == mounting(V1)
    assert secret_ref(V1, "3scale") in busy.keep
    assert "tokenPolicyVersion" not in busy.status
    free, after = run(a_platform_world(platform, installation=mounting(V1)))
    assert after is not None
    assert mounts.entries(after, "stagingSpec") == (OTHER,)
    assert free.keep == frozenset()


def test_a_platform_that_leaves_takes_its_entry_out_and_then_its_objects() -> None:
    platform = leaving(a_platform(metering=V1, **PATCHING))
    decision, after = run(a_platform_world(platform, installation=mounting(V1)))
    assert after is not None
    assert mounts.entries(after, "productionSpec") == mounts.entries(after, "stagingSpec") == (OTHER,)
    assert (decision.children, decision.keep, decision.releasable) == ((), frozenset(), True)
    assert told(decision, Type.TOKEN_POLICY_READY) == ("False", "Deleting")


def test_a_platform_that_may_not_patch_waits_for_its_lines_to_go_since_3scale_stops_without_the_secret() -> None:
    platform = leaving(a_platform(metering=V1))
    decision = settle(decide, a_platform_world(platform, installation=mounting(V1)), content)
    assert not decision.releasable
    assert secret_ref(V1, "3scale") in decision.keep
    assert told(decision, Type.READY) == ("False", "DeletionBlocked")
    assert mounts.line(V1) in condition_of(decision, Type.READY).message
    assert settle(decide, a_platform_world(platform, installation=mounting()), content).releasable


def test_a_platform_that_leaves_tells_why_its_entry_can_not_go() -> None:
    installation = mounting(V1)
    refusal = Refusal(RefusalReason.FORBIDDEN, "APIManager 3scale/apimanager was refused: patch")
    world = a_platform_world(leaving(a_platform(metering=V1, **PATCHING)), installation=installation)
    decision = decide(replace(world, children=Children({}, {ref_of(installation): refusal})))
    assert refusal.message in condition_of(decision, Type.READY).message
    assert not decision.releasable


@pytest.mark.parametrize("installation", [None, mounting()])
def test_a_chain_of_somebody_else_that_names_the_policy_holds_the_platform(installation: Manifest | None) -> None:
    world = a_platform_world(
        leaving(a_platform(metering=V1)), installation=installation, policies_in_use=frozenset({V1})
    )
    decision = settle(decide, world, content)
    assert not decision.releasable
    assert f"names maas-llm-metering {V1}" in condition_of(decision, Type.READY).message


def test_a_platform_that_models_still_need_keeps_the_policy() -> None:
    world = a_platform_world(
        leaving(a_platform(metering=V1, **PATCHING)), installation=mounting(V1), tenants=("ModelService llm/tiny",)
    )
    decision, after = run(world)
    assert after == mounting(V1)
    assert {ref_of(child).kind for child in decision.children} == {SECRET, CUSTOM_POLICY_DEFINITION}
    assert told(decision, Type.TOKEN_POLICY_READY) == ("True", "Ready")


HOSTILE: list[Mapping[str, Any]] = [
    {"name": "maas-llm-metering", "version": "../../etc", "secretRef": {"name": "maas-llm-metering-../../etc"}},
    {"name": "maas-llm-metering", "version": V1, "secretRef": {}},
    {"name": "", "version": "", "secretRef": {}},
    {"name": "maas-llm-metering/x", "version": "~1", "secretRef": {"name": "x"}},
]


@pytest.mark.parametrize("entry", HOSTILE)
def test_whatever_else_the_lists_hold_stays_where_it_is(entry: Mapping[str, Any]) -> None:
    world = a_platform_world(
        a_platform(**PATCHING), installation=an_installation([OTHER, entry]), policies_in_use=frozenset({"../../etc"})
    )
    _, after = run(world)
    assert after is not None
    assert mounts.entries(after, "stagingSpec")[:2] == (OTHER, entry)

"""Worlds for the decisions: what a pass knows, with defaults, so that a test states only what differs.

`settle` plays the engine's part: it writes what is asked for until nothing new is, with `answer` as the controllers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.api.reasons import ConditionType
from maas_operator.domain.conditions import Condition
from maas_operator.domain.decision import Decision, World
from maas_operator.domain.farewell import NO_OBSTACLES
from maas_operator.domain.gateway.remote import Remote
from maas_operator.domain.kinds import INFERENCE_SERVICE, PRODUCT
from maas_operator.domain.metering.package import PolicyPackage
from maas_operator.domain.model_platform import ModelPlatformWorld
from maas_operator.domain.model_service import ModelServiceWorld
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, ref_of
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.people.world import FreshSecrets, ModelSubscriptionWorld
from maas_operator.domain.policies.platform import PlatformPolicies
from maas_operator.domain.serving.kserve import KServe
from maas_operator.engine.packed_policy import packed_policy

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SOURCE = {"uri": "oci://registry.example.com/models/tiny:1"}
READY = [
    {"type": "Ready", "status": "True", "message": "", "reason": "Ready", "lastTransitionTime": "2026-01-01T11:00:00Z"}
]

AnyWorld = TypeVar("AnyWorld", bound=World)
Answer = Callable[[Manifest], Manifest]


def stamp(at: datetime) -> str:
    """Return a time as Kubernetes writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(name: str, namespace: str = "llm", **more: Any) -> dict[str, Any]:
    """Return the metadata of an object that the API has stored."""
    created = {"uid": f"uid-{name}", "generation": 1, "creationTimestamp": "2026-01-01T10:00:00Z"}
    return {"name": name, **({"namespace": namespace} if namespace else {}), **created, **more}


def a_platform(
    *,
    problem: str = "",
    reason: str = "Any",
    metering: str = "",
    unmetered: str = "mount it",
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> ModelPlatform:
    """Return a platform, ready unless 3scale has a problem; `metering`: the version that counts its tokens."""
    truth = {"status": "False" if problem else "True", "message": problem, "reason": reason}
    at = {"lastTransitionTime": "2026-01-01T10:00:00Z"}
    counts = {"status": "True" if metering else "False", "message": "" if metering else unmetered, "reason": "Any"}
    conditions = [{"type": "Ready", **truth, **at}, {"type": "ThreescaleReady", **truth, **at}]
    conditions.append({"type": "TokenPolicyReady", **counts, **at})
    told = {"tokenPolicyVersion": metering} if metering else {}
    return ModelPlatform.model_validate(
        {
            "apiVersion": "maas-operator.io/v1alpha1",
            "kind": "ModelPlatform",
            "metadata": metadata("default", ""),
            "spec": {"threescale": {"namespace": "3scale"}, **spec},
            "status": {"conditions": conditions, "portalURL": "https://portal.example.com", **told, **(status or {})},
        }
    )


def a_service(name: str = "tiny", *, status: Mapping[str, Any] | None = None, **spec: Any) -> ModelService:
    """Return a ModelService; keywords are fields of its spec."""
    return ModelService.model_validate(
        {
            "apiVersion": "maas-operator.io/v1alpha1",
            "kind": "ModelService",
            "metadata": metadata(name),
            "spec": {"model": {"source": SOURCE}, **spec},
            "status": dict(status or {}),
        }
    )


def a_subscription(
    name: str = "tiny-dev1",
    *,
    meta: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> ModelSubscription:
    """Return a ModelSubscription; keywords are fields of its spec."""
    user = {"username": "dev1", "email": "dev1@example.com"}
    return ModelSubscription.model_validate(
        {
            "apiVersion": "maas-operator.io/v1alpha1",
            "kind": "ModelSubscription",
            "metadata": metadata(name, **(meta or {})),
            "spec": {"modelRef": {"name": "tiny"}, "plan": "standard", "account": "dev1", "user": user, **spec},
            "status": dict(status or {}),
        }
    )


def a_model_world(service: ModelService | None = None, **known: Any) -> ModelServiceWorld:
    """Return what a pass over a ModelService knows."""
    service = service or a_service()
    defaults: dict[str, Any] = {
        "platform": a_platform(),
        "threescale_namespaces": frozenset({"3scale"}),
        "release": None,
        "inference_service": None,
        "deployment": None,
        "pods": (),
        "routes": (),
        "endpoint": "",
        "remote": Remote(document_is_free=True),
        "policy_secrets": {},
        "installation": None,
        "copied": frozenset(),
        "applications": (),
        "obstacles": NO_OBSTACLES,
    }
    return ModelServiceWorld(owner=service.dump(), now=NOW, service=service, **(defaults | known))


def a_route(host: str = "tiny.example.com", *, to: str = "production", annotated: str = "315s") -> Manifest:
    """Return a Route as zync makes it, annotated for the default timeouts."""
    name = f"zync-3scale-api-{to}"
    labels = {"3scale.net/service_id": "7", "zync.3scale.net/route-to": f"apicast-{to}"}
    annotations = {"haproxy.router.openshift.io/timeout": annotated} if annotated else {}
    known = metadata(name, "3scale", labels=labels, annotations=annotations)
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": known, "spec": {"host": host}}


def a_platform_world(platform: ModelPlatform | None = None, **known: Any) -> ModelPlatformWorld:
    """Return what a pass over a ModelPlatform knows: all is well, but nobody has mounted the metering policy."""
    platform = platform or a_platform()
    account = stored(adminURL="https://3scale-admin.apps.example.com", token="canary-token")
    defaults: dict[str, Any] = {
        "served": {INFERENCE_SERVICE: True, PRODUCT: True},
        "kserve": KServe(),
        "namespace_exists": True,
        "provider_account": account,
        "admin_api": None,
        "tenants": (),
        "portal_host": "",
        "policies": PlatformPolicies(platform=platform, secrets={}, installation=None),
        "copies_in_use": frozenset(),
        "policy": a_package(),
        "installation": None,
        "gateways": (),
        "policies_in_use": frozenset(),
    }
    return ModelPlatformWorld(owner=platform.dump(), now=NOW, platform=platform, **(defaults | known))


def a_package(version: str = "1.0.0") -> PolicyPackage:
    """Return the metering policy of a version."""
    manifest = json.loads(packed_policy().files["apicast-policy.json"]) | {"version": version}
    return PolicyPackage({"init.lua": f"-- {version}", "apicast-policy.json": json.dumps(manifest)})


def a_subscription_world(subscription: ModelSubscription | None = None, **known: Any) -> ModelSubscriptionWorld:
    """Return what a pass over a ModelSubscription knows."""
    subscription = subscription or a_subscription()
    defaults: dict[str, Any] = {
        "service": a_service(status={"url": "https://tiny.example.com/v1"}),
        "platform": a_platform(),
        "product": synced(child("Product", "llm.tiny") | {"spec": {"applicationPlans": {"standard": {}}}}),
        "siblings": (subscription,),
        "namespace_uid": "uid-llm",
        "threescale_namespaces": frozenset({"3scale"}),
        "secrets": {},
        "fresh": FreshSecrets(key=SecretStr("fresh-key-" + "k" * 32), password=SecretStr("fresh-password-" + "p" * 16)),
        "obstacles": NO_OBSTACLES,
    }
    return ModelSubscriptionWorld(owner=subscription.dump(), now=NOW, subscription=subscription, **(defaults | known))


def child(kind: str, name: str, *, generation: int = 1, **status: Any) -> Manifest:
    """Return an object of 3scale as the API has it."""
    return {
        "apiVersion": "capabilities.3scale.net/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "3scale", "uid": f"uid-{kind}-{name}", "generation": generation},
        "status": status,
    }


def stored(**values: str) -> StoredSecret:
    """Return a Secret that was read."""
    return StoredSecret(
        values={key: SecretStr(value) for key, value in values.items()}, created_at=NOW - timedelta(days=1)
    )


def condition(type_: str, message: str = "", *, at: datetime = NOW - timedelta(hours=1)) -> dict[str, Any]:
    """Return a condition of another controller that is True."""
    return {"type": type_, "status": "True", "message": message, "reason": "", "lastTransitionTime": stamp(at)}


def with_status(manifest: Manifest, *, generation: int = 1, **status: Any) -> Manifest:
    """Return the object as the API would answer it, with a status of its controller."""
    known = {"uid": f"uid-{manifest['metadata']['name']}", "generation": generation}
    return manifest | {"metadata": manifest["metadata"] | known, "status": status}


def synced(manifest: Manifest, *, generation: int = 1, observed: int | None = None) -> Manifest:
    """Return a Product or Backend that 3scale has."""
    ids = {"Product": {"productId": 7}, "Backend": {"backendId": 8}}[manifest["kind"]]
    seen = generation if observed is None else observed
    return with_status(
        manifest, generation=generation, observedGeneration=seen, conditions=[condition("Synced")], **ids
    )


def content(manifest: Manifest) -> Manifest:
    """Answer as controllers that are content with everything."""
    match manifest["kind"]:
        case "Product" | "Backend":
            return synced(manifest)
        case "ActiveDoc":
            return with_status(manifest, observedGeneration=1, activeDocId=10, conditions=[condition("Ready")])
        case "CustomPolicyDefinition":
            return with_status(manifest, observedGeneration=1, policyID=9, conditions=[condition("Ready")])
        case "ProxyConfigPromote":
            versions = {"latestStagingVersion": 3, "latestProductionVersion": 3}
            return with_status(manifest, conditions=[condition("Ready")], **versions)
        case "DeveloperAccount":
            return with_status(manifest, observedGeneration=1, accountID=4, conditions=[condition("Ready")])
        case "DeveloperUser":
            return with_status(manifest, observedGeneration=1, developerUserID=5, conditions=[condition("Ready")])
        case "Application":
            return with_status(
                manifest, observedGeneration=1, applicationID=6, state="live", conditions=[condition("Ready")]
            )
        case "ApplicationAuth":
            return with_status(manifest, conditions=[condition("Ready")])
        case _:
            return with_status(manifest)


def but(kind: str, answer: Answer) -> Answer:
    """Answer contentedly, except for one kind."""
    return lambda manifest: answer(manifest) if manifest["kind"] == kind else content(manifest)


def refusing(kind: str, refusal: Refusal) -> Callable[[Manifest], Manifest | Refusal]:
    """Answer contentedly, and refuse one kind."""
    return lambda manifest: refusal if manifest["kind"] == kind else content(manifest)


def settle(
    decide: Callable[[AnyWorld], Decision],
    world: AnyWorld,
    answer: Callable[[Manifest], Manifest | Refusal] = content,
) -> Decision:
    """Return the last decision of a pass."""
    live: dict[Ref, Manifest] = {}
    refused: dict[Ref, Refusal] = {}
    while True:
        decision = decide(replace(world, children=Children(dict(live), dict(refused))))
        new = [one for one in decision.children if ref_of(one) not in live.keys() | refused.keys()]
        if not new:
            return decision
        for one in new:
            reply = answer(one)
            if isinstance(reply, Refusal):
                refused[ref_of(one)] = reply
            else:
                live[ref_of(one)] = reply


def kinds(decision: Decision) -> list[str]:
    """Return the kinds of the children, in order."""
    return [one["kind"] for one in decision.children]


def kept(decision: Decision) -> set[str]:
    """Return the kinds of what stays as it is."""
    return {ref.kind.name for ref in decision.keep} - set(kinds(decision))


def condition_of(decision: Decision, type_: ConditionType) -> Condition:
    """Return one condition of a decision."""
    return next(one for one in decision.conditions if one.type is type_)


def told(decision: Decision, type_: ConditionType) -> tuple[str, str]:
    """Return a condition's status and reason."""
    found = condition_of(decision, type_)
    return str(found.status), str(found.reason)

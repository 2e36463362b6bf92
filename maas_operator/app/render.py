"""`maas-operator render`: the children of ModelServices and ModelSubscriptions, offline.

It shows what does not depend on a cluster: no ids, no promotion (its name has the Product's id), no Secret, no
ActiveDoc (its document tells the public URL, which the gateway's Route gives), and no InferenceService of a model in a
claimed bucket (its provisioner names that). Of a runtime of somebody else's and of a chat template it knows the name
only.
Tokens are taken to be counted, unless the platform's `tokenPolicy` says None.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from maas_operator.api.base import API_VERSION
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.api.parse import InvalidObject, parse, read
from maas_operator.api.reasons import Reason
from maas_operator.domain.decision import World
from maas_operator.domain.gateway.backend import backend
from maas_operator.domain.gateway.plans import plans_of, plans_with_token_limits
from maas_operator.domain.gateway.product import product
from maas_operator.domain.metering.package import wanted_version
from maas_operator.domain.names import name_violation, product_ref
from maas_operator.domain.objects import Manifest
from maas_operator.domain.people import access, accounts
from maas_operator.domain.people.developers import subscription
from maas_operator.domain.policies.platform import PlatformPolicies
from maas_operator.domain.serving.autoscaling import Unscalable, scaling
from maas_operator.domain.serving.inference_service import inference_service
from maas_operator.domain.serving.network_policy import network_policy
from maas_operator.domain.serving.referred_runtime import unseen_runtime
from maas_operator.domain.serving.refusals import refused_setting
from maas_operator.domain.serving.runtime_profiles import (
    UnknownRuntime,
    runtime_profile,
    unsupported_tasks,
    version_of,
)
from maas_operator.domain.serving.service import api_service
from maas_operator.domain.serving.serving_runtime import runtime_name, serving_runtime
from maas_operator.domain.serving.sources import source_of
from maas_operator.domain.storage.backend import NOTHING_FOUND, Backend
from maas_operator.domain.storage.odf import ClaimedBucket
from maas_operator.domain.storage.progress import BucketStorage
from maas_operator.engine.packed_policy import packed_policy


class Unrenderable(ValueError):
    """A file can not be rendered; the text names file, object and field."""


def render(paths: Sequence[Path]) -> list[Manifest]:
    """Return the children of all ModelServices and ModelSubscriptions in these files, in the order of their writing."""
    objects = [one for path in paths for one in _read(path)]
    platforms = {one.metadata.name: one for one in objects if isinstance(one, ModelPlatform)}
    services = [one for one in objects if isinstance(one, ModelService)]
    subscriptions = [one for one in objects if isinstance(one, ModelSubscription)]
    children: list[Manifest] = []
    for service in services:
        platform = _platform_of(service, platforms)
        developers = [subscription(service, developer) for developer in service.spec.developers]
        own = [*subscriptions, *(read(ModelSubscription, developer) for developer in developers)]
        children += [*_service_children(service, platform), *developers]
        children += [child for one in own if _is_of(one, service) for child in _people(one, service, platform)]
    return children


def documents(path: Path) -> list[Manifest]:
    """Return the documents of a YAML file, `-` for the standard input."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        return [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unrenderable(f"{path}: {error}") from None


def _read(path: Path) -> Iterable[ModelService | ModelSubscription | ModelPlatform]:
    for document in documents(path):
        if document.get("apiVersion") == API_VERSION:
            yield parsed(path, document)


def parsed(path: Path, document: Manifest) -> ModelService | ModelSubscription | ModelPlatform:
    """Return a document of ours as a typed object; Unrenderable if it is not valid."""
    try:
        return parse(document)
    except InvalidObject as error:
        name = (document.get("metadata") or {}).get("name", "without a name")
        raise Unrenderable(f"{path}: {document.get('kind')} {name}: {error}") from None


def _platform_of(service: ModelService, platforms: dict[str, ModelPlatform]) -> ModelPlatform:
    name = service.spec.platform_ref.name
    if name not in platforms:
        raise Unrenderable(f"{_name(service)}: spec.platformRef: no file has the ModelPlatform {name}")
    return platforms[name]


def _service_children(service: ModelService, platform: ModelPlatform) -> Iterable[Manifest]:
    reference = service.spec.serving.runtime_ref
    profile = unseen_runtime(reference) if reference else runtime_profile(service, platform)
    if isinstance(profile, UnknownRuntime):
        raise Unrenderable(f"{_name(service)}: {profile.field}: {profile.message}")
    _refuse(service, "metadata.name", name_violation(service))
    refused = refused_setting(service, profile)
    if refused is not None:
        raise Unrenderable(f"{_name(service)}: {refused.message}")
    tasks = "" if reference else ", ".join(unsupported_tasks(service, profile))
    _refuse(service, "spec.model.tasks", f"{version_of(profile)} has no {tasks}" if tasks else None)
    metering = wanted_version(platform, packed_policy(), leaving=False)
    unmetered = "" if metering else ", ".join(plans_with_token_limits(plans_of(service, platform)))
    _refuse(service, "spec.plans", f"TokenPolicyMissing: {unmetered} limits tokens" if unmetered else None)
    # What is in Secrets stays unknown, and is checked in the cluster only.
    policies = PlatformPolicies(platform=platform, secrets={}, installation=None)
    secret_only = policies.condition.reason is Reason.POLICY_SECRET_MISSING
    _refuse(service, "spec.platformRef", None if secret_only else policies.problem)
    replicas = scaling(service, platform, profile, keda=True)
    if isinstance(replicas, Unscalable):
        raise Unrenderable(f"{_name(service)}: {replicas.message}")
    policy, bucket = network_policy(service, platform), _bucket(service, platform)
    yield from bucket.children if isinstance(bucket, ClaimedBucket) else ()
    runtime = runtime_name(service, profile)
    yield from [] if reference else [serving_runtime(service, profile, name=runtime)]
    yield from [policy] if policy else []
    yield api_service(service)
    source = source_of(service, bucket=bucket.bucket if bucket else None)
    if source.uri:
        yield inference_service(
            service, profile, deployment_mode=None, source=source, runtime=runtime, scaling=replicas
        )
    yield backend(service, platform)
    yield product(service, platform, metering, policies)


def _bucket(service: ModelService, platform: ModelPlatform) -> Backend | None:
    world = World(owner=service.dump(), now=datetime.now(UTC))
    storage = BucketStorage(service=service, platform=platform, world=world, found=NOTHING_FOUND)
    lacking = service.spec.storage is not None and storage.backend is None
    _refuse(service, "spec.storage", storage.conditions("")[0].message if lacking else None)
    return storage.backend


def _refuse(service: ModelService, field: str, problem: str | None) -> None:
    if problem:
        raise Unrenderable(f"{_name(service)}: {field}: {problem}")


def _is_of(one: ModelSubscription, service: ModelService) -> bool:
    model, home = one.spec.model_ref, service.metadata.namespace
    return model.name == service.metadata.name and (model.namespace or one.metadata.namespace) == home


def _people(one: ModelSubscription, service: ModelService, platform: ModelPlatform) -> Iterable[Manifest]:
    yield accounts.developer_user(one, platform, {})
    yield accounts.developer_account(one, platform, {})
    yield access.application(one, platform, product_ref(service, platform), {})


def _name(service: ModelService) -> str:
    return f"ModelService {service.metadata.namespace}/{service.metadata.name}"

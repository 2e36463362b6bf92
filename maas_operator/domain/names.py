"""What a ModelService's children are called, and where they live (design rules 2 and 3)."""

from __future__ import annotations

import hashlib
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService

from .kinds import (
    ACTIVE_DOC,
    BACKEND,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    NETWORK_POLICY,
    OBJECT_BUCKET_CLAIM,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SECRET,
    SERVICE,
    SERVING_RUNTIME,
    Kind,
)
from .objects import Ref

MODEL_PORT: Final = 8080
"""The port of the model server in its pod, and of our Service in front of it."""

DOCUMENT_INFIX: Final = ".document-"
"""What tells the Secrets of documents from others in the 3scale namespace."""

NAME_AND_NAMESPACE_LIMIT: Final = 52
"""KServe makes the DNS label `<name>-predictor-<namespace>` in its raw mode."""


def system_name(service: ModelService) -> str:
    """Return the name of Product and Backend in 3scale: unique in the cluster, without the dots that 3scale refuses."""
    namespace, name = service.metadata.namespace, service.metadata.name
    return f"{name}-{hashlib.sha256(f'{namespace}/{name}'.encode()).hexdigest()[:6]}"


def document_system_name(service: ModelService) -> str:
    """Return the name of the document in 3scale, of letters and digits only; the hash tells `a-b` from `ab`."""
    return system_name(service).replace("-", "")


def model_id(service: ModelService) -> str:
    """Return the id that clients send as `model`."""
    return service.spec.model.name or service.metadata.name


def model_ids(service: ModelService) -> tuple[str, ...]:
    """Return all ids that clients may send, the one that the model is known by first."""
    # The order of a set is its history, and would restart pods.
    return tuple(dict.fromkeys((model_id(service), *sorted(service.spec.model.aliases))))


def adapter_ids(service: ModelService) -> tuple[str, ...]:
    """Return the further ids that the model's LoRA adapters are served as."""
    return tuple(adapter.name for adapter in service.spec.model.adapters)


def title(service: ModelService) -> str:
    """Return the name that people read."""
    return service.spec.display_name or service.metadata.name


def name_violation(service: ModelService) -> str | None:
    """Return why KServe could not serve a model of this name in this namespace; None when it can."""
    name, namespace = service.metadata.name, service.metadata.namespace
    length = len(name) + len(namespace)
    if length <= NAME_AND_NAMESPACE_LIMIT:
        return None
    return (
        f"name {name!r} and namespace {namespace!r} have {length} characters together, KServe serves at most "
        f"{NAME_AND_NAMESPACE_LIMIT}: create the ModelService with a name of at most "
        f"{NAME_AND_NAMESPACE_LIMIT - len(namespace)} characters"
    )


def serving_runtime_ref(service: ModelService, name: str | None = None) -> Ref:
    """Return the address of a ServingRuntime of the service's own; its own name is that of what needs no other."""
    return Ref(SERVING_RUNTIME, service.metadata.namespace, name or service.metadata.name)


def inference_service_ref(service: ModelService) -> Ref:
    """Return the address of the InferenceService; Deployment and Pods take its name from it."""
    return Ref(INFERENCE_SERVICE, service.metadata.namespace, service.metadata.name)


def deployment_ref(service: ModelService) -> Ref:
    """Return the address of the Deployment that KServe makes."""
    return Ref(DEPLOYMENT, service.metadata.namespace, f"{service.metadata.name}-predictor")


def api_service_ref(service: ModelService) -> Ref:
    """Return the address of our own Service: right in each of KServe's modes, unlike the ones that KServe makes."""
    return Ref(SERVICE, service.metadata.namespace, f"{service.metadata.name}-api")


def network_policy_ref(service: ModelService) -> Ref:
    """Return the address of the NetworkPolicy."""
    return Ref(NETWORK_POLICY, service.metadata.namespace, f"{service.metadata.name}-api")


def storage_secret_ref(service: ModelService) -> Ref:
    """Return the Secret by which the model's pods, and whoever uploads a model, reach the bucket."""
    return Ref(SECRET, service.metadata.namespace, f"{service.metadata.name}-storage")


def bucket_claim_ref(service: ModelService) -> Ref:
    """Return the address of the ObjectBucketClaim, whose name its provisioner takes for a Secret and a ConfigMap."""
    return Ref(OBJECT_BUCKET_CLAIM, service.metadata.namespace, f"{service.metadata.name}-bucket")


def backend_ref(service: ModelService, platform: ModelPlatform) -> Ref:
    """Return the address of the Backend."""
    return _remote_ref(BACKEND, service, platform)


def product_ref(service: ModelService, platform: ModelPlatform) -> Ref:
    """Return the address of the Product."""
    return _remote_ref(PRODUCT, service, platform)


def promotion_ref(service: ModelService, platform: ModelPlatform, config_hash: str) -> Ref:
    """Return the promotion of one configuration: a ProxyConfigPromote acts once, so that each hash has its own."""
    return _remote_ref(PROXY_CONFIG_PROMOTE, service, platform, suffix=f"-{config_hash[:8]}")


def active_doc_ref(service: ModelService, platform: ModelPlatform) -> Ref:
    """Return the address of the ActiveDoc."""
    return _remote_ref(ACTIVE_DOC, service, platform)


def document_ref(service: ModelService, platform: ModelPlatform, document_hash: str) -> Ref:
    """Return the Secret of one document: with another name in its spec, the ActiveDoc is another generation."""
    return _remote_ref(SECRET, service, platform, suffix=f"{DOCUMENT_INFIX}{document_hash[:8]}")


def internal_url(service: ModelService) -> str:
    """Return the model's address inside the cluster; 3scale wants the port written out."""
    ref = api_service_ref(service)
    return f"http://{ref.name}.{ref.namespace}.svc.cluster.local:{MODEL_PORT}"


def _remote_ref(kind: Kind, service: ModelService, platform: ModelPlatform, *, suffix: str = "") -> Ref:
    # Neither part holds a dot, so that no two (namespace, name) share a name in the 3scale namespace.
    name = f"{service.metadata.namespace}.{service.metadata.name}{suffix}"
    return Ref(kind, platform.spec.threescale.namespace, name)

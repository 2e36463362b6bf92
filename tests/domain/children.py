"""All children of a ModelService at once, as tests look at them."""

import json
from collections.abc import Iterator
from typing import Any

from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.domain.documents.active_doc import active_doc, document_secret
from maas_operator.domain.documents.generated import generated
from maas_operator.domain.documents.own import as_text
from maas_operator.domain.gateway.backend import backend
from maas_operator.domain.gateway.product import product
from maas_operator.domain.gateway.promotion import config_hash, proxy_config_promote
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.policies.platform import PlatformPolicies
from maas_operator.domain.serving.autoscaling import Scaling, scaling
from maas_operator.domain.serving.inference_service import inference_service
from maas_operator.domain.serving.network_policy import network_policy
from maas_operator.domain.serving.referred_runtime import ReferredRuntime, unseen_runtime
from maas_operator.domain.serving.runtime_profiles import BUILT_IN, UnknownRuntime, runtime_profile
from maas_operator.domain.serving.service import api_service
from maas_operator.domain.serving.serving_runtime import serving_runtime

PLATFORM = ModelPlatform.model_validate(
    {"metadata": {"name": "default"}, "spec": {"threescale": {"namespace": "3scale"}}}
)
URL = "https://tiny.example.com"
SOURCE = {"uri": "oci://registry.example.com/models/tiny:1"}


def a_service(**spec: Any) -> ModelService:
    """Return a small ModelService; keywords are fields of its spec."""
    document = {"metadata": {"name": "tiny", "namespace": "llm"}, "spec": {"model": {"source": SOURCE}} | spec}
    return ModelService.model_validate(document)


def a_platform(**spec: Any) -> ModelPlatform:
    """Return a small ModelPlatform; keywords are fields of its spec."""
    document = {"metadata": {"name": "default"}, "spec": {"threescale": {"namespace": "3scale"}} | spec}
    return ModelPlatform.model_validate(document)


def profile_of(service: ModelService, platform: ModelPlatform = PLATFORM) -> RuntimeProfile:
    """Return what serves a model; a name that does not exist falls back to a built-in profile."""
    reference = service.spec.serving.runtime_ref
    profile = unseen_runtime(reference) if reference else runtime_profile(service, platform)
    return BUILT_IN[0] if isinstance(profile, UnknownRuntime) else profile


def children_of(
    service: ModelService, platform: ModelPlatform = PLATFORM, *, metering: str | None = None
) -> dict[str, Manifest]:
    """Return the children by kind."""
    profile = profile_of(service, platform)
    policies = PlatformPolicies(platform=platform, secrets={}, installation=None)
    replicas = scaling(service, platform, profile, keda=True)
    remote, target = product(service, platform, metering, policies), backend(service, platform)
    document = document_secret(service, platform, as_text(generated(service, platform, URL)))
    manifests = [
        None if isinstance(profile, ReferredRuntime) else serving_runtime(service, profile),
        inference_service(
            service, profile, deployment_mode=None, scaling=replicas if isinstance(replicas, Scaling) else None
        ),
        api_service(service),
        network_policy(service, platform),
        target,
        remote,
        proxy_config_promote(service, platform, config_hash(remote, target, product_id=1)),
        document,
        active_doc(service, platform, ref_of(document)),
    ]
    return {manifest["kind"]: manifest for manifest in manifests if manifest is not None}


def strings(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def as_bytes(manifests: dict[str, Manifest]) -> bytes:
    """Return the exact bytes of the children."""
    return json.dumps(manifests).encode()

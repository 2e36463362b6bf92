"""The Backend: the model as 3scale sees it."""

from __future__ import annotations

from pydantic import Field

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.emitted import Emitted, LocalReference, manifest
from maas_operator.domain.names import backend_ref, internal_url, system_name, title
from maas_operator.domain.objects import Manifest

from .metrics import HITS, MetricSpec


class BackendSpec(Emitted):
    """The spec of a Backend, with the metric that the 3scale-operator would add."""

    name: str
    system_name: str
    description: str
    private_base_url: str = Field(alias="privateBaseURL")
    metrics: dict[str, MetricSpec]
    provider_account_ref: LocalReference


def backend(service: ModelService, platform: ModelPlatform) -> Manifest:
    """Build the Backend. Its address is our own Service: no URL of a user gets here."""
    spec = BackendSpec(
        name=title(service),
        system_name=system_name(service),
        description=service.spec.description or title(service),
        private_base_url=internal_url(service),
        metrics=HITS,
        provider_account_ref=LocalReference(name=platform.spec.threescale.provider_account_secret_ref.name),
    )
    return manifest(backend_ref(service, platform), spec)

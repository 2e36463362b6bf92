"""The promotion of a configuration to the production gateways."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.emitted import Emitted, digest, manifest
from maas_operator.domain.names import product_ref, promotion_ref
from maas_operator.domain.objects import Manifest

PUBLISHED_OF_PRODUCT: Final = ("systemName", "deployment", "backendUsages", "mappingRules", "policies")
_PUBLISHED_OF_BACKEND: Final = ("systemName", "privateBaseURL")


class ProxyConfigPromoteSpec(Emitted):
    """The spec of a promotion to staging and production at once."""

    product_cr_name: str = Field(alias="productCRName")
    production: bool = True


def config_hash(product: Manifest, backend: Manifest, *, product_id: int) -> str:
    """Return the hash of what a promotion publishes, from the *rendered* Product and Backend.

    Plans, limits and texts are left out, which act at once. The id is part of it: a Product that was deleted in 3scale
    is made anew, with another id and nothing in production.
    """
    published = {key: product["spec"][key] for key in PUBLISHED_OF_PRODUCT}
    target = {key: backend["spec"][key] for key in _PUBLISHED_OF_BACKEND}
    return digest([product_id, published, target])[:16]


def proxy_config_promote(service: ModelService, platform: ModelPlatform, config_hash: str) -> Manifest:
    """Build the promotion of one configuration; write it only when Product and Backend are synced as rendered."""
    spec = ProxyConfigPromoteSpec(product_cr_name=product_ref(service, platform).name)
    return manifest(promotion_ref(service, platform, config_hash), spec)

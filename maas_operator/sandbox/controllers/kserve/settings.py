"""How this cluster's KServe is set up, and the labels and names that it uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from maas_operator.domain.objects import Manifest

DEPLOYMENT_MODE: Final = "serving.kserve.io/deploymentMode"
STOP: Final = "serving.kserve.io/stop"
AUTOSCALER_CLASS: Final = "serving.kserve.io/autoscalerClass"
INFERENCE_SERVICE_LABEL: Final = "serving.kserve.io/inferenceservice"
TEMPLATE_HASH: Final = "pod-template-hash"
FINALIZER: Final = "inferenceservice.finalizers"
CONTAINER: Final = "kserve-container"
MANAGER: Final = "kserve"

VISIBILITY: Final = "networking.kserve.io/visibility"
ENABLE_AUTH: Final = "security.opendatahub.io/enable-auth"
PROXY: Final = "kube-rbac-proxy"
PROXY_PORT: Final = 8443
CONFIGURATION: Final = "inferenceservice-config"

STANDARD: Final = "Standard"
RAW: Final = frozenset({"RawDeployment", STANDARD})


class EndpointKey(StrEnum):
    """What becomes of the key AWS_S3_ENDPOINT in a Secret for S3."""

    IGNORED = "Ignored"
    """KServe's own releases; Open Data Hub up to 2.34, and 3.4."""
    HOST = "Host"
    """Open Data Hub 2.35 and 3.0: it counts more than the annotation, and a scheme is put before it in any case."""
    URL = "URL"
    """Open Data Hub 3.1 to 3.3, and 3.5: it counts more than the annotation, with a scheme or without."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parts of `inferenceservice-config`, and of KServe's version, that show on its objects."""

    default_deployment_mode: str = "RawDeployment"
    rewrites_legacy_modes: bool = False
    """KServe 0.17 and later: RawDeployment becomes Standard."""
    knows_both_modes: bool = False
    """KServe 0.16: RawDeployment is taken for Standard, and refused from then on."""
    headless: bool = True
    auth_proxy: bool = False
    """Open Data Hub 3.5 and later: a proxy stands in each pod, in front of the model or beside it."""
    forces_auth: bool = False
    """KServe's own Service leads to the proxy, whatever the service says."""
    endpoint_key: EndpointKey = EndpointKey.IGNORED

    @property
    def plain_mode(self) -> str:
        """Return this KServe's word for a plain Deployment."""
        return STANDARD if self.rewrites_legacy_modes or self.knows_both_modes else "RawDeployment"

    def configuration(self, namespace: str = "kserve", *, image: str = "kserve/storage-initializer:latest") -> Manifest:
        """Return the ConfigMap that sets KServe up so."""
        sections = {
            "deploy": {"defaultDeploymentMode": self.default_deployment_mode},
            "service": {"serviceClusterIPNone": self.headless},
            "storageInitializer": {"image": image, "enableModelcar": True},
        }
        data = {name: json.dumps(section) for name, section in sections.items()}
        metadata = {"name": CONFIGURATION, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def predictor_name(name: str) -> str:
    """Return the name of the Deployment, the Service and the prefix of the pods."""
    return f"{name}-predictor"


def autoscaler_class(annotations: Mapping[str, str]) -> str:
    """Return who scales the pods that carry these annotations."""
    return annotations.get(AUTOSCALER_CLASS, "hpa")

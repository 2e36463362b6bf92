"""How this cluster's KServe is set up, and the labels and names that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DEPLOYMENT_MODE: Final = "serving.kserve.io/deploymentMode"
STOP: Final = "serving.kserve.io/stop"
AUTOSCALER_CLASS: Final = "serving.kserve.io/autoscalerClass"
INFERENCE_SERVICE_LABEL: Final = "serving.kserve.io/inferenceservice"
TEMPLATE_HASH: Final = "pod-template-hash"
FINALIZER: Final = "inferenceservice.finalizers"
CONTAINER: Final = "kserve-container"
MANAGER: Final = "kserve"

STANDARD: Final = "Standard"
RAW: Final = frozenset({"RawDeployment", STANDARD})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parts of `inferenceservice-config`, and of KServe's version, that show on its objects."""

    default_deployment_mode: str = "RawDeployment"
    rewrites_legacy_modes: bool = False
    """KServe 0.17 and later: RawDeployment becomes Standard."""
    headless: bool = True


def predictor_name(name: str) -> str:
    """Return the name of the Deployment, the Service and the prefix of the pods."""
    return f"{name}-predictor"


def autoscaler_class(annotations: Mapping[str, str]) -> str:
    """Return who scales the pods that carry these annotations."""
    return annotations.get(AUTOSCALER_CLASS, "hpa")

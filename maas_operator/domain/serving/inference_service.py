"""The InferenceService: the model, its resources and its replicas.

KServe copies its labels and annotations into the pods, so that nothing may stand there that changes without them.
"""

from __future__ import annotations

from typing import Final, Literal

from maas_operator.api.autoscaling import RolloutStrategy
from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.serving import Resources
from maas_operator.domain.emitted import Emitted, digest, manifest
from maas_operator.domain.labels import GROUP
from maas_operator.domain.names import inference_service_ref, model_id
from maas_operator.domain.objects import Manifest

from .autoscaling import AUTOSCALER_CLASS, AutoScaling, Scaling, fixed
from .pod import ResourceRequirements, Toleration
from .resources import accelerator, accelerators, resolve
from .serving_runtime import MODEL_FORMAT, serving_runtime_spec

CONFIG_HASH: Final = f"{GROUP}/config-hash"
"""Annotation on the pods: the hash of what they run, by which a rollout is proved."""

POD_LABEL: Final = "serving.kserve.io/inferenceservice"
"""Label of all pods of an InferenceService."""

STANDARD: Final = "Standard"
RAW_DEPLOYMENT: Final = "RawDeployment"
_DEPLOYMENT_MODE: Final = "serving.kserve.io/deploymentMode"
STOP: Final = "serving.kserve.io/stop"
"""Annotation that makes KServe remove the pods."""

_GRACE_SECONDS: Final = 120

_NOT_IN_PODS: Final = frozenset({"annotations", "deploymentStrategy", "maxReplicas", "minReplicas"})
"""What of a predictor that is `fixed` does not reach the pods."""


class ModelFormat(Emitted):
    """What a ServingRuntime must support."""

    name: str


class DeploymentStrategy(Emitted):
    """How new pods take the place of old ones."""

    type: RolloutStrategy


class PredictorModel(Emitted):
    """The model and its server."""

    model_format: ModelFormat = ModelFormat(name=MODEL_FORMAT)
    runtime: str
    storage_uri: str
    args: tuple[str, ...]
    resources: ResourceRequirements | None


class Predictor(Emitted):
    """The pods that serve the model."""

    annotations: dict[str, str] | None = None
    min_replicas: int
    max_replicas: int
    scale_metric: Literal["cpu", "memory"] | None = None
    scale_target: int | None = None
    auto_scaling: AutoScaling | None = None
    # The model server has no business with the Kubernetes API.
    automount_service_account_token: bool = False
    # A Service named `vllm` would inject VLLM_PORT, which vLLM takes for its own.
    enable_service_links: bool = False
    termination_grace_period_seconds: int = _GRACE_SECONDS
    deployment_strategy: DeploymentStrategy
    tolerations: tuple[Toleration, ...] | None = None
    model: PredictorModel


class InferenceServiceSpec(Emitted):
    """The spec of an InferenceService with a predictor only."""

    predictor: Predictor


def inference_service(
    service: ModelService, profile: RuntimeProfile, *, deployment_mode: str | None, scaling: Scaling | None = None
) -> Manifest:
    """Build the InferenceService; `deployment_mode` is the one in its status, None before KServe has written it."""
    scaling = scaling or fixed(service)
    annotations = {
        # Older KServe knows the old word only; once its status says the new one, it refuses the old one.
        _DEPLOYMENT_MODE: STANDARD if deployment_mode == STANDARD else RAW_DEPLOYMENT,
        # KServe's own proxy wants a Kubernetes token in the header in which our clients send their key.
        "security.opendatahub.io/enable-auth": "false",
    }
    if service.spec.serving.replicas == 0:
        annotations[STOP] = "true"
    if scaling.autoscaler is not None:
        annotations[AUTOSCALER_CLASS] = scaling.autoscaler.value
    predictor = _predictor(service, profile).model_copy(
        update={
            "annotations": {CONFIG_HASH: config_hash(service, profile)},
            "min_replicas": scaling.min_replicas,
            "max_replicas": scaling.max_replicas,
            "scale_metric": scaling.scale_metric,
            "scale_target": scaling.scale_target,
            "auto_scaling": scaling.auto_scaling,
        }
    )
    return manifest(
        inference_service_ref(service),
        InferenceServiceSpec(predictor=predictor),
        labels={"opendatahub.io/dashboard": "true"},
        annotations=annotations,
    )


def config_hash(service: ModelService, profile: RuntimeProfile) -> str:
    """Return the hash of what the pods run: another one means other pods, the same one means the same pods."""
    predictor = {key: value for key, value in _predictor(service, profile).dump().items() if key not in _NOT_IN_PODS}
    return digest([serving_runtime_spec(service, profile).dump(), predictor])[:16]


def told_config_hash(inference_service: Manifest) -> str:
    """Return the hash that an InferenceService carries; empty if somebody took it off."""
    annotations = inference_service["spec"]["predictor"].get("annotations") or {}
    return str(annotations.get(CONFIG_HASH, ""))


def _predictor(service: ModelService, profile: RuntimeProfile) -> Predictor:
    resources = resolve(service.spec.serving.resources, profile.resources)
    device = accelerator(resources)
    replicas = fixed(service)
    return Predictor(
        min_replicas=replicas.min_replicas,
        max_replicas=replicas.max_replicas,
        deployment_strategy=DeploymentStrategy(type=_strategy(service, device)),
        tolerations=(Toleration(key=device),) if device else None,
        model=PredictorModel(
            runtime=service.metadata.name,
            storage_uri=service.spec.model.source.uri or "",
            args=_args(service, accelerators(resources)),
            resources=_requirements(resources),
        ),
    )


def _strategy(service: ModelService, device: str | None) -> RolloutStrategy:
    # A rolling update needs a spare accelerator, and hangs where there is none.
    default = RolloutStrategy.RECREATE if device else RolloutStrategy.ROLLING_UPDATE
    return service.spec.serving.rollout_strategy or default


def _requirements(resources: Resources) -> ResourceRequirements | None:
    # Other controllers drop what is empty when they write an object back.
    if not (resources.requests or resources.limits):
        return None
    return ResourceRequirements(requests=resources.requests or None, limits=resources.limits or None)


def _args(service: ModelService, devices: int) -> tuple[str, ...]:
    model = service.spec.model
    length = (f"--max-model-len={model.context_length}",) if model.context_length else ()
    parallel = (f"--tensor-parallel-size={devices}",) if devices > 1 else ()
    return (f"--served-model-name={model_id(service)}", *length, *parallel)

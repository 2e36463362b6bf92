"""The InferenceService: the model, its resources and its replicas.

KServe copies its labels and annotations into the pods, so that nothing may stand there that changes without them.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import JsonValue

from maas_operator.api.autoscaling import RolloutStrategy
from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.serving import Resources
from maas_operator.domain.emitted import Emitted, LocalReference, digest, manifest
from maas_operator.domain.labels import GROUP
from maas_operator.domain.names import inference_service_ref
from maas_operator.domain.objects import Manifest

from .adapters import (
    DirectoryMount,
    InitContainer,
    ScratchVolume,
    adapter_fetchers,
    adapter_mounts,
    adapter_volumes,
)
from .autoscaling import AUTOSCALER_CLASS, AutoScaling, Scaling, fixed
from .chat_template import NO_TEMPLATE
from .engine_settings import arguments, environment, mounts, startup_probe, volumes
from .kserve import Release
from .placement import affinity, hardware_annotations, node_selector, tolerations
from .pod import ClaimVolume, EnvVar, Probe, ResourceRequirements, Toleration, Volume, VolumeMount
from .referred_runtime import ReferredRuntime
from .resources import accelerator, of_replica
from .serving_runtime import MODEL_FORMAT, serving_runtime_spec
from .sources import Source, source_of

CONFIG_HASH: Final = f"{GROUP}/config-hash"
"""Annotation on the pods: the hash of what they run, by which a rollout is proved."""

POD_LABEL: Final = "serving.kserve.io/inferenceservice"
"""Label of all pods of an InferenceService."""

STANDARD: Final = "Standard"
RAW_DEPLOYMENT: Final = "RawDeployment"
_DEPLOYMENT_MODE: Final = "serving.kserve.io/deploymentMode"
STOP: Final = "serving.kserve.io/stop"
"""Annotation that makes KServe remove the pods."""


_LABELS: Final = {
    "opendatahub.io/dashboard": "true",
    # Without it KServe leads a public host around the gateway to the model, by an Ingress or HTTPRoute of its own.
    "networking.kserve.io/visibility": "cluster-local",
}
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
    image: str | None
    args: tuple[str, ...]
    env: tuple[EnvVar, ...] | None
    resources: ResourceRequirements | None
    startup_probe: Probe | None
    termination_message_policy: Literal["FallbackToLogsOnError"] | None
    volume_mounts: tuple[VolumeMount | DirectoryMount, ...] | None


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
    node_selector: dict[str, str] | None = None
    affinity: dict[str, JsonValue] | None = None
    image_pull_secrets: tuple[LocalReference, ...] | None = None
    service_account_name: str | None = None
    volumes: tuple[Volume | ClaimVolume | ScratchVolume, ...] | None = None
    init_containers: tuple[InitContainer, ...] | None = None
    model: PredictorModel


class InferenceServiceSpec(Emitted):
    """The spec of an InferenceService with a predictor only."""

    predictor: Predictor


def deployment_mode(told: str | None, release: Release | None) -> str:
    """Return KServe's word for a plain Deployment; `told`: the one in the InferenceService's status, if there is one.

    Up to 0.15 it knows the old word only. 0.16 knows both, and refuses every later change of what was made with the
    old one. From 0.17 on it replaces the old one by itself. Whatever its status says is the only word for a change.
    """
    if told in (RAW_DEPLOYMENT, STANDARD):
        return told
    return STANDARD if release in (Release.V0_16, Release.V0_17, Release.V0_20) else RAW_DEPLOYMENT


def inference_service(
    service: ModelService,
    profile: RuntimeProfile,
    *,
    deployment_mode: str | None,
    source: Source | None = None,
    hash_of_pods: str | None = None,
    runtime: str | None = None,
    scaling: Scaling | None = None,
) -> Manifest:
    """Build the InferenceService; `deployment_mode` is KServe's word for a plain Deployment, if it is known.

    `source`: the service's own if None. `hash_of_pods`: by `config_hash`, without a chat template if None. `runtime`:
    the name of the ServingRuntime; the service's own if there is none. `scaling`: as many replicas as the spec says if
    None.
    """
    source, scaling = source or source_of(service), scaling or fixed(service)
    annotations = source.annotations | {
        _DEPLOYMENT_MODE: deployment_mode or RAW_DEPLOYMENT,
        # KServe's own proxy wants a Kubernetes token in the header in which our clients send their key.
        "security.opendatahub.io/enable-auth": "false",
        **hardware_annotations(service.spec.serving),
    }
    if service.spec.serving.replicas == 0:
        annotations[STOP] = "true"
    if scaling.autoscaler is not None:
        annotations[AUTOSCALER_CLASS] = scaling.autoscaler.value
    predictor = _predictor(service, profile, source)
    if runtime and not isinstance(profile, ReferredRuntime):
        # The hash is of what the runtime says, and not of what it is called.
        predictor = predictor.model_copy(update={"model": predictor.model.model_copy(update={"runtime": runtime})})
    told = {
        "annotations": {CONFIG_HASH: hash_of_pods or config_hash(service, profile, source)},
        "min_replicas": scaling.min_replicas,
        "max_replicas": scaling.max_replicas,
        "scale_metric": scaling.scale_metric,
        "scale_target": scaling.scale_target,
        "auto_scaling": scaling.auto_scaling,
    }
    return manifest(
        inference_service_ref(service),
        InferenceServiceSpec(predictor=predictor.model_copy(update=told)),
        labels=_LABELS,
        annotations=annotations,
    )


def config_hash(
    service: ModelService,
    profile: RuntimeProfile,
    source: Source | None = None,
    *,
    template_hash: str = NO_TEMPLATE,
) -> str:
    """Return the hash of what the pods run: another one means other pods, the same one means the same pods.

    The runtime of somebody else is not part of it: KServe replaces the pods when that changes, and once is enough.
    """
    source = source or source_of(service)
    dumped = _predictor(service, profile, source).dump()
    predictor = {key: value for key, value in dumped.items() if key not in _NOT_IN_PODS}
    runtime = None if isinstance(profile, ReferredRuntime) else serving_runtime_spec(service, profile).dump()
    besides = [template_hash, hardware_annotations(service.spec.serving)]
    annotations = [source.annotations] if source.annotations else []
    return digest([runtime, predictor, *(besides if any(besides) else ()), *annotations])[:16]


def told_config_hash(inference_service: Manifest) -> str:
    """Return the hash that an InferenceService carries; empty if somebody took it off."""
    annotations = inference_service["spec"]["predictor"].get("annotations") or {}
    return str(annotations.get(CONFIG_HASH, ""))


def _predictor(service: ModelService, profile: RuntimeProfile, source: Source) -> Predictor:
    serving = service.spec.serving
    resources = of_replica(serving, profile.resources)
    device = accelerator(resources)
    replicas = fixed(service)
    return Predictor(
        min_replicas=replicas.min_replicas,
        max_replicas=replicas.max_replicas,
        deployment_strategy=DeploymentStrategy(type=_strategy(service, device, source)),
        tolerations=tolerations(serving, profile, device),
        node_selector=node_selector(serving, profile),
        affinity=affinity(serving),
        image_pull_secrets=tuple(LocalReference(name=one.name) for one in serving.image_pull_secrets) or None,
        service_account_name=serving.service_account_name,
        volumes=(*(volumes(service, profile, resources) or ()), *adapter_volumes(service)) or None,
        init_containers=adapter_fetchers(service, serving.image or profile.image) or None,
        model=_model(service, profile, resources, source),
    )


def _strategy(service: ModelService, device: str | None, source: Source) -> RolloutStrategy:
    # A rolling update needs a spare accelerator, or files on two nodes, and hangs where there are none.
    default = RolloutStrategy.RECREATE if device or source.one_node else RolloutStrategy.ROLLING_UPDATE
    return service.spec.serving.rollout_strategy or default


def _model(service: ModelService, profile: RuntimeProfile, resources: Resources, source: Source) -> PredictorModel:
    serving = service.spec.serving
    referred = isinstance(profile, ReferredRuntime)
    # Two probes would be merged into one with two ways to ask, which Kubernetes refuses.
    impatient = isinstance(profile, ReferredRuntime) and not profile.has_startup_probe
    return PredictorModel(
        runtime=profile.name if referred else service.metadata.name,
        storage_uri=source.uri,
        image=serving.image,
        args=arguments(service, profile, resources),
        env=environment(service, profile, resources),
        resources=_requirements(resources),
        startup_probe=startup_probe(serving.startup_timeout) if impatient else None,
        termination_message_policy="FallbackToLogsOnError" if referred else None,
        volume_mounts=(*(mounts(service, profile, resources) or ()), *adapter_mounts(service)) or None,
    )


def _requirements(resources: Resources) -> ResourceRequirements | None:
    # Other controllers drop what is empty when they write an object back.
    if not (resources.requests or resources.limits):
        return None
    return ResourceRequirements(requests=resources.requests or None, limits=resources.limits or None)

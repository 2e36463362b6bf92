"""Who decides how many replicas there are: KServe by the spec, a HorizontalPodAutoscaler, or KEDA.

KServe makes either autoscaler from what stands on the InferenceService. The annotation that chooses between them is
copied into the pods, so that another class restarts them once; bounds, metric and target do not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlsplit

from maas_operator.api.autoscaling import Autoscaling, ScalingMetric
from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.domain.emitted import Emitted, LocalReference
from maas_operator.domain.kinds import HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT
from maas_operator.domain.labels import annotations_of
from maas_operator.domain.names import deployment_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import condition_of

from .resources import of_replica
from .runtime_profiles import Feature, supports
from .words import quoted

AUTOSCALER_CLASS: Final = "serving.kserve.io/autoscalerClass"

_TRIGGER_AUTHENTICATION: Final = "inference-prometheus-auth"
"""The TriggerAuthentication that OpenShift AI makes beside each InferenceService that asks Prometheus."""
_OPENSHIFT_MONITORING: Final = (".openshift-monitoring.svc", ".openshift-monitoring.svc.cluster.local")

_RESOURCES: Final[dict[ScalingMetric, Literal["cpu", "memory"]]] = {
    ScalingMetric.CPU: "cpu",
    ScalingMetric.MEMORY: "memory",
}
_TARGETS: Final = {
    ScalingMetric.CPU: 80,
    ScalingMetric.MEMORY: 80,
    ScalingMetric.KV_CACHE: 80,
    ScalingMetric.CONCURRENCY: 32,
    ScalingMetric.WAITING_REQUESTS: 5,
}


class AutoscalerClass(StrEnum):
    """KServe's words for who decides."""

    NONE = "none"
    """KServe itself: as many as the spec says. Only then can an autoscaler of the user's work on the ModelService's
    scale: Kubernetes has none act on pods that another one has as well."""
    HPA = "hpa"
    KEDA = "keda"


class ExternalMetric(Emitted):
    """A question to Prometheus."""

    backend: Literal["prometheus"] = "prometheus"
    server_address: str
    namespace: str
    query: str


class Authentication(Emitted):
    """The token that KEDA shows to Prometheus."""

    auth_modes: Literal["bearer"] = "bearer"
    authentication_ref: LocalReference = LocalReference(name=_TRIGGER_AUTHENTICATION)


class ExternalTarget(Emitted):
    """What a replica should have of it: KEDA divides the answer by the number of replicas, whatever `type` says."""

    type: Literal["Value"] = "Value"
    value: str


class External(Emitted):
    """A metric from outside of Kubernetes."""

    metric: ExternalMetric
    authentication_ref: Authentication | None = None
    target: ExternalTarget


class MetricSpec(Emitted):
    """What KEDA scales on."""

    type: Literal["External"] = "External"
    external: External


class AutoScaling(Emitted):
    """KServe's description of a ScaledObject."""

    metrics: tuple[MetricSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What an InferenceService says of its replicas; `autoscaler` None leaves KServe's default, which is `hpa`."""

    autoscaler: AutoscalerClass | None
    min_replicas: int
    max_replicas: int
    scale_metric: Literal["cpu", "memory"] | None = None
    scale_target: int | None = None
    auto_scaling: AutoScaling | None = None


@dataclass(frozen=True, slots=True)
class Unscalable:
    """What autoscaling lacks, in words that name field and remedy."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscalers:
    """What is known of the autoscalers of one model.

    `keda`: whether KEDA's kinds are there; asked only if one is needed. `scaled_object`: KServe's, as the cache has it.
    `horizontal_pod_autoscaler`: KServe's, as it is now; read only if one is wanted.
    `leftover`: the autoscaler of a class that the InferenceService names no more, which KServe forgets to delete.
    """

    keda: bool = False
    scaled_object: Manifest | None = None
    horizontal_pod_autoscaler: Manifest | None = None
    leftover: Ref | None = None

    @property
    def failure_of_keda(self) -> str:
        """Return what KEDA says of why it does not scale; empty if it says nothing of the kind."""
        return _failure(self.scaled_object, "Ready")

    @property
    def failure_of_kubernetes(self) -> str:
        """Return what Kubernetes says of why it does not scale; empty if it says nothing of the kind."""
        found = self.horizontal_pod_autoscaler
        return _failure(found, "AbleToScale") or _failure(found, "ScalingActive")


NO_AUTOSCALERS: Final = Autoscalers()


def _failure(autoscaler: Manifest | None, type_: str) -> str:
    problem = condition_of(autoscaler, type_) if autoscaler is not None else {}
    if autoscaler is None or problem.get("status") != "False":
        return ""
    words = quoted(f"{problem.get('reason', '')}: {problem.get('message', '')}")
    return f"{ref_of(autoscaler)} does not scale it: {words}"


def active(service: ModelService) -> Autoscaling | None:
    """Return the autoscaling that is in force; none for a model that is stopped."""
    return service.spec.serving.autoscaling if service.spec.serving.replicas else None


def autoscaler_class(service: ModelService) -> AutoscalerClass:
    """Return who decides."""
    autoscaling = active(service)
    if autoscaling is None:
        return AutoscalerClass.NONE
    return AutoscalerClass.HPA if autoscaling.metric in _RESOURCES else AutoscalerClass.KEDA


def most_replicas(service: ModelService) -> int:
    """Return how many replicas there may be at most."""
    autoscaling = active(service)
    return autoscaling.max_replicas if autoscaling is not None else service.spec.serving.replicas


def fixed(service: ModelService) -> Scaling:
    """Return that there are as many replicas as the spec says."""
    # A stopped model keeps one replica in its spec: KServe takes no replicas for scale to zero.
    replicas = max(service.spec.serving.replicas, 1)
    return Scaling(autoscaler=AutoscalerClass.NONE, min_replicas=replicas, max_replicas=replicas)


def scaling(
    service: ModelService, platform: ModelPlatform, profile: RuntimeProfile, *, keda: bool
) -> Scaling | Unscalable:
    """Return how the model is scaled, or what that lacks."""
    autoscaling = active(service)
    if autoscaling is None:
        return fixed(service)
    if autoscaling.metric in _RESOURCES:
        return _by_resource(service, autoscaling, profile)
    prometheus = platform.spec.monitoring.prometheus
    if not keda:
        return Unscalable(
            f"spec.serving.autoscaling.metric: {autoscaling.metric} needs KEDA, and its CRD"
            f" {SCALED_OBJECT.plural}.{SCALED_OBJECT.group} is not installed: install KEDA"
            " (on OpenShift the Custom Metrics Autoscaler), or choose CPU or Memory"
        )
    if prometheus is None:
        return Unscalable(
            f"spec.serving.autoscaling.metric: {autoscaling.metric} needs Prometheus: set"
            f" spec.monitoring.prometheus.url of ModelPlatform {platform.metadata.name}, or choose CPU or Memory"
        )
    return _by_keda(service, autoscaling, profile, prometheus.url)


def needs_kubernetes(service: ModelService) -> bool:
    """Tell whether a HorizontalPodAutoscaler decides."""
    return autoscaler_class(service) is AutoscalerClass.HPA


def needs_keda(service: ModelService) -> bool:
    """Tell whether KEDA decides."""
    return autoscaler_class(service) is AutoscalerClass.KEDA


def tells_keda(inference_service: Manifest) -> bool:
    """Tell whether an InferenceService has KServe leave the decision to KEDA."""
    return annotations_of(inference_service).get(AUTOSCALER_CLASS) == AutoscalerClass.KEDA


def horizontal_pod_autoscaler_ref(service: ModelService) -> Ref:
    """Return the address of the HorizontalPodAutoscaler that KServe makes."""
    return Ref(HORIZONTAL_POD_AUTOSCALER, service.metadata.namespace, deployment_ref(service).name)


def scaled_object_ref(service: ModelService) -> Ref:
    """Return the address of the ScaledObject that KServe makes."""
    return Ref(SCALED_OBJECT, service.metadata.namespace, deployment_ref(service).name)


def _by_resource(service: ModelService, autoscaling: Autoscaling, profile: RuntimeProfile) -> Scaling | Unscalable:
    name = _RESOURCES[autoscaling.metric]
    resources = of_replica(service.spec.serving, profile.resources)
    # Kubernetes takes the limit for the request where there is none.
    if name not in resources.requests and name not in resources.limits:
        return Unscalable(
            f"spec.serving.autoscaling.metric: {autoscaling.metric} is measured by what a replica requests, and it"
            f" requests no {name}: set spec.serving.resources.requests.{name}"
        )
    return Scaling(
        autoscaler=AutoscalerClass.HPA,
        min_replicas=autoscaling.min_replicas,
        max_replicas=autoscaling.max_replicas,
        scale_metric=name,
        scale_target=_target(autoscaling),
    )


def _by_keda(service: ModelService, autoscaling: Autoscaling, profile: RuntimeProfile, url: str) -> Scaling:
    namespace = service.metadata.namespace
    query = _query(service, autoscaling.metric, profile)
    external = External(
        metric=ExternalMetric(server_address=url, namespace=namespace, query=query),
        authentication_ref=Authentication() if _wants_token(url) else None,
        target=ExternalTarget(value=str(_target(autoscaling))),
    )
    return Scaling(
        autoscaler=AutoscalerClass.KEDA,
        min_replicas=autoscaling.min_replicas,
        max_replicas=autoscaling.max_replicas,
        auto_scaling=AutoScaling(metrics=(MetricSpec(external=external),)),
    )


def _target(autoscaling: Autoscaling) -> int:
    return autoscaling.target or _TARGETS[autoscaling.metric]


def _query(service: ModelService, metric: ScalingMetric, profile: RuntimeProfile) -> str:
    """Return the sum over this model's pods: of no other namespace, and of no other model with the same id."""
    # Strings of PromQL are quoted as in JSON; a pattern is held to the whole value.
    namespace = json.dumps(service.metadata.namespace)
    pods = json.dumps(f"{deployment_ref(service).name}-[0-9a-z]+-[0-9a-z]+")
    series = f"{{namespace={namespace},pod=~{pods}}}"
    if metric is ScalingMetric.CONCURRENCY:
        return f"sum(vllm:num_requests_running{series})"
    if metric is ScalingMetric.WAITING_REQUESTS:
        return f"sum(vllm:num_requests_waiting{series})"
    name = "kv_cache_usage_perc" if supports(profile, Feature.KV_CACHE_USAGE) else "gpu_cache_usage_perc"
    # A pod may have several engines, each with a cache; and it is a share, whatever the name says.
    return f"100 * sum(avg by (pod) (vllm:{name}{series}))"


def _wants_token(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(_OPENSHIFT_MONITORING)

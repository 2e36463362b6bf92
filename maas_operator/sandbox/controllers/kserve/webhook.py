"""What KServe's webhooks refuse. A stand-in cannot stop a write over plain HTTP, so it tells what would be refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .settings import (
    AUTOSCALER_CLASS,
    CONTAINER,
    DEPLOYMENT_MODE,
    RAW,
    STANDARD,
    VISIBILITY,
    Settings,
    autoscaler_class,
)

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_AUTOSCALERS = {"hpa", "keda", "external", "none"}
_LONGEST_SERVICE_LABEL = 63
_MOST_PERCENT = 100
_VOLATILE_PREFIXES = ("kopf.", "kopf.zalando.org")


def refusals_of_service(isvc: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Tell why the webhook refuses an InferenceService; nothing if it does not."""
    metadata, predictor = isvc["metadata"], isvc["spec"].get("predictor") or {}
    yield from _of_name(metadata["name"])
    yield from _of_mode(isvc, settings)
    yield from _of_scaling(metadata, predictor)
    if "model" not in predictor:
        yield "exactly one of the predictor implementations must be specified"
    else:
        yield from _of_model(predictor)


def unreconcilable(isvc: Mapping[str, Any]) -> Iterator[str]:
    """Tell why an admitted InferenceService cannot get its objects: labels that are too long."""
    name, namespace = isvc["metadata"]["name"], isvc["metadata"]["namespace"]
    if len(label := f"isvc.{name}-predictor") > _LONGEST_SERVICE_LABEL:
        yield f"pod label app: {label} must be no more than 63 characters"
    if len(label := f"{name}-predictor-{namespace}") > _LONGEST_SERVICE_LABEL:
        yield f"ingress host label {label} must be no more than 63 characters"


def refusals_of_runtime(runtime: Mapping[str, Any]) -> Iterator[str]:
    """Tell why a ServingRuntime cannot be used."""
    names = [container["name"] for container in runtime["spec"].get("containers") or []]
    if names.count(CONTAINER) != 1:
        yield f"exactly one container must be named {CONTAINER}, got {names}"
    formats = [f["name"] for f in runtime["spec"].get("supportedModelFormats") or [] if f.get("autoSelect")]
    priorities = [f["name"] for f in runtime["spec"].get("supportedModelFormats") or [] if f.get("priority")]
    if set(formats) & set(priorities):
        yield "autoSelect with a priority: equal priorities for one format are refused"


def volatile_annotations(isvc: Mapping[str, Any]) -> list[str]:
    """Return annotations that change by themselves: KServe copies them to the pods, which then restart."""
    annotations = isvc["metadata"].get("annotations") or {}
    return [key for key in annotations if key.startswith(_VOLATILE_PREFIXES)]


def exposed_host(isvc: Mapping[str, Any]) -> Iterator[str]:
    """Tell which host the original makes public, by an Ingress, an HTTPRoute or, with `exposed`, a Route."""
    metadata = isvc["metadata"]
    if (metadata.get("labels") or {}).get(VISIBILITY) != "cluster-local":
        yield f"an Ingress leads {metadata['name']}-{metadata['namespace']}.example.com to the pods"


def _of_name(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"the InferenceService {name!r} is invalid: its name must match {_NAME.pattern}"


def _of_mode(isvc: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    wanted = (isvc["metadata"].get("annotations") or {}).get(DEPLOYMENT_MODE)
    if wanted in RAW and settings.rewrites_legacy_modes:
        wanted = STANDARD
    actual = (isvc.get("status") or {}).get("deploymentMode")
    if wanted and actual and wanted != actual:
        yield f"update rejected: deploymentMode cannot be changed from {actual!r} to {wanted!r}"
    # The old word is no reason for it to think of a Deployment, even where it makes one of it.
    mode = wanted or settings.default_deployment_mode
    if isvc["spec"].get("predictor", {}).get("deploymentStrategy") and mode != settings.plain_mode:
        yield "customizing deploymentStrategy is only supported for raw deployment mode"


def _of_scaling(metadata: Mapping[str, Any], predictor: Mapping[str, Any]) -> Iterator[str]:
    low, high = predictor.get("minReplicas", 1), predictor.get("maxReplicas", 0)
    if low < 0 or high < 0:
        yield "MinReplicas and MaxReplicas cannot be less than 0"
    if high and low > high:
        yield "MinReplicas cannot be greater than MaxReplicas"
    annotations = metadata.get("annotations") or {}
    autoscaler = autoscaler_class(annotations)
    if autoscaler not in _AUTOSCALERS:
        yield f"[{autoscaler}] is not a supported autoscaler class type"
    # Like the original: a class that is not written down is not checked.
    if annotations.get(AUTOSCALER_CLASS) == "hpa":
        yield from _of_hpa(predictor)
    if autoscaler == "keda":
        yield from _of_keda(predictor)


def _of_hpa(predictor: Mapping[str, Any]) -> Iterator[str]:
    metric, target = predictor.get("scaleMetric", "cpu"), predictor.get("scaleTarget", 1)
    if metric not in ("cpu", "memory"):
        yield f"[{metric}] is not a supported metric"
    if not 1 <= target <= _MOST_PERCENT:
        yield "the target utilization percentage should be a [1-100] integer"
    for one in (predictor.get("autoScaling") or {}).get("metrics") or []:
        if one["type"] != "Resource":
            yield f"invalid HPA metric source type with value [{one['type']}],valid metric source types are Resource"


def _of_keda(predictor: Mapping[str, Any]) -> Iterator[str]:
    if predictor.get("scaleMetric"):
        yield "ScaleMetric is not supported for KEDA"
    for one in (predictor.get("autoScaling") or {}).get("metrics") or []:
        external = one.get("external")
        if one["type"] == "External" and not external:
            yield "metricSpec.External is not set for external metric source type"
        elif one["type"] == "External" and not external["metric"].get("query"):
            yield "the query should not be empty"
        elif one["type"] == "External" and not external["target"].get("value"):
            yield "the target threshold value should not be empty"


def _of_model(predictor: Mapping[str, Any]) -> Iterator[str]:
    model = predictor["model"]
    if not (model.get("modelFormat") or {}).get("name"):
        yield "model.modelFormat.name is required"
    if model.get("name"):
        yield "model.name must be empty"
    sources = [key for key in ("storageUri", "storage") if model.get(key)]
    if not sources and not predictor.get("storageUris"):
        yield "the model has no storage"
    if len(sources) > 1 or (sources and predictor.get("storageUris")):
        yield "storageUri, storage and storageUris exclude each other"
    if any(variable["name"] == "PYTHONPATH" for variable in model.get("env") or []):
        yield "environment variable PYTHONPATH is not allowed"

"""An InferenceService and its ServingRuntime become a Deployment and a Service, by KServe's merging rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from maas_operator.domain.objects import Manifest

from ..faults import FAULT_ANNOTATION
from .settings import CONTAINER, INFERENCE_SERVICE_LABEL, STOP, Settings, autoscaler_class, predictor_name

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}|\{\{")
_RUNTIME_POD_FIELDS: Final = (
    "nodeSelector", "affinity", "tolerations", "volumes", "imagePullSecrets", "schedulerName",
)  # fmt: skip
_COMPONENT_FIELDS: Final = frozenset({
    "model", "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling",
    "containerConcurrency", "timeout", "canaryTrafficPercent", "deploymentStrategy", "labels", "annotations",
    "workerSpec", "storageUris",
})  # fmt: skip
_MODEL_FIELDS: Final = frozenset(
    {"modelFormat", "runtime", "storageUri", "storage", "protocolVersion", "runtimeVersion"}
)
_NOT_COPIED: Final = frozenset({FAULT_ANNOTATION, STOP, "kubectl.kubernetes.io/last-applied-configuration"})


class InvalidPredictor(Exception):
    """The merged container cannot be built."""


def deployment(isvc: Mapping[str, Any], runtime: Mapping[str, Any]) -> Manifest:
    """Return the Deployment of the predictor; InvalidPredictor if runtime and service do not fit together."""
    metadata, predictor = isvc["metadata"], isvc["spec"]["predictor"]
    labels = pod_labels(isvc, runtime)
    strategy = predictor.get("deploymentStrategy") or {
        "type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }  # fmt: skip
    annotations = pod_annotations(isvc, runtime)
    # An autoscaler has the replicas to itself.
    fixed = {"replicas": predictor.get("minReplicas", 1)} if autoscaler_class(annotations) == "none" else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**_child_metadata(isvc, labels), "annotations": annotations},
        "spec": {
            **fixed,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": labels["app"]}},
            "strategy": strategy,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _pod_spec(metadata, predictor, runtime["spec"]),
            },
        },
    }


def service(isvc: Mapping[str, Any], runtime: Mapping[str, Any], settings: Settings) -> Manifest:
    """Return the Service of the predictor: headless or with port 80."""
    ports = _container(runtime["spec"]).get("ports") or isvc["spec"]["predictor"]["model"].get("ports") or []
    target = ports[0]["containerPort"] if ports else 8080
    labels = pod_labels(isvc, runtime)
    headless = {"clusterIP": "None"} if settings.headless else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _child_metadata(isvc, labels),
        "spec": {
            **headless,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": target}],
            "selector": {"app": labels["app"]},
        },
    }


def pod_labels(isvc: Mapping[str, Any], runtime: Mapping[str, Any]) -> dict[str, str]:
    """Return the pods' labels: runtime, then service, then predictor, then KServe's own."""
    name = isvc["metadata"]["name"]
    return {
        **(runtime["spec"].get("labels") or {}),
        **(isvc["metadata"].get("labels") or {}),
        **(isvc["spec"]["predictor"].get("labels") or {}),
        "app": f"isvc.{predictor_name(name)}",
        "component": "predictor",
        INFERENCE_SERVICE_LABEL: name,
    }


def pod_annotations(isvc: Mapping[str, Any], runtime: Mapping[str, Any]) -> dict[str, str]:
    """Return the pods' annotations: runtime, then service, then predictor."""
    merged = {
        **(runtime["spec"].get("annotations") or {}),
        **(isvc["metadata"].get("annotations") or {}),
        **(isvc["spec"]["predictor"].get("annotations") or {}),
    }
    return {key: value for key, value in merged.items() if key not in _NOT_COPIED}


def _child_metadata(isvc: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    metadata = isvc["metadata"]
    owner = {
        "apiVersion": isvc["apiVersion"], "kind": isvc["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "name": predictor_name(metadata["name"]),
        "namespace": metadata["namespace"],
        "labels": dict(labels),
        "ownerReferences": [owner],
    }


def _pod_spec(metadata: Mapping[str, Any], predictor: Mapping[str, Any], runtime: Mapping[str, Any]) -> dict[str, Any]:
    base = {key: runtime[key] for key in _RUNTIME_POD_FIELDS if key in runtime}
    own = {key: value for key, value in predictor.items() if key not in _COMPONENT_FIELDS}
    for key in ("tolerations", "volumes", "imagePullSecrets"):
        if merged := [*base.get(key, []), *own.get(key, [])]:
            own[key] = merged
    others = [c for c in runtime["containers"] if c["name"] != CONTAINER]
    container = _merged_container(_container(runtime), predictor["model"])
    return {**base, **own, "containers": [_substituted(container, metadata), *others]}


def _container(runtime: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in runtime.get("containers") or []:
        if container["name"] == CONTAINER:
            return dict(container)
    raise InvalidPredictor(f"No container in the runtime is named {CONTAINER}")


def _merged_container(base: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in model.items() if key not in _MODEL_FIELDS}
    env = {v["name"]: v for v in [*(base.get("env") or []), *(own.get("env") or [])]}
    merged = {**base, **own, "args": [*(base.get("args") or []), *(own.get("args") or [])], "env": [*env.values()]}
    if version := model.get("runtimeVersion"):
        merged["image"] = f"{str(merged['image']).rsplit(':', 1)[0]}:{version}"
    return {key: value for key, value in merged.items() if value != []}


def _substituted(container: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in `{{.Name}}` and its like, as the original does with a Go template over the service's metadata."""
    text = _TEMPLATE.sub(lambda match: json.dumps(_value(match[1], metadata))[1:-1], json.dumps(container))
    return dict(json.loads(text))


def _value(expression: str | None, metadata: Mapping[str, Any]) -> str:
    match (expression or "").strip().split("."):
        case ["", "Name"]:
            return str(metadata["name"])
        case ["", "Namespace"]:
            return str(metadata["namespace"])
        case ["", "Labels" | "Annotations" as field, key]:
            return str((metadata.get(field.lower()) or {}).get(key, "<no value>"))
    raise InvalidPredictor("Invalid runtime, unable to substitute variables in the container: unexpected '{{'")

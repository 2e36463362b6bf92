"""An InferenceService and its ServingRuntime become a Deployment and a Service, by KServe's merging rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from maas_operator.domain.objects import Manifest

from ..faults import FAULT_ANNOTATION
from .injection import SOURCE_URI
from .settings import (
    CONTAINER,
    ENABLE_AUTH,
    INFERENCE_SERVICE_LABEL,
    PROXY,
    PROXY_PORT,
    STOP,
    Settings,
    autoscaler_class,
    predictor_name,
)

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
_MERGE_KEYS: Final = {
    "env": "name", "ports": "containerPort", "volumeMounts": "mountPath", "volumes": "name", "imagePullSecrets": "name",
}  # fmt: skip
_HANDLERS: Final = frozenset({"exec", "grpc", "httpGet", "tcpSocket"})
_NOT_COPIED: Final = frozenset({FAULT_ANNOTATION, STOP, "kubectl.kubernetes.io/last-applied-configuration"})


class InvalidPredictor(Exception):
    """The merged container cannot be built."""


def deployment(isvc: Mapping[str, Any], runtime: Mapping[str, Any], settings: Settings) -> Manifest:
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
                "spec": _with_proxy(_pod_spec(metadata, predictor, runtime["spec"]), _has_proxy(isvc, settings)),
            },
        },
    }


def service(isvc: Mapping[str, Any], runtime: Mapping[str, Any], settings: Settings) -> Manifest:
    """Return the Service of the predictor: headless or with port 80."""
    ports = _container(runtime["spec"]).get("ports") or isvc["spec"]["predictor"]["model"].get("ports") or []
    target = ports[0]["containerPort"] if ports else 8080
    labels = pod_labels(isvc, runtime)
    headless = {"clusterIP": "None"} if settings.headless else {}
    plain = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": target}
    guarded = {"name": "https", "port": PROXY_PORT, "protocol": "TCP", "targetPort": "https"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _child_metadata(isvc, labels),
        "spec": {
            **headless,
            "ports": [guarded if _is_guarded(isvc, settings) else plain],
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
        SOURCE_URI: isvc["spec"]["predictor"]["model"].get("storageUri", ""),
    }
    return {key: value for key, value in merged.items() if key not in _NOT_COPIED}


def _is_guarded(isvc: Mapping[str, Any], settings: Settings) -> bool:
    return settings.forces_auth or (isvc["metadata"].get("annotations") or {}).get(ENABLE_AUTH) == "true"


def _has_proxy(isvc: Mapping[str, Any], settings: Settings) -> bool:
    return settings.auth_proxy or _is_guarded(isvc, settings)


def _with_proxy(pod_spec: dict[str, Any], proxy: bool) -> dict[str, Any]:
    if not proxy:
        return pod_spec
    ports = [{"name": "https", "containerPort": PROXY_PORT, "protocol": "TCP"}]
    return {**pod_spec, "containers": [*pod_spec["containers"], {"name": PROXY, "image": PROXY, "ports": ports}]}


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
    others = [c for c in runtime["containers"] if c["name"] != CONTAINER]
    container = _merged_container(_container(runtime), predictor["model"])
    return {**_patched(base, own), "containers": [_substituted(container, metadata), *others]}


def _patched(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as Kubernetes' strategic merge does: maps member by member, some lists by key, and no other list."""
    merged = dict(base)
    for name, value in patch.items():
        old, key = base.get(name), _MERGE_KEYS.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = _patched(old, value)
        elif isinstance(old, list) and key is not None:
            merged[name] = _patched_list(old, value, key)
        else:
            merged[name] = value
    return merged


def _patched_list(base: list[Any], patch: list[Any], key: str) -> list[Any]:
    items = {item[key]: item for item in base}
    return [*(items | {item[key]: {**items.get(item[key], {}), **item} for item in patch}).values()]


def _container(runtime: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in runtime.get("containers") or []:
        if container["name"] == CONTAINER:
            return dict(container)
    raise InvalidPredictor(f"No container in the runtime is named {CONTAINER}")


def _merged_container(base: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in model.items() if key not in _MODEL_FIELDS}
    merged = _patched(base, own)
    merged["args"] = [*(base.get("args") or []), *(own.get("args") or [])]
    if version := model.get("runtimeVersion"):
        merged["image"] = f"{str(merged['image']).rsplit(':', 1)[0]}:{version}"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if len(_HANDLERS & merged.get(probe, {}).keys()) > 1:
            raise InvalidPredictor(f"{probe}: Forbidden: may not specify more than 1 handler type")
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

"""The scale subresource: the replica count of an object, as an `autoscaling/v1` Scale."""

from __future__ import annotations

from typing import Any

from .errors import bad_request
from .resources import Object, Resource, Scale


def scale_of(resource: Resource, object_: Object) -> Object:
    """The Scale of an object."""
    scale = _paths(resource)
    metadata = object_["metadata"]
    parts = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: dict[str, Any] = {"replicas": _at(object_, scale.status_replicas) or 0}
    if selector := _at(object_, scale.selector) if scale.selector else None:
        status["selector"] = selector
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {part: metadata[part] for part in parts if part in metadata},
        "spec": {"replicas": _at(object_, scale.spec_replicas) or 0},
        "status": status,
    }


def with_scale(resource: Resource, object_: Object, scale: Object) -> Object:
    """The object with the replica count of a Scale."""
    replicas = scale.get("spec", {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise bad_request("spec.replicas must be a number")
    steps = _paths(resource).spec_replicas.strip(".").split(".")
    sent = {part: scale["metadata"][part] for part in ("uid", "resourceVersion") if scale["metadata"].get(part)}
    return {**_set(object_, steps, replicas), "metadata": {**object_["metadata"], **sent}}


def _paths(resource: Resource) -> Scale:
    assert resource.scale is not None, "the server routes scale requests to scalable kinds only"
    return resource.scale


def _at(value: Any, path: str) -> Any:
    for step in path.strip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _set(value: Object, steps: list[str], leaf: Any) -> Object:
    head, *rest = steps
    return {**value, head: _set(value.get(head) or {}, rest, leaf) if rest else leaf}

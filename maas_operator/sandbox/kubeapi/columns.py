"""What `kubectl get` shows of built-in kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .resources import AGE, NAME, Column, Object


def _computed(name: str, cell: Callable[[Object], Any], type_: str = "string", priority: int = 0) -> Column:
    return Column(name, type_, cell=cell, priority=priority)


def entries(field: str) -> Column:
    """How many entries a map has."""
    return _computed("Data", lambda object_: len(object_.get(field) or {}), "integer")


def _ports(service: Object) -> str:
    ports = service["spec"].get("ports") or ()
    return ",".join(f"{port.get('port')}/{port['protocol']}" for port in ports) or "<none>"


def _container_statuses(pod: Object) -> list[Object]:
    return pod.get("status", {}).get("containerStatuses") or []


def _ready_containers(pod: Object) -> str:
    ready = sum(1 for status in _container_statuses(pod) if status.get("ready"))
    return f"{ready}/{len(pod.get('spec', {}).get('containers', ()))}"


def _pod_state(pod: Object) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for status in _container_statuses(pod):
        state = status.get("state", {})
        for part in ("waiting", "terminated"):
            if state.get(part, {}).get("reason"):
                return str(state[part]["reason"])
    return str(pod.get("status", {}).get("phase", "Unknown"))


def _ready_replicas(deployment: Object) -> str:
    return f"{deployment.get('status', {}).get('readyReplicas', 0)}/{deployment['spec']['replicas']}"


def event_columns(subject: str, text: str, last: str) -> tuple[Column, ...]:
    """The columns of an event, whose fields the two event groups name differently."""

    def seen(event: Object) -> Any:
        series = event.get("series") or {}
        return series.get("lastObservedTime") or event.get(last) or event.get("eventTime")

    def about(event: Object) -> str:
        target = event.get(subject) or {}
        return f"{target.get('kind', '').lower()}/{target.get('name', '')}"

    return (
        _computed("Last Seen", seen, "date"),
        Column("Type", "string", ".type"),
        Column("Reason", "string", ".reason"),
        _computed("Object", about),
        Column("Message", "string", f".{text}"),
        Column("Name", "string", ".metadata.name", priority=1, format="name"),
    )


SERVICE: Final = (
    NAME,
    Column("Type", "string", ".spec.type"),
    _computed("Cluster-IP", lambda service: service["spec"].get("clusterIP", "<none>")),
    _computed("Port(s)", _ports),
    AGE,
)
POD: Final = (
    NAME,
    _computed("Ready", _ready_containers),
    _computed("Status", _pod_state),
    _computed("Restarts", lambda pod: sum(s.get("restartCount", 0) for s in _container_statuses(pod)), "integer"),
    AGE,
)
DEPLOYMENT: Final = (
    NAME,
    _computed("Ready", _ready_replicas),
    Column("Up-to-date", "integer", ".status.updatedReplicas"),
    Column("Available", "integer", ".status.availableReplicas"),
    AGE,
)

"""Conditions and statuses as controllers write them: times move with the status only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from maas_operator.domain.objects import Manifest

from .client import Client

Clock: TypeAlias = Callable[[], datetime]
"""Returns the time now, with its zone."""


def system_clock() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


def timestamp(when: datetime) -> str:
    """Return a time as Kubernetes writes it: UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return an object's conditions by type."""
    return {c["type"]: c for c in (manifest.get("status") or {}).get("conditions") or []}


def is_true(manifest: Mapping[str, Any], condition_type: str) -> bool:
    """Tell whether a condition is there and True."""
    return conditions_of(manifest).get(condition_type, {}).get("status") == "True"


def merged_conditions(
    manifest: Mapping[str, Any], new: Iterable[Mapping[str, Any]], now: datetime
) -> list[dict[str, Any]]:
    """Return the object's conditions with the new ones in, each with the time of its last change of status."""
    known = conditions_of(manifest)
    for condition in new:
        old = known.get(condition["type"], {})
        same = old.get("status") == condition["status"]
        since = old["lastTransitionTime"] if same else timestamp(now)
        known[condition["type"]] = {**condition, "lastTransitionTime": since}
    return list(known.values())


def condition(condition_type: str, status: bool | None, *, reason: str = "", message: str = "") -> dict[str, Any]:
    """Return a condition without its time; None is Unknown. Empty reason and message are left out."""
    words = {True: "True", False: "False", None: "Unknown"}
    texts = {"reason": reason, "message": message}
    return {"type": condition_type, "status": words[status], **{k: v for k, v in texts.items() if v}}


async def write_status(client: Client, manifest: Manifest, status: Mapping[str, Any]) -> Manifest:
    """Update the status by a full write, as Go controllers do; nothing is sent if it is the same."""
    if (manifest.get("status") or {}) == status:
        return manifest
    return await client.replace({**manifest, "status": dict(status)}, subresource="status")

"""What all readers of other controllers' statuses share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .objects import Manifest


def status_of(manifest: Manifest) -> Mapping[str, Any]:
    """Return an object's status; empty before its controller has written one."""
    return manifest.get("status") or {}


def is_fresh(manifest: Manifest) -> bool:
    """Tell whether a status is about the spec as it is now."""
    return bool(status_of(manifest).get("observedGeneration") == manifest["metadata"].get("generation"))


def true_conditions(manifest: Manifest) -> Mapping[str, str]:
    """Return the messages of the conditions that are True, by type."""
    return {
        condition["type"]: condition.get("message", "")
        for condition in status_of(manifest).get("conditions") or ()
        if condition["status"] == "True"
    }


def condition_of(manifest: Manifest, type_: str) -> Mapping[str, Any]:
    """Return one condition; empty when there is none of that type."""
    conditions = status_of(manifest).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == type_), {})

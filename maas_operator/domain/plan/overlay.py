"""A file over what is there: what becomes of a field that the file does not name depends on who wrote it before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from maas_operator.domain.labels import annotations_of
from maas_operator.domain.objects import Manifest

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL: Final = "kubectl"
"""The field manager of `kubectl apply --server-side`."""


def last_applied(live: Manifest) -> Manifest | None:
    """Return what `kubectl apply` without `--server-side` applied last; None if nobody did."""
    text = annotations_of(live).get(LAST_APPLIED)
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def three_way(last: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return what kubectl makes of a file: what it named before and names no more goes, what others added stays."""
    kept = {key: value for key, value in live.items() if key in wanted or key not in last}
    return {key: _merged(key, last, wanted, kept) for key in [*kept, *(key for key in wanted if key not in kept)]}


def _merged(key: str, last: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Any:
    if key not in wanted:
        return live[key]
    new, old, before = wanted[key], live.get(key), last.get(key)
    if isinstance(new, dict) and isinstance(old, dict):
        return three_way(before if isinstance(before, dict) else {}, new, old)
    return new


def applier_of(live: Manifest, *, ours: str) -> str:
    """Return who applies an object's spec: its fields go when that manager does not name them any more.

    `ours`: how the names of our own managers begin.
    """
    entries = live["metadata"].get("managedFields") or ()
    appliers = [
        entry
        for entry in entries
        if entry.get("operation") == "Apply"
        and "f:spec" in (entry.get("fieldsV1") or {})
        and not str(entry["manager"]).startswith(ours)
    ]
    latest = max(appliers, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(latest["manager"]) if latest else KUBECTL

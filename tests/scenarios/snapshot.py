"""The end state of a scenario without what two good runs may differ in: versions, times, uids and random values."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from maas_operator.domain.kinds import (
    APPLICATION_AUTH,
    DEPLOYMENT,
    MODEL_SERVICE,
    POD,
    PROXY_CONFIG_PROMOTE,
    ROUTE,
    SECRET,
)
from maas_operator.domain.objects import Manifest

CANARY = re.compile(r"\d{6}canary[a-z]*")
"""A value that the operator drew: it must show up in Secrets only."""

_VOLATILE_METADATA = {"resourceVersion", "creationTimestamp", "managedFields", "generation", "uid"}
_VOLATILE = {
    "lastTransitionTime",
    "lastUpdateTime",
    "observedGeneration",
    "promotedGeneration",
    "promotedAt",
    "liveAfter",
    "createdAt",
    "appliedHash",
    "uid",
    "deletionTimestamp",
}

_NUMBER = re.compile(r"(Id|ID|_id|-id)$")
"""Fields with a number that 3scale gives: which one, depends on who came first."""
_SPOKEN = re.compile(r"(with id |gid://zync/\w+/|for product )\d+")
"""The same numbers in texts."""

Snapshot = Mapping[str, Manifest]


def snapshot(objects: Iterable[Manifest]) -> Snapshot:
    """Return the comparable form of objects by their address. Pods are left out: KServe's affair, with random names."""
    found = {_address(one): _plain(one) for one in objects if one["kind"] != POD.name}
    text = _SPOKEN.sub(r"\1<number>", json.dumps(found, sort_keys=True))
    for stable, volatile in _names(text, objects):
        text = text.replace(volatile, stable)
    return dict(json.loads(text))


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield where two snapshots differ, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                yield f"{path}.{key}: {'appeared' if key in other else 'disappeared'}"
            else:
                yield from differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif one != other:
        yield f"{path}: {one!r} became {other!r}"


def _address(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def steady(objects: Iterable[Manifest]) -> Snapshot:
    """Return objects by their address as they are, without what any write changes: for two moments of one run."""
    hidden = {"resourceVersion", "managedFields", "generation"}
    times = {"lastTransitionTime", "lastUpdateTime", "observedGeneration", "promotedGeneration"}
    return {_address(one): _without(_without(one, hidden), times) for one in objects}


def _without(value: Any, hidden: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(entry, hidden) for key, entry in value.items() if key not in hidden}
    return [_without(entry, hidden) for entry in value] if isinstance(value, list) else value


def _plain(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _VOLATILE_METADATA}
    # The status of a Deployment names its ReplicaSet, whose name holds a hash of the labels and so of a uid.
    hidden = {"metadata", "status"} if manifest["kind"] == DEPLOYMENT.name else {"metadata"}
    plain = _without_numbers({key: value for key, value in manifest.items() if key not in hidden})
    if manifest["kind"] == SECRET.name:
        plain["data"] = {key: base64.b64decode(value).decode() for key, value in (manifest.get("data") or {}).items()}
    return {**plain, "metadata": _without_numbers(metadata)}


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        # What an apply has taken away from one of ours may be left as null, which is absent to us.
        given = {key: entry for key, entry in value.items() if entry is not None}
        shown = {key: entry for key, entry in given.items() if key not in _VOLATILE and not _NUMBER.search(key)}
        return {key: _without_numbers(entry) for key, entry in shown.items()}
    if not isinstance(value, list):
        return value
    entries = [_without_numbers(entry) for entry in value]
    # The order of a list-map is that of its entries' first writing.
    return sorted(entries, key=partial(json.dumps, sort_keys=True)) if _is_map(value) else entries


def _is_map(value: list[Any]) -> bool:
    """Tell whether a list is of objects, but neither 3scale's policies nor its mapping rules: their order counts."""
    return all(isinstance(entry, dict) and not {"configuration", "pattern"} & entry.keys() for entry in value)


def _names(text: str, objects: Iterable[Manifest]) -> Iterator[tuple[str, str]]:
    """Yield a stable word for each volatile one."""
    for one in objects:
        yield f"<uid of {_address(one)}>", one["metadata"]["uid"]
        if one["kind"] == PROXY_CONFIG_PROMOTE.name:
            yield "<hash>", one["metadata"]["name"].rpartition("-")[2]
        if one["kind"] == APPLICATION_AUTH.name:
            yield "<push of the key>", one["metadata"]["name"]
        if one["kind"] == MODEL_SERVICE.name:
            yield "<whole hash>", one.get("status", {}).get("gateway", {}).get("configHash", "<whole hash>")
        if one["kind"] == ROUTE.name:
            yield f"<route to {one['spec']['host']}>", one["metadata"]["name"]
    for number, value in enumerate(dict.fromkeys(CANARY.findall(text)), 1):
        yield f"<secret {number}>", value
        yield f"<prefix {number}>", value[:6]

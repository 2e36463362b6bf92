"""The three patches that are not server-side apply: merge, JSON, strategic merge."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import jsonpatch
import jsonpointer

from .errors import ApiError, bad_request, unsupported_media_type
from .fieldsets import Schema, child, element, items
from .resources import Resource


class PatchType(StrEnum):
    """How the body of a PATCH is to be read."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


def patched(resource: Resource, current: Any, type_: PatchType, body: Any) -> Any:
    """`current` with a patch applied; refuses what the API server refuses."""
    match type_:
        case PatchType.JSON:
            return json_patched(current, body)
        case PatchType.STRATEGIC if resource.is_custom:
            kept = [PatchType.JSON.value, PatchType.MERGE.value, PatchType.APPLY.value]
            raise unsupported_media_type(PatchType.STRATEGIC.value, kept)
        case PatchType.STRATEGIC:
            return strategic_patched(current, _object(body), resource.schema.structural)
        case _:
            return merge_patched(current, _object(body))


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request("the body of a merge patch must be an object")
    return body


def merge_patched(current: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for name, entry in patch.items():
        if entry is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patched(merged.get(name), entry)
    return merged


def json_patched(current: Any, operations: Any) -> Any:
    """RFC 6902; 400 for a malformed patch, 422 for one that does not fit or whose `test` fails."""
    try:
        patch = jsonpatch.JsonPatch(operations)
    except (jsonpatch.InvalidJsonPatch, jsonpointer.JsonPointerException, TypeError, AttributeError) as error:
        raise bad_request(f"the patch is not a JSON patch: {error}") from None
    try:
        return patch.apply(current)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message) from None


def strategic_patched(current: Any, patch: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """Kubernetes' own merge for built-in kinds: keyed lists are merged by their keys, `$patch` directs."""
    merged = dict(current) if isinstance(current, dict) else {}
    if patch.get("$patch") == "replace":
        merged = {}
    for name, entry in patch.items():
        if name.startswith("$"):
            _directive(merged, name, entry)
        elif entry is None:
            merged.pop(name, None)
        elif isinstance(entry, dict):
            merged[name] = strategic_patched(merged.get(name), entry, child(schema, name))
        elif isinstance(entry, list):
            merged[name] = _strategic_list(merged.get(name) or [], entry, child(schema, name))
        else:
            merged[name] = entry
    return merged


def _directive(merged: dict[str, Any], name: str, entry: Any) -> None:
    directive, _, field = name.partition("/")
    if directive == "$deleteFromPrimitiveList":
        merged[field] = [item for item in merged.get(field) or [] if item not in entry]
    elif directive == "$retainKeys":
        for unwanted in set(merged) - set(entry):
            del merged[unwanted]


def _strategic_list(current: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return current + [item for item in patch if item not in current]
    if kind != "map" or {"$patch": "replace"} in patch:
        return [item for item in patch if item != {"$patch": "replace"}]
    # Strategic merge knows one key per list; it is the first of the keys that apply goes by.
    by_first = {**schema, "x-kubernetes-list-map-keys": schema["x-kubernetes-list-map-keys"][:1]}
    merged = {element(by_first, item): item for item in current}
    for item in patch:
        name = element(by_first, item)
        if item.get("$patch") == "delete":
            merged.pop(name, None)
        else:
            merged[name] = strategic_patched(merged.get(name), item, items(schema))
    return list(merged.values())

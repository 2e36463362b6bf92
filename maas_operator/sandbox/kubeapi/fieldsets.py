"""Sets of field paths over schema-shaped values: the arithmetic under server-side apply.

A path is a tuple of elements as they stand in `fieldsV1`: `f:<name>`, `k:{...}` for an item of a list keyed by some
of its fields, `v:<json>` for an item of a list that is a set. What a list or map is (granular, keyed, a set, atomic)
is read from the schema's `x-kubernetes-*` words; without a schema maps are granular and lists atomic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Path = tuple[str, ...]
FieldSet = frozenset[Path]
Schema = Mapping[str, Any]

EMPTY: FieldSet = frozenset()
_ANYTHING: Schema = {}
# Stands for "this map entry or list item exists", where its content is tracked by deeper paths.
_MEMBER = object()


def child(schema: Schema, name: str) -> Schema:
    """The schema of one entry of a map; the empty schema where nothing is known."""
    declared = schema.get("properties", {}).get(name)
    if declared is not None:
        return declared  # type: ignore[no-any-return]
    extra = schema.get("additionalProperties")
    return extra if isinstance(extra, dict) else _ANYTHING


def items(schema: Schema) -> Schema:
    """The schema of the items of a list."""
    return schema.get("items", _ANYTHING)  # type: ignore[no-any-return]


def is_associative(schema: Schema) -> bool:
    """True for lists whose items are merged one by one."""
    return schema.get("x-kubernetes-list-type") in ("map", "set")


def is_granular(schema: Schema) -> bool:
    """True for maps whose entries are merged one by one."""
    return schema.get("x-kubernetes-map-type") != "atomic"


def element(schema: Schema, item: Any) -> str:
    """The path element that names an item of an associative list."""
    if schema["x-kubernetes-list-type"] == "set" or not isinstance(item, Mapping):
        return "v:" + _json(item)
    properties = items(schema).get("properties", {})
    keys = {}
    for key in schema["x-kubernetes-list-map-keys"]:
        value = item.get(key, properties.get(key, {}).get("default"))
        if value is not None:
            keys[key] = value
    return "k:" + _json(keys)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def leaves(value: Any, schema: Schema) -> dict[Path, Any]:
    """Every path of a value with what stands there, as the API server lists what an apply owns."""
    found: dict[Path, Any] = {}
    _collect(value, schema, (), found)
    return found


def all_paths(value: Any, schema: Schema) -> dict[Path, Any]:
    """The leaves of a value, and the maps and lists that hold them: who creates one of these owns it too."""
    found = leaves(value, schema)
    holders = {path[:depth]: _MEMBER for path in found for depth in range(1, len(path))}
    return {**holders, **found}


def _collect(value: Any, schema: Schema, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and is_granular(schema):
        declared = schema.get("properties", {})
        for name, entry in value.items():
            below = (*path, "f:" + name)
            # An empty map is a leaf: it has nothing below it that could be owned instead.
            if entry is None or entry == {}:
                found[below] = entry
            else:
                # A key that no schema names exists because somebody put it there.
                if name not in declared:
                    found[below] = _MEMBER
                _collect(entry, child(schema, name), below, found)
    elif isinstance(value, list) and is_associative(schema):
        for item in value:
            below = (*path, element(schema, item))
            found[below] = _MEMBER
            if isinstance(item, dict):
                _collect(item, items(schema), below, found)
    else:
        found[path] = value


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """`live` overlaid with `applied`: granular maps and associative lists are merged, everything else replaced."""
    if isinstance(live, dict) and isinstance(applied, dict) and is_granular(schema):
        overlay = {
            name: merge(live[name], entry, child(schema, name)) if name in live else entry
            for name, entry in applied.items()
        }
        return {**live, **overlay}
    if isinstance(live, list) and isinstance(applied, list) and is_associative(schema):
        merged = {element(schema, item): item for item in live}
        for item in applied:
            name = element(schema, item)
            merged[name] = merge(merged[name], item, items(schema)) if name in merged else item
        return list(merged.values())
    return applied


def remove(value: Any, paths: Iterable[Path], schema: Schema) -> Any:
    """`value` without the given paths; a path that is named takes everything below it along.

    A map or list that loses its last entry becomes null, as on the real server: in a custom object that is a 422
    unless the field is nullable.
    """
    return _remove(value, _tree(paths), schema)


def _remove(value: Any, tree: dict[str, Any], schema: Schema) -> Any:
    if isinstance(value, dict):
        entries = {
            name: _remove(entry, tree["f:" + name], child(schema, name)) if "f:" + name in tree else entry
            for name, entry in value.items()
            if "." not in tree.get("f:" + name, {})
        }
        return entries or None
    if isinstance(value, list) and is_associative(schema):
        kept = ((element(schema, item), item) for item in value)
        left = [
            _remove(item, tree[name], items(schema)) if name in tree else item
            for name, item in kept
            if "." not in tree.get(name, {})
        ]
        return left or None
    return value


def _tree(paths: Iterable[Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return root


def encode(paths: FieldSet) -> dict[str, Any]:
    """The `fieldsV1` form of a set."""
    return _shorten(_tree(sorted(paths)))


def _shorten(node: dict[str, Any]) -> dict[str, Any]:
    if len(node) == 1 and "." in node:
        return {}
    return {step: {} if step == "." else _shorten(below) for step, below in node.items()}


def decode(fields: Mapping[str, Any]) -> FieldSet:
    """The set that a `fieldsV1` value stands for."""
    found: set[Path] = set()
    _decode(fields, (), found)
    return frozenset(found)


def _decode(node: Mapping[str, Any], path: Path, found: set[Path]) -> None:
    if path and not node:
        found.add(path)
    for step, below in node.items():
        if step == ".":
            found.add(path)
        else:
            _decode(below, (*path, step), found)


def readable(path: Path) -> str:
    """A path as conflict messages print it: `.spec.ports[port=80,protocol="TCP"].name`."""
    return "".join(_readable(step) for step in path)


def _readable(step: str) -> str:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return "." + rest
    if kind == "v":
        return f"[={rest}]"
    return "[" + ",".join(f"{key}={_json(value)}" for key, value in json.loads(rest).items()) + "]"


_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
}


def misfit(value: Any, schema: Schema, path: str = "") -> str:
    """Why a value can not be taken apart into fields by its schema; empty if it can."""
    wanted = _TYPES.get(schema.get("type", ""))
    if wanted and value is not None and not isinstance(value, wanted):
        return f"{path}: expected {schema['type']}, got {type(value).__name__}"
    if isinstance(value, dict):
        found = (misfit(entry, child(schema, name), f"{path}.{name}") for name, entry in value.items())
        return next(filter(None, found), "")
    if isinstance(value, list):
        found = (misfit(item, items(schema), f"{path}[{index}]") for index, item in enumerate(value))
        return next(filter(None, found), "") or _misfit_keys(value, schema, path)
    return ""


def _misfit_keys(value: list[Any], schema: Schema, path: str) -> str:
    """Why the items of an associative list can not be told apart."""
    if not is_associative(schema):
        return ""
    properties = items(schema).get("properties", {})
    seen: set[str] = set()
    for index, item in enumerate(value):
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            if key not in item and "default" not in properties.get(key, {}):
                omits = f'an element that omits key field "{key}" (and doesn\'t have default value)'
                return f"{path}: element {index}: associative list with keys has {omits}"
        name = element(schema, item)
        if name in seen:
            return f"{path}: duplicate entries for key [{name}]"
        seen.add(name)
    return ""

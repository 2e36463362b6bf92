"""The schema of a kind: what is pruned, what is defaulted, what is refused, and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

import jsonschema_rs

from .cel import Rules, type_name
from .errors import Cause
from .fieldsets import Schema, child, items

_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_OWNERS: Final = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["uid"],
    "items": {
        "type": "object",
        "required": ["apiVersion", "kind", "name", "uid"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "name": {"type": "string"},
            "uid": {"type": "string"},
            "controller": {"type": "boolean"},
            "blockOwnerDeletion": {"type": "boolean"},
        },
        "x-kubernetes-map-type": "atomic",
    },
}
METADATA: Final[Schema] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "generateName": {"type": "string"},
        "namespace": {"type": "string"},
        "uid": {"type": "string"},
        "resourceVersion": {"type": "string"},
        "generation": {"type": "integer"},
        "creationTimestamp": {"type": "string", "nullable": True},
        "deletionTimestamp": {"type": "string", "nullable": True},
        "deletionGracePeriodSeconds": {"type": "integer"},
        "selfLink": {"type": "string"},
        "labels": {**_STRINGS, "nullable": True},
        "annotations": {**_STRINGS, "nullable": True},
        "finalizers": {
            "type": "array",
            "nullable": True,
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
        },
        "ownerReferences": {**_OWNERS, "nullable": True},
        "managedFields": {
            "type": "array",
            "nullable": True,
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    },
}
"""Object metadata, the same for every kind."""
_TYPE_META: Final = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": METADATA}
_KEYWORDS: Final = (
    "type",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
)
_FORMATS: Final = frozenset({"date-time", "date", "email", "ipv4", "ipv6", "uri", "uuid"})


class KindSchema:
    """One version of one kind, compiled from its structural schema."""

    def __init__(self, structural: Schema) -> None:
        self.structural: Schema = {
            **structural,
            "type": "object",
            "properties": {**structural.get("properties", {}), **_TYPE_META, "metadata": _metadata(structural)},
        }
        self.rules = Rules(structural)
        self._validator = jsonschema_rs.Draft4Validator(
            _draft4(self.structural), validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
        )

    def sanitize(self, value: dict[str, Any], *, keep_nulls: bool = False) -> tuple[dict[str, Any], list[str]]:
        """The value pruned and defaulted, and the paths of the unknown fields that were dropped.

        A null where the schema allows none counts as absent, but for those that an apply leaves behind.
        """
        unknown: list[str] = []
        pruned = _prune(value, self.structural, "", unknown)
        if not keep_nulls:
            pruned = _drop_nulls(pruned, self.structural)
        return _default(pruned, self.structural), unknown

    def problems(self, value: dict[str, Any], old: dict[str, Any] | None) -> list[Cause]:
        """Everything that is wrong with a value; rules are asked only of values that fit the schema."""
        causes = [_translate(error) for error in self._validator.iter_errors(value)]
        causes += _duplicates(value, self.structural, "")
        # A rule may stumble over a value of the wrong type, and would only repeat what is told already.
        return causes or self.rules.broken(value, old)


def _metadata(structural: Schema) -> Schema:
    """The metadata of a kind: a CRD may bound the name, and nothing else."""
    bounds = structural.get("properties", {}).get("metadata", {}).get("properties", {})
    return {**METADATA, "properties": {**METADATA["properties"], **bounds}}


def _prune(value: Any, schema: Schema, path: str, unknown: list[str]) -> Any:
    if isinstance(value, list):
        return [_prune(item, items(schema), f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict) or (not schema and path):
        return value
    pruned = {}
    for name, entry in value.items():
        below = f"{path}.{name}" if path else name
        if _is_known(name, schema):
            pruned[name] = _prune(entry, _below(schema, name), below, unknown)
        else:
            unknown.append(below)
    return pruned


def _below(schema: Schema, name: str) -> Schema:
    if schema.get("x-kubernetes-embedded-resource") and name == "metadata":
        return METADATA
    return child(schema, name)


def _is_known(name: str, schema: Schema) -> bool:
    if schema.get("x-kubernetes-preserve-unknown-fields") or name in schema.get("properties", {}):
        return True
    if schema.get("x-kubernetes-embedded-resource") and name in _TYPE_META:
        return True
    return schema.get("additionalProperties") not in (None, False)


def _default(value: Any, schema: Schema) -> Any:
    if isinstance(value, list):
        return [_default(item, items(schema)) for item in value]
    if not isinstance(value, dict) or not schema:
        return value
    filled = dict(value)
    for name, property_ in schema.get("properties", {}).items():
        # An apply leaves a null behind where it took the last entry away.
        if "default" in property_ and (name not in filled or _is_refused_null(filled[name], property_)):
            filled[name] = deepcopy(property_["default"])
    return {name: _default(entry, child(schema, name)) for name, entry in filled.items()}


def _is_refused_null(value: Any, schema: Schema) -> bool:
    return value is None and not schema.get("nullable", False)


def _drop_nulls(value: Any, schema: Schema) -> Any:
    if not schema:
        return value
    if isinstance(value, list):
        return [_drop_nulls(item, items(schema)) for item in value]
    if not isinstance(value, dict):
        return value
    below = {name: child(schema, name) for name in value}
    return {
        name: _drop_nulls(entry, below[name])
        for name, entry in value.items()
        if entry is not None or not below[name] or below[name].get("nullable")
    }


def _draft4(schema: Schema) -> dict[str, Any]:
    """The part of a structural schema that JSON Schema knows, with Kubernetes' own words translated."""
    plain: dict[str, Any] = {word: schema[word] for word in _KEYWORDS if word in schema}
    if schema.get("format") in _FORMATS:
        plain["format"] = schema["format"]
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    # In a structural schema null is an attribute; in JSON Schema it is a type, and a value that an enum must name.
    if schema.get("nullable") and "type" in plain:
        plain["type"] = [*_as_list(plain["type"]), "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    if "properties" in schema:
        plain["properties"] = {name: _draft4(below) for name, below in schema["properties"].items()}
    for word in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(word), Mapping):
            plain[word] = _draft4(schema[word])
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            plain[word] = [_draft4(below) for below in schema[word]]
    return plain


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _duplicates(value: Any, schema: Schema, path: str) -> list[Cause]:
    if not schema:
        return []
    if isinstance(value, dict):
        return [
            cause
            for name, entry in value.items()
            for cause in _duplicates(entry, child(schema, name), f"{path}.{name}" if path else name)
        ]
    if not isinstance(value, list):
        return []
    causes = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        at = f"{path}[{index}]"
        identity = _identity(item, schema)
        if identity is not None and identity in seen:
            causes.append(Cause("FieldValueDuplicate", f"Duplicate value: {_in_go(item, schema)}", at))
        elif identity is not None:
            seen.add(identity)
        causes += _duplicates(item, items(schema), at)
    return causes


def _in_go(item: Any, schema: Schema) -> str:
    """A duplicate as the API server prints it: the keys of a map item, or the scalar."""
    if not isinstance(item, dict):
        return json.dumps(item)
    keys = ", ".join(f'"{key}":{json.dumps(item.get(key))}' for key in schema["x-kubernetes-list-map-keys"])
    return "map[string]interface {}{" + keys + "}"


def _identity(item: Any, schema: Schema) -> str | None:
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return json.dumps(item, sort_keys=True)
    if kind == "map" and isinstance(item, dict):
        return json.dumps({key: item.get(key) for key in schema["x-kubernetes-list-map-keys"]}, sort_keys=True)
    return None


def field_path(steps: list[str | int]) -> str:
    """A path as the API server prints it: `spec.plans[0].name`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def shown(value: Any) -> str:
    """A value as the API server quotes it in a message."""
    return '"null"' if value is None else json.dumps(value, ensure_ascii=False)


_INVALID: Final[Mapping[str, Callable[[Any], str]]] = {
    "Pattern": lambda kind: f"should match '{kind.pattern}'",
    "Minimum": lambda kind: f"should be greater than or equal to {kind.limit}",
    "Maximum": lambda kind: f"should be less than or equal to {kind.limit}",
    "ExclusiveMinimum": lambda kind: f"should be greater than {kind.limit}",
    "ExclusiveMaximum": lambda kind: f"should be less than {kind.limit}",
    "MultipleOf": lambda kind: f"should be a multiple of {kind.multiple_of}",
    "MinLength": lambda kind: f"should be at least {kind.limit} chars long",
    "MinItems": lambda kind: f"should have at least {kind.limit} items",
    "MinProperties": lambda kind: f"should have at least {kind.limit} properties",
    "OneOfNotValid": lambda _: "must validate one and only one schema (oneOf). Found none valid",
    "OneOfMultipleValid": lambda _: "must validate one and only one schema (oneOf). Found more than one valid",
    "AnyOf": lambda _: "must validate at least one schema (anyOf)",
    "Not": lambda _: "must not validate the schema (not)",
}


def _translate(error: jsonschema_rs.ValidationError) -> Cause:
    path = field_path(list(error.instance_path))
    kind: Any = error.kind
    value: Any = error.instance
    match kind.name:
        case "required":
            return Cause("FieldValueRequired", "Required value", f"{path}.{kind.property}".removeprefix("."))
        case "type":
            given = json.dumps(type_name(value))
            wanted = ",".join(kind.types)
            message = f"Invalid value: {given}: {path} in body must be of type {wanted}: {given}"
            return Cause("FieldValueTypeInvalid", message, path)
        case "format":
            text = shown(value)
            message = f"Invalid value: {text}: {path} in body must be of type {kind.format}: {text}"
            return Cause("FieldValueInvalid", message, path)
        case "enum":
            options = ", ".join(json.dumps(option) for option in kind.options if option is not None)
            message = f"Unsupported value: {shown(value)}: supported values: {options}"
            return Cause("FieldValueNotSupported", message, path)
        case "maxLength":
            return Cause("FieldValueTooLong", f"Too long: may not be more than {kind.limit} bytes", path)
        case "maxItems" | "maxProperties":
            return Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {kind.limit} items", path)
    describe = _INVALID.get(type(kind).__name__)
    words = describe(kind) if describe else error.message
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {path} in body {words}", path)


_METADATA_SHAPE: Final = jsonschema_rs.Draft4Validator(_draft4(METADATA))


def misread_metadata(metadata: Any) -> str:
    """Why metadata can not be read, as a value of the wrong type; empty if it can."""
    error = next(iter(_METADATA_SHAPE.iter_errors(metadata)), None)
    return f"{field_path(['metadata', *error.instance_path])}: {error.message}" if error else ""

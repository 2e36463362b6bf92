"""From the JSON schema of a pydantic model to the structural schema that a CRD may carry."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from maas_operator.api.base import LIST_TYPE, MAP_TYPE, VALIDATIONS

Schema = dict[str, Any]

# In the order in which the files show them.
_KEYWORDS = (
    "type",
    "format",
    "description",
    "nullable",
    "default",
    "enum",
    "pattern",
    "required",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "anyOf",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    MAP_TYPE,
    VALIDATIONS,
    "items",
    "additionalProperties",
    "properties",
)


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the model's structural schema; a keyword that has no structural form is a TypeError."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _structural(schema, schema.get("$defs", {}), model.__name__)


def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Schema], path: str) -> Schema:
    node = _resolved(schema, definitions)
    if node.get("type") == "object" and "default" in node:
        node["default"] = _own_default(node, definitions)
    for keyword in ("$defs", "title"):
        node.pop(keyword, None)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("type") == "integer":
        node["format"] = "int64"
    _inspect(node, path)
    for container in ("items", "additionalProperties"):
        if container in node:
            node[container] = _structural(node[container], definitions, f"{path}[]")
    if "properties" in node:
        members = {
            name: _structural(value, definitions, f"{path}.{name}") for name, value in node["properties"].items()
        }
        required = node.get("required", ())
        node["properties"] = {
            name: member if name in required else _removable(member) for name, member in members.items()
        }
    return _ordered(node)


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Inline the reference and the optional of one node; what the node itself says wins over what it refers to."""
    node = dict(schema)
    if "$ref" in node:
        return _merged(_resolved(deepcopy(definitions[node.pop("$ref").rsplit("/", 1)[-1]]), definitions), node)
    members = node.get("anyOf", ())
    if {"type": "null"} in members:
        del node["anyOf"]
        (present,) = (member for member in members if member != {"type": "null"})
        return _merged(_resolved(present, definitions), node)
    return _without_null_default(node)


def _merged(target: Schema, node: Schema) -> Schema:
    rules = [*target.get(VALIDATIONS, ()), *node.get(VALIDATIONS, ())]
    return _without_null_default(target | node | ({VALIDATIONS: rules} if rules else {}))


def _without_null_default(node: Schema) -> Schema:
    # Absent never is null in this API.
    if node.get("default", "") is None:
        del node["default"]
    return node


def _removable(node: Schema) -> Schema:
    """Return the schema of an optional field with what lets a server-side apply take it away.

    Servers before Kubernetes 1.35 make null of a list or map that loses its last entry, and refuse it then: unless
    there is a default to put in its place, or the field is owned as a whole.
    """
    if "default" in node or node.get("type") != "object":
        return node
    # Of a map whose keys are anybody's, absent and empty mean the same; not so of an object.
    whole: Schema = {"default": {}} if "additionalProperties" in node else {MAP_TYPE: "atomic"}
    return _ordered(node | whole)


def _ordered(node: Schema) -> Schema:
    return {keyword: node[keyword] for keyword in _KEYWORDS if keyword in node}


def _own_default(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Return what the default of an object adds to the defaults of its members, which the server fills in itself."""
    members = {name: _resolved(value, definitions) for name, value in node.get("properties", {}).items()}
    return {name: value for name, value in node["default"].items() if value and value != members[name].get("default")}


def _inspect(node: Schema, path: str) -> None:
    unknown = node.keys() - set(_KEYWORDS)
    if unknown:
        raise TypeError(f"{path}: {', '.join(sorted(unknown))} has no structural form")
    if "type" not in node and not node.get("x-kubernetes-int-or-string"):
        raise TypeError(f"{path}: a structural schema needs a type")
    if node.get("type") == "array" and LIST_TYPE not in node:
        raise TypeError(f"{path}: a list needs a list type")

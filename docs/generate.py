"""Writes docs/reference/ from the models and the table of reasons: run it as `make docs`."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from maas_operator.api import reasons, remedies
from maas_operator.api.base import API_VERSION, LIST_MAP_KEYS, LIST_TYPE, VALIDATIONS
from maas_operator.api.crd import DEFINITIONS, Definition
from maas_operator.api.fields import DURATION_PATTERN, QUANTITY_PATTERN

HERE = Path(__file__).parent
REFERENCE = HERE / "reference"

RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " entries"),
)
# These patterns are better known by a name than by themselves.
NAMED_PATTERNS = {DURATION_PATTERN: "duration", QUANTITY_PATTERN: "quantity"}
CONDITIONS_OF = {
    "ModelService": reasons.MODEL_SERVICE_CONDITIONS,
    "ModelSubscription": reasons.MODEL_SUBSCRIPTION_CONDITIONS,
    "ModelPlatform": reasons.MODEL_PLATFORM_CONDITIONS,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a kind's table; every text is Markdown that fits a table's cell."""

    path: str
    type: str
    required: bool
    default: str
    bounds: str
    meaning: str


def fields(schema: dict[str, Any], path: str) -> Iterator[Field]:
    """Return the fields below an object's schema, each before its members."""
    for name, member in schema.get("properties", {}).items():
        yield _field(f"{path}.{name}", member, required=name in schema.get("required", ()))
        yield from fields(member, f"{path}.{name}")
        yield from fields(member.get("items", {}), f"{path}.{name}[]")


def _field(path: str, schema: dict[str, Any], *, required: bool) -> Field:
    default = _cell(f"`{json.dumps(schema['default'])}`") if "default" in schema else ""
    messages = (f"Rule: {rule['message']}." for rule in schema.get(VALIDATIONS, ()))
    return Field(
        path=path,
        type=_cell(_type(schema)),
        required=required,
        default=default,
        bounds=_cell("; ".join(_bounds(schema))),
        meaning=_cell(" ".join([*schema.get("description", "").split(), *messages])),
    )


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(f"`{value}`" for value in schema["enum"])
    if name := NAMED_PATTERNS.get(schema.get("pattern", "")):
        return name
    if "items" in schema:
        return f"list of {_type(schema['items'])}{_list_type(schema)}"
    if "additionalProperties" in schema:
        return f"map of string to {_type(schema['additionalProperties'])}"
    return str(schema["type"])


def _list_type(schema: dict[str, Any]) -> str:
    if keys := schema.get(LIST_MAP_KEYS):
        return f", one for each {' and '.join(keys)}"
    return ", none twice" if schema[LIST_TYPE] == "set" else ""


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("pattern") in NAMED_PATTERNS:
        return
    for low, high, unit in RANGES:
        if low in schema or high in schema:
            yield f"{_range(schema.get(low), schema.get(high))}{unit}"
    if "pattern" in schema:
        yield f"`{schema['pattern']}`"
    items = schema.get("items") or schema.get("additionalProperties")
    if items and "properties" not in items:
        yield from (f"each {bound}" for bound in _bounds(items))


def _range(low: int | None, high: int | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def attribute_docstrings(class_: type) -> dict[str, str]:
    """Return the docstring under each attribute of a class, on one line; Python itself does not keep them."""
    (definition,) = ast.parse(inspect.getsource(class_)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        before.targets[0].id: " ".join(after.value.value.split())
        for before, after in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(before, ast.Assign) and isinstance(before.targets[0], ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
    }


def _kind_page(environment: Environment, definition: Definition) -> str:
    version = definition.as_manifest()["spec"]["versions"][0]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    return environment.get_template("kind.md.j2").render(
        definition=definition,
        kind=definition.model.__name__,
        meaning=inspect.getdoc(definition.model),
        api_version=API_VERSION,
        parts={part: list(fields(properties[part], part)) for part in ("spec", "status")},
        rules=properties["spec"].get(VALIDATIONS, ()),
        name_rule=_bounds(properties["metadata"]["properties"]["name"]),
        conditions=CONDITIONS_OF[definition.model.__name__],
    )


def pages() -> dict[str, str]:
    """Return the text of every page in docs/reference/ by its file name."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    kinds = {f"{each.model.__name__.lower()}.md": _kind_page(environment, each) for each in DEFINITIONS}
    conditions = environment.get_template("conditions.md.j2").render(
        conditions_of=CONDITIONS_OF,
        meanings=attribute_docstrings(reasons.ConditionType),
        reasons=sorted(remedies.REASONS.items()),
    )
    return kinds | {"conditions.md": conditions}


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    main()

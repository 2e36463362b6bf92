"""`x-kubernetes-validations`: CEL rules of a CRD, evaluated when a CEL library is installed, else counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Cause
from .fieldsets import Schema, element, is_associative

try:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings
except ImportError:
    cel = None

# CEL's own words, which a rule can only use as field names in the escaped form.
_RESERVED = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|"
    "while"
)
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_REASONS = {
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


def _environment() -> Any:
    if cel is None:
        return None
    return cel.NewEnv(
        variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
        extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
    )


@dataclass(frozen=True)
class _Rule:
    program: Any
    expression: str
    is_transition: bool
    message: str
    message_program: Any
    reason: str
    field_path: str


class Rules:
    """All rules of one schema, where they stand."""

    def __init__(self, schema: Schema) -> None:
        self.unenforced: list[str] = []
        self._root = _Node(schema, _environment(), self.unenforced)

    def broken(self, value: Any, old: Any) -> list[Cause]:
        """The rules that a value breaks; transition rules are asked only where an old value exists."""
        return list(self._root.broken(value, old, "")) if self._root.has_rules else []


class _Node:
    """The rules at one place of the schema and below it."""

    def __init__(self, schema: Schema, environment: Any, unenforced: list[str]) -> None:
        self.schema = schema
        self.rules = [
            rule
            for declared in schema.get("x-kubernetes-validations", [])
            if (rule := _compile(declared, environment, unenforced)) is not None
        ]
        below = {name: _Node(sub, environment, unenforced) for name, sub in schema.get("properties", {}).items()}
        self.properties = {name: node for name, node in below.items() if node.has_rules}
        self.items = self._single(schema.get("items"), environment, unenforced)
        self.entries = self._single(schema.get("additionalProperties"), environment, unenforced)

    @staticmethod
    def _single(schema: Any, environment: Any, unenforced: list[str]) -> _Node | None:
        if not isinstance(schema, Mapping):
            return None
        node = _Node(schema, environment, unenforced)
        return node if node.has_rules else None

    @property
    def has_rules(self) -> bool:
        """True if anything at or below this place has to be asked."""
        return bool(self.rules or self.properties or self.items or self.entries)

    def broken(self, value: Any, old: Any, path: str) -> Iterator[Cause]:
        """Walk value and old value side by side."""
        if value is None:
            return
        # Escaping copies the value, so it is done where rules stand and nowhere else.
        if self.rules:
            given, before = _escaped(value), _escaped(old)
            for rule in self.rules:
                yield from _ask(rule, given, before, path, value)
        yield from self._below(value, old, path)

    def _below(self, value: Any, old: Any, path: str) -> Iterator[Cause]:
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, entry in value.items():
                node = self.properties.get(name, self.entries)
                if node is not None:
                    yield from node.broken(entry, before.get(name), f"{path}.{name}" if path else name)
        elif isinstance(value, list) and self.items is not None:
            known = self._correlated(old)
            for index, item in enumerate(value):
                before_item = known.get(element(self.schema, item)) if known else None
                yield from self.items.broken(item, before_item, f"{path}[{index}]")

    def _correlated(self, old: Any) -> dict[str, Any]:
        if not isinstance(old, list) or not is_associative(self.schema):
            return {}
        return {element(self.schema, item): item for item in old}


def _compile(declared: Mapping[str, Any], environment: Any, unenforced: list[str]) -> _Rule | None:
    expression = declared["rule"]
    if environment is None:
        unenforced.append(expression)
        return None
    try:
        program = environment.compile(expression)
        worded = declared.get("messageExpression")
        message_program = environment.compile(worded) if worded else None
    except RuntimeError:
        # The library lacks some functions of the API server (quantities, URLs, sorting).
        unenforced.append(expression)
        return None
    return _Rule(
        program,
        expression,
        re.search(r"\boldSelf\b", expression) is not None,
        declared.get("message", ""),
        message_program,
        declared.get("reason", "FieldValueInvalid"),
        declared.get("fieldPath", ""),
    )


def _ask(rule: _Rule, given: Any, before: Any, path: str, value: Any) -> Iterator[Cause]:
    if rule.is_transition and before is None:
        return
    data = {"self": given, "oldSelf": before}
    outcome = rule.program.eval(data=data).value()
    if outcome is True:
        return
    where = (path + rule.field_path).removeprefix(".")
    quoted = f'"{type_name(value)}"'
    message = rule.message or f"failed rule: {rule.expression}"
    if rule.message_program is not None:
        message = str(rule.message_program.eval(data=data).value())
    if outcome is not False:
        message = f"rule evaluation error: {outcome}"
    words = _REASONS.get(rule.reason, f"Invalid value: {quoted}")
    yield Cause(rule.reason, f"{words}: {message}", where)


def type_name(value: Any) -> str:
    """The type of a value as messages name it."""
    if value is None:
        return "null"
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names[type(value)]


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {_escape(name): _escaped(entry) for name, entry in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _escape(name: str) -> str:
    if _RESERVED.fullmatch(name):
        return f"__{name}__"
    return re.sub(r"__|[.\-/]", lambda match: _ESCAPES[match[0]], name)

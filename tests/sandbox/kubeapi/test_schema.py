"""CEL rules of custom kinds, and patches and tables in corners that no server test reaches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from maas_operator.sandbox.kubeapi.jsonpath import find
from maas_operator.sandbox.kubeapi.patch import strategic_patched
from maas_operator.sandbox.kubeapi.schema import KindSchema
from maas_operator.sandbox.kubeapi.table import human_duration


def kind_with(rule: dict[str, Any], **properties: Any) -> KindSchema:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": [rule]}
    return KindSchema({"type": "object", "properties": {"spec": spec}})


def told(schema: KindSchema, spec: Any, old: Any = None) -> list[tuple[str, str]]:
    before = None if old is None else {"spec": old}
    return [(cause.field, cause.message) for cause in schema.problems({"spec": spec}, before)]


def test_a_broken_rule_is_told_in_its_own_words() -> None:
    schema = kind_with(
        {"rule": "self.a < self.b", "message": "a is less than b"}, a={"type": "integer"}, b={"type": "integer"}
    )
    assert told(schema, {"a": 2, "b": 1}) == [("spec", 'Invalid value: "object": a is less than b')]
    assert told(schema, {"a": 1, "b": 2}) == []


def test_a_rule_may_name_field_reason_and_message() -> None:
    rule = {
        "rule": "!has(self.a)",
        "messageExpression": "'not ' + self.a",
        "fieldPath": ".a",
        "reason": "FieldValueForbidden",
    }
    assert told(kind_with(rule, a={"type": "string"}), {"a": "x"}) == [("spec.a", "Forbidden: not x")]


def test_a_transition_rule_needs_an_old_value() -> None:
    schema = kind_with({"rule": "self == oldSelf", "message": "immutable"}, a={"type": "string"})
    assert told(schema, {"a": "x"}) == []
    assert told(schema, {"a": "x"}, {"a": "x"}) == []
    assert told(schema, {"a": "y"}, {"a": "x"}) == [("spec", 'Invalid value: "object": immutable')]


def test_items_of_a_keyed_list_are_compared_by_key() -> None:
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
        "x-kubernetes-validations": [{"rule": "self.value == oldSelf.value", "message": "immutable"}],
    }
    keyed = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    schema = KindSchema({"type": "object", "properties": {"spec": {"type": "object", "properties": {"l": keyed}}}})
    old = {"l": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}
    assert told(schema, {"l": [{"name": "b", "value": "2"}, {"name": "c", "value": "9"}]}, old) == []
    assert [field for field, _ in told(schema, {"l": [{"name": "b", "value": "3"}]}, old)] == ["spec.l[0]"]


def test_reserved_words_are_asked_for_in_their_escaped_form() -> None:
    rule = {"rule": "self.__namespace__ == self.a__dash__b", "message": "same"}
    schema = kind_with(rule, **{"namespace": {"type": "string"}, "a-b": {"type": "string"}})
    assert told(schema, {"namespace": "x", "a-b": "x"}) == []
    assert len(told(schema, {"namespace": "x", "a-b": "y"})) == 1


def test_a_rule_that_can_not_be_asked_is_counted() -> None:
    schema = kind_with({"rule": "quantity(self.a).isGreaterThan(quantity('1'))"}, a={"type": "string"})
    assert schema.rules.unenforced == ["quantity(self.a).isGreaterThan(quantity('1'))"]
    assert told(schema, {"a": "0"}) == []


def test_rules_are_asked_only_of_what_fits_the_schema() -> None:
    schema = kind_with({"rule": "self.a < 5", "message": "small"}, a={"type": "integer"})
    assert [message for _, message in told(schema, {"a": "x"})] == [
        'Invalid value: "string": spec.a in body must be of type integer: "string"'
    ]


def test_a_number_or_string_may_be_either() -> None:
    schema = KindSchema({"type": "object", "properties": {"spec": {"x-kubernetes-int-or-string": True}}})
    assert told(schema, 80) == told(schema, "http") == []
    assert len(told(schema, 1.5)) == 1


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ([{"name": "b", "image": "new"}], ["a:1", "b:new"]),
        ([{"name": "c", "image": "3"}], ["a:1", "b:2", "c:3"]),
        ([{"name": "a", "$patch": "delete"}], ["b:2"]),
        ([{"$patch": "replace"}, {"name": "c", "image": "3"}], ["c:3"]),
    ],
    ids=["merge", "add", "delete", "replace"],
)
def test_a_strategic_merge_goes_by_keys(patch: list[Any], names: list[str]) -> None:
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {}}
    current = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}
    merged = strategic_patched(current, {"containers": patch}, {"properties": {"containers": keyed}})
    assert [f"{item['name']}:{item['image']}" for item in merged["containers"]] == names


def test_a_strategic_merge_obeys_directives() -> None:
    current = {"finalizers": ["a", "b"], "keep": 1, "drop": 2}
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"], "$retainKeys": ["finalizers", "keep"]}
    assert strategic_patched(current, patch, {}) == {"finalizers": ["b"], "keep": 1}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        (".a['x.y']", [2]),
        (r".a.x\.y", [2]),
        (".l[0].n", ["p"]),
        (".l[*].n", ["p", "q"]),
        ('.l[?(@.n=="q")].v', [8]),
        (".missing.b", []),
        (".l[9]", []),
        ("{nonsense", []),
    ],
)
def test_a_path_finds(path: str, found: list[Any]) -> None:
    value = {"a": {"b": 1, "x.y": 2}, "l": [{"n": "p", "v": 7}, {"n": "q", "v": 8}]}
    assert find(value, path) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (3600, "60m"), (4 * 3600, "4h"), (9 * 86400, "9d")],
)
def test_an_age_reads_as_kubectl_writes_it(seconds: int, text: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == text

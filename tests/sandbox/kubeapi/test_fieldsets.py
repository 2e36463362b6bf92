"""The arithmetic of owned fields, on any value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maas_operator.sandbox.kubeapi.fieldsets import decode, encode, leaves, merge, remove
from tests.sandbox.kubeapi.client import WIDGETS

SCHEMA = WIDGETS["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

words = st.sampled_from("abcd")
parts = st.lists(st.fixed_dictionaries({"name": words}, optional={"value": words}), unique_by=lambda item: item["name"])
specs = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(1, 9),
        "nested": st.dictionaries(st.sampled_from("ab"), words),
        "parts": parts,
        "tags": st.lists(words, unique=True),
        "plain": st.lists(words),
        "free": st.dictionaries(words, st.dictionaries(words, words)),
    },
)


@given(specs)
def test_a_set_survives_its_wire_form(spec: dict[str, Any]) -> None:
    fields = frozenset(leaves(spec, SCHEMA))
    assert decode(encode(fields)) == fields


@given(specs, specs)
def test_a_merge_contains_all_that_was_applied(live: dict[str, Any], applied: dict[str, Any]) -> None:
    merged = leaves(merge(live, applied, SCHEMA), SCHEMA)
    for path, value in leaves(applied, SCHEMA).items():
        if value != {}:
            assert merged[path] == value


@given(specs, specs)
def test_merging_twice_is_merging_once(live: dict[str, Any], applied: dict[str, Any]) -> None:
    once = merge(live, applied, SCHEMA)
    assert merge(once, applied, SCHEMA) == once


@given(specs, specs)
def test_a_merge_changes_neither_side(live: dict[str, Any], applied: dict[str, Any]) -> None:
    before = repr((live, applied))
    merge(live, applied, SCHEMA)
    remove(live, leaves(applied, SCHEMA), SCHEMA)
    assert repr((live, applied)) == before


@given(specs, specs)
def test_what_is_removed_is_gone_and_the_rest_stays(live: dict[str, Any], doomed: dict[str, Any]) -> None:
    before, paths = leaves(live, SCHEMA), leaves(doomed, SCHEMA)
    after = leaves(remove(live, paths, SCHEMA) or {}, SCHEMA)
    for path, value in before.items():
        if any(path[:depth] in paths for depth in range(1, len(path) + 1)):
            assert path not in after
        else:
            assert after[path] == value or (value == {} and after[path] is None)


def test_a_missing_key_counts_as_its_default() -> None:
    item = {"type": "object", "properties": {"protocol": {"type": "string", "default": "TCP"}}}
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"], "items": item}
    named = {"port": 80, "protocol": "TCP", "name": "http"}
    assert merge([named], [{"port": 80, "name": "web"}], keyed) == [{"port": 80, "protocol": "TCP", "name": "web"}]

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.domain.objects import Manifest
from maas_operator.domain.plan.overlay import KUBECTL, LAST_APPLIED, applier_of, last_applied, three_way

values = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
specs = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


def live(*entries: dict[str, Any], **annotations: str) -> Manifest:
    return {"metadata": {"name": "x", "managedFields": list(entries), "annotations": annotations}}


def entry(manager: str, operation: str = "Apply", time: str = "2026-01-01T00:00:00Z", field: str = "f:spec") -> Any:
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": {field: {}}}


@pytest.mark.parametrize(
    ("last", "wanted", "now", "merged"),
    [
        ({"a": 1}, {}, {"a": 1, "b": 2}, {"b": 2}),
        ({}, {}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({}, {"c": 3}, {"a": 1}, {"a": 1, "c": 3}),
        ({"o": {"a": 1, "b": 1}}, {"o": {"a": 1}}, {"o": {"a": 1, "b": 1, "c": 1}}, {"o": {"a": 1, "c": 1}}),
        ({"o": 1}, {"o": {"a": 1}}, {"o": {"b": 1}}, {"o": {"b": 1, "a": 1}}),
        ({"l": [1, 2]}, {"l": [3]}, {"l": [1, 2]}, {"l": [3]}),
    ],
)
def test_what_a_file_names_no_more_goes_and_what_others_added_stays(
    last: Any, wanted: Any, now: Any, merged: Any
) -> None:
    assert three_way(last, wanted, now) == merged


@given(specs, specs, specs)
def test_what_a_file_names_is_always_there(last: Any, wanted: Any, now: Any) -> None:
    merged = three_way(last, wanted, now)
    assert wanted.keys() <= merged.keys()
    assert three_way(wanted, wanted, merged) == merged


@given(specs)
def test_a_file_that_is_applied_already_merges_into_the_same(spec: Any) -> None:
    assert three_way(spec, spec, spec) == spec


def test_only_a_whole_object_is_one_that_was_applied() -> None:
    assert last_applied(live(**{LAST_APPLIED: json.dumps({"spec": {"a": 1}})})) == {"spec": {"a": 1}}
    assert [last_applied(live(**{LAST_APPLIED: text})) for text in ("", "{", "[]")] == [None] * 3
    assert last_applied(live()) is None


@pytest.mark.parametrize(
    ("entries", "manager"),
    [
        ([], KUBECTL),
        ([entry("argocd-controller")], "argocd-controller"),
        ([entry("maas-operator-finalizer")], KUBECTL),
        ([entry("kubectl-edit", "Update")], KUBECTL),
        ([entry("labeller", field="f:metadata")], KUBECTL),
        ([entry("old"), entry("new", time="2026-02-01T00:00:00Z")], "new"),
    ],
)
def test_who_applied_the_spec_last_is_taken_to_apply_it_again(entries: list[Any], manager: str) -> None:
    assert applier_of(live(*entries), ours="maas-operator") == manager

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.api.meta import Action
from maas_operator.domain.labels import CORRECTED_AT
from maas_operator.domain.objects import Manifest
from maas_operator.domain.plan.changes import FieldChange, ObjectChange, Write, changes, shown

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
contents = st.dictionaries(st.sampled_from(["spec", "data", "type"]), values, max_size=3)


def product(spec: Any = None, **metadata: Any) -> Manifest:
    head = {"name": "tiny", "namespace": "3scale", "uid": "uid-1", **metadata}
    return {"apiVersion": "capabilities.3scale.net/v1beta1", "kind": "Product", "metadata": head, "spec": spec or {}}


def secret(**data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "3scale"}, "data": data}


def change(before: Manifest | None, after: Manifest | None) -> ObjectChange:
    (found,) = changes([Write(before, after)])
    return found


def told(before: Any, after: Any) -> list[str]:
    return [str(field) for field in change(product(before), product(after)).fields]


@given(contents)
def test_what_stays_as_it_is_is_no_change(content: Manifest) -> None:
    assert changes([Write(product() | content, product() | deepcopy(content))]) == ()


@given(contents, contents)
def test_what_differs_is_a_change_and_names_at_least_one_field(one: Manifest, other: Manifest) -> None:
    before, after = product() | one, product() | other
    found = changes([Write(before, after)])
    assert bool(found) == (before != after)
    assert all(change.fields for change in found)


def test_versions_and_statuses_are_no_changes() -> None:
    before = product(resourceVersion="1", generation=1, managedFields=[{}]) | {"status": {"a": 1}}
    after = product(resourceVersion="2", generation=2) | {"status": {"a": 2}}
    assert changes([Write(before, after)]) == ()


def test_changes_come_in_an_order_that_does_not_depend_on_that_of_the_writes() -> None:
    writes = [Write(None, product()), Write(secret(a="b"), None), Write(product({"a": 1}, name="b"), product(name="b"))]
    assert changes(writes) == changes(reversed(writes))
    assert [(one.action, str(one.ref)) for one in changes(writes)] == [
        (Action.CHANGE, "Product 3scale/b"),
        (Action.CREATE, "Product 3scale/tiny"),
        (Action.DELETE, "Secret 3scale/key"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["spec.a.b: 1 -> 2"]),
        ({}, {"a": {"b": 1, "c": ["x"]}}, ["spec.a.b: + 1", 'spec.a.c: + ["x"]']),
        ({"a": {"b": 1}}, {}, ["spec.a.b: - 1"]),
        ({"a": {}}, {}, ["spec.a: - {}"]),
        ({"plans": {"v1.5": 1}}, {"plans": {"v1.5": 2}}, ["spec.plans[v1.5]: 1 -> 2"]),
        ({"a": ["x", "y"]}, {"a": ["y"]}, ['spec.a: ["x", "y"] -> ["y"]']),
        (
            {"p": [{"name": "a", "v": 1}, {"name": "b", "v": 1}]},
            {"p": [{"name": "a", "v": 2}, {"name": "c", "v": 3}]},
            [
                "spec.p[a].v: 1 -> 2",
                "spec.p[b].name: - b",
                "spec.p[b].v: - 1",
                "spec.p[c].name: + c",
                "spec.p[c].v: + 3",
            ],
        ),
        (
            {"p": [{"name": "a"}, {"name": "b"}]},
            {"p": [{"name": "b"}, {"name": "a"}]},
            ["spec.p[]: (their order) -> (another order)"],
        ),
        ({"r": [{"x": 1}, {"x": 2}]}, {"r": [{"x": 2}, {"x": 3}]}, ['spec.r[]: - {"x": 1}', 'spec.r[]: + {"x": 3}']),
        ({"r": [{"x": 1}, {"x": 2}]}, {"r": [{"x": 2}, {"x": 1}]}, ["spec.r[]: (their order) -> (another order)"]),
        ({}, {"r": [{"x": 2}]}, ['spec.r[]: + {"x": 2}']),
    ],
)
def test_a_field_is_told_by_its_path_and_by_what_it_was_and_is(before: Any, after: Any, fields: list[str]) -> None:
    assert told(before, after) == fields


def test_labels_annotations_and_owners_count_as_fields() -> None:
    before = product(labels={"a": "b"}, ownerReferences=[{"uid": "1", "name": "x"}])
    found = change(before, product(annotations={"example.com/c": "d"}))
    assert [str(field) for field in found.fields] == [
        "metadata.annotations[example.com/c]: + d",
        "metadata.labels.a: - b",
        "metadata.ownerReferences[x].name: - x",
        "metadata.ownerReferences[x].uid: - 1",
    ]


def test_a_new_object_is_told_by_its_content_and_not_by_whose_it_is() -> None:
    found = change(None, product({"name": "Tiny"}, labels={"owner": "uid"}, annotations={"a": "b"}))
    assert found.fields == (FieldChange("metadata.annotations.a", None, "b"), FieldChange("spec.name", None, "Tiny"))


def test_the_content_of_a_secret_never_shows() -> None:
    found = [change(None, secret(a="b")), change(secret(a="b"), secret(a="c")), change(secret(a="b"), secret(x="c"))]
    assert [[str(field) for field in one.fields] for one in found] == [
        ["data.a: + (secret)"],
        ["data.a: (secret) -> (secret)"],
        ["data.a: - (secret)", "data.x: + (secret)"],
    ]
    typed = change(secret() | {"type": "Opaque"}, secret() | {"type": "Other"})
    assert [str(field) for field in typed.fields] == ["type: Opaque -> Other"]


def test_the_value_of_an_environment_variable_never_shows() -> None:
    def env(value: str) -> Any:
        return {"containers": [{"name": "vllm", "env": [{"name": "TOKEN", "value": value}]}]}

    assert told(env("one"), env("two")) == ["spec.containers[vllm].env[TOKEN].value: (secret) -> (secret)"]


def test_a_time_that_changes_with_each_look_is_not_told() -> None:
    before, after = (product(annotations={CORRECTED_AT: at}) for at in ("2026-01-01", "2026-01-02"))
    assert [str(field) for field in change(before, after).fields] == [
        f"metadata.annotations[{CORRECTED_AT}]: (time) -> (time)"
    ]


def test_a_long_value_is_cut_and_stays_on_one_line() -> None:
    assert shown("a\n  b") == "a b"
    assert shown("x" * 500) == "x" * 119 + "…"
    assert shown({"b": 1, "a": None}) == '{"a": null, "b": 1}'

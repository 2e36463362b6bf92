"""What the embedded API must do exactly as the real one: every test runs on both.

The real one is Kubernetes 1.20. Where newer servers differ from it the embedded API follows the newer ones, and the
tests here ask only for what both do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.sandbox.kubeapi.client import CRDS, JSON_PATCH, STRATEGIC, Answer, Body, Client, config_map, widget

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = "00000000-0000-0000-0000-000000000000"


async def eventually(ask: Callable[[], Awaitable[Answer]], wanted: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer is as wanted: the real control plane's controllers take their time."""
    async with asyncio.timeout(45):
        while not wanted(answer := await ask()):
            await asyncio.sleep(0.1)
    return answer


async def gone(api: Client, path: str) -> Answer:
    return await eventually(lambda: api.get(path), lambda answer: answer.code == 404)


# --- create ------------------------------------------------------------------------------------------------------


async def test_a_new_object_has_defaults_and_the_first_generation(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 3, "parts": [{"name": "p"}]}))
    assert created.code == 201
    assert created.spec == {"size": 3, "color": "red", "replicas": 1, "parts": [{"name": "p", "enabled": True}]}
    assert created.generation == 1
    assert created.uid


async def test_unknown_fields_are_pruned(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 3, "bogus": 1, "nested": {"z": 1}, "free": {"z": 1}}))
    assert created.spec["nested"] == {}
    assert created.spec["free"] == {"z": 1}
    assert "bogus" not in created.spec


async def test_a_name_can_be_taken_once(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    again = await api.create(widgets, widget("a", {"size": 1}))
    assert again.refusal == (409, "AlreadyExists")
    assert again.body["message"] == 'widgets.example.io "a" already exists'
    assert again.body["details"] == {"name": "a", "group": "example.io", "kind": "widgets"}


async def test_a_status_can_not_be_created_with_the_object(api: Client, widgets: str) -> None:
    created = await api.create(widgets, {**widget("a", {"size": 1}), "status": {"message": "mine"}})
    assert "status" not in created.body


async def test_a_generated_name_gets_five_letters(api: Client, widgets: str) -> None:
    body = {**widget("", {"size": 1}), "metadata": {"generateName": "many-"}}
    created = await api.create(widgets, body)
    assert created.body["metadata"]["name"].startswith("many-")
    assert len(created.body["metadata"]["name"]) == len("many-") + 5


async def test_a_dry_run_answers_as_if_and_keeps_nothing(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}), dryRun="All")
    assert created.code == 201
    assert created.uid
    assert "resourceVersion" not in created.body["metadata"]
    assert (await api.get(f"{widgets}/a")).code == 404


async def test_nothing_is_created_in_a_missing_namespace(api: Client) -> None:
    refused = await api.create("/apis/example.io/v1/namespaces/nowhere/widgets", widget("a", {"size": 1}))
    assert refused.refusal == (404, "NotFound")
    assert refused.body["message"] == 'namespaces "nowhere" not found'


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        (widget("a", {"size": 1}, namespace="other"), 400, "BadRequest"),
        ({"metadata": {"name": "a"}, "spec": {"size": 1}}, 400, "BadRequest"),
        (widget("a", {"size": 1}, labels={"a": 1}), 400, "BadRequest"),
        (widget("A_b", {"size": 1}), 422, "Invalid"),
        (widget("a", {"size": 1}, labels={"a b": "c"}), 422, "Invalid"),
        (widget("a", {"size": 1}, labels={"a": "c c"}), 422, "Invalid"),
        ({**widget("", {"size": 1}), "metadata": {}}, 422, "Invalid"),
    ],
    ids=["namespace", "kind", "label type", "name", "label key", "label value", "no name"],
)
async def test_a_malformed_object_is_refused(api: Client, widgets: str, body: Body, code: int, reason: str) -> None:
    assert (await api.create(widgets, body)).refusal == (code, reason)


INVALID: dict[str, tuple[Body, str, str]] = {
    "required": ({}, "spec.size", "Required value"),
    "type": ({"size": "x"}, "spec.size", 'spec.size in body must be of type integer: "string"'),
    "fraction": ({"size": 1.5}, "spec.size", 'spec.size in body must be of type integer: "number"'),
    "maximum": ({"size": 10}, "spec.size", "spec.size in body should be less than or equal to 9"),
    "minimum": ({"size": 0}, "spec.size", "spec.size in body should be greater than or equal to 1"),
    "enum": (
        {"size": 1, "color": "green"},
        "spec.color",
        'Unsupported value: "green": supported values: "red", "blue"',
    ),
    "pattern": ({"size": 1, "note": "A"}, "spec.note", "spec.note in body should match '^[a-z]*$'"),
    "length": ({"size": 1, "note": "abcdef"}, "spec.note", "spec.note: "),
    "items": ({"size": 1, "parts": [{"name": n} for n in "abcd"]}, "spec.parts", "spec.parts: "),
    "key twice": ({"size": 1, "parts": [{"name": "a"}] * 2}, "spec.parts[1]", "Duplicate value: map[string]interface"),
    "item twice": ({"size": 1, "tags": ["a", "a"]}, "spec.tags[1]", 'Duplicate value: "a"'),
    "format": ({"size": 1, "when": "today"}, "spec.when", 'must be of type date-time: "today"'),
    "object": ({"size": 1, "nested": "x"}, "spec.nested", 'must be of type object: "string"'),
    "null": ({"size": None}, "spec.size", "Required value"),
}


@pytest.mark.parametrize(("spec", "field", "words"), INVALID.values(), ids=INVALID)
async def test_an_invalid_field_is_named(api: Client, widgets: str, spec: Body, field: str, words: str) -> None:
    refused = await api.create(widgets, widget("a", spec))
    assert refused.refusal == (422, "Invalid")
    assert refused.fields == [field]
    assert refused.body["message"].startswith('Widget.example.io "a" is invalid: ')
    assert words in refused.body["message"]


async def test_every_invalid_field_is_named(api: Client, widgets: str) -> None:
    refused = await api.create(widgets, widget("a", {"size": 0, "color": "green"}))
    assert refused.fields == ["spec.color", "spec.size"]
    assert "is invalid: [" in refused.body["message"]


async def test_null_is_kept_where_the_schema_allows_it_and_absent_elsewhere(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1, "note": None, "color": None, "maybe": None}))
    assert created.spec == {"size": 1, "color": "red", "replicas": 1, "maybe": None}


# --- update ------------------------------------------------------------------------------------------------------


async def test_an_update_that_changes_nothing_writes_nothing(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    same = await api.replace(f"{widgets}/a", created.body)
    assert same.version == created.version
    patched = await api.merge(f"{widgets}/a", {"spec": {"size": 1}})
    assert patched.version == created.version


async def test_only_a_change_of_the_spec_counts_as_a_generation(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    labelled = await api.merge(f"{widgets}/a", {"metadata": {"labels": {"x": "y"}}})
    assert (labelled.generation, labelled.version != created.version) == (1, True)
    reported = await api.merge(f"{widgets}/a/status", {"status": {"message": "hi"}})
    assert reported.generation == 1
    grown = await api.merge(f"{widgets}/a", {"spec": {"size": 2}})
    assert grown.generation == 2


async def test_the_main_resource_leaves_the_status_alone(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    reported = await api.replace(f"{widgets}/a/status", {**created.body, "status": {"message": "hi"}})
    changed = await api.replace(f"{widgets}/a", {**reported.body, "spec": {"size": 2}, "status": {"message": "no"}})
    assert (changed.spec["size"], changed.body["status"]) == (2, {"message": "hi"})


async def test_the_status_resource_leaves_the_rest_alone(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    body = {**created.body, "spec": {"size": 9}, "status": {"message": "hi"}}
    body["metadata"] = {**body["metadata"], "labels": {"x": "y"}}
    reported = await api.replace(f"{widgets}/a/status", body)
    assert (reported.spec["size"], reported.body["status"]) == (1, {"message": "hi"})
    assert "labels" not in reported.body["metadata"]


async def test_a_stale_version_is_a_conflict(api: Client, widgets: str) -> None:
    old = await api.create(widgets, widget("a", {"size": 1}))
    await api.merge(f"{widgets}/a", {"spec": {"size": 2}})
    refused = await api.replace(f"{widgets}/a", {**old.body, "spec": {"size": 3}})
    assert refused.refusal == (409, "Conflict")
    assert "the object has been modified; please apply your changes to the latest version" in refused.body["message"]
    patch = {"metadata": {"resourceVersion": old.version}, "spec": {"size": 3}}
    assert (await api.merge(f"{widgets}/a", patch)).refusal == (409, "Conflict")


async def test_a_custom_object_is_replaced_only_with_its_version(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    refused = await api.replace(f"{widgets}/a", widget("a", {"size": 2}))
    assert refused.refusal == (422, "Invalid")
    assert refused.fields == ["metadata.resourceVersion"]


async def test_a_config_map_is_replaced_without_its_version(api: Client, config_maps: str) -> None:
    await api.create(config_maps, config_map("a", {"x": "1"}))
    assert (await api.replace(f"{config_maps}/a", config_map("a", {"y": "2"}))).body["data"] == {"y": "2"}


async def test_a_foreign_uid_is_a_conflict_in_an_update_and_invalid_in_a_patch(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    foreign = {**created.body, "metadata": {**created.body["metadata"], "uid": NOBODY}}
    assert (await api.replace(f"{widgets}/a", foreign)).refusal == (409, "Conflict")
    assert (await api.merge(f"{widgets}/a", {"metadata": {"uid": NOBODY}})).refusal == (422, "Invalid")
    applied = await api.apply(f"{widgets}/a", widget("a", {"size": 1}, uid=NOBODY), "m")
    assert applied.refusal == (422, "Invalid")


async def test_what_is_missing_can_not_be_changed(api: Client, widgets: str) -> None:
    assert (await api.replace(f"{widgets}/a", widget("a", {"size": 1}, resourceVersion="1"))).refusal == (
        404,
        "NotFound",
    )
    assert (await api.merge(f"{widgets}/a", {"spec": {"size": 1}})).refusal == (404, "NotFound")
    missing = await api.get(f"{widgets}/a")
    assert missing.body["message"] == 'widgets.example.io "a" not found'


async def test_an_invalid_patch_changes_nothing(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    assert (await api.merge(f"{widgets}/a", {"spec": {"size": 99}})).fields == ["spec.size"]
    assert (await api.get(f"{widgets}/a")).version == created.version


async def test_a_json_patch_stops_at_a_failed_test(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    grow = {"op": "replace", "path": "/spec/size", "value": 2}
    wrong = [{"op": "test", "path": "/spec/size", "value": 9}, grow]
    assert (await api("PATCH", f"{widgets}/a", wrong, JSON_PATCH)).refusal == (422, "Invalid")
    right = [{"op": "test", "path": "/spec/size", "value": 1}, grow]
    assert (await api("PATCH", f"{widgets}/a", right, JSON_PATCH)).spec["size"] == 2
    nowhere = [{"op": "remove", "path": "/spec/nested/a"}]
    assert (await api("PATCH", f"{widgets}/a", nowhere, JSON_PATCH)).refusal == (422, "Invalid")


async def test_custom_kinds_know_no_strategic_merge(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    assert (await api("PATCH", f"{widgets}/a", {}, STRATEGIC)).refusal == (415, "UnsupportedMediaType")


async def test_scaling_changes_the_replicas_of_the_spec(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    scaled = await api.merge(f"{widgets}/a/scale", {"spec": {"replicas": 4}})
    assert (scaled.body["kind"], scaled.spec) == ("Scale", {"replicas": 4})
    found = await api.get(f"{widgets}/a")
    assert (found.spec["replicas"], found.generation) == (4, 2)


# --- server-side apply -------------------------------------------------------------------------------------------


async def test_an_apply_creates_and_owns_what_it_names(api: Client, widgets: str) -> None:
    spec = {"size": 1, "parts": [{"name": "p", "value": "v"}], "tags": ["t"], "plain": ["z"], "nested": {"a": "1"}}
    applied = await api.apply(f"{widgets}/a", widget("a", spec, labels={"l": "1"}), "m")
    assert applied.code == 201
    assert applied.spec["color"] == "red"
    assert applied.owned_by("m") == {
        "f:metadata": {"f:labels": {"f:l": {}}},
        "f:spec": {
            "f:size": {},
            "f:parts": {'k:{"name":"p"}': {".": {}, "f:name": {}, "f:value": {}}},
            "f:tags": {'v:"t"': {}},
            "f:plain": {},
            "f:nested": {"f:a": {}},
        },
    }


async def test_the_same_apply_again_writes_nothing(api: Client, widgets: str) -> None:
    first = await api.apply(f"{widgets}/a", widget("a", {"size": 1, "tags": ["t"]}), "m")
    second = await api.apply(f"{widgets}/a", widget("a", {"size": 1, "tags": ["t"]}), "m")
    assert (second.code, second.body) == (200, first.body)


async def test_what_is_applied_no_more_goes(api: Client, widgets: str) -> None:
    spec = {"size": 1, "note": "x", "parts": [{"name": "p", "value": "v"}, {"name": "q"}], "tags": ["t", "u"]}
    await api.apply(f"{widgets}/a", widget("a", spec, labels={"l": "1", "k": "2"}), "m")
    less = {"size": 1, "parts": [{"name": "p"}], "tags": ["u"]}
    applied = await api.apply(f"{widgets}/a", widget("a", less, labels={"l": "1"}), "m")
    assert "note" not in applied.spec
    assert applied.spec["parts"] == [{"name": "p", "enabled": True}]
    assert applied.spec["tags"] == ["u"]
    assert applied.body["metadata"]["labels"] == {"l": "1"}


async def test_a_default_takes_the_place_of_a_field_that_goes(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "color": "blue"}), "m")
    assert (await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")).spec["color"] == "red"


async def test_a_map_that_loses_its_last_field_is_null_and_refused(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "nested": {"a": "1"}}), "m")
    for rest in ({"size": 1}, {"size": 1, "nested": {}}):
        refused = await api.apply(f"{widgets}/a", widget("a", rest), "m")
        assert refused.refusal == (422, "Invalid")
        assert 'spec.nested in body must be of type object: "null"' in refused.body["message"]


async def test_a_list_that_loses_its_last_item_is_null_and_refused(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "parts": [{"name": "p"}]}), "m")
    refused = await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")
    assert refused.fields == ["spec.parts"]


async def test_what_has_an_empty_default_or_is_owned_as_a_whole_can_be_taken_away(api: Client, widgets: str) -> None:
    full = {"kept": "1", "options": {"a": "1"}, "names": ["x"], "target": {"a": "1"}}
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "removable": full}), "m")
    left = await api.apply(f"{widgets}/a", widget("a", {"size": 1, "removable": {"kept": "1"}}), "m")
    assert left.spec["removable"] == {"kept": "1", "options": {}, "names": []}


async def test_labels_and_data_that_lose_their_last_entry_go(api: Client, config_maps: str) -> None:
    await api.apply(f"{config_maps}/a", config_map("a", {"x": "1"}, labels={"l": "1"}), "m")
    applied = await api.apply(f"{config_maps}/a", config_map("a"), "m")
    assert "data" not in applied.body
    assert "labels" not in applied.body["metadata"]


async def test_an_atomic_list_is_replaced_as_a_whole(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "plain": ["x", "y"]}), "m")
    applied = await api.apply(f"{widgets}/a", widget("a", {"size": 1, "plain": ["z"]}), "m")
    assert applied.spec["plain"] == ["z"]
    refused = await api.apply(f"{widgets}/a", widget("a", {"plain": ["z", "w"]}), "other")
    assert refused.fields == [".spec.plain"]


async def test_a_conflict_names_field_and_manager(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")
    refused = await api.apply(f"{widgets}/a", widget("a", {"size": 2}), "n")
    assert refused.refusal == (409, "Conflict")
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "m": .spec.size'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "m"', "field": ".spec.size"}
    assert refused.body["details"]["causes"] == [cause]


async def test_every_conflict_is_named(api: Client, widgets: str) -> None:
    spec = {"size": 1, "parts": [{"name": "p", "value": "v"}]}
    await api.apply(f"{widgets}/a", widget("a", spec, labels={"l": "1"}), "m")
    other = {"size": 2, "parts": [{"name": "p", "value": "w"}]}
    refused = await api.apply(f"{widgets}/a", widget("a", other, labels={"l": "2"}), "n")
    assert refused.fields == [".metadata.labels.l", ".spec.size", '.spec.parts[name="p"].value'] or refused.fields == [
        ".metadata.labels.l",
        '.spec.parts[name="p"].value',
        ".spec.size",
    ]
    assert refused.body["message"].startswith('Apply failed with 3 conflicts: conflicts with "m":\n- .')


async def test_force_takes_the_field_over(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "note": "x"}), "m")
    taken = await api.apply(f"{widgets}/a", widget("a", {"size": 2}), "n", force="true")
    assert taken.spec["size"] == 2
    assert taken.owned_by("m") == {"f:spec": {"f:note": {}}}
    assert taken.owned_by("n") == {"f:spec": {"f:size": {}}}


async def test_a_field_that_two_own_stays_until_both_drop_it(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "note": "x", "tags": ["t"]}), "m")
    await api.apply(f"{widgets}/a", widget("a", {"note": "x", "tags": ["t", "u"]}), "n")
    one = await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")
    assert (one.spec["note"], one.spec["tags"]) == ("x", ["t", "u"])
    none = await api.apply(f"{widgets}/a", widget("a", {"tags": ["u"]}), "n")
    assert "note" not in none.spec
    assert none.spec["tags"] == ["u"]


async def test_an_apply_never_prunes_what_was_created(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1, "note": "x"}), fieldManager="m")
    await api.apply(f"{widgets}/a", widget("a", {"size": 1, "note": "x"}), "m")
    assert (await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")).spec["note"] == "x"


async def test_who_creates_or_patches_owns_the_field_too(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}), fieldManager="maker")
    refused = await api.apply(f"{widgets}/a", widget("a", {"size": 2}), "m")
    assert refused.body["details"]["causes"][0]["message"].startswith('conflict with "maker" using example.io/v1')
    await api.merge(f"{widgets}/a", {"spec": {"size": 3}}, fieldManager="patcher")
    refused = await api.apply(f"{widgets}/a", widget("a", {"size": 2}), "m")
    assert refused.body["details"]["causes"][0]["message"].startswith('conflict with "patcher" using example.io/v1')


async def test_who_creates_an_object_owns_its_maps_and_lists(api: Client, widgets: str) -> None:
    spec = {"size": 1, "tags": ["t"], "nested": {"a": "1"}}
    created = await api.create(widgets, widget("a", spec, labels={"l": "1"}), fieldManager="maker")
    assert created.owned_by("maker") == {
        "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
        "f:spec": {
            ".": {},
            "f:size": {},
            "f:color": {},
            "f:replicas": {},
            "f:tags": {".": {}, 'v:"t"': {}},
            "f:nested": {".": {}, "f:a": {}},
        },
    }


async def test_an_apply_may_join_an_item_that_others_hold(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1, "parts": [{"name": "p"}]}), fieldManager="maker")
    joined = await api.apply(f"{widgets}/a", widget("a", {"parts": [{"name": "p", "value": "v"}]}), "m")
    assert joined.spec["parts"] == [{"name": "p", "value": "v", "enabled": True}]
    left = await api.apply(f"{widgets}/a", widget("a", {}), "m")
    assert left.spec["parts"] == [{"name": "p", "enabled": True}]


async def test_a_uid_in_an_apply_means_never_create(api: Client, widgets: str) -> None:
    refused = await api.apply(f"{widgets}/a", widget("a", {"size": 1}, uid=NOBODY), "m")
    assert refused.refusal == (409, "Conflict")
    assert "uid mismatch" in refused.body["message"]


async def test_a_stale_version_in_an_apply_is_a_conflict(api: Client, widgets: str) -> None:
    first = await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")
    body = widget("a", {"size": 2}, resourceVersion=first.version)
    assert (await api.apply(f"{widgets}/a", body, "m")).code == 200
    stale = {**body, "spec": {"size": 3}}
    assert (await api.apply(f"{widgets}/a", stale, "m")).refusal == (409, "Conflict")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"bogus": 1}, ".spec.bogus: field not declared in schema"),
        ({"size": "x"}, ".spec.size: expected"),
        ({"parts": [{"value": "x"}]}, 'omits key field "name"'),
        ({"tags": ["a", "a"]}, ".spec.tags"),
    ],
    ids=["unknown", "type", "no key", "twice"],
)
async def test_an_apply_that_has_no_fields_by_the_schema_is_the_servers_fault(
    api: Client, widgets: str, spec: Body, words: str
) -> None:
    refused = await api.apply(f"{widgets}/a", widget("a", spec), "m")
    assert refused.refusal == (500, "")
    assert refused.body["message"].startswith("failed to create typed patch object")
    assert words in refused.body["message"]


@pytest.mark.parametrize(
    ("body", "manager", "code"),
    [
        (widget("b", {"size": 1}), "m", 400),
        (widget("a", {"size": 1}), "", 422),
        (widget("a", {"size": 1}, managedFields=[{"manager": "x"}]), "m", 400),
    ],
    ids=["other name", "no manager", "managed fields"],
)
async def test_a_malformed_apply_is_refused(api: Client, widgets: str, body: Body, manager: str, code: int) -> None:
    assert (await api.apply(f"{widgets}/a", body, manager)).refusal[0] == code


async def test_the_status_is_applied_by_its_own_manager(api: Client, widgets: str) -> None:
    await api.apply(f"{widgets}/a", widget("a", {"size": 1}), "m")
    status: Body = {"message": "x", "conditions": [{"type": "Ready", "status": "False"}]}
    applied = await api.apply(f"{widgets}/a/status", {**widget("a"), "status": status}, "s")
    assert applied.body["status"] == status
    assert applied.generation == 1
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert (await api.apply(f"{widgets}/a/status", {**widget("a"), "status": ready}, "s")).body["status"] == ready


async def test_the_status_of_a_missing_object_can_not_be_applied(api: Client, widgets: str) -> None:
    applied = await api.apply(f"{widgets}/a/status", {**widget("a"), "status": {"message": "x"}}, "s")
    assert applied.refusal == (404, "NotFound")


async def test_a_finalizer_has_a_manager_of_its_own(api: Client, widgets: str) -> None:
    created = await api.apply(f"{widgets}/a", widget("a", {"size": 1}, finalizers=["other.io/x"]), "m")
    held = await api.apply(f"{widgets}/a", widget("a", uid=created.uid, finalizers=["ours.io/x"]), "f")
    assert set(held.body["metadata"]["finalizers"]) == {"other.io/x", "ours.io/x"}
    released = await api.apply(f"{widgets}/a", widget("a", uid=created.uid), "f")
    assert released.body["metadata"]["finalizers"] == ["other.io/x"]


async def test_a_key_from_string_data_stays_when_it_is_dropped(api: Client, home: str) -> None:
    path = f"/api/v1/{home}/secrets/s"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    await api.apply(path, {**secret, "stringData": {"a": "b"}}, "m")
    assert (await api.apply(path, secret, "m")).body["data"] == {"a": "Yg=="}


async def test_keyed_lists_of_built_in_kinds_are_merged(api: Client, home: str) -> None:
    path = f"/apis/apps/v1/{home}/deployments/d"

    def deployment(env: list[Body]) -> Body:
        container = {"name": "c", "image": "i", "env": env}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}

    await api.apply(path, deployment([{"name": "A", "value": "1"}]), "m")
    both = await api.apply(path, deployment([{"name": "B", "value": "2"}]), "n")
    env = both.spec["template"]["spec"]["containers"][0]["env"]
    assert env == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


# --- deletion ----------------------------------------------------------------------------------------------------


async def test_a_deleted_object_is_gone(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    deleted = await api.delete(f"{widgets}/a")
    assert (deleted.code, deleted.body["status"]) == (200, "Success")
    assert deleted.body["details"] == {"name": "a", "group": "example.io", "kind": "widgets", "uid": created.uid}
    assert (await api.delete(f"{widgets}/a")).refusal == (404, "NotFound")


async def test_a_finalizer_holds_a_deleted_object(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}, finalizers=["x.io/y"]))
    marked = await api.delete(f"{widgets}/a")
    assert marked.body["metadata"]["deletionTimestamp"]
    assert (marked.generation, marked.body["metadata"]["deletionGracePeriodSeconds"]) == (2, 0)
    assert (await api.delete(f"{widgets}/a")).version == marked.version
    assert (await api.merge(f"{widgets}/a", {"spec": {"size": 2}})).generation == 3
    last = await api.merge(f"{widgets}/a", {"metadata": {"finalizers": None}})
    assert (last.code, last.body["kind"]) == (200, "Widget")
    assert (await api.get(f"{widgets}/a")).code == 404


async def test_no_finalizer_is_added_to_a_deleted_object(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}, finalizers=["x.io/y"]))
    await api.delete(f"{widgets}/a")
    refused = await api.merge(f"{widgets}/a", {"metadata": {"finalizers": ["x.io/y", "z.io/z"]}})
    assert refused.refusal == (422, "Invalid")
    assert refused.fields == ["metadata.finalizers"]
    assert "no new finalizers can be added if the object is being deleted" in refused.body["message"]


async def test_a_deleted_object_takes_an_apply_without_complaint(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}, finalizers=["x.io/y"]))
    await api.delete(f"{widgets}/a")
    applied = await api.apply(f"{widgets}/a", widget("a", {"size": 2}), "m", force="true")
    assert (applied.code, applied.spec["size"]) == (200, 2)
    assert applied.body["metadata"]["deletionTimestamp"]


async def test_only_the_very_object_is_deleted(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    for condition in ({"uid": NOBODY}, {"uid": created.uid, "resourceVersion": "1"}):
        refused = await api.delete(f"{widgets}/a", {"preconditions": condition})
        assert refused.refusal == (409, "Conflict")
    right = {"uid": created.uid, "resourceVersion": created.version}
    assert (await api.delete(f"{widgets}/a", {"preconditions": right})).code == 200


async def test_a_dry_run_deletes_nothing(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    assert (await api.delete(f"{widgets}/a", dryRun="All")).code == 200
    assert (await api.get(f"{widgets}/a")).code == 200


def _owner(owner: Answer, **more: Any) -> Body:
    kind = {"apiVersion": owner.body["apiVersion"], "kind": owner.body["kind"]}
    return {**kind, "name": owner.body["metadata"]["name"], "uid": owner.uid, **more}


async def test_dependents_follow_their_owner(api: Client, config_maps: str) -> None:
    owner = await api.create(config_maps, config_map("owner"))
    await api.create(config_maps, config_map("child", ownerReferences=[_owner(owner)]))
    await api.delete(f"{config_maps}/owner")
    await gone(api, f"{config_maps}/child")


async def test_a_dependent_stays_while_one_owner_does(api: Client, config_maps: str) -> None:
    first = await api.create(config_maps, config_map("first"))
    second = await api.create(config_maps, config_map("second"))
    await api.create(config_maps, config_map("child", ownerReferences=[_owner(first), _owner(second)]))
    await api.delete(f"{config_maps}/first")
    child = await eventually(
        lambda: api.get(f"{config_maps}/child"), lambda found: len(found.body["metadata"]["ownerReferences"]) == 1
    )
    assert child.body["metadata"]["ownerReferences"][0]["name"] == "second"


async def test_an_orphan_loses_its_owner_only(api: Client, config_maps: str) -> None:
    owner = await api.create(config_maps, config_map("owner"))
    await api.create(config_maps, config_map("child", ownerReferences=[_owner(owner)]))
    await api.delete(f"{config_maps}/owner", {"propagationPolicy": "Orphan"})
    await gone(api, f"{config_maps}/owner")
    child = await api.get(f"{config_maps}/child")
    assert "ownerReferences" not in child.body["metadata"]


async def test_in_the_foreground_the_owner_goes_last(api: Client, config_maps: str) -> None:
    owner = await api.create(config_maps, config_map("owner"))
    held = {"finalizers": ["x.io/y"], "ownerReferences": [_owner(owner, blockOwnerDeletion=True)]}
    await api.create(config_maps, config_map("child", **held))
    waiting = await api.delete(f"{config_maps}/owner", {"propagationPolicy": "Foreground"})
    assert waiting.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await eventually(
        lambda: api.get(f"{config_maps}/child"), lambda found: "deletionTimestamp" in found.body["metadata"]
    )
    assert (await api.get(f"{config_maps}/owner")).code == 200
    await api.merge(f"{config_maps}/child", {"metadata": {"finalizers": None}})
    await gone(api, f"{config_maps}/owner")


async def test_whoever_names_an_owner_that_is_not_there_goes(api: Client, config_maps: str) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": NOBODY}
    await api.create(config_maps, config_map("child", ownerReferences=[reference]))
    await gone(api, f"{config_maps}/child")


async def test_a_namespace_takes_its_content_along_and_waits_for_finalizers(
    api: Client, home: str, widgets: str, config_maps: str
) -> None:
    await api.create(config_maps, config_map("free"))
    await api.create(widgets, widget("held", {"size": 1}, finalizers=["x.io/y"]))
    deleted = await api.delete(f"/api/v1/{home}")
    assert deleted.body["status"]["phase"] == "Terminating"
    await gone(api, f"{config_maps}/free")
    await eventually(lambda: api.get(f"{widgets}/held"), lambda found: "deletionTimestamp" in found.body["metadata"])
    refused = await api.create(config_maps, config_map("late"))
    assert refused.refusal == (403, "Forbidden")
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert (await api.apply(f"{config_maps}/later", config_map("later"), "m")).refusal == (403, "Forbidden")
    assert (await api.get(f"/api/v1/{home}")).code == 200
    await api.merge(f"{widgets}/held", {"metadata": {"finalizers": None}})
    await gone(api, f"/api/v1/{home}")


# --- lists and watches -------------------------------------------------------------------------------------------


async def test_a_list_has_a_version_and_items_without_surprises(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("b", {"size": 2}, labels={"x": "1"}))
    await api.create(widgets, widget("a", {"size": 1}))
    listed = await api.get(widgets)
    assert (listed.body["kind"], listed.body["apiVersion"]) == ("WidgetList", "example.io/v1")
    assert [item["metadata"]["name"] for item in listed.body["items"]] == ["a", "b"]
    assert int(listed.version) > 0


SELECTORS: dict[str, list[str]] = {
    "x=1": ["a"],
    "x==1": ["a"],
    "x!=1": ["b", "c"],
    "x": ["a", "b"],
    "!x": ["c"],
    "x in (1,2)": ["a", "b"],
    "x notin (1)": ["b", "c"],
    "x,y=1": ["b"],
}


@pytest.mark.parametrize(("selector", "names"), SELECTORS.items())
async def test_labels_select(api: Client, config_maps: str, selector: str, names: list[str]) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "2", "y": "1"}, "c": {"own": "1"}}.items():
        await api.create(config_maps, config_map(name, labels=labels))
    listed = await api.get(config_maps, labelSelector=selector)
    found = [item["metadata"]["name"] for item in listed.body["items"] if item["metadata"]["name"] in "abc"]
    assert found == names


async def test_names_select_and_specs_do_not(api: Client, widgets: str) -> None:
    for name in ("a", "b"):
        await api.create(widgets, widget(name, {"size": 1}))
    listed = await api.get(widgets, fieldSelector="metadata.name=b")
    assert [item["metadata"]["name"] for item in listed.body["items"]] == ["b"]
    assert (await api.get(widgets, fieldSelector="spec.size=1")).refusal == (400, "BadRequest")
    assert (await api.get(widgets, labelSelector="a===")).refusal == (400, "BadRequest")


async def test_a_long_list_comes_in_pages(api: Client, widgets: str) -> None:
    for name in "abc":
        await api.create(widgets, widget(name, {"size": 1}))
    first = await api.get(widgets, limit="2")
    rest = await api.get(widgets, limit="2", **{"continue": first.body["metadata"]["continue"]})
    pages = [[item["metadata"]["name"] for item in page.body["items"]] for page in (first, rest)]
    assert pages == [["a", "b"], ["c"]]
    assert first.body["metadata"]["remainingItemCount"] == 1
    assert not rest.body["metadata"].get("continue")


async def _types_and_names(lines: Any, count: int) -> list[tuple[str, str]]:
    async with asyncio.timeout(10):
        return [
            (line["type"], line["object"]["metadata"]["name"]) for line in [await anext(lines) for _ in range(count)]
        ]


async def test_a_watch_tells_what_happened_since_a_version(api: Client, widgets: str) -> None:
    listed = await api.get(widgets)
    await api.create(widgets, widget("a", {"size": 1}))
    await api.merge(f"{widgets}/a", {"spec": {"size": 2}})
    async with api.watch(widgets, resourceVersion=listed.version) as lines:
        assert await _types_and_names(lines, 2) == [("ADDED", "a"), ("MODIFIED", "a")]
        await api.delete(f"{widgets}/a")
        assert await _types_and_names(lines, 1) == [("DELETED", "a")]


async def test_the_last_event_has_the_version_of_the_deletion(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    async with api.watch(widgets, resourceVersion=created.version) as lines:
        await api.delete(f"{widgets}/a")
        async with asyncio.timeout(10):
            line = await anext(lines)
    assert int(line["object"]["metadata"]["resourceVersion"]) > int(created.version)


async def test_a_watch_without_a_version_starts_with_what_is_there(api: Client, widgets: str) -> None:
    await api.create(widgets, widget("a", {"size": 1}))
    async with api.watch(widgets) as lines:
        assert await _types_and_names(lines, 1) == [("ADDED", "a")]


async def test_objects_enter_and_leave_a_selection(api: Client, widgets: str) -> None:
    created = await api.create(widgets, widget("a", {"size": 1}))
    async with api.watch(widgets, resourceVersion=created.version, labelSelector="x=1") as lines:
        for label in ("1", "1", "2"):
            await api.merge(f"{widgets}/a", {"metadata": {"labels": {"x": label, "n": label}}, "spec": {"size": 2}})
            await api.merge(f"{widgets}/a", {"spec": {"size": 3}})
        seen = await _types_and_names(lines, 5)
    assert [type_ for type_, _ in seen] == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]


async def test_a_watch_ends_when_its_time_is_over(api: Client, widgets: str) -> None:
    async with asyncio.timeout(10), api.watch(widgets, timeoutSeconds="1") as lines:
        assert [line async for line in lines] == []


async def test_a_fraction_of_a_second_is_no_number(api: Client, widgets: str) -> None:
    assert (await api.get(widgets, watch="1", timeoutSeconds="3.0")).refusal == (400, "BadRequest")


# --- kinds -------------------------------------------------------------------------------------------------------


async def test_a_definition_is_established_and_served(api: Client, widgets: str) -> None:
    found = await api.get(f"{CRDS}/widgets.example.io")
    conditions = {condition["type"]: condition["status"] for condition in found.body["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert found.body["status"]["storedVersions"] == ["v1"]
    served = await api.get("/apis/example.io/v1")
    assert {entry["name"] for entry in served.body["resources"]} == {"widgets", "widgets/status", "widgets/scale"}


async def test_a_kind_that_nobody_defined_is_not_found(api: Client, home: str) -> None:
    assert (await api.get(f"/apis/example.io/v1/{home}/gizmos")).code == 404
    assert (await api.get("/apis/nobody.io/v1/gizmos")).code == 404


async def test_a_definition_takes_its_objects_along(api: Client, home: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gizmos.passing.io"},
        "spec": {
            "group": "passing.io",
            "scope": "Namespaced",
            "names": {"plural": "gizmos", "kind": "Gizmo"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    await api.create(CRDS, definition)
    gizmos = f"/apis/passing.io/v1/{home}/gizmos"
    gizmo = {"apiVersion": "passing.io/v1", "kind": "Gizmo", "metadata": {"name": "g"}, "any": {"thing": 1}}
    created = await eventually(lambda: api.create(gizmos, gizmo), lambda answer: answer.code != 404)
    assert created.body["any"] == {"thing": 1}
    await api.delete(f"{CRDS}/gizmos.passing.io")
    await gone(api, f"{CRDS}/gizmos.passing.io")
    await gone(api, gizmos)


async def test_the_type_of_a_secret_and_immutable_data_stay(api: Client, home: str) -> None:
    secrets = f"/api/v1/{home}/secrets"
    secret = {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "immutable": True}
    created = await api.create(secrets, secret)
    assert (created.body["type"], created.body["data"]) == ("Opaque", {"a": "Yg=="})
    assert "stringData" not in created.body
    assert (await api.merge(f"{secrets}/s", {"type": "other"})).refusal == (422, "Invalid")
    assert (await api.merge(f"{secrets}/s", {"data": {"a": "Yw=="}})).refusal == (422, "Invalid")


async def test_a_value_of_the_wrong_type_in_a_built_in_kind_can_not_be_read(api: Client, config_maps: str) -> None:
    body: Body = {**config_map("a"), "data": {"x": 1}}
    assert (await api.create(config_maps, body)).refusal == (400, "BadRequest")


async def test_built_in_kinds_are_patched_strategically(api: Client, config_maps: str) -> None:
    await api.create(config_maps, config_map("a", {"x": "1", "y": "2"}))
    patched = await api("PATCH", f"{config_maps}/a", {"data": {"x": None, "z": "3"}}, STRATEGIC)
    assert patched.body["data"] == {"y": "2", "z": "3"}


async def test_both_event_groups_serve_the_same_events(api: Client, home: str) -> None:
    about = {"kind": "ConfigMap", "namespace": home.removeprefix("namespaces/"), "name": "a"}
    event: Body = {
        "metadata": {"name": "e"},
        "regarding": about,
        "note": "it happened",
        "reason": "Happened",
        "type": "Normal",
        "action": "Watch",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "test.io/test",
        "reportingInstance": "one",
    }
    created = await api.create(f"/apis/events.k8s.io/v1/{home}/events", event)
    assert created.code == 201
    listed = await api.get(f"/api/v1/{home}/events", fieldSelector="involvedObject.name=a")
    [core] = listed.body["items"]
    assert (core["message"], core["involvedObject"]["name"]) == ("it happened", "a")
    assert core["reportingComponent"] == "test.io/test"

"""What the embedded API does as newer servers do, and what only tests ask of it."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from maas_operator.sandbox.kubeapi import ApiError, Call, KubeApi, Moment, Verb
from tests.sandbox.kubeapi.client import CRDS, WIDGETS, Answer, Body, Client, config_map, widget

pytestmark = pytest.mark.asyncio(loop_scope="session")

OBJECTS = "/apis/example.io/v1/namespaces/default/widgets"
MAPS = "/api/v1/namespaces/default/configmaps"


async def _lines(lines: Any, count: int) -> list[Body]:
    async with asyncio.timeout(10):
        return [await anext(lines) for _ in range(count)]


async def test_a_streamed_list_ends_with_a_bookmark(embedded: Client) -> None:
    created = await embedded.create(OBJECTS, widget("a", {"size": 1}))
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    async with embedded.watch(OBJECTS, **query) as lines:
        added, bookmark = await _lines(lines, 2)
    assert (added["type"], added["object"]) == ("ADDED", created.body)
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["object"]["metadata"]["resourceVersion"] == created.version


async def test_a_version_from_before_the_history_has_expired(embedded: Client, kubeapi: KubeApi) -> None:
    old = await embedded.create(OBJECTS, widget("a", {"size": 1}))
    await embedded.merge(f"{OBJECTS}/a", {"spec": {"size": 2}})
    kubeapi.api.store.compact()
    async with embedded.watch(OBJECTS, resourceVersion=old.version) as lines:
        [error] = await _lines(lines, 1)
    assert error["type"] == "ERROR"
    assert (error["object"]["code"], error["object"]["reason"]) == (410, "Expired")
    now = (await embedded.get(OBJECTS)).version
    async with embedded.watch(OBJECTS, resourceVersion=now) as lines:
        await embedded.delete(f"{OBJECTS}/a")
        assert (await _lines(lines, 1))[0]["type"] == "DELETED"


async def test_history_is_bounded() -> None:
    kubeapi = KubeApi(history=3)
    maps = kubeapi.api.registry.find("", "v1", "configmaps")
    for number in range(5):
        kubeapi.api.create(maps, "default", config_map(f"m{number}"))
    version = kubeapi.api.store.version
    assert len(kubeapi.api.store.since(version - 3)) == 3
    with pytest.raises(ApiError, match="too old resource version"):
        kubeapi.api.store.since(version - 4)


async def test_a_quiet_watch_ends_with_a_bookmark(embedded: Client) -> None:
    async with embedded.watch(OBJECTS, allowWatchBookmarks="true", timeoutSeconds="1") as lines:
        [bookmark] = [line async for line in lines]
    assert bookmark["type"] == "BOOKMARK"


async def test_a_watch_ends_with_its_kind(embedded: Client) -> None:
    async with asyncio.timeout(10), embedded.watch(OBJECTS) as lines:
        await embedded.delete(f"{CRDS}/widgets.example.io")
        assert [line async for line in lines] == []


async def test_a_version_from_the_future_is_refused(embedded: Client) -> None:
    refused = await embedded.get(OBJECTS, resourceVersion="999999")
    assert refused.refusal == (504, "Timeout")


async def test_strict_validation_refuses_unknown_fields_and_names_them(embedded: Client) -> None:
    body = widget("a", {"size": 1, "bogus": 1, "parts": [{"name": "p", "z": 1}]}, owner="me")
    refused = await embedded.create(OBJECTS, body, fieldValidation="Strict")
    assert refused.refusal == (400, "BadRequest")
    for path in ("metadata.owner", "spec.bogus", "spec.parts[0].z"):
        assert f'unknown field "{path}"' in refused.body["message"]


async def test_unknown_fields_are_warned_of(embedded: Client, kubeapi: KubeApi) -> None:
    body = widget("a", {"size": 1, "bogus": 1})
    async with aiohttp.ClientSession() as session, session.post(kubeapi.url + OBJECTS, json=body) as reply:
        assert reply.headers["Warning"] == '299 - "unknown field \\"spec.bogus\\""'


async def test_each_subresource_has_its_own_managed_fields(embedded: Client) -> None:
    await embedded.apply(f"{OBJECTS}/a", widget("a", {"size": 1}), "m")
    applied = await embedded.apply(f"{OBJECTS}/a/status", {**widget("a"), "status": {"message": "x"}}, "m")
    entries = {entry.get("subresource", ""): entry["fieldsV1"] for entry in applied.body["metadata"]["managedFields"]}
    assert entries == {"": {"f:spec": {"f:size": {}}}, "status": {"f:status": {"f:message": {}}}}


async def test_nobody_owns_what_a_request_can_not_write(embedded: Client) -> None:
    created = await embedded.create(OBJECTS, {**widget("a", {"size": 1}), "status": {"message": "x"}})
    assert "f:status" not in created.owned_by("probe")
    body = {**created.body, "spec": {"size": 2}, "status": {"message": "x"}}
    reported = await embedded.replace(f"{OBJECTS}/a/status", body, fieldManager="s")
    assert set(reported.owned_by("s")) == {"f:status"}


async def test_protobuf_is_refused_as_json(embedded: Client) -> None:
    refused = await embedded("POST", MAPS, {}, "application/vnd.kubernetes.protobuf")
    assert refused.refusal == (415, "UnsupportedMediaType")


async def test_every_permission_is_granted(embedded: Client) -> None:
    review = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {}}
    answered = await embedded.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answered.body["status"] == {"allowed": True}


async def test_an_older_version_of_a_kind_serves_the_same_objects(embedded: Client) -> None:
    definition = (await embedded.get(f"{CRDS}/widgets.example.io")).body
    [first] = definition["spec"]["versions"]
    second = {**first, "name": "v2", "storage": False}
    both = {**definition, "spec": {**definition["spec"], "versions": [first, second]}}
    assert (await embedded.replace(f"{CRDS}/widgets.example.io", both)).code == 200
    await embedded.create(OBJECTS, widget("a", {"size": 1}))
    found = await embedded.get(f"{OBJECTS.replace('v1', 'v2')}/a")
    assert (found.body["apiVersion"], found.spec["size"]) == ("example.io/v2", 1)


async def test_a_definition_must_fit_its_name(embedded: Client) -> None:
    refused = await embedded.create(CRDS, {**WIDGETS, "metadata": {"name": "others.example.io"}})
    assert refused.fields == ["metadata.name"]


# --- faults ------------------------------------------------------------------------------------------------------


async def test_an_interceptor_sees_each_call_before_and_after(embedded: Client, kubeapi: KubeApi) -> None:
    seen: list[Call] = []

    async def note(call: Call) -> None:
        seen.append(call)

    stop = kubeapi.faults.add(note)
    await embedded.apply(f"{OBJECTS}/a", widget("a", {"size": 1}), "m")
    stop()
    await embedded.get(f"{OBJECTS}/a")
    assert [(call.verb, call.kind, call.name, call.moment) for call in seen] == [
        (Verb.APPLY, "Widget", "a", Moment.BEFORE),
        (Verb.APPLY, "Widget", "a", Moment.AFTER),
    ]


async def test_an_interceptor_can_refuse_a_call_before_anything_happens(embedded: Client, kubeapi: KubeApi) -> None:
    async def refuse(call: Call) -> None:
        if call.writes:
            raise ApiError(429, "TooManyRequests", "slow down", retry_after=3)

    kubeapi.faults.add(refuse)
    refused = await embedded.create(OBJECTS, widget("a", {"size": 1}))
    assert refused.refusal == (429, "TooManyRequests")
    assert refused.body["details"]["retryAfterSeconds"] == 3
    assert (await embedded.get(f"{OBJECTS}/a")).code == 404


async def test_an_interceptor_can_break_the_connection_after_the_write(embedded: Client, kubeapi: KubeApi) -> None:
    async def cut(call: Call) -> None:
        if call.verb is Verb.CREATE and call.moment is Moment.AFTER:
            raise ConnectionResetError

    stop = kubeapi.faults.add(cut)
    with pytest.raises(aiohttp.ClientError):
        await embedded.create(OBJECTS, widget("a", {"size": 1}))
    stop()
    assert (await embedded.get(f"{OBJECTS}/a")).code == 200


# --- outside -----------------------------------------------------------------------------------------------------


async def test_the_kubeconfig_is_for_its_owner_only(kubeapi: KubeApi, tmp_path: Path) -> None:
    path = kubeapi.write_kubeconfig(tmp_path / "kubeconfig")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == kubeapi.url


async def test_only_this_machine_is_listened_to(kubeapi: KubeApi) -> None:
    assert kubeapi.url.startswith("http://127.0.0.1:")


async def test_what_is_listed_as_a_table_has_the_columns_of_the_kind(kubeapi: KubeApi, embedded: Client) -> None:
    await embedded.create(OBJECTS, widget("a", {"size": 3}))
    status = {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}
    await embedded.merge(f"{OBJECTS}/a/status", {"status": status})
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    async with aiohttp.ClientSession() as session, session.get(kubeapi.url + OBJECTS, headers=accept) as reply:
        table = Answer(reply.status, await reply.json()).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Ready", "Size", "Age"]
    [row] = table["rows"]
    assert row["cells"][:3] == ["a", "True", 3]
    assert row["object"]["kind"] == "PartialObjectMetadata"

"""A cluster on which nothing happens: what it tells, and that it leaves the real one as it is."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import BACKEND, CUSTOM_RESOURCE_DEFINITION, PRODUCT
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.applier import Applied
from maas_operator.engine.cluster import FINALIZER_MANAGER, STATUS_MANAGER
from maas_operator.engine.errors import KindNotServed, NotFound, Rejected
from maas_operator.engine.rehearsal import NobodyCounts, Rehearsal
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Verb
from tests.engine.stage import BACK, FRONT, GATEWAY, OWNER, Stage, manifest, toy


async def user(stage: Stage, text: str) -> Manifest:
    return await stage.user.apply(manifest(BACK, spec={"text": text}), manager="maas-operator")


async def test_what_was_applied_is_read_back_and_was_not_written(stage: Stage) -> None:
    live, rehearsal = await user(stage, "old"), Rehearsal(stage.cluster)
    stage.sync(BACK)
    version = stage.kubeapi.api.store.version
    became = await rehearsal.apply(manifest(BACK, spec={"text": "new"}))
    assert became["spec"] == {"text": "new"}
    assert await rehearsal.get(BACK) == became
    # Its controller had seen it, and will see it again.
    assert became["status"]["observedGeneration"] == became["metadata"]["generation"] == 2
    (write,) = rehearsal.writes
    assert write.before is not None
    assert write.after is not None
    assert (write.before["spec"], write.after["spec"]) == ({"text": "old"}, {"text": "new"})
    assert write.after["status"]["observedGeneration"] == 1
    assert stage.kubeapi.api.store.version == version
    assert (await stage.cluster.get(BACK))["spec"] == live["spec"]
    assert rehearsal.live.keys() == {BACK}


async def test_what_is_new_is_there_and_in_lists(stage: Stage) -> None:
    rehearsal = Rehearsal(stage.cluster)
    await user(stage, "old")
    other = Ref(BACKEND, GATEWAY, "other")
    await rehearsal.apply(manifest(other, spec={}), force=False)
    await rehearsal.apply(manifest(FRONT, spec={}))
    assert {one["metadata"]["name"] for one in await rehearsal.list(BACKEND)} == {"toy", "other"}
    assert await rehearsal.list(BACKEND, namespace="elsewhere") == []
    assert await rehearsal.list(BACKEND, labels={"a": "b"}) == []
    assert [one["metadata"]["name"] for one in await rehearsal.list(PRODUCT)] == ["toy"]
    assert rehearsal.live == {}


async def test_what_was_deleted_is_gone_and_is_still_there(stage: Stage) -> None:
    live, rehearsal = await user(stage, "old"), Rehearsal(stage.cluster)
    await rehearsal.delete(BACK, uid=live["metadata"]["uid"])
    with pytest.raises(NotFound):
        await rehearsal.get(BACK)
    assert await rehearsal.list(BACKEND) == []
    assert [(write.ref, write.after) for write in rehearsal.writes] == [(BACK, None)]
    assert await stage.cluster.get(BACK)


async def test_a_patch_is_rehearsed_at_the_version_that_was_read(stage: Stage) -> None:
    live, rehearsal = await user(stage, "old"), Rehearsal(stage.cluster)
    change = {"op": "replace", "path": "/spec/text", "value": "new"}
    patched = await rehearsal.json_patch(BACK, [change], resource_version=live["metadata"]["resourceVersion"])
    assert patched["spec"] == {"text": "new"}
    assert (await stage.cluster.get(BACK))["spec"] == {"text": "old"}


async def test_statuses_and_finalizers_of_owners_are_no_part_of_a_plan(stage: Stage) -> None:
    owner, rehearsal = await stage.user.apply(toy()), Rehearsal(stage.cluster)
    status = {**toy(), "status": {"url": "x"}}
    assert await rehearsal.apply(status, manager=STATUS_MANAGER, subresource="status") == owner
    assert await rehearsal.apply(toy(), manager=FINALIZER_MANAGER) == owner
    assert rehearsal.writes == ()
    assert await stage.cluster.get(OWNER) == owner


async def test_what_the_api_refuses_is_refused_and_not_noted(stage: Stage) -> None:
    async def refuse(call: Call) -> None:
        if call.verb is Verb.APPLY:
            assert call.dry_run
            raise api.bad_request("no")

    stage.kubeapi.faults.add(refuse)
    rehearsal = Rehearsal(stage.cluster)
    with pytest.raises(Rejected):
        await rehearsal.apply(manifest(BACK, spec={}))
    assert rehearsal.writes == ()


async def test_what_is_in_a_namespace_that_is_still_to_be_made_is_taken_as_it_is(stage: Stage) -> None:
    rehearsal = Rehearsal(stage.cluster, new_namespaces={"new"})
    child = manifest(Ref(BACKEND, "new", "toy"), spec={"text": "a"})
    became = await rehearsal.apply(child)
    assert (became["spec"], bool(became["metadata"]["uid"])) == ({"text": "a"}, True)
    with pytest.raises(NotFound):
        await rehearsal.apply(manifest(Ref(BACKEND, "nowhere", "toy"), spec={}))
    await stage.user.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{BACKEND.plural}.{BACKEND.group}"))
    with pytest.raises(KindNotServed):
        await rehearsal.apply(manifest(Ref(BACKEND, "new", "other"), spec={}))


def test_nobody_counts_what_was_not_written() -> None:
    NobodyCounts().child_applied(Ref(BACKEND, "3scale", "chat"), Applied.CREATED)

"""Changes to objects of somebody else, which a decision asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from maas_operator.domain.decision import Annotation, Decision, Patch
from maas_operator.domain.kinds import API_MANAGER, ROUTE
from maas_operator.domain.labels import annotations_of
from maas_operator.domain.objects import Manifest, Ref, RefusalReason
from maas_operator.engine.applier import CORRECTIONS, Applied
from maas_operator.engine.errors import Conflict, NotFound
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Verb
from tests.engine.stage import GATEWAY, RUNTIME, Stage, ToyWorld, decide, manifest
from tests.engine.test_controller import Bench, bench  # noqa: F401

THEIRS = Ref(API_MANAGER, GATEWAY, "theirs")


class Marking:
    """The toy's rules, and one more: their object must carry a mark."""

    def __init__(self, theirs: Manifest) -> None:
        self.theirs = theirs
        self.seen: list[object] = []

    def __call__(self, world: ToyWorld) -> Decision:
        theirs = world.children.live.get(THEIRS, self.theirs)
        refusal = world.children.refused.get(THEIRS)
        self.seen.append(refusal.reason if refusal else theirs["spec"].get("mark"))
        wanted = RUNTIME in world.children.live and "mark" not in theirs["spec"]
        return replace(decide(world), patches=tuple(_patches(theirs)) if wanted else ())


def _patches(theirs: Manifest) -> Iterator[Patch]:
    operation = {"op": "add", "path": "/spec/mark", "value": "ours"}
    yield Patch(THEIRS, theirs["metadata"]["resourceVersion"], (operation,))


async def marking(stage: Stage) -> Marking:
    return Marking(await stage.user.apply(manifest(THEIRS, spec={"text": "theirs"})))


async def test_a_patch_comes_after_the_children_and_its_answer_is_decided_on(bench: Bench) -> None:  # noqa: F811
    bench.decide = rules = await marking(bench.stage)
    await bench.reconcile()
    assert (await bench.stage.cluster.get(THEIRS))["spec"] == {"text": "theirs", "mark": "ours"}
    assert rules.seen[-1] == "ours"
    assert [kind for kind in bench.calls(Verb.PATCH)] == ["APIManager"]
    assert bench.cache.get(THEIRS) is not None
    assert all(entry["name"] != THEIRS.name for entry in (await bench.stage.owner())["status"]["children"])


async def test_what_somebody_changed_meanwhile_is_not_overwritten(bench: Bench) -> None:  # noqa: F811
    bench.decide = await marking(bench.stage)
    await bench.stage.user.apply(manifest(THEIRS, spec={"text": "newer"}))
    with pytest.raises(Conflict):
        await bench.reconcile()
    assert (await bench.stage.cluster.get(THEIRS))["spec"] == {"text": "newer"}


async def test_a_patch_that_is_denied_is_told_and_asked_for_once_in_a_pass(bench: Bench) -> None:  # noqa: F811
    async def deny(call: Call) -> None:
        if call.verb is Verb.PATCH:
            raise api.ApiError(403, "Forbidden", "no permission")

    bench.stage.kubeapi.faults.add(deny)
    bench.decide = rules = await marking(bench.stage)
    await bench.reconcile()
    assert rules.seen[-1] is RefusalReason.FORBIDDEN
    assert bench.calls(Verb.PATCH) == ["APIManager"]
    assert bench.counts.applied[Applied.REFUSED] == 1


async def test_who_undoes_a_patch_again_and_again_is_named_and_not_fought(bench: Bench) -> None:  # noqa: F811
    for _ in range(CORRECTIONS):
        bench.decide = await marking(bench.stage)
        await bench.reconcile()
        await bench.stage.user.apply(manifest(THEIRS, spec={"text": "theirs", "mark": "gone"}), manager="gitops")
        await bench.stage.user.apply(manifest(THEIRS, spec={"text": "theirs"}), manager="gitops")
    bench.decide = rules = await marking(bench.stage)
    await bench.reconcile()
    assert rules.seen[-1] is RefusalReason.CONTENDED
    assert bench.calls(Verb.PATCH) == []


# --- annotations -----------------------------------------------------------------------------------------------------

DOOR = Ref(ROUTE, GATEWAY, "theirs")


class Annotating:
    """The toy's rules, and one more: their Route must have a note."""

    def __init__(self, route: Manifest, value: str = "5s") -> None:
        self.route = route
        self.value = value
        self.seen: list[object] = []

    def __call__(self, world: ToyWorld) -> Decision:
        route = world.children.live.get(DOOR, self.route)
        refusal = world.children.refused.get(DOOR)
        self.seen.append(refusal.reason if refusal else annotations_of(route).get("note"))
        wanted = annotations_of(route).get("note") != self.value
        patch = Annotation(DOOR, self.route["metadata"]["uid"], "note", self.value)
        return replace(decide(world), patches=(patch,) if wanted and not refusal else ())


async def a_door(stage: Stage) -> Manifest:
    spec = {"host": "a.example.com", "to": {"kind": "Service", "name": "a"}}
    return await stage.user.apply(manifest(DOOR, spec=spec))


async def test_an_annotation_is_all_that_is_ours_of_an_object(bench: Bench) -> None:  # noqa: F811
    bench.decide = rules = Annotating(await a_door(bench.stage))
    await bench.reconcile()
    live = await bench.stage.cluster.get(DOOR)
    assert (annotations_of(live), live["spec"]) == ({"note": "5s"}, rules.route["spec"])
    owned = {entry["manager"]: entry["fieldsV1"] for entry in live["metadata"]["managedFields"]}
    assert owned["maas-operator"] == {"f:metadata": {"f:annotations": {"f:note": {}}}}
    assert rules.seen[-1] == "5s"


async def test_an_object_that_is_gone_is_not_made_again_by_its_annotation(bench: Bench) -> None:  # noqa: F811
    bench.decide = Annotating(await a_door(bench.stage))
    await bench.stage.user.delete(DOOR)
    await bench.reconcile()
    with pytest.raises(NotFound):
        await bench.stage.cluster.get(DOOR)
    assert (await bench.stage.owner())["status"]["conditions"]


async def test_who_undoes_an_annotation_again_and_again_is_not_fought_until_another_is_wanted(
    bench: Bench,  # noqa: F811
) -> None:
    for _ in range(CORRECTIONS):
        bench.decide = Annotating(await a_door(bench.stage))
        await bench.reconcile()
        rivals = manifest(DOOR)
        rivals["metadata"]["annotations"] = {"note": "none of yours"}
        await bench.stage.user.apply(rivals, manager="rival")
    bench.decide = rules = Annotating(await bench.stage.cluster.get(DOOR))
    await bench.reconcile()
    assert rules.seen[-1] is RefusalReason.CONTENDED
    assert annotations_of(await bench.stage.cluster.get(DOOR)) == {"note": "none of yours"}
    bench.decide = Annotating(await bench.stage.cluster.get(DOOR), "6s")
    await bench.reconcile()
    assert annotations_of(await bench.stage.cluster.get(DOOR)) == {"note": "6s"}

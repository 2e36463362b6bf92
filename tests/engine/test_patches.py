"""Changes to objects of somebody else, which a decision asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from maas_operator.domain.decision import Decision, Patch
from maas_operator.domain.kinds import API_MANAGER
from maas_operator.domain.objects import Manifest, Ref, RefusalReason
from maas_operator.engine.applier import CORRECTIONS, Applied
from maas_operator.engine.errors import Conflict
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

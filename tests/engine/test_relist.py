import asyncio
import logging
from collections.abc import Iterator

import pytest

from maas_operator.domain.kinds import BACKEND, CUSTOM_RESOURCE_DEFINITION, MODEL_SERVICE, POD, TABLE, Kind, Use
from maas_operator.domain.labels import MANAGED_BY, OPERATOR
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.cache import Cache
from maas_operator.engine.informer import Informer
from maas_operator.engine.queue import WorkQueue
from maas_operator.engine.relist import DELAY_SECONDS, INTERVAL_SECONDS, Relists
from maas_operator.engine.triggers import references
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Verb
from tests.engine.stage import BACK, GATEWAY, HOME, Counts, Stage, manifest
from tests.virtual_time import run_for

PODS = {"containers": [{"name": "c", "image": "i"}]}


class Bench:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.cache = Cache(references)
        self.counts = Counts()
        queue: WorkQueue[Ref] = WorkQueue(lambda: 0.5)
        self.relists = Relists(stage.cluster, self.cache, Informer(self.cache, queue).notify, self.counts)

    async def known(self, ref: Ref, *, ours: bool = False, **content: object) -> Manifest:
        found = await self.there(ref, ours=ours, **content)
        self.cache.put(found)
        return found

    async def there(self, ref: Ref, *, ours: bool = False, **content: object) -> Manifest:
        made = manifest(ref, **(content or {"spec": {}}))
        if ours:
            made["metadata"]["labels"] = {MANAGED_BY: OPERATOR}
        return await self.stage.user.apply(made)

    async def relist(self, kind: Kind) -> None:
        self.relists.ask(kind)
        await run_for(DELAY_SECONDS + 1, self.relists.run())

    def names(self, kind: Kind) -> Iterator[str]:
        return (found["metadata"]["name"] for found in self.cache.of_kind(kind))


@pytest.fixture
def bench(stage: Stage) -> Bench:
    stage.gateway_works = False
    return Bench(stage)


async def test_ghosts_go_and_changes_come(bench: Bench) -> None:
    await bench.known(BACK, ours=True)
    await bench.known(Ref(BACKEND, GATEWAY, "ghost"), ours=True)
    await bench.stage.user.delete(Ref(BACKEND, GATEWAY, "ghost"))
    changed = await bench.there(BACK, ours=True, spec={"text": "changed"})
    await bench.there(Ref(BACKEND, GATEWAY, "new"), ours=True)
    await bench.relist(BACKEND)
    assert set(bench.names(BACKEND)) == {"toy", "new"}
    assert bench.cache.get(BACK) is not None
    assert (bench.cache.get(BACK) or {})["spec"] == changed["spec"]
    assert bench.counts.ghosts[BACKEND] == 1


async def test_of_children_only_ours_are_listed_and_judged(bench: Bench) -> None:
    await bench.known(Ref(BACKEND, GATEWAY, "foreign"))
    await bench.there(Ref(BACKEND, GATEWAY, "another"))
    await bench.relist(BACKEND)
    assert list(bench.names(BACKEND)) == ["foreign"]


async def test_our_own_kinds_are_listed_whole(bench: Bench) -> None:
    await bench.there(Ref(MODEL_SERVICE, HOME, "unheard"))
    await bench.relist(MODEL_SERVICE)
    assert list(bench.names(MODEL_SERVICE)) == ["unheard"]


async def test_of_others_kinds_only_what_a_watch_told_is_looked_for_and_where_it_lives(bench: Bench) -> None:
    await bench.known(Ref(POD, HOME, "known"), spec=PODS)
    await bench.known(Ref(POD, HOME, "ghost"), spec=PODS)
    await bench.stage.user.delete(Ref(POD, HOME, "ghost"))
    await bench.there(Ref(POD, HOME, "not-told"), spec=PODS)
    bench.stage.calls.clear()
    await bench.relist(POD)
    assert list(bench.names(POD)) == ["known"]
    assert [call.namespace for call in bench.stage.calls] == [HOME]


async def test_a_kind_whose_definition_is_gone_has_no_objects(bench: Bench) -> None:
    await bench.known(BACK, ours=True)
    await bench.stage.user.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{BACKEND.plural}.{BACKEND.group}"))
    await bench.relist(BACKEND)
    assert bench.cache.get(BACK) is None


async def test_a_list_that_fails_proves_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(call: Call) -> None:
        if call.verb is Verb.LIST:
            raise api.ApiError(503, "ServiceUnavailable", "busy")

    await bench.known(BACK, ours=True)
    bench.stage.kubeapi.faults.add(fail)
    with caplog.at_level(logging.WARNING):
        await bench.relist(BACKEND)
    assert bench.cache.get(BACK) is not None
    assert "Backend can not be listed" in caplog.text
    assert not bench.counts.lists


async def test_many_wishes_make_one_list(bench: Bench) -> None:
    for _ in range(3):
        bench.relists.ask(BACKEND)
    await run_for(60, bench.relists.run())
    assert bench.counts.lists == {BACKEND: 1}


async def test_every_watched_kind_is_listed_from_time_to_time(bench: Bench) -> None:
    await run_for(INTERVAL_SECONDS + 1, bench.relists.run())
    assert bench.counts.lists.keys() == {kind for kind, use in TABLE.items() if Use.WATCH in use}


async def test_a_watch_that_begins_anew_again_and_again_does_not_put_off_the_lists_of_the_others(bench: Bench) -> None:
    async def ask() -> None:
        while True:
            bench.relists.ask(BACKEND)
            await asyncio.sleep(INTERVAL_SECONDS / 3)

    await run_for(2 * INTERVAL_SECONDS + 60, bench.relists.run(), ask())
    assert bench.counts.lists[MODEL_SERVICE] == 2


async def test_a_list_that_was_asked_for_is_tried_until_it_comes(bench: Bench) -> None:
    failures = iter([api.ApiError(503, "ServiceUnavailable", "busy")] * 3)

    async def fail(call: Call) -> None:
        if call.verb is Verb.LIST and (failure := next(failures, None)) is not None:
            raise failure

    bench.stage.kubeapi.faults.add(fail)
    bench.relists.ask(BACKEND)
    await run_for(60, bench.relists.run())
    assert bench.counts.lists == {BACKEND: 1}


async def test_a_list_that_is_forbidden_is_not_asked_for_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(call: Call) -> None:
        raise api.ApiError(403, "Forbidden", "no")

    bench.stage.kubeapi.faults.add(refuse)
    bench.relists.ask(BACKEND)
    await run_for(60, bench.relists.run())
    assert caplog.text.count("can not be listed") == 1

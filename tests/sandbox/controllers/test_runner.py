"""The runner: who is reconciled when, and that it ends."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

import pytest

from maas_operator.domain.kinds import NAMESPACE, SERVICE, Kind
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.errors import Unavailable
from maas_operator.sandbox.controllers.client import Change
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.runner import Backoff, Retry, Runner, Trigger, itself
from maas_operator.sandbox.kubeapi import KubeApi


class Recorder:
    """A controller that writes down what it is asked to look at."""

    def __init__(self, answers: Iterable[float | Exception | None] = ()) -> None:
        self.seen: list[Ref] = []
        self.asked = asyncio.Event()
        self._answers = iter(answers)

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        return {SERVICE: itself}

    async def reconcile(self, ref: Ref) -> float | None:
        self.seen.append(ref)
        answer = next(self._answers, None)
        if isinstance(answer, Exception):
            raise answer
        self.asked.set()
        return answer


def service(name: str = "one", port: int = 80) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"port": port, "protocol": "TCP"}]},
    }


def ref(name: str = "one") -> Ref:
    return Ref(SERVICE, "default", name)


@pytest.fixture
def client() -> InProcessClient:
    return InProcessClient(KubeApi())


async def test_each_object_is_reconciled_once_until_it_changes(client: InProcessClient) -> None:
    controller = Recorder()
    runner = Runner(client, [controller])
    await client.apply(service("one"))
    await client.apply(service("two"))
    await runner.settle()
    await runner.settle()
    assert controller.seen == [ref("one"), ref("two")]
    await client.apply(service("two", port=81))
    await runner.settle()
    assert controller.seen[2:] == [ref("two")]


async def test_a_deleted_object_is_reconciled(client: InProcessClient) -> None:
    controller = Recorder()
    runner = Runner(client, [controller])
    created = await client.create(service())
    await runner.settle()
    await client.delete(ref(), uid=created["metadata"]["uid"])
    await runner.settle()
    assert controller.seen == [ref(), ref()]


@pytest.mark.parametrize("error", [Retry("later"), Unavailable("busy")])
async def test_a_failure_is_tried_again_only_where_retries_count(client: InProcessClient, error: Exception) -> None:
    controller = Recorder([error])
    runner = Runner(client, [controller])
    await client.apply(service())
    await runner.settle(retries=False)
    assert controller.seen == [ref()]
    await runner.settle()
    assert controller.seen == [ref(), ref()]


async def test_a_resync_looks_at_everything_again(client: InProcessClient) -> None:
    controller = Recorder()
    runner = Runner(client, [controller])
    await client.apply(service())
    await runner.settle()
    runner.resync()
    await runner.settle()
    assert controller.seen == [ref(), ref()]


class Fighter(Recorder):
    """A controller that never leaves well alone."""

    def __init__(self, client: InProcessClient) -> None:
        super().__init__()
        self._client = client

    async def reconcile(self, ref: Ref) -> float | None:
        await self._client.merge_patch(ref, {"metadata": {"annotations": {"n": str(len(self.seen))}}})
        return await super().reconcile(ref)


async def test_a_fight_does_not_go_on_for_ever(client: InProcessClient) -> None:
    await client.apply(service())
    with pytest.raises(RuntimeError, match="do not settle"):
        await Runner(client, [Fighter(client)]).settle(limit=20)


async def test_an_error_of_a_stand_in_fails_the_test(client: InProcessClient) -> None:
    await client.apply(service())
    with pytest.raises(KeyError):
        await Runner(client, [Recorder([KeyError("spec")])]).settle()


async def test_a_kind_that_is_not_served_is_no_error(client: InProcessClient) -> None:
    class Other(Recorder):
        @property
        def watches(self) -> Mapping[Kind, Trigger]:
            return {Kind("none.example.com", "v1", "None", "nones"): itself}

    await Runner(client, [Other()]).settle()


async def test_running_follows_changes_and_survives_an_error(client: InProcessClient) -> None:
    controller = Recorder([KeyError("spec"), Retry("later")])
    async with asyncio.timeout(10):
        task = asyncio.ensure_future(Runner(client, [controller]).run(reconnect_seconds=0))
        await client.apply(service("one"))
        await client.apply(service("two"))
        await controller.asked.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert controller.seen == [ref("one"), ref("two"), ref("two")]


async def test_a_trigger_may_lead_to_other_objects(client: InProcessClient) -> None:
    class Follower(Recorder):
        @property
        def watches(self) -> Mapping[Kind, Trigger]:
            return {NAMESPACE: self._service}

        def _service(self, change: Change) -> Iterable[Ref]:
            return [Ref(SERVICE, change.object["metadata"]["name"], "it")]

    controller = Follower()
    await Runner(client, [controller]).settle()
    assert Ref(SERVICE, "default", "it") in controller.seen


def test_the_back_off_doubles_up_to_a_limit() -> None:
    backoff = Backoff(first=0.5, longest=3)
    assert [backoff.after(failures) for failures in (1, 2, 3, 4, 1000)] == [0.5, 1, 2, 3, 3]

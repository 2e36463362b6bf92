import asyncio
from typing import Any

import pytest

from maas_operator.domain.kinds import MODEL_PLATFORM, MODEL_SERVICE, MODEL_SUBSCRIPTION
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.cache import Cache
from maas_operator.engine.informer import Informer
from maas_operator.engine.queue import WorkQueue
from maas_operator.engine.triggers import references
from tests.engine.stage import manifest

PLATFORM = Ref(MODEL_PLATFORM, "", "default")
MODEL = Ref(MODEL_SERVICE, "llm", "llama")
SUBSCRIPTION = Ref(MODEL_SUBSCRIPTION, "llm", "app")
SPEC = {MODEL: {}, SUBSCRIPTION: {"modelRef": {"name": "llama"}}}


@pytest.fixture
def queue() -> WorkQueue[Ref]:
    return WorkQueue()


@pytest.fixture
async def informer(queue: WorkQueue[Ref]) -> Informer:
    """Return one that knows a platform, a model and a subscription, and nobody is due."""
    informer = Informer(Cache(references), queue)
    informer.notify(manifest(PLATFORM, spec={"threescale": {"namespace": "3scale"}}))
    for ref in SPEC:
        informer.notify(told(ref, "1"))
    await due(queue)
    return informer


def told(ref: Ref, version: str, **content: Any) -> Manifest:
    """Return an object as a watch tells it: every write has changed what the server notes about writers."""
    found = manifest(ref, spec=SPEC[ref], **content)
    found["metadata"] |= {"resourceVersion": version, "managedFields": [{"manager": "x", "time": version}]}
    return found


async def due(queue: WorkQueue[Ref]) -> set[Ref]:
    await asyncio.sleep(1)
    keys = {await queue.get() for _ in range(queue.depth)}
    for key in keys:
        queue.done(key)
    return keys


@pytest.mark.parametrize("ref", [MODEL, SUBSCRIPTION])
async def test_what_the_server_notes_about_writers_is_news_to_nobody_else(
    informer: Informer, queue: WorkQueue[Ref], ref: Ref
) -> None:
    informer.notify(told(ref, "2", status={"observedGeneration": 1}))
    assert await due(queue) == {ref}


async def test_what_a_pass_has_written_is_news_to_others_only(informer: Informer, queue: WorkQueue[Ref]) -> None:
    informer.learn(told(MODEL, "2", status={"observedGeneration": 1}), MODEL)
    assert await due(queue) == set()
    informer.learn(told(MODEL, "3", status={"url": "https://x"}), MODEL)
    assert await due(queue) == {SUBSCRIPTION}


async def test_an_end_is_news_to_those_that_refer_to_it_and_that_it_refers_to(
    informer: Informer, queue: WorkQueue[Ref]
) -> None:
    informer.notify(told(MODEL, "2"), deleted=True)
    assert await due(queue) == {PLATFORM, MODEL, SUBSCRIPTION}


async def test_old_news_wakes_nobody(informer: Informer, queue: WorkQueue[Ref]) -> None:
    informer.notify(told(MODEL, "1", status={"url": "https://x"}))
    assert await due(queue) == set()

"""What keeps 3scale from deleting: provider accounts, 3scale itself, and what the 3scale-operator says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maas_operator.api.base import API_VERSION
from maas_operator.domain.kinds import EVENT, SECRET
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import Forbidden, RemoteUnavailable
from maas_operator.engine.obstacles import HOLDS
from tests.domain import worlds
from tests.engine.test_inquiries import Bench, bench  # noqa: F401

ACCOUNT = Ref(SECRET, "3scale", "threescale-provider-account")


def a_child(kind: str = "Product", *, account: str = ACCOUNT.name, going: bool = False) -> Manifest:
    one = worlds.child(kind, "llm.tiny") | {"spec": {"providerAccountRef": {"name": account}} if account else {}}
    if going:
        one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return one


def an_event(about: Manifest, note: str, *, reason: str = "Failed to delete product", **at: Any) -> Manifest:
    """Return an Event; it is as old ones are served unless a time says otherwise."""
    metadata = {"name": f"{note}-{len(at)}", "namespace": "3scale"}
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": metadata,
        "reason": reason,
        "note": note,
        "regarding": {"uid": about["metadata"]["uid"]},
        **(at or {"deprecatedLastTimestamp": "2026-01-01T00:00:01Z"}),
    }


@pytest.fixture
def stage(bench: Bench) -> Bench:  # noqa: F811
    """Return a bench whose cache knows the platform."""
    bench.cache.put(bench.platform.dump())
    return bench


async def test_a_provider_account_that_is_not_there_is_missing_whatever_a_cache_says(stage: Bench) -> None:
    stage.cache.put(stage.cluster.objects.pop(ACCOUNT))
    obstacles = await stage.inquiries.obstacles([a_child()])
    assert obstacles.missing == {ACCOUNT}
    assert not stage.threescale.asked


async def test_3scale_that_answers_is_no_obstacle(stage: Bench) -> None:
    obstacles = await stage.inquiries.obstacles([a_child()])
    assert (obstacles.missing, obstacles.problem, obstacles.words) == (frozenset(), "", {})
    assert stage.threescale.asked == ["check"]


async def test_3scales_own_words_are_told_and_asked_for_once_by_all_who_leave_at_the_same_time(stage: Bench) -> None:
    stage.threescale.fails = {"check": RemoteUnavailable("no answer: connection refused")}
    for _ in range(2):
        found = await asyncio.gather(*(stage.inquiries.obstacles([a_child()]) for _ in range(5)))
        assert {one.problem for one in found} == {"no answer: connection refused"}
    assert stage.threescale.asked == ["check"]
    stage.now += HOLDS
    stage.threescale.fails = {}
    assert (await stage.inquiries.obstacles([a_child()])).problem == ""


async def test_a_platform_that_is_not_valid_keeps_nobody_else_from_going(stage: Bench) -> None:
    metadata = {"name": "another", "uid": "u9", "resourceVersion": "1"}
    stage.cache.put({"apiVersion": API_VERSION, "kind": "ModelPlatform", "metadata": metadata, "spec": {"old": 1}})
    assert (await stage.inquiries.obstacles([a_child()])).problem == ""
    assert stage.threescale.asked == ["check"]


async def test_who_has_nothing_in_3scale_asks_nobody(stage: Bench) -> None:
    await stage.inquiries.obstacles([{**worlds.a_service().dump(), "spec": {}}, a_child("Application", account="")])
    assert not stage.threescale.asked


async def test_the_account_of_no_platform_can_not_be_asked(bench: Bench) -> None:  # noqa: F811
    assert (await bench.inquiries.obstacles([a_child()])).problem == ""
    assert not bench.threescale.asked


async def test_the_last_words_about_what_is_going_are_told_with_their_time(stage: Bench) -> None:
    product = a_child(going=True)
    stage.put(
        an_event(product, "first", eventTime="2026-01-01T00:00:02.0Z"),
        an_event(product, "old"),
        an_event(product, "last", series={"lastObservedTime": "2026-01-01T00:00:03.0Z"}),
        an_event(product, "other", reason="Synced", eventTime="2026-01-01T00:00:09.0Z"),
    )
    obstacles = await stage.inquiries.obstacles([product])
    assert obstacles.words == {ref_of(product): "at 2026-01-01T00:00:03.0Z: last"}


@pytest.mark.parametrize(("note", "told"), [("token=s3cret is refused", "token=[hidden] is refused"), (None, "")])
async def test_words_are_told_without_what_looks_secret(stage: Bench, note: str | None, told: str) -> None:
    product = a_child(going=True)
    stage.put(an_event(product, "one") | {"note": note})
    assert (await stage.inquiries.obstacles([product])).words == {ref_of(product): f"at 2026-01-01T00:00:01Z: {told}"}


async def test_what_is_not_going_yet_is_not_listened_for(stage: Bench) -> None:
    stage.put(an_event(a_child(), "no"))
    assert (await stage.inquiries.obstacles([a_child()])).words == {}
    assert (await stage.inquiries.obstacles([a_child("Backend", going=True)])).words == {}


async def test_events_that_may_not_be_read_are_no_fault(stage: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deny(*_: Any, **__: Any) -> list[Manifest]:
        raise Forbidden("no", status=403)

    monkeypatch.setattr(stage.cluster, "list", deny)
    assert (await stage.inquiries.obstacles([a_child(going=True)])).words == {}

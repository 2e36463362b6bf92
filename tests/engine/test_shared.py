"""Answers that many want at the same moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from maas_operator.engine.shared import Shared


class Source:
    """Answers slowly, counts, and fails as it is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.asked: list[str] = []
        self.fails = False
        self.shared = Shared(self.answer, now=lambda: self.now, holds=timedelta(seconds=10))

    async def answer(self, key: str) -> str:
        self.asked.append(key)
        await asyncio.sleep(1)
        if self.fails:
            raise ValueError(key)
        return f"{key}-{len(self.asked)}"


async def test_all_who_ask_at_once_get_the_same_answer() -> None:
    source = Source()
    assert set(await asyncio.gather(*(source.shared.get("a") for _ in range(5)))) == {"a-1"}
    assert source.asked == ["a"]


async def test_each_key_has_an_answer_of_its_own() -> None:
    source = Source()
    assert await asyncio.gather(source.shared.get("a"), source.shared.get("b")) == ["a-2", "b-2"]


async def test_an_answer_is_good_for_a_while() -> None:
    source = Source()
    await source.shared.get("a")
    source.now += timedelta(seconds=9)
    assert await source.shared.get("a") == "a-1"
    source.now += timedelta(seconds=1)
    assert await source.shared.get("a") == "a-2"


async def test_a_failure_is_not_kept() -> None:
    source = Source()
    source.fails = True
    with pytest.raises(ValueError, match="a"):
        await source.shared.get("a")
    source.fails = False
    assert await source.shared.get("a") == "a-2"


async def test_what_is_good_no_more_is_forgotten() -> None:
    source = Source()
    await asyncio.gather(source.shared.get("a"), source.shared.get("b"))
    source.now += timedelta(seconds=10)
    await source.shared.get("c")
    assert set(source.shared._known) == set(source.shared._locks) == {"c"}

"""Documents that leave 3scale, and what is asked before one is made: what no answer means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from maas_operator.domain.names import document_system_name
from maas_operator.engine.errors import RemoteNotFound, RemoteUnavailable
from maas_operator.engine.threescale import Tenant
from maas_operator.engine.unasked import Unasked
from tests.domain import worlds
from tests.engine.test_inquiries import Bench

TENANT = Tenant("https://3scale-admin.example.com", SecretStr("canary"))
GOING: dict[str, Any] = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


async def test_without_a_platform_a_document_is_not_withdrawn_and_the_platform_is_named() -> None:
    world = replace(worlds.a_model_world(), platform=None)
    assert "there is no ModelPlatform default" in await Bench().inquiries.withdraw(world, GOING)


async def test_a_document_that_somebody_deletes_at_the_same_moment_is_gone() -> None:
    bench = Bench()
    bench.threescale.fails = {"documents": RemoteNotFound("gone")}
    assert await bench.inquiries.withdraw(worlds.a_model_world(), GOING) == ""


async def test_a_name_that_may_be_taken_over_is_free_for_a_document() -> None:
    bench = Bench()
    platform = bench.platform.dump()
    platform["spec"]["threescale"]["adopt"] = [document_system_name(bench.service)]
    adopting = type(bench.platform).model_validate(platform)
    assert await bench.inquiries.document_barrier(bench.service, adopting) is None


async def test_no_answer_holds_the_first_document() -> None:
    bench = Bench()
    bench.threescale.fails = {"documents": RemoteUnavailable("no answer")}
    barrier = await bench.inquiries.document_barrier(bench.service, bench.platform)
    assert barrier is not None
    assert "no answer" in barrier.message


async def test_who_asks_nobody_knows_no_documents_and_deletes_none() -> None:
    assert await Unasked().documents(TENANT) == []
    with pytest.raises(RemoteUnavailable):
        await Unasked().document(TENANT, 1)
    with pytest.raises(RemoteUnavailable):
        await Unasked().delete_document(TENANT, 1)

"""Where products are published, in clusters with Routes and without: when 3scale is asked, and what is remembered."""

from __future__ import annotations

from maas_operator.api.model_service import ModelService
from maas_operator.engine.errors import RemoteUnavailable
from maas_operator.engine.threescale import REGULARLY
from tests.domain import worlds
from tests.engine.test_inquiries import Bench, bench  # noqa: F401

URL = "https://product-7.example.com"


async def endpoint(bench: Bench, service: ModelService | None = None, product_id: int = 7) -> str:  # noqa: F811
    return await bench.inquiries.endpoint(service or bench.service, bench.platform, product_id)


def promoted(config_hash: str) -> ModelService:
    return worlds.a_service(status={"gateway": {"systemName": "tiny", "configHash": config_hash}})


async def test_where_there_are_routes_3scale_is_not_asked(bench: Bench) -> None:  # noqa: F811
    bench.put(worlds.a_route())
    assert await endpoint(bench) == ""
    assert not bench.threescale.asked


async def test_a_known_route_is_proof_enough_that_there_are_routes(bench: Bench) -> None:  # noqa: F811
    bench.cache.put(worlds.a_route())
    assert await endpoint(bench) == ""
    assert not bench.threescale.asked


async def test_without_routes_3scale_is_asked_once_in_a_resync(bench: Bench) -> None:  # noqa: F811
    assert [await endpoint(bench) for _ in range(3)] == [URL] * 3
    assert bench.threescale.asked == ["endpoint"]
    bench.now += REGULARLY
    await endpoint(bench)
    assert bench.threescale.asked == ["endpoint"] * 2


async def test_a_promotion_and_another_product_are_reasons_to_ask_again(bench: Bench) -> None:  # noqa: F811
    await endpoint(bench, promoted("one"))
    await endpoint(bench, promoted("two"))
    assert await endpoint(bench, promoted("two"), 8) == "https://product-8.example.com"
    assert bench.threescale.asked == ["endpoint"] * 3


async def test_while_3scale_does_not_answer_the_last_answer_holds(bench: Bench) -> None:  # noqa: F811
    await endpoint(bench)
    bench.threescale.fails = {"endpoint": RemoteUnavailable("no answer")}
    bench.now += REGULARLY
    assert await endpoint(bench) == URL


async def test_a_new_process_to_which_3scale_does_not_answer_believes_the_status(bench: Bench) -> None:  # noqa: F811
    bench.threescale.fails = {"endpoint": RemoteUnavailable("no answer")}
    assert await endpoint(bench, worlds.a_service(status={"url": f"{URL}/v1"})) == URL
    assert await endpoint(bench) == ""


async def test_a_service_that_is_forgotten_is_asked_for_again(bench: Bench) -> None:  # noqa: F811
    await endpoint(bench)
    await bench.inquiries.about_service(worlds.a_service(managementPolicy="Paused"), bench.platform)
    await endpoint(bench)
    assert bench.threescale.asked == ["endpoint"] * 2

"""When 3scale is asked what its gateways count on, how long the answer holds, and what it is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maas_operator.domain.gateway.metrics import COUNTED
from maas_operator.domain.gateway.remote import MetricUsage, RemoteMetric, RemoteRule
from maas_operator.domain.gateway.steps import IN_USE
from maas_operator.domain.names import system_name
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.engine.errors import RemoteUnavailable
from maas_operator.engine.metric_usages import SOON
from maas_operator.engine.threescale import REGULARLY
from tests.domain import worlds
from tests.domain.children import children_of
from tests.domain.remotes import as_written
from tests.engine.test_inquiries import Bench

CLICKS = RemoteMetric(friendly_name="Clicks", unit="hit", description="", is_method=False)
RULE = RemoteRule("GET", "/", "clicks", 1, False)


def product_of(bench: Bench) -> Manifest:
    return bench.cluster.objects[ref_of(children_of(bench.service)["Product"])]


def count_on_clicks(bench: Bench) -> None:
    """Have staging count on a metric that is declared, but not wanted any more."""
    remote = bench.threescale.products
    assert remote is not None
    assert remote.staging is not None
    product_of(bench)["spec"]["metrics"]["clicks"] = {"friendlyName": "Clicks", "unit": "hit"}
    staging = replace(remote.staging, rules=(*remote.staging.rules, RULE))
    bench.threescale.products = replace(remote, metrics={**remote.metrics, "clicks": CLICKS}, staging=staging)


def lock_up(bench: Bench) -> None:
    conditions = [worlds.condition("Failed", f"Metric {IN_USE} and cannot be deleted")]
    product_of(bench)["status"] = {"observedGeneration": 1, "conditions": conditions}


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def usage(bench: Bench) -> MetricUsage | None:
    return (await bench.remote()).metric_usage


async def test_nothing_is_asked_about_a_product_that_is_as_it_should_be(bench: Bench) -> None:
    bench.promote()
    assert await usage(bench) is None
    assert not bench.threescale.asked


async def test_while_a_stray_is_counted_on_the_promotion_counts_as_overtaken(bench: Bench) -> None:
    uid = bench.promote()
    count_on_clicks(bench)
    for _ in range(3):
        remote = await bench.remote()
        assert remote.metric_usage is not None
        assert "clicks" in remote.metric_usage.used
        assert remote.overtaken == uid
    assert bench.threescale.asked == ["product"]


async def test_an_answer_holds_until_the_next_resync(bench: Bench) -> None:
    bench.promote()
    count_on_clicks(bench)
    await bench.remote()
    bench.now += REGULARLY
    await bench.remote()
    # The comparison is due then, too.
    assert bench.threescale.asked == ["product", "backend", "product", "product"]


async def test_rules_that_are_not_put_back_yet_are_not_promoted(bench: Bench) -> None:
    bench.promote()
    count_on_clicks(bench)
    remote = bench.threescale.products
    assert remote is not None
    bench.threescale.products = replace(remote, rules=(*remote.rules, RULE))
    assert (await bench.remote()).overtaken == ""
    bench.threescale.products = remote
    bench.now += SOON
    assert (await bench.remote()).overtaken != ""


async def test_without_a_promotion_that_is_done_none_is_overtaken(bench: Bench) -> None:
    bench.promote(done=False)
    count_on_clicks(bench)
    assert (await bench.remote()).overtaken == ""
    assert await usage(bench) is not None


async def test_a_stray_that_nothing_counts_on_overtakes_nothing(bench: Bench) -> None:
    bench.promote()
    product_of(bench)["spec"]["metrics"]["clicks"] = {"friendlyName": "Clicks", "unit": "hit"}
    remote = await bench.remote()
    assert remote.metric_usage is not None
    assert remote.metric_usage.used <= COUNTED
    assert remote.overtaken == ""


async def test_a_product_that_3scale_works_on_is_not_asked_about(bench: Bench) -> None:
    bench.promote()
    count_on_clicks(bench)
    product_of(bench)["metadata"]["generation"] = 2
    assert await usage(bench) is None
    assert not bench.threescale.asked


async def test_a_product_that_is_locked_up_is_asked_about_once_and_promoted_only_afterwards(bench: Bench) -> None:
    bench.promote()
    count_on_clicks(bench)
    lock_up(bench)
    bench.threescale.adoptable = 7
    for _ in range(3):
        remote = await bench.remote()
        assert remote.metric_usage is not None
        assert remote.overtaken == ""
    assert bench.threescale.asked == ["product_id", "product"]


async def test_a_product_that_3scale_does_not_have_counts_on_nothing(bench: Bench) -> None:
    bench.promote()
    lock_up(bench)
    assert await usage(bench) is None
    assert bench.threescale.asked == ["product_id"]


async def test_no_answer_tells_nothing_and_is_asked_for_again_soon(bench: Bench) -> None:
    bench.promote()
    count_on_clicks(bench)
    bench.threescale.fails = {"product": RemoteUnavailable("no answer")}
    for _ in range(3):
        assert await usage(bench) is None
    assert bench.threescale.asked == ["product"]
    bench.threescale.fails = {}
    bench.now += SOON
    assert await usage(bench) is not None


@pytest.mark.parametrize("adopts", [True, False])
async def test_a_product_that_is_to_be_adopted_is_asked_about_before_it_is_written(
    bench: Bench,
    adopts: bool,
) -> None:
    bench.publish()
    wanted = children_of(bench.service)["Product"]
    del bench.cluster.objects[ref_of(wanted)]
    bench.threescale.products, bench.threescale.adoptable = as_written(wanted), 7
    name: list[Any] = [system_name(bench.service)] if adopts else []
    bench.platform = worlds.a_platform(threescale={"namespace": "3scale", "adopt": name})
    assert (await usage(bench) is not None) is adopts
    assert ("product" in bench.threescale.asked) is adopts

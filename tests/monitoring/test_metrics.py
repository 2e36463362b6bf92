"""Alerts and dashboards ask for metrics and labels that somebody serves."""

from __future__ import annotations

import pytest

from docs.generate import HERE
from tests.monitoring.known import OF_THE_TARGET, all_of_them, of_others, of_the_policy
from tests.monitoring.promql import read
from tests.monitoring.rules import ALERTS
from tests.monitoring.test_dashboards import DASHBOARDS, expressions

ASKED = {name: [rule["expr"]] for name, rule in ALERTS.items()} | {
    name: expressions(dashboard) for name, dashboard in DASHBOARDS.items()
}


@pytest.mark.parametrize(
    ("expression", "metrics", "labels"),
    [
        ("up", {"up"}, set()),
        ('rate(a_total{b="c{d}",e!~"f,g=h"}[5m])', {"a_total"}, {"b", "e"}),
        ("sum by (a, le) (b:c) / on (d) group_left (e) max without (f) (g) > 0.5", {"b:c", "g"}, set("adef") | {"le"}),
        ("a unless a offset 1h and b or absent(c == 1)", {"a", "b", "c"}, set()),
    ],
)
def test_expressions_are_read(expression: str, metrics: set[str], labels: set[str]) -> None:
    query = read(expression)
    assert (query.metrics, query.labels) == (metrics, labels)


@pytest.mark.parametrize("name", ASKED)
async def test_what_is_asked_for_is_there_with_these_labels(name: str) -> None:
    known = all_of_them()
    for expression in ASKED[name]:
        query = read(expression)
        assert query.metrics - known.keys() == set()
        assert query.labels - OF_THE_TARGET - frozenset().union(*(known[one] for one in query.metrics)) == set()


async def test_all_that_is_written_down_of_others_is_asked_for() -> None:
    asked = {metric for all_ in ASKED.values() for expression in all_ for metric in read(expression).metrics}
    roots = {metric.removesuffix("_bucket") for metric in asked}
    assert {name.removesuffix("_bucket") for name in of_others()} - roots - _PARTS == set()


def test_the_page_on_metering_tells_the_counters_of_the_policy() -> None:
    page = (HERE / "token-metering.md").read_text()
    assert [name for name in of_the_policy() if f"`{name.removeprefix('maas_llm_')}`" not in page] == []


_PARTS = {name for name in of_others() if name.endswith(("_sum", "_count"))}

"""The steps of a change that 3scale would block: what stays, why, and when it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.api.reasons import ConditionType
from maas_operator.domain.gateway.metrics import COUNTED
from maas_operator.domain.gateway.remote import MetricUsage, Remote, RemoteMetric
from maas_operator.domain.gateway.steps import IN_USE, SafeChange, StepName, is_locked_up, strays
from maas_operator.domain.model_service import decide
from maas_operator.domain.objects import Manifest, ref_of
from tests.domain import worlds
from tests.domain.children import children_of
from tests.domain.remotes import as_written
from tests.domain.worlds import a_model_world, a_service, settle

CLICKS = RemoteMetric(friendly_name="Clicks", unit="click", description="Clicks of all", is_method=False)
SEARCH = RemoteMetric(friendly_name="Search", unit="hit", description="", is_method=True)
FOUND = {"clicks": CLICKS, "search": SEARCH}
DECLARED = {"friendlyName": "Declared", "unit": "hit"}


def rendered() -> Manifest:
    return children_of(a_service())["Product"]


def present(*, metrics: Mapping[str, Any] | None = None, plans: Mapping[str, Any] | None = None) -> Manifest:
    """Return a Product as another version wrote it."""
    one = rendered()
    spec = one["spec"]
    more = {"metrics": spec["metrics"] | (metrics or {}), "applicationPlans": spec["applicationPlans"] | (plans or {})}
    return one | {"spec": spec | more}


def a_change(**known: Any) -> SafeChange:
    defaults: dict[str, Any] = {"present": rendered(), "usage": None, "plans_in_use": {}}
    return SafeChange(rendered=rendered(), **(defaults | known))


def usage(*used: str, metrics: Mapping[str, RemoteMetric] = FOUND) -> MetricUsage:
    return MetricUsage(metrics=metrics, used=frozenset({"catalog", "7", *used}))


@pytest.mark.parametrize("there", [None, rendered(), rendered() | {"spec": {}}])
@pytest.mark.parametrize("told", [None, usage()])
def test_without_strays_the_product_is_written_as_rendered(there: Manifest | None, told: MetricUsage | None) -> None:
    change = a_change(present=there, usage=told)
    assert change.product == rendered()
    assert change.step is None


def test_what_3scale_counts_on_stays_as_3scale_has_it() -> None:
    change = a_change(usage=usage("clicks", "search"))
    spec = change.product["spec"]
    assert spec["metrics"]["clicks"] == {"friendlyName": "Clicks", "unit": "click", "description": "Clicks of all"}
    assert spec["methods"]["search"] == {"friendlyName": "Search"}
    assert spec["metrics"].items() >= rendered()["spec"]["metrics"].items()
    assert spec["methods"].items() >= rendered()["spec"]["methods"].items()
    assert change.step is not None
    assert change.step.name is StepName.KEEP_METRICS
    assert change.step.message.endswith(": clicks, search")


def test_a_metric_without_a_unit_gets_one_since_it_must_have_one() -> None:
    change = a_change(usage=usage("clicks", metrics={"clicks": replace(CLICKS, unit="")}))
    assert change.product["spec"]["metrics"]["clicks"]["unit"] == "hit"


def test_what_is_declared_stays_as_it_is_declared() -> None:
    change = a_change(present=present(metrics={"clicks": DECLARED}), usage=usage("clicks"))
    assert change.product["spec"]["metrics"]["clicks"] == DECLARED


def test_nothing_that_is_declared_is_dropped_while_3scale_has_not_told_what_it_counts_on() -> None:
    change = a_change(present=present(metrics={"clicks": DECLARED}))
    assert change.product["spec"]["metrics"]["clicks"] == DECLARED
    assert change.step is not None
    assert change.step.name is StepName.KEEP_METRICS


def test_what_nothing_counts_on_any_more_goes() -> None:
    change = a_change(present=present(metrics={"clicks": DECLARED}), usage=usage())
    assert change.product == rendered()
    assert change.step is None


def test_what_is_counted_on_and_gone_in_3scale_is_not_declared() -> None:
    change = a_change(usage=usage("clicks", metrics={}))
    assert change.product == rendered()


def test_plans_in_use_stay_closed() -> None:
    gold = {"name": "Gold", "published": True}
    change = a_change(present=present(plans={"gold": gold}), plans_in_use={"gold": "Application x uses it"})
    assert change.product["spec"]["applicationPlans"]["gold"] == {"name": "Gold", "published": False}
    assert change.step is not None
    assert change.step.name is StepName.KEEP_PLANS
    assert change.step.message == "plan gold stays, closed for others: Application x uses it"


@pytest.mark.parametrize("kind", ["limits", "pricingRules"])
def test_what_a_plan_in_use_refers_to_stays_with_it(kind: str) -> None:
    gold = {"name": "Gold", kind: [{"metricMethodRef": {"systemName": "clicks"}}]}
    there = present(metrics={"clicks": DECLARED}, plans={"gold": gold})
    staying = a_change(present=there, usage=usage(), plans_in_use={"gold": "x"})
    assert "clicks" in staying.product["spec"]["metrics"]
    assert staying.step is not None
    assert staying.step.name is StepName.KEEP_METRICS
    assert a_change(present=there, usage=usage()).product == rendered()


def test_the_hash_is_that_of_what_is_written() -> None:
    one, same, other = (a_change(usage=usage(*used)).step for used in (["clicks"], ["clicks"], ["search"]))
    assert one is not None
    assert other is not None
    assert one == same
    assert len(one.hash) == 16
    assert one.hash != other.hash


def test_a_message_names_a_few() -> None:
    many = {f"metric{number}": replace(CLICKS, friendly_name=f"M {number}") for number in range(7)}
    step = a_change(usage=usage(*many, metrics=many)).step
    assert step is not None
    assert step.message.endswith("metric0, metric1, metric2, metric3, metric4, ...")


names = st.sampled_from(["Requests", "requests", "clicks", "Search", "search", "hits", "x" * 255, "x" * 254 + "y"])


@given(one=names, other=names, keys=st.lists(names, min_size=2, max_size=2, unique=True))
def test_friendly_names_clash_with_nothing(one: str, other: str, keys: list[str]) -> None:
    found = {keys[0]: replace(CLICKS, friendly_name=one), keys[1]: replace(SEARCH, friendly_name=other)}
    spec = a_change(usage=usage(*keys, metrics=found)).product["spec"]
    entries = {**spec["metrics"], **spec["methods"]}
    assert entries.keys() == COUNTED | set(keys)
    friendly = {name: entry["friendlyName"] for name, entry in entries.items()}
    assert len({name.lower() for name in friendly.values()}) == len(entries)
    assert all(friendly[name] not in entries.keys() - {name} for name in entries)
    assert all(len(name) <= 255 for name in friendly.values())


def test_strays_are_what_is_declared_and_not_wanted() -> None:
    assert strays(present(metrics={"clicks": DECLARED}), COUNTED) == {"clicks"}
    assert strays({"spec": {}}, COUNTED) == frozenset()


@pytest.mark.parametrize(
    ("words", "is_so"),
    [
        (f"task failed SyncMetrics: base: Metric {IN_USE} and cannot be deleted", True),
        (f"method {IN_USE}, it will be removed", True),
        ("500 Internal Server Error", False),
    ],
)
def test_a_product_is_locked_up_if_3scale_says_so(words: str, is_so: bool) -> None:
    product = worlds.child("Product", "x", observedGeneration=1, conditions=[worlds.condition("Failed", words)])
    assert is_locked_up(product) is is_so
    assert not is_locked_up(worlds.synced(worlds.child("Product", "x")))


def test_what_the_newest_configurations_count_on_is_used() -> None:
    remote = as_written(rendered())
    assert remote.usage.used == {rule["metricMethodRef"] for rule in rendered()["spec"]["mappingRules"]}
    assert replace(remote, staging=None, production=None).usage.used == frozenset()


def test_a_step_is_told_in_condition_and_status_and_holds_up_nothing() -> None:
    product = present(metrics={"clicks": DECLARED})
    world = a_model_world(seen={ref_of(product): product}, remote=Remote(metric_usage=usage("clicks")))
    decision = settle(decide, world, worlds.content)
    (found,) = [one for one in decision.conditions if one.type == ConditionType.GATEWAY_READY]
    assert (str(found.status), found.reason) == ("True", "MetricInUse")
    assert "clicks" in found.message
    step = decision.status["gateway"]["step"]
    assert step["name"] == "KeepMetrics"
    assert step["message"] == found.message
    assert "ProxyConfigPromote" in [child["kind"] for child in decision.children]
    assert decision.wake_after is not None


def test_without_a_step_the_status_has_none() -> None:
    assert "step" not in settle(decide, a_model_world(), worlds.content).status["gateway"]

"""What the 3scale-operator itself checks of a Product or Backend before it calls 3scale: Invalid, and no retry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import SpecError


def check_api(spec: Mapping[str, Any], kind: str) -> None:
    """Check metrics, methods and rules, which products and backends share; SpecError for the first fault."""
    for path, message in _faults_of_api(spec, kind):
        raise SpecError(f"spec.{path}", message)


def check_plans(spec: Mapping[str, Any]) -> None:
    """Check the application plans of a Product; SpecError for the first fault."""
    for name, plan in (spec.get("applicationPlans") or {}).items():
        for path, message in _faults_of_plan(spec, plan):
            raise SpecError(f"spec.applicationPlans[{name}].{path}", message)


def _faults_of_api(spec: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    metrics, methods = spec.get("metrics") or {}, spec.get("methods") or {}
    if "hits" not in metrics:
        yield "metrics", f"metrics map not valid for {kind}. 'hits' metric must exist."
    for name in metrics.keys() & methods.keys():
        yield f"methods[{name}]", "method system_name not unique."
    # The original compares friendly names with system names, and only with earlier ones in the random order of a Go
    # map. Here any clash counts: what fails now and then must fail in a test.
    for group, what in ((metrics, "metric"), (methods, "method")):
        for name, entry in group.items():
            if entry["friendlyName"] in (metrics.keys() | methods.keys()) - {name}:
                yield f"{what}s[{name}]", f"{what} name not unique."
    for index, rule in enumerate(spec.get("mappingRules") or []):
        if not _is_local(spec, rule["metricMethodRef"]):
            yield f"mappingRules[{index}]", "mappingrule does not have valid metric or method reference."


def _faults_of_plan(spec: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    periods = set()
    for index, limit in enumerate(plan.get("limits") or []):
        ref = limit["metricMethodRef"]
        if "backend" not in ref and not _is_local(spec, ref["systemName"]):
            yield f"limits[{index}].metricMethodRef", "limit does not have valid local metric or method reference."
        key = limit["period"], ref["systemName"], ref.get("backend")
        if key in periods:
            yield f"limits[{index}]", "limit period is not unique for the same metric."
        periods.add(key)
    yield from _faults_of_prices(spec, plan.get("pricingRules") or [])


def _faults_of_prices(spec: Mapping[str, Any], prices: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for index, price in enumerate(prices):
        ref = price["metricMethodRef"]
        if "backend" not in ref and not _is_local(spec, ref["systemName"]):
            message = "Pricing rule does not have valid local metric or method reference."
            yield f"pricingRules[{index}].metricMethodRef", message
        if price["from"] > price["to"]:
            yield f"pricingRules[{index}]", "'To' value cannot be less than your 'From' value."
        for other in prices[:index]:
            if other["metricMethodRef"] == ref and price["from"] <= other["to"] and other["from"] <= price["to"]:
                message = "'From' value cannot be less than 'To' values of current rules for the same metric."
                yield f"pricingRules[{index}]", message


def _is_local(spec: Mapping[str, Any], name: str) -> bool:
    return name in (spec.get("metrics") or {}) or name in (spec.get("methods") or {})

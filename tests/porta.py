"""What 3scale and its operator refuse although the CRDs accept it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

SYSTEM_NAME = re.compile(r"[A-Za-z0-9_][\w\-/]+", re.ASCII)
RESPONSE_TEXT = re.compile(r"[{}\[\],.;@#~%&()?\w\"= /\\:+-]*", re.ASCII)
PERIODS = {"eternity", "year", "month", "week", "day", "hour", "minute"}
BUILT_IN = {"cors", "upstream_connection", "apicast", "rate_limit", "headers", "on_failed"}
CUSTOM = {"maas-llm-metering"}


def porta_accepts_backend(backend: Mapping[str, Any]) -> list[str]:
    """Return 3scale's objections to a Backend."""
    spec = backend["spec"]
    return [*_system_names([spec["systemName"]]), *_counters(spec), *_target(spec["privateBaseURL"])]


def porta_accepts(product: Mapping[str, Any]) -> list[str]:
    """Return 3scale's objections to a Product."""
    spec = product["spec"]
    return [
        *_system_names([spec["systemName"], *spec["applicationPlans"]]),
        *_counters(spec),
        *_deployment(spec["deployment"]),
        *_usages(spec["backendUsages"]),
        *_rules(spec["mappingRules"], _counter_names(spec)),
        *_plans(spec["applicationPlans"], _counter_names(spec)),
        *_chain(spec["policies"]),
    ]


def _counter_names(spec: Mapping[str, Any]) -> set[str]:
    return {*spec.get("metrics", {}), *spec.get("methods", {})}


def _system_names(names: list[str]) -> Iterator[str]:
    for name in names:
        if not SYSTEM_NAME.fullmatch(name) or len(name) > 255:
            yield f"system name {name!r} is invalid"


def _counters(spec: Mapping[str, Any]) -> Iterator[str]:
    metrics, methods = spec.get("metrics", {}), spec.get("methods", {})
    yield from _system_names([*metrics, *methods])
    if "hits" not in metrics:
        yield "metric hits is missing"
    if clash := metrics.keys() & methods.keys():
        yield f"{clash} are metrics and methods"
    friendly = {key: entry["friendlyName"] for key, entry in {**metrics, **methods}.items()}
    for name, count in Counter(value.lower() for value in friendly.values()).items():
        if count > 1:
            yield f"friendly name {name!r} is taken"
    for key, name in friendly.items():
        # The 3scale-operator compares a friendly name with the others' system names.
        if name in friendly.keys() - {key}:
            yield f"friendly name {name!r} is a system name"
        if not 0 < len(name) <= 255:
            yield f"friendly name of {key} has a bad length"


def _target(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https", "ws", "wss") or not host or parts.port is None:
        yield f"{url!r} lacks scheme, host or port"
    if len(url) > 255 or any(not 0 < len(label) <= 63 for label in host.split(".")):
        yield f"{url!r} or a label of its host is too long"
    if parts.username or parts.query or parts.fragment or host == "localhost" or host.startswith("127."):
        yield f"{url!r} is not allowed"


def _deployment(deployment: Mapping[str, Any]) -> Iterator[str]:
    if list(deployment) != ["apicastHosted"]:
        yield "deployment must be apicastHosted alone"
    authentication = deployment["apicastHosted"]["authentication"]
    if list(authentication) != ["userkey"]:
        yield "authentication must be userkey alone"
    user_key = authentication["userkey"]
    if "authUserKey" in user_key or user_key["credentials"] != "authorization":
        yield "keys would not be read from Authorization: Bearer"
    yield from _responses(user_key["gatewayResponse"])


def _responses(responses: Mapping[str, Any]) -> Iterator[str]:
    for name, value in responses.items():
        if isinstance(value, int):
            if not 200 <= value <= 599:
                yield f"{name}: {value} is no status"
        elif len(value) > 255 or not RESPONSE_TEXT.fullmatch(value):
            yield f"{name}: {value!r} is too long or has characters that 3scale refuses"


def _usages(usages: Mapping[str, Any]) -> Iterator[str]:
    if not usages:
        yield "a product without backends can not be promoted"
    if [usage["path"] for usage in usages.values()] != ["/"]:
        yield "another path than / is cut off before the model"


def _rules(rules: list[Mapping[str, Any]], counters: set[str]) -> Iterator[str]:
    if not rules:
        yield "no call would match"
    for rule in rules:
        if not rule["pattern"].startswith("/") or len(rule["pattern"]) > 255 or not rule["pattern"].endswith("$"):
            yield f"pattern {rule['pattern']!r} is invalid or open-ended"
        if rule["increment"] < 1 or rule["httpMethod"] in ("TRACE", "CONNECT"):
            yield f"rule {rule} is refused"
        if rule["metricMethodRef"] not in counters:
            yield f"rule {rule} counts nothing"


def _plans(plans: Mapping[str, Any], counters: set[str]) -> Iterator[str]:
    for name, plan in plans.items():
        limits = plan.get("limits", [])
        if not plan["name"] or len(plan["name"]) > 255:
            yield f"plan {name} has a bad name"
        if not all(re.fullmatch(r"\d+\.\d{2}", plan[fee]) for fee in ("setupFee", "costMonth")):
            yield f"plan {name} has a fee that is none"
        if len({(limit["period"], limit["metricMethodRef"]["systemName"]) for limit in limits}) < len(limits):
            yield f"plan {name} limits something twice"
        for limit in limits:
            if limit["period"] not in PERIODS or not 1 <= limit["value"] < 2**63:
                yield f"plan {name}: {limit} is invalid"
            if limit["metricMethodRef"]["systemName"] not in counters:
                yield f"plan {name}: {limit} counts nothing"


def _chain(policies: list[Mapping[str, Any]]) -> Iterator[str]:
    names = [policy["name"] for policy in policies]
    if names.count("apicast") != 1 or not set(names) <= BUILT_IN | CUSTOM or len(set(names)) < len(names):
        yield f"chain {names} is invalid"
    for policy in policies:
        if (policy["version"] == "builtin") != (policy["name"] in BUILT_IN):
            yield f"policy {policy} is of the wrong version"
        if not isinstance(policy["configuration"], dict) or not policy["enabled"]:
            yield f"policy {policy} is invalid"

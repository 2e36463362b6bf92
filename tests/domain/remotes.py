"""What 3scale tells of a Product that it has as it was written."""

from decimal import Decimal
from typing import Any

from maas_operator.domain.gateway.remote import (
    RemoteConfiguration,
    RemoteMetric,
    RemotePlan,
    RemoteProduct,
    RemoteRule,
)
from maas_operator.domain.objects import Manifest

SETTINGS = {"credentials_location": "authorization", "error_status_auth_missing": "401", "error_other": "x"}


def as_written(product: Manifest, *, backend_id: int = 8, version: int = 3) -> RemoteProduct:
    """Return all of a product that nobody has edited, and that was promoted."""
    spec = product["spec"]
    return RemoteProduct(
        name=spec["name"],
        description=spec["description"],
        settings=SETTINGS,
        usages={backend_id: "/"},
        metrics={name: _metric(one, is_method=False) for name, one in spec["metrics"].items()}
        | {name: _metric(one, is_method=True) for name, one in spec["methods"].items()},
        rules=_rules(product),
        policies=_policies(product, "name", "version", "enabled", "configuration"),
        plans={
            name: _plan(number, name, one) for number, (name, one) in enumerate(spec["applicationPlans"].items(), 1)
        },
        limits={name: _limits(one) for name, one in spec["applicationPlans"].items()},
        staging=configuration(product, version=version),
        production=configuration(product, version=version),
    )


def configuration(product: Manifest, *, version: int = 3) -> RemoteConfiguration:
    """Return what gateways load of a product."""
    policies = _policies(product, "name", "version", "configuration")
    return RemoteConfiguration(version=version, settings=SETTINGS, rules=_rules(product), policies=policies)


def _rules(product: Manifest) -> tuple[RemoteRule, ...]:
    return tuple(
        RemoteRule(rule["httpMethod"], rule["pattern"], rule["metricMethodRef"], rule["increment"], False)
        for rule in product["spec"]["mappingRules"]
    )


def _policies(product: Manifest, *keys: str) -> tuple[dict[str, Any], ...]:
    return tuple({key: policy[key] for key in keys} for policy in product["spec"]["policies"])


def _metric(spec: dict[str, Any], *, is_method: bool) -> RemoteMetric:
    return RemoteMetric(
        friendly_name=spec["friendlyName"],
        unit=spec.get("unit", "request"),
        description=spec["description"],
        is_method=is_method,
    )


def _plan(number: int, name: str, spec: dict[str, Any]) -> RemotePlan:
    return RemotePlan(
        id=number,
        system_name=name,
        name=spec["name"],
        published=spec["published"],
        custom=False,
        trial_days=spec["trialPeriod"],
        # 3scale tells numbers, without the zeros at their end.
        setup_fee=Decimal(spec.get("setupFee", 0)).normalize(),
        month_fee=Decimal(spec.get("costMonth", 0)).normalize(),
        approval_required=spec["appsRequireApproval"],
    )


def _limits(plan: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(one["metricMethodRef"]["systemName"], one["period"]): one["value"] for one in plan.get("limits") or ()}

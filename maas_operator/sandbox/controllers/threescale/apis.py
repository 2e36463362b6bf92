"""What the syncs of products and backends share: metrics, methods, mapping rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .catalogue import Api, Catalogue, Rule
from .errors import PortaError, SyncError

HITS: Final = {"friendlyName": "Hits", "unit": "hit", "description": "Number of API hits"}
METHOD_IN_USE: Final = (
    "method is used by the latest gateway configuration, it will be removed from 3scale only once the promotion "
    "without the mapping rule that uses the deleted method is done"
)


def sync_metrics(catalogue: Catalogue, api: Api, spec: Mapping[str, Any]) -> None:
    """Bring the metrics in line; PortaError for one that a deployed rule counts on."""
    wanted = spec.get("metrics") or {}
    for name, metric in wanted.items():
        catalogue.put_metric(
            api, name, friendly_name=metric["friendlyName"], unit=metric["unit"],
            description=metric.get("description", ""),
        )  # fmt: skip
    for name in [m.system_name for m in api.metrics.values() if not m.parent and m.system_name not in wanted]:
        catalogue.delete_metric(api, name)


def sync_methods(catalogue: Catalogue, api: Api, spec: Mapping[str, Any]) -> None:
    """Bring the methods in line; PortaError for one that a deployed rule counts on."""
    wanted = spec.get("methods") or {}
    for name, method in wanted.items():
        catalogue.put_metric(
            api, name, friendly_name=method["friendlyName"], description=method.get("description", ""), parent="hits"
        )
    for name in [m.system_name for m in api.metrics.values() if m.parent and m.system_name not in wanted]:
        catalogue.delete_metric(api, name)


def sync_rules(catalogue: Catalogue, api: Api, spec: Mapping[str, Any]) -> None:
    """Bring the mapping rules in line: the order counts."""
    rules = [
        Rule(r["httpMethod"], r["pattern"], r["metricMethodRef"], r["increment"], r.get("last", False))
        for r in spec.get("mappingRules") or []
    ]
    catalogue.set_rules(api, rules)


def is_method_in_use(error: Exception) -> bool:
    """Tell whether porta keeps a method because of the deployed configuration: the one refusal that does not stop."""
    return isinstance(error, PortaError) and "Method is used by the latest gateway configuration" in str(error)


def failed(what: str, error: Exception) -> SyncError:
    """Return the error of one step in the words of the original."""
    return SyncError(f"task failed {what}: {error}")

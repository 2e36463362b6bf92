"""What 3scale itself has, as its Admin API tells it: values for comparisons, and what a pass was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from maas_operator.domain.conditions import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteApplication:
    """An application, with the ids of its account and plan; `state` is live, pending or suspended."""

    id: int
    account_id: int
    plan_id: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePlan:
    """An application plan. `custom`: made for one application, in the portal; `approval_required`: None if not told."""

    id: int
    system_name: str
    name: str
    published: bool
    custom: bool
    trial_days: int
    setup_fee: Decimal
    month_fee: Decimal
    approval_required: bool | None


@dataclass(frozen=True, slots=True)
class RemoteRule:
    """A mapping rule."""

    http_method: str
    pattern: str
    metric: str
    increment: int
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMetric:
    """A metric, or a method of `hits`."""

    friendly_name: str
    unit: str
    description: str
    is_method: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteConfiguration:
    """What gateways load: a version of a product's settings, rules and policies, those of its backends left out.

    `target`: the URL of its backend; empty where 3scale does not tell it.
    """

    version: int
    target: str
    settings: Mapping[str, str]
    rules: tuple[RemoteRule, ...]
    policies: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricUsage:
    """The metrics and methods of a product; `used`: those that the newest configurations of its gateways count on."""

    metrics: Mapping[str, RemoteMetric]
    used: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteProduct:
    """All of a product that its custom resource has a word for.

    `settings`: the proxy's, by 3scale's names, as text. `limits`: by plan, then by metric and period; a metric of a
    backend has its id for a name. `usages`: paths by backend id. `staging`, `production`: the newest configurations.
    """

    name: str
    description: str
    settings: Mapping[str, str]
    usages: Mapping[int, str]
    metrics: Mapping[str, RemoteMetric]
    rules: tuple[RemoteRule, ...]
    policies: tuple[Mapping[str, Any], ...]
    plans: Mapping[str, RemotePlan]
    limits: Mapping[str, Mapping[tuple[str, str], int]]
    staging: RemoteConfiguration | None
    production: RemoteConfiguration | None

    @property
    def usage(self) -> MetricUsage:
        """Return what its gateways count on."""
        newest = [one for one in (self.staging, self.production) if one is not None]
        return MetricUsage(metrics=self.metrics, used=frozenset(rule.metric for one in newest for rule in one.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBackend:
    """A backend."""

    name: str
    description: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteDocument:
    """A document of the developer portal; `product_id`: None where it belongs to no product."""

    id: int
    system_name: str
    name: str
    description: str
    body: str
    published: bool
    product_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What a pass over a ModelService was told; 3scale is asked only where an answer counts.

    `barrier`: why Product and Backend may not be written for the first time.
    `plans_in_use`: who uses each plan that is not wanted any more, in words.
    `stray_plans`: the same of plans that were made in 3scale itself, where they keep a Product from being synced.
    `metric_usage`: what 3scale still counts on, asked while something may have to go; else None.
    `edited_at`: when the Product, the Backend or the ActiveDoc was last found to be edited in 3scale itself, by kind.
    `document_barrier`: why the document may not be written for the first time.
    `document_is_free`: whether this pass has proven that it may.
    `overtaken`: the uid of a promotion after which something else came to production; empty if there is none.
    `look_again`: what was found is being put back, and more may have to follow.
    """

    barrier: Verdict | None = None
    plans_in_use: Mapping[str, str] = field(default_factory=dict)
    stray_plans: Mapping[str, str] = field(default_factory=dict)
    metric_usage: MetricUsage | None = None
    edited_at: Mapping[str, datetime] = field(default_factory=dict)
    document_barrier: Verdict | None = None
    document_is_free: bool = False
    overtaken: str = ""
    look_again: bool = False


NOTHING_ASKED: Final = Remote()

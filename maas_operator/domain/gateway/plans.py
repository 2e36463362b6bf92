"""Application plans: what consumers subscribe to, and the limits that 3scale holds them to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.plans import Limit, Metric, Plan
from maas_operator.domain.emitted import Emitted
from maas_operator.domain.objects import Manifest

from .metrics import LIMITED

_STANDARD: Final = Plan(name="standard", display_name="Standard")


class MetricRef(Emitted):
    """A metric of the Product."""

    system_name: str


class LimitSpec(Emitted):
    """At most `value` in each period."""

    period: str
    value: int
    metric_method_ref: MetricRef


class ApplicationPlan(Emitted):
    """A plan as the Product has it."""

    name: str
    published: bool
    apps_require_approval: bool
    trial_period: int
    # Written even where they are nothing: the 3scale-operator leaves alone what is absent.
    setup_fee: str
    cost_month: str
    limits: tuple[LimitSpec, ...] | None


def plans_of(service: ModelService, platform: ModelPlatform) -> tuple[Plan, ...]:
    """Return the plans that a model has: its own, else the platform's, else one without limits."""
    return service.spec.plans or platform.spec.default_plans or (_STANDARD,)


def plans_with_token_limits(plans: Iterable[Plan]) -> tuple[str, ...]:
    """Return the names of the plans that limit tokens, which only gateways with a metering policy can hold."""
    return tuple(plan.name for plan in plans if any(limit.metric is not Metric.REQUESTS for limit in plan.limits))


def application_plans(plans: Iterable[Plan]) -> dict[str, ApplicationPlan]:
    """Return the plans by system name; limits of tokens have an effect only where the gateways count tokens."""
    return {plan.name: _application_plan(plan) for plan in plans}


def with_plans_in_use(product: Manifest, current: Manifest | None, in_use: Collection[str]) -> Manifest:
    """Return the Product with those of its current plans that are not wanted any more and still have applications.

    3scale deletes plans before it makes new ones, and refuses to delete one with applications: a plan that is renamed
    at once would lock the Product up. So the old one stays, closed for others, until its applications have moved.
    """
    wanted = product["spec"]["applicationPlans"]
    present = current["spec"].get("applicationPlans", {}) if current else {}
    staying = {name: plan | {"published": False} for name, plan in present.items() if name in in_use}
    return product | {"spec": product["spec"] | {"applicationPlans": staying | wanted}}


def _application_plan(plan: Plan) -> ApplicationPlan:
    limits = tuple(map(_limit, plan.limits))
    return ApplicationPlan(
        name=plan.display_name or plan.name,
        published=plan.published,
        apps_require_approval=plan.approval_required,
        trial_period=plan.trial_days,
        setup_fee=plan.pricing.setup_fee,
        cost_month=plan.pricing.monthly_fee,
        # The controllers around us write objects back without empty lists: we send none, so that nothing differs.
        limits=limits or None,
    )


def _limit(limit: Limit) -> LimitSpec:
    metric = MetricRef(system_name=LIMITED[limit.metric])
    return LimitSpec(period=limit.period.lower(), value=limit.value, metric_method_ref=metric)

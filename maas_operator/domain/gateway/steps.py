"""Safe steps: changes that 3scale would block for ever are made one after the other.

3scale refuses to delete a metric or method that the newest configuration of its gateways counts on, and a plan that has
applications; the 3scale-operator stops there and never comes to the mapping rules. So what is in use stays declared,
the new rules are promoted, and only then it is dropped. Each pass finds its step anew, from what there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import count
from typing import Any, Final

from maas_operator.domain.emitted import digest
from maas_operator.domain.objects import Manifest

from .plans import with_plans_in_use
from .remote import MetricUsage, RemoteMetric
from .status import SyncPhase, product_state

IN_USE: Final = "is used by the latest gateway configuration"
"""What 3scale says of a metric or method that it does not delete."""
_NAMED: Final = 5
_LONGEST: Final = 200
"""Names that become unique by an addition fit into 3scale's 255 characters with it."""

Spec = Mapping[str, Any]


class StepName(StrEnum):
    """The steps of a change."""

    KEEP_METRICS = "KeepMetrics"
    """Metrics and methods stay until a configuration without rules on them is in staging and production."""
    KEEP_PLANS = "KeepPlans"
    """Plans stay, closed for others, until their applications have moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that waits; `hash` is that of the Product as this step writes it."""

    name: StepName
    hash: str
    message: str


@dataclass(frozen=True, kw_only=True)
class SafeChange:
    """The way from the Product that is there to the one that is wanted.

    `usage`: what 3scale tells of its metrics; None while nobody has asked, and then nothing is dropped.
    `plans_in_use`: who uses each plan that is not wanted any more, in words.
    """

    rendered: Manifest
    present: Manifest | None
    usage: MetricUsage | None
    plans_in_use: Mapping[str, str]

    @cached_property
    def product(self) -> Manifest:
        """Return the Product to write now."""
        spec = self._with_plans["spec"]
        kept = self._kept
        if not kept:
            return self._with_plans
        # Those that stay come first: 3scale has them, and what is new must not clash with them.
        metrics = {name: one for name, one in kept.items() if "unit" in one} | spec["metrics"]
        methods = {name: one for name, one in kept.items() if "unit" not in one} | spec["methods"]
        return self._with_plans | {"spec": spec | _unique({"metrics": metrics, "methods": methods}, kept)}

    @cached_property
    def step(self) -> Step | None:
        """Return the step that waits; None where all of the change can be made."""
        if self._kept:
            return self._step(StepName.KEEP_METRICS, self._why_metrics)
        if self.plans_in_use:
            return self._step(StepName.KEEP_PLANS, self._why_plans)
        return None

    def _step(self, name: StepName, message: str) -> Step:
        return Step(name=name, hash=digest(self.product["spec"])[:16], message=message)

    @property
    def _why_metrics(self) -> str:
        names = sorted(self._kept)
        more = ", ..." if len(names) > _NAMED else ""
        told = ", ".join(names[:_NAMED]) + more
        return (
            f"metrics and methods that are not wanted any more stay until no configuration in staging or production,"
            f" and no plan, counts on them: {told}"
        )

    @property
    def _why_plans(self) -> str:
        return "; ".join(f"plan {name} stays, closed for others: {who}" for name, who in self.plans_in_use.items())

    @cached_property
    def _with_plans(self) -> Manifest:
        return with_plans_in_use(self.rendered, self.present, self.plans_in_use)

    @cached_property
    def _kept(self) -> dict[str, Spec]:
        """Return the metrics and methods that must stay, as they are declared now or else as 3scale has them."""
        spec = self.rendered["spec"]
        wanted = spec["metrics"].keys() | spec["methods"].keys()
        declared = _counted(self.present) if self.present else {}
        found = {name: _declared(one) for name, one in self.usage.metrics.items()} if self.usage else {}
        used = self.usage.used if self.usage else declared.keys()
        needed = used | _limited(self._with_plans["spec"])
        return {name: one for name, one in sorted((found | declared).items()) if name in needed and name not in wanted}


def strays(product: Manifest, wanted: Collection[str]) -> frozenset[str]:
    """Return the metrics and methods that a Product declares and that are not wanted any more."""
    return frozenset(_counted(product).keys() - set(wanted))


def is_locked_up(product: Manifest) -> bool:
    """Tell whether the 3scale-operator can not go on because of a metric or method in use."""
    state = product_state(product)
    return state.phase is SyncPhase.FAILED and IN_USE in state.message


def _counted(product: Manifest) -> dict[str, Spec]:
    spec = product["spec"]
    return {**(spec.get("metrics") or {}), **(spec.get("methods") or {})}


def _declared(metric: RemoteMetric) -> dict[str, Any]:
    unit = {} if metric.is_method else {"unit": metric.unit or "hit"}
    # The 3scale-operator writes objects back without empty texts.
    description = {"description": metric.description} if metric.description else {}
    return {"friendlyName": metric.friendly_name, **unit, **description}


def _limited(spec: Spec) -> set[str]:
    """Return what the plans refer to: one of them may have stayed."""
    return {
        entry["metricMethodRef"]["systemName"]
        for plan in spec["applicationPlans"].values()
        for entry in [*(plan.get("limits") or ()), *(plan.get("pricingRules") or ())]
    }


def _unique(groups: Mapping[str, Mapping[str, Spec]], kept: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the entries with friendly names that differ from each other and from all system names.

    3scale refuses the one, and the 3scale-operator the other. Those that stay give way.
    """
    entries = {name: one for group in groups.values() for name, one in group.items()}
    names = dict(_friendly_names({name: one["friendlyName"] for name, one in entries.items()}, kept))
    return {
        group: {name: {**one, "friendlyName": names[name]} for name, one in members.items()}
        for group, members in groups.items()
    }


def _friendly_names(names: Mapping[str, str], kept: Collection[str]) -> Iterator[tuple[str, str]]:
    taken = set[str]()
    for name in sorted(names, key=lambda one: (one in kept, one)):
        variants = (one for one in _variants(names[name]) if one == name or one not in names)
        friendly = next(one for one in variants if one.lower() not in taken)
        taken.add(friendly.lower())
        yield name, friendly


def _variants(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name[:_LONGEST]} ({number})" for number in count(2))

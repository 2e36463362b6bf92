"""What users, the portal and bad luck do to a model, one step after the other, in any order: values to draw and print.

An `Edit` makes another `Wish` of the one before, always a valid one. A `Deed` happens to the world.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

from hypothesis import strategies as st

from maas_operator.domain.kinds import API_MANAGER, MODEL_SERVICE, MODEL_SUBSCRIPTION
from maas_operator.domain.metering import mounts
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.packed_policy import packed_policy
from maas_operator.sandbox.kubeapi.faults import Moment
from tests.edits import EDITS, edited
from tests.scenarios.harness import GATEWAY, HOME, a_subscription, sample

Spec = dict[str, Any]

TAMPERED = ("Product", "Backend", "ProxyConfigPromote", "Application", "ApplicationAuth", "InferenceService")
NEIGHBOUR = Ref(MODEL_SERVICE, HOME, "another-model")
GUEST = Ref(MODEL_SUBSCRIPTION, HOME, "guest")
INSTALLATION = Ref(API_MANAGER, GATEWAY, "apimanager")
PLANS = ("standard", "gold", "trial", "batch")
DEVELOPERS = ("dev1", "dev2", "dev3")
OF_STEPS_OF_THEIR_OWN = (
    "plans.",
    "developers.",
    "managementPolicy",
    "api.promotion.",
    "api.rateLimit.",
    "serving.autoscaling.",
)
FIELDS = {field: value for field, value in EDITS.items() if not field.startswith(OF_STEPS_OF_THEIR_OWN)} | {
    "api.rateLimit": {"requestsPerSecond": 20, "burst": 40},
    "serving.autoscaling": {"minReplicas": 2, "maxReplicas": 3, "metric": "CPU"},
}
PLAN_FIELDS: dict[str, Any] = {
    "pricing": {"setupFee": "50.00", "perMillionTokens": {"prompt": "0.20", "completion": "0.60"}},
    "displayName": "Another plan",
    "published": False,
    "approvalRequired": True,
    "trialDays": 14,
}
PLATFORM_FIELDS: dict[str, Any] = {
    "gateway.tokenPolicy.mode": "None",
    "gateway.tokenPolicy.patchAPIManager": False,
    "gateway.configurationCache": "5m",
    "gateway.namespaces": ["gateways"],
    "gateway.policies": [{"name": "headers", "position": "BeforeAuth", "configuration": {"request": []}}],
    "currency": "USD",
    "monitoring.namespaces": ["monitoring"],
    "threescale.billing": "Enabled",
    "defaultPlans": [{"name": "basic", "limits": [{"metric": "Requests", "period": "Hour", "value": 9}]}],
}


def installation(*, mounted: bool) -> Manifest:
    """Return 3scale's APIManager, with the metering policy mounted by hand or not."""
    policies = [dict(mounts.entry(packed_policy().version))] if mounted else []
    specs = {environment: {"customPolicies": policies} for environment in mounts.ENVIRONMENTS}
    return {
        "apiVersion": API_MANAGER.api_version,
        "kind": API_MANAGER.name,
        "metadata": {"name": INSTALLATION.name, "namespace": GATEWAY},
        "spec": {"wildcardDomain": "apps.example.com", **({"apicast": specs} if mounted else {})},
    }


# --- wishes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    """What is asked for: the specs of both kinds, and whether the metering policy is mounted by hand."""

    service: Spec
    platform: Spec
    mounted: bool = False
    guest: str = ""
    """The plan of a ModelSubscription that the service does not own; empty if there is none."""
    neighbour: bool = False
    """Whether another model shares platform, namespace and a developer."""
    policy: str = packed_policy().version
    """The version of the metering policy that the operator comes with."""

    def manifests(self) -> list[Manifest]:
        """Return what a GitOps tool applies."""
        namespace, platform, service = sample()
        return [
            installation(mounted=self.mounted),
            namespace,
            platform | {"spec": self.platform},
            service | {"spec": self.service},
            *([a_subscription(GUEST.name, plan=self.guest)] if self.guest else []),
            *([a_neighbour()] if self.neighbour else []),
        ]

    def as_text(self) -> str:
        return json.dumps(list(vars(self).values()), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Wish:
        return cls(*json.loads(text))

    @property
    def plans(self) -> list[Spec]:
        return list(self.service.get("plans", ()))

    @property
    def developers(self) -> list[Spec]:
        return list(self.service.get("developers", ()))

    def with_plans(self, plans: list[Spec]) -> Wish:
        """Return it with other plans; developers whose plan is gone move to the first one."""
        names = [plan["name"] for plan in plans] or self._default_plans()
        developers = [one if one["plan"] in names else one | {"plan": names[0]} for one in self.developers]
        wish = replace(self, service={**self.service, "plans": plans, "developers": developers})
        return wish.with_guest(self.guest) if self.guest else wish

    def _default_plans(self) -> list[str]:
        return [plan["name"] for plan in self.platform.get("defaultPlans", ())] or ["standard"]

    def with_developers(self, developers: list[Spec]) -> Wish:
        return replace(self, service={**self.service, "developers": developers})

    def with_guest(self, plan: str) -> Wish:
        """Return it with a guest on a plan, or on the first that guests may choose; without one if there is none."""
        closed = {one["name"] for one in self.plans if one.get("approvalRequired") or not one.get("published", True)}
        names = [one["name"] for one in self.plans] or self._default_plans()
        choice = [name for name in names if name not in closed]
        return replace(self, guest=plan if plan in choice else next(iter(choice), ""))

    def offered(self, plan: str) -> str:
        """Return the plan if there is such a one, else the first that there is."""
        names = [one["name"] for one in self.plans] or self._default_plans()
        return plan if plan in names else names[0]

    def concluded(self) -> Wish:
        """Return it without what makes the end depend on the way there: nothing is held, nothing is Paused."""
        service = edited({**self.service, "managementPolicy": "Active"}, "api.promotion", {"mode": "Automatic"})
        service = edited(service, "serving.replicas", service["serving"].get("replicas", 1) or 1)
        policy = self.platform["gateway"].get("tokenPolicy", {})
        limited = any(limit["metric"] != "Requests" for plan in self.plans for limit in plan.get("limits", ()))
        managed = policy.get("mode", "Managed") == "Managed" or limited
        token_policy = {"mode": "Managed", "patchAPIManager": True} if managed else policy
        platform = {**self.platform, "gateway": {**self.platform["gateway"], "tokenPolicy": token_policy}}
        return replace(self, service=service, platform=platform)


def a_neighbour() -> Manifest:
    """Return another model, with a developer of the first one's."""
    _, _, service = sample(plans=[{"name": "standard"}], developers=[_developer("dev1", "standard")])
    return service | {"metadata": {"name": NEIGHBOUR.name, "namespace": HOME}}


def the_first_wish() -> Wish:
    """Return the sample with two plans and two developers, on a platform that counts tokens."""
    _, platform, service = deepcopy(sample())
    spec = platform["spec"]
    spec["gateway"]["tokenPolicy"] = {"patchAPIManager": True}
    standard = {"name": "standard", "displayName": "Standard", "limits": [_limit("Requests", "Minute", 60)]}
    gold = {"name": "gold", "limits": [_limit("TotalTokens", "Day", 1000)]}
    developers = [_developer("dev1", "standard"), _developer("dev2", "gold")]
    return Wish({**service["spec"], "plans": [standard, gold], "developers": developers}, spec)


def _limit(metric: str, period: str, value: int) -> Spec:
    return {"metric": metric, "period": period, "value": value}


def _developer(name: str, plan: str) -> Spec:
    return {"name": name, "email": f"{name}@example.com", "plan": plan}


# --- edits -----------------------------------------------------------------------------------------------------------


class Edit(Protocol):
    """A change of what is asked for."""

    def of(self, wish: Wish) -> Wish:
        """Return the next wish; the same one where there is nothing to change."""


@dataclass(frozen=True)
class Set:
    """A field of the ModelService gets its other value, or with `back` the sample's."""

    field: str
    back: bool = False

    def of(self, wish: Wish) -> Wish:
        value = _at(sample()[-1]["spec"], self.field) if self.back else FIELDS[self.field]
        return replace(wish, service=_without_none(edited(wish.service, self.field, value)))


@dataclass(frozen=True)
class SetPlatform:
    """A field of the ModelPlatform gets its other value, or with `back` its first."""

    field: str
    back: bool = False

    def of(self, wish: Wish) -> Wish:
        value = _at(the_first_wish().platform, self.field) if self.back else PLATFORM_FIELDS[self.field]
        changed = replace(wish, platform=_without_none(edited(wish.platform, self.field, value)))
        return changed.with_plans(changed.plans)


@dataclass(frozen=True)
class AddPlan:
    """A plan is added."""

    name: str

    def of(self, wish: Wish) -> Wish:
        others = [plan for plan in wish.plans if plan["name"] != self.name]
        return wish.with_plans([*others, {"name": self.name}])


@dataclass(frozen=True)
class RemovePlan:
    """A plan is taken away, and its developers move to another one in the same edit."""

    name: str

    def of(self, wish: Wish) -> Wish:
        return wish.with_plans([plan for plan in wish.plans if plan["name"] != self.name])


@dataclass(frozen=True)
class RenamePlan:
    """A plan gets another name, and its developers move with it in the same edit."""

    name: str
    to: str

    def of(self, wish: Wish) -> Wish:
        if self.name not in (names := [plan["name"] for plan in wish.plans]) or self.to in names:
            return wish
        moved = [one | {"plan": self.to} if one["plan"] == self.name else one for one in wish.developers]
        plans = [plan | {"name": self.to} if plan["name"] == self.name else plan for plan in wish.plans]
        return wish.with_developers(moved).with_plans(plans)


@dataclass(frozen=True)
class Limit:
    """A limit of a plan is set, or with None taken away."""

    plan: str
    metric: str
    period: str
    value: int | None

    def of(self, wish: Wish) -> Wish:
        return wish.with_plans([self._limited(plan) if plan["name"] == self.plan else plan for plan in wish.plans])

    def _limited(self, plan: Spec) -> Spec:
        key = (self.metric, self.period)
        others = [one for one in plan.get("limits", ()) if (one["metric"], one["period"]) != key]
        return {**plan, "limits": others if self.value is None else [*others, _limit(*key, self.value)]}


@dataclass(frozen=True)
class ChangePlan:
    """A field of a plan gets its other value, or with `back` its default."""

    plan: str
    field: str
    back: bool = False

    def of(self, wish: Wish) -> Wish:
        return wish.with_plans([self._changed(plan) if plan["name"] == self.plan else plan for plan in wish.plans])

    def _changed(self, plan: Spec) -> Spec:
        return _without_none({**plan, self.field: None if self.back else PLAN_FIELDS[self.field]})


@dataclass(frozen=True)
class Subscribe:
    """A developer is added, or moves to a plan."""

    developer: str
    plan: str

    def of(self, wish: Wish) -> Wish:
        plan = wish.offered(self.plan)
        if all(one["name"] != self.developer for one in wish.developers):
            return wish.with_developers([*wish.developers, _developer(self.developer, plan)])
        moved = [one | {"plan": plan} if one["name"] == self.developer else one for one in wish.developers]
        return wish.with_developers(moved)


@dataclass(frozen=True)
class Dismiss:
    """A developer is taken away."""

    developer: str

    def of(self, wish: Wish) -> Wish:
        return wish.with_developers([one for one in wish.developers if one["name"] != self.developer])


@dataclass(frozen=True)
class Invite:
    """A subscription that the service does not own is made, or moves to a plan."""

    plan: str

    def of(self, wish: Wish) -> Wish:
        return wish.with_guest(self.plan)


@dataclass(frozen=True)
class Leave:
    """That subscription is deleted."""

    def of(self, wish: Wish) -> Wish:
        return replace(wish, guest="")


@dataclass(frozen=True)
class Stop:
    """The model is stopped, or with `back` started again."""

    back: bool = False

    def of(self, wish: Wish) -> Wish:
        return replace(wish, service=edited(wish.service, "serving.replicas", 1 if self.back else 0))


@dataclass(frozen=True)
class Neighbour:
    """Another model comes, or with `back` goes."""

    back: bool = False

    def of(self, wish: Wish) -> Wish:
        return replace(wish, neighbour=not self.back)


@dataclass(frozen=True)
class Manage:
    """The management policy changes."""

    policy: str

    def of(self, wish: Wish) -> Wish:
        return replace(wish, service={**wish.service, "managementPolicy": self.policy})


@dataclass(frozen=True)
class Promote:
    """Promotions need an approval from now on, or come by themselves again."""

    mode: str

    def of(self, wish: Wish) -> Wish:
        return replace(wish, service=edited(wish.service, "api.promotion", {"mode": self.mode}))


@dataclass(frozen=True)
class Mount:
    """Somebody adds the metering policy to the APIManager by hand; a list of an older version would be a mistake."""

    def of(self, wish: Wish) -> Wish:
        return replace(wish, mounted=wish.mounted or wish.policy == packed_policy().version)


def _at(spec: Mapping[str, Any], field: str) -> Any:
    """Return a field's value; None where it is not set."""
    name, _, rest = field.partition(".")
    return spec.get(name) if not rest else _at(spec.get(name, {}), rest)


def _without_none(spec: Spec) -> Spec:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in spec.items()
        if value is not None
    }


# --- what else happens -----------------------------------------------------------------------------------------------


class Trouble(Enum):
    """What is broken from now on, until the end or `Heal`."""

    THREESCALE_DOWN = "3scale answers nobody"
    THREESCALE_FORBIDS = "3scale refuses the token"
    ADMIN_API_AWAY = "the operator's calls of the Admin API find nobody"
    PODS_CRASH = "the model's pods crash"
    SLOW_3SCALE = "3scale takes ten seconds for each object"
    SLOW_PODS = "pods take two minutes to start"
    SLOW_ROUTES = "zync takes half a minute"
    NO_EVENTS = "no event reaches the operator"


@dataclass(frozen=True)
class Break:
    """Something breaks."""

    trouble: Trouble


@dataclass(frozen=True)
class Heal:
    """All that was broken works again."""


@dataclass(frozen=True)
class Refuse:
    """The next calls of the Kubernetes API fail: `times` of them, after `skip` have passed."""

    error: str
    skip: int
    times: int


@dataclass(frozen=True)
class Kill:
    """The operator is killed before or after its n-th write from now on; 0 is at once."""

    write: int
    moment: Moment


class PortalEdit(Enum):
    """What somebody does in 3scale's admin portal."""

    RENAME = "rename the product"
    OPEN_A_PATH = "let every path through"
    DROP_A_POLICY = "take a policy out of the chain"
    RAISE_A_LIMIT = "raise a limit"
    HIDE_A_PLAN = "unpublish a plan"
    ADD_A_PLAN = "add a plan"
    ADD_A_METRIC = "add a metric"
    LEAD_ELSEWHERE = "change the backend's URL"
    PROMOTE = "promote what is in staging"
    DELETE_THE_PRODUCT = "delete the product"


@dataclass(frozen=True)
class Upgrade:
    """The operator is replaced by one that comes with another version of the metering policy."""


@dataclass(frozen=True)
class Tamper:
    """Somebody deletes the objects of a kind that we made."""

    kind: str


@dataclass(frozen=True)
class Delete:
    """The ModelService is deleted; the next edit, or the end, makes it again."""


@dataclass(frozen=True)
class Approve:
    """Somebody approves the configuration that waits for it."""


@dataclass(frozen=True)
class Portal:
    """Somebody edits in 3scale's admin portal."""

    edit: PortalEdit


@dataclass(frozen=True)
class Apply:
    """A developer applies for a plan in the portal: no custom resource knows of it."""

    plan: str


Deed = Break | Heal | Refuse | Kill | Upgrade | Tamper | Delete | Approve | Portal | Apply
Step = Edit | Deed


@dataclass(frozen=True)
class Turn:
    """One step, and how many seconds pass after it; None: until all has settled."""

    step: Step
    then: float | None = None


# --- how they are drawn ----------------------------------------------------------------------------------------------

_plans, _developers = st.sampled_from(PLANS), st.sampled_from(DEVELOPERS)
_limits = st.builds(
    Limit,
    plan=_plans,
    metric=st.sampled_from(["Requests", "TotalTokens", "PromptTokens"]),
    period=st.sampled_from(["Minute", "Day"]),
    value=st.sampled_from([None, 5, 500]),
)
edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(Set, st.sampled_from(sorted(FIELDS)), st.booleans()),
    st.builds(AddPlan, _plans),
    st.builds(RemovePlan, _plans),
    st.builds(RenamePlan, _plans, _plans),
    _limits,
    st.builds(ChangePlan, _plans, st.sampled_from(sorted(PLAN_FIELDS)), st.booleans()),
    st.builds(Subscribe, _developers, _plans),
    st.builds(Dismiss, _developers),
    st.builds(SetPlatform, st.sampled_from(sorted(PLATFORM_FIELDS)), st.booleans()),
    st.builds(Mount),
    st.builds(Invite, _plans),
    st.builds(Leave),
    st.builds(Stop, st.booleans()),
    st.builds(Neighbour, st.booleans()),
    st.builds(Manage, st.sampled_from(["Active", "Paused", "Observe"])),
    st.builds(Promote, st.sampled_from(["Manual", "Automatic"])),
)
kills = st.builds(Kill, st.integers(0, 12), st.sampled_from(Moment))
deeds: st.SearchStrategy[Deed] = st.one_of(
    kills,
    st.builds(Break, st.sampled_from(Trouble)),
    st.builds(Heal),
    st.builds(Refuse, st.sampled_from(["conflict", "internal", "timeout"]), st.integers(0, 10), st.integers(1, 4)),
    st.builds(Tamper, st.sampled_from(TAMPERED)),
    st.builds(Delete),
    st.builds(Upgrade),
    st.builds(Approve),
    st.builds(Portal, st.sampled_from(PortalEdit)),
    st.builds(Apply, st.sampled_from([*PLANS, "free_lunch"])),
)
pauses = st.sampled_from([None, 0.0, 0.02, 0.3, 2.0, 15.0, 90.0])


def turns(longest: int) -> st.SearchStrategy[list[Turn]]:
    """Return sequences of steps, most of them edits."""
    step = st.one_of(edits, edits, deeds)
    return st.lists(st.builds(Turn, step, pauses), min_size=1, max_size=longest)

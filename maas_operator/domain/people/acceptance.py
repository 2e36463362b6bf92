"""ModelAccepted: whether the model lets a subscription in."""

from __future__ import annotations

from typing import Final

from maas_operator.api.model_service import ManagementPolicy
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, true
from maas_operator.domain.kinds import APPLICATION

from .developers import subscription_ref
from .world import ModelSubscriptionWorld

_ACCEPTED: Final = true(Reason.ACCEPTED, "the model lets this subscription in")


def model_accepted(world: ModelSubscriptionWorld) -> Condition:
    """Decide the condition."""
    return decide_condition(
        ConditionType.MODEL_ACCEPTED,
        (_access_denied, _model_missing, _platform_missing, _let_in_before, _plan_missing, _plan_not_granted),
        world,
        otherwise=_ACCEPTED,
    )


def _access_denied(world: ModelSubscriptionWorld) -> Verdict | None:
    wanted = world.subscription.spec.model_ref.namespace
    if wanted in (None, world.subscription.metadata.namespace):
        return None
    return false(
        Reason.ACCESS_DENIED,
        f"spec.modelRef.namespace: a ModelService in {wanted} accepts subscriptions of its own namespace only",
    )


def _model_missing(world: ModelSubscriptionWorld) -> Verdict | None:
    name = world.subscription.spec.model_ref.name
    if world.service is None:
        return false(Reason.MODEL_MISSING, f"spec.modelRef: there is no ModelService {name} in this namespace")
    if world.service.metadata.deletion_timestamp is not None:
        return false(Reason.MODEL_MISSING, f"spec.modelRef: ModelService {name} is being deleted")
    return None


def _platform_missing(world: ModelSubscriptionWorld) -> Verdict | None:
    if world.platform is not None or world.service is None:
        return None
    name = world.service.spec.platform_ref.name
    return false(Reason.PLATFORM_MISSING, f"the model's ModelPlatform {name} does not exist")


def _let_in_before(world: ModelSubscriptionWorld) -> Verdict | None:
    """Tell that a subscription is on its plan already: an edit of the model takes effect only while it is Active."""
    if world.service is None or world.service.spec.management_policy is ManagementPolicy.ACTIVE:
        return None
    plans = {one["spec"]["applicationPlanName"] for ref, one in world.seen.items() if ref.kind == APPLICATION}
    if world.subscription.spec.plan not in plans:
        return None
    return _ACCEPTED


def _plan_missing(world: ModelSubscriptionWorld) -> Verdict | None:
    offered = [plan.name for plan in world.plans]
    if world.subscription.spec.plan in offered:
        return None
    return false(
        Reason.PLAN_MISSING,
        f"spec.plan: the model has no plan {world.subscription.spec.plan}; it has {', '.join(offered)}",
    )


def _plan_not_granted(world: ModelSubscriptionWorld) -> Verdict | None:
    plan = next(plan for plan in world.plans if plan.name == world.subscription.spec.plan)
    if _named_by_the_model(world) or (plan.published and not plan.approval_required):
        return None
    why = "needs an approval" if plan.published else "is not published"
    return false(
        Reason.PLAN_NOT_GRANTED,
        f"spec.plan: {plan.name} {why}: choose another, or have the model's owner name you in its spec.developers",
    )


def _named_by_the_model(world: ModelSubscriptionWorld) -> bool:
    """Tell whether the model's owner named this very developer and plan in spec.developers: that is a grant.

    An ownerReference proves nothing: whoever may write ModelSubscriptions may write one.
    """
    service, subscription = world.service, world.subscription
    developers = service.spec.developers if service else ()
    wanted = (subscription.metadata.name, subscription.spec.account, subscription.spec.user.username)
    return any(
        service is not None
        and (subscription_ref(service, one).name, one.name, one.name) == wanted
        and one.plan == subscription.spec.plan
        for one in developers
    )

"""The developers of a ModelService: each becomes a ModelSubscription that the service owns."""

from __future__ import annotations

from collections.abc import Iterable

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_service import Developer, ModelService
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true
from maas_operator.domain.emitted import Emitted, LocalReference, manifest
from maas_operator.domain.kinds import MODEL_SUBSCRIPTION
from maas_operator.domain.objects import Children, Manifest, Ref


class SubscribedUser(Emitted):
    """The developer as a user of 3scale."""

    username: str
    email: str


class SubscriptionSpec(Emitted):
    """The spec of a ModelSubscription for a developer."""

    model_ref: LocalReference
    plan: str
    account: str
    user: SubscribedUser


def subscription_ref(service: ModelService, developer: Developer) -> Ref:
    """Return the address of a developer's subscription."""
    return Ref(MODEL_SUBSCRIPTION, service.metadata.namespace, f"{service.metadata.name}-{developer.name}")


def subscription(service: ModelService, developer: Developer) -> Manifest:
    """Build a developer's subscription."""
    spec = SubscriptionSpec(
        model_ref=LocalReference(name=service.metadata.name),
        plan=developer.plan,
        account=developer.name,
        user=SubscribedUser(username=developer.name, email=developer.email),
    )
    return manifest(subscription_ref(service, developer), spec)


def developers_ready(service: ModelService, children: Children) -> Condition:
    """Decide DevelopersReady from the developers' subscriptions."""
    refs = [subscription_ref(service, developer) for developer in service.spec.developers]
    subscriptions = [ModelSubscription.model_validate(one) for ref in refs if (one := children.get(ref)) is not None]
    return decide_condition(
        ConditionType.DEVELOPERS_READY,
        (lambda _: refused(children, refs), lambda _: _missing(children, refs), _failed, _pending),
        subscriptions,
        otherwise=(
            true(Reason.READY, f"developers with a working key: {len(refs)}")
            if refs
            else true(Reason.NO_DEVELOPERS, "spec.developers is empty")
        ),
    )


def _missing(children: Children, refs: Iterable[Ref]) -> Verdict | None:
    missing = [ref.name for ref in refs if children.get(ref) is None]
    if not missing:
        return None
    return false(Reason.DEVELOPERS_PENDING, f"waiting for ModelSubscription {', '.join(missing)} to be made")


def _failed(subscriptions: list[ModelSubscription]) -> Verdict | None:
    stalled = list(_having(subscriptions, ConditionType.STALLED, ConditionStatus.TRUE))
    return false(Reason.DEVELOPERS_FAILED, "; ".join(stalled)) if stalled else None


def _pending(subscriptions: list[ModelSubscription]) -> Verdict | None:
    ready = [name.partition(":")[0] for name in _having(subscriptions, ConditionType.READY, ConditionStatus.TRUE)]
    pending = [one.metadata.name for one in subscriptions if one.metadata.name not in ready]
    if not pending:
        return None
    return false(Reason.DEVELOPERS_PENDING, f"waiting for ModelSubscription {', '.join(pending)}")


def _having(subscriptions: Iterable[ModelSubscription], type_: ConditionType, status: ConditionStatus) -> Iterable[str]:
    for one in subscriptions:
        for condition in one.status.conditions:
            current = condition.observed_generation == one.metadata.generation
            if condition.type == type_ and condition.status is status and current:
                yield f"{one.metadata.name}: {condition.message}"

"""ModelSubscription: from one consumer's wish to a working key, as one pure decision.

Identity -> Application -> key -> the consumer's Secret. What a stage can not write yet is kept as it is: nothing that
once worked is taken away because something before it is busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_subscription import SubscriptionState
from maas_operator.api.reasons import ConditionType, Reason

from . import names
from .conditions import Condition, decide_condition, summarise
from .decision import Decision
from .farewell import Farewell, refs_of
from .gateway.drift import with_correction
from .kinds import APPLICATION, APPLICATION_AUTH
from .objects import Manifest, Ref, ref_of
from .people import access, accounts
from .people.acceptance import model_accepted
from .people.progress import identity_problem, stages
from .people.world import Access, ModelSubscriptionWorld

POLL: Final = timedelta(seconds=30)
"""How often to look at what sends no events: Secrets in consumers' namespaces, and 3scale itself."""
PATIENCE: Final = timedelta(seconds=120)
"""How often to look at what watches tell of: they may miss something."""


def decide(world: ModelSubscriptionWorld) -> Decision:
    """Return what must be true of one subscription."""
    if world.deleting:
        return _farewell(world)
    accepted = model_accepted(world)
    if accepted.status is not ConditionStatus.TRUE or world.service is None or world.platform is None:
        return _turned_away(world, accepted)
    return _admitted(Access(world=world, service=world.service, platform=world.platform), accepted)


def _admitted(granted: Access, accepted: Condition) -> Decision:
    children, keep = _children(granted)
    conditions = (accepted, *stages(granted))
    return Decision(
        conditions=(*summarise(conditions, ready="the key works"), *conditions),
        accept=granted.acceptance,
        children=children,
        keep=keep,
        namespaces=_namespaces(granted.world),
        status=_status(granted),
        wake_after=None if all(one.status is ConditionStatus.TRUE for one in conditions) else _patience(granted),
    )


def _patience(granted: Access) -> timedelta:
    """Return when to look again: a look costs four reads, and all models may wait at the same time."""
    asks = identity_problem(granted) is not None or granted.acceptance is not None
    return POLL if asks else PATIENCE


def _turned_away(world: ModelSubscriptionWorld, accepted: Condition) -> Decision:
    """Give nothing new. Access ends only with its model: a plan withdrawn later leaves what was given."""
    ends = accepted.reason is Reason.MODEL_MISSING
    gone = {APPLICATION, APPLICATION_AUTH} if ends else set()
    conditions = (accepted, *(_waiting(type_) for type_ in _LATER))
    return Decision(
        conditions=(*summarise(conditions, ready=""), *conditions),
        keep=frozenset(ref for ref in refs_of(world.subscription.status.children) if ref.kind not in gone),
        namespaces=_namespaces(world),
        status={"state": SubscriptionState.PENDING},
        wake_after=PATIENCE,
    )


def _farewell(world: ModelSubscriptionWorld) -> Decision:
    """Let go of everything; the account goes with its last subscription."""
    farewell = Farewell(
        world=world,
        inventory=refs_of(world.subscription.status.children),
        namespaces=_namespaces(world),
        obstacles=world.obstacles,
    )
    leaving = decide_condition(ConditionType.MODEL_ACCEPTED, (), world, otherwise=farewell.verdict)
    shared = {} if world.siblings else _shared(world)
    return Decision(
        conditions=(*summarise((leaving,), ready=""), leaving),
        keep=farewell.held,
        namespaces=_namespaces(world),
        drop={ref: uid for ref, uid in shared.items() if ref not in farewell.held},
        releasable=farewell.releasable,
        forced=farewell.forced,
        status={"state": SubscriptionState.PENDING},
        wake_after=POLL,
    )


def _shared(world: ModelSubscriptionWorld) -> Mapping[Ref, str]:
    """Return what the account's subscriptions share, each with the uid of its owner, the Namespace."""
    subscription = world.subscription
    refs = [accounts.portal_ref(subscription)]
    for namespace in world.threescale_namespaces:
        refs += [
            accounts.account_ref(subscription, namespace),
            accounts.user_ref(subscription, namespace),
            accounts.password_ref(subscription, namespace),
        ]
    return dict.fromkeys(refs, world.namespace_uid)


def _children(granted: Access) -> tuple[tuple[Manifest, ...], frozenset[Ref]]:
    """Return the children that can be written now, and the addresses of those that must wait as they are."""
    subscription = granted.world.subscription
    children: list[Manifest] = [access.key_secret(subscription, granted.platform, granted.key)]
    waiting = {
        *granted.identity_refs,
        accounts.portal_ref(subscription),
        granted.application_ref,
        access.consumer_ref(subscription),
    }
    if granted.password is not None and identity_problem(granted) is None:
        children += _identity(granted, granted.password)
    if granted.identity_ready:
        children += _portal(granted)
        if granted.model_is_published:
            children.append(_application(granted))
    # A push acts once: where 3scale has another key, this one goes, and the next pass makes it anew.
    if not granted.world.findings.other_key:
        waiting.add(granted.auth_ref)
        children += _push(granted)
    if granted.state(granted.auth_ref).ready and granted.lifecycle == "live" and granted.service.status.url:
        children.append(_consumer_secret(granted, granted.service.status.url))
    return tuple(children), frozenset(waiting)


def _identity(granted: Access, password: SecretStr) -> Iterable[Manifest]:
    subscription, platform = granted.world.subscription, granted.platform
    owner = accounts.account_labels(subscription, granted.world.namespace_uid)
    yield accounts.password_secret(subscription, platform, password, owner)
    yield _corrected(granted, accounts.developer_account(subscription, platform, owner))
    # Not into the account of somebody else, nor with somebody else's password.
    password_ref, _, account_ref = granted.identity_refs
    if {password_ref, account_ref} <= granted.world.children.live.keys():
        yield _corrected(granted, accounts.developer_user(subscription, platform, owner))


def _corrected(granted: Access, rendered: Manifest) -> Manifest:
    """Return the object so that the 3scale-operator looks at it again, if something was found since it last did."""
    found, ref = granted.world.findings, ref_of(rendered)
    at = found.edited_at if ref.kind == APPLICATION else found.lost_at
    return with_correction(rendered, granted.world.seen.get(ref), at)


def _push(granted: Access) -> Iterable[Manifest]:
    if granted.application_id is not None:
        yield access.application_auth(granted.world.subscription, granted.platform, granted.key, granted.application_id)


def _portal(granted: Access) -> Iterable[Manifest]:
    subscription, portal_url = granted.world.subscription, granted.platform.status.portal_url
    owner = accounts.account_labels(subscription, granted.world.namespace_uid)
    if portal_url and granted.password is not None:
        yield accounts.portal_secret(subscription, portal_url, granted.password, owner)


def _application(granted: Access) -> Manifest:
    product = names.product_ref(granted.service, granted.platform)
    subscription, platform = granted.world.subscription, granted.platform
    ids = {access.PRODUCT_ID: granted.product_id, access.ACCOUNT_ID: granted.account_id}
    return _corrected(granted, access.application(subscription, platform, product, ids, accepted=granted.accepted))


def _consumer_secret(granted: Access, url: str) -> Manifest:
    return access.consumer_secret(granted.world.subscription, base_url=url, key=granted.key, model=granted.model_id)


_LATER: Final = (ConditionType.ACCOUNT_READY, ConditionType.APPROVED, ConditionType.KEY_READY)


def _waiting(type_: ConditionType) -> Condition:
    return Condition(type_, ConditionStatus.UNKNOWN, Reason.WAITING, "waiting for ModelAccepted")


def _status(granted: Access) -> dict[str, Any]:
    subscription = granted.world.subscription
    stored = granted.world.secrets.get(access.key_ref(subscription, granted.namespace))
    key: dict[str, Any] = {"applicationID": granted.application_id, "prefix": granted.key.get_secret_value()[:6]}
    if stored and stored.created_at:
        key["createdAt"] = stored.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "state": _subscription_state(granted),
        "secretName": access.consumer_ref(subscription).name,
        "keys": [key] if granted.application_id is not None else [],
    }


def _subscription_state(granted: Access) -> SubscriptionState:
    if granted.lifecycle == "suspended":
        return SubscriptionState.SUSPENDED
    return SubscriptionState.LIVE if granted.has_consumer_secret else SubscriptionState.PENDING


def _namespaces(world: ModelSubscriptionWorld) -> frozenset[str]:
    return world.threescale_namespaces | {world.subscription.metadata.namespace}

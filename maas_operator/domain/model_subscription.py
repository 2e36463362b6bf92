"""ModelSubscription: from one consumer's wish to a working key, as one pure decision.

Identity -> Application -> key -> the consumer's Secret. What a stage can not write yet is kept as it is: nothing that
once worked is taken away because something before it is busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import SecretStr

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.model_subscription import ModelSubscription, SubscriptionState
from maas_operator.api.plans import Plan
from maas_operator.api.reasons import ConditionType, Reason

from . import names
from .conditions import Condition, Verdict, decide_condition, false, refused, summarise, true, unknown
from .decision import ChildState, Decision, World
from .gateway.plans import effective_plans
from .gateway.status import product_state
from .kinds import APPLICATION, APPLICATION_AUTH, SECRET, kind_of
from .objects import Manifest, Ref
from .people import access, accounts, status
from .people.secrets import StoredSecret

POLL: Final = timedelta(seconds=30)
"""How often to look at what sends no events: Secrets in consumers' namespaces."""


@dataclass(frozen=True, kw_only=True)
class FreshSecrets:
    """Random values of this pass, used only where nothing is stored yet."""

    key: SecretStr
    password: SecretStr


@dataclass(frozen=True, kw_only=True)
class ModelSubscriptionWorld(World):
    """What a pass knows.

    `siblings`: the subscriptions of the same account that are not being deleted, this one included.
    `secrets`: the Secrets that exist of those that this subscription may need, by address.
    `product`: the model's Product as the cache has it; only its presence counts.
    """

    subscription: ModelSubscription
    service: ModelService | None
    platform: ModelPlatform | None
    product: Manifest | None
    siblings: tuple[ModelSubscription, ...]
    namespace_uid: str
    threescale_namespaces: frozenset[str]
    secrets: Mapping[Ref, StoredSecret]
    fresh: FreshSecrets

    @property
    def founder(self) -> ModelSubscription:
        """Return the oldest subscription of the account: its user is the account's."""
        return min(self.siblings, key=lambda one: (str(one.metadata.creation_timestamp), one.metadata.name))

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Return what the model offers."""
        return effective_plans(self.service, self.platform) if self.service and self.platform else ()


@dataclass(frozen=True, kw_only=True)
class _Access:
    """The refs and values that an accepted subscription works with."""

    world: ModelSubscriptionWorld
    service: ModelService
    platform: ModelPlatform

    @property
    def namespace(self) -> str:
        return self.platform.spec.threescale.namespace

    @property
    def application_ref(self) -> Ref:
        return access.application_ref(self.world.subscription, self.namespace)

    @property
    def auth_ref(self) -> Ref:
        return access.application_auth_ref(self.world.subscription, self.namespace, self.key)

    @property
    def identity_refs(self) -> tuple[Ref, Ref, Ref]:
        subscription = self.world.subscription
        return (
            accounts.password_ref(subscription, self.namespace),
            accounts.user_ref(subscription, self.namespace),
            accounts.account_ref(subscription, self.namespace),
        )

    @property
    def key(self) -> SecretStr:
        stored = self.world.secrets.get(access.key_ref(self.world.subscription, self.namespace))
        return (stored and stored.get("UserKey")) or self.world.fresh.key

    @property
    def password(self) -> SecretStr | None:
        """Return the user's password; None when the Secret that should have it has none."""
        subscription = self.world.subscription
        reference = subscription.spec.user.password_secret_ref
        if reference is None:
            stored = self.world.secrets.get(accounts.password_ref(subscription, self.namespace))
            return (stored and stored.get("password")) or self.world.fresh.password
        given = self.world.secrets.get(Ref(SECRET, subscription.metadata.namespace, reference.name))
        return given.get("password") if given else None

    def state(self, ref: Ref) -> ChildState:
        """Return what a child's controller says; not ready while the child is not written."""
        child = self.world.children.get(ref)
        return _STATES[ref.kind.name](child) if child else ChildState(ready=False)


_STATES = {
    "DeveloperUser": status.user_state,
    "DeveloperAccount": status.account_state,
    "Application": status.application_state,
    "ApplicationAuth": status.application_auth_state,
}


def decide(world: ModelSubscriptionWorld) -> Decision:
    """Return what must be true of one subscription."""
    if world.deleting:
        return _farewell(world)
    accepted = decide_condition(
        ConditionType.MODEL_ACCEPTED,
        (_access_denied, _model_missing, _platform_missing, _plan_missing, _plan_not_granted),
        world,
        otherwise=true(Reason.ACCEPTED, "the model lets this subscription in"),
    )
    if accepted.status is not ConditionStatus.TRUE or world.service is None or world.platform is None:
        return _turned_away(world, accepted)
    return _admitted(_Access(world=world, service=world.service, platform=world.platform), accepted)


def _admitted(granted: _Access, accepted: Condition) -> Decision:
    children, keep = _children(granted)
    conditions = (accepted, *_conditions(granted))
    return Decision(
        conditions=(*summarise(conditions, ready="the key works"), *conditions),
        children=children,
        keep=keep,
        namespaces=_namespaces(granted.world),
        status=_status(granted),
        wake_after=POLL if any(one.status is not ConditionStatus.TRUE for one in conditions) else None,
    )


def _turned_away(world: ModelSubscriptionWorld, accepted: Condition) -> Decision:
    """Give nothing new. Access ends only with its model: a plan withdrawn later leaves what was given."""
    ends = accepted.reason is Reason.MODEL_MISSING
    gone = {APPLICATION, APPLICATION_AUTH} if ends else set()
    stages = (accepted, *(_waiting(type_) for type_ in _LATER))
    return Decision(
        conditions=(*summarise(stages, ready=""), *stages),
        keep=frozenset(ref for ref in _inventory(world.subscription) if ref.kind not in gone),
        namespaces=_namespaces(world),
        status={"state": SubscriptionState.PENDING},
        wake_after=POLL,
    )


def _farewell(world: ModelSubscriptionWorld) -> Decision:
    """Let go of everything; the account goes with its last subscription."""
    names_left = ", ".join(_describe(child) for child in world.remaining)
    message = f"waiting for {names_left} to be deleted" if names_left else "everything is deleted"
    stages = (Condition(ConditionType.MODEL_ACCEPTED, ConditionStatus.FALSE, Reason.DELETING, message),)
    return Decision(
        conditions=(*summarise(stages, ready=""), *stages),
        namespaces=_namespaces(world),
        drop=_shared(world) if not world.siblings else {},
        status={"state": SubscriptionState.PENDING},
        wake_after=POLL,
    )


def _describe(child: Manifest) -> str:
    message = child_message(child)
    metadata = child["metadata"]
    return f"{child['kind']} {metadata.get('namespace', '')}/{metadata['name']}" + (f" ({message})" if message else "")


def child_message(child: Manifest) -> str:
    """Return what the child's own controller says is wrong with it; empty if nothing."""
    read = _STATES.get(child["kind"])
    return read(child).message if read else ""


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


def _children(granted: _Access) -> tuple[tuple[Manifest, ...], frozenset[Ref]]:
    """Return the children that can be written now, and the addresses of those that must wait as they are."""
    world, subscription = granted.world, granted.world.subscription
    children: list[Manifest] = [access.key_secret(subscription, granted.platform, granted.key)]
    waiting = {
        *granted.identity_refs,
        accounts.portal_ref(subscription),
        granted.application_ref,
        granted.auth_ref,
        access.consumer_ref(subscription),
    }
    if _identity_problem(granted) is None:
        children += _identity(granted)
    if _identity_ready(granted):
        children += _portal(granted)
        if world.product is not None and product_state(world.product).ready:
            product = names.product_ref(granted.service, granted.platform)
            children.append(access.application(subscription, granted.platform, product))
    if status.application_id(world.children.get(granted.application_ref)) is not None:
        children.append(access.application_auth(subscription, granted.platform, granted.key))
    if granted.state(granted.auth_ref).ready and _lifecycle(granted) == "live" and granted.service.status.url:
        children.append(_consumer_secret(granted, granted.service.status.url))
    return tuple(children), frozenset(waiting)


def _identity(granted: _Access) -> Iterable[Manifest]:
    subscription, platform = granted.world.subscription, granted.platform
    owner = accounts.account_labels(subscription, granted.world.namespace_uid)
    password = granted.password
    if password is not None:
        yield accounts.password_secret(subscription, platform, password, owner)
    yield accounts.developer_user(subscription, platform, owner)
    yield accounts.developer_account(subscription, platform, owner)


def _portal(granted: _Access) -> Iterable[Manifest]:
    subscription, portal_url = granted.world.subscription, granted.platform.status.portal_url
    owner = accounts.account_labels(subscription, granted.world.namespace_uid)
    if portal_url and granted.password is not None:
        yield accounts.portal_secret(subscription, portal_url, granted.password, owner)


def _consumer_secret(granted: _Access, url: str) -> Manifest:
    return access.consumer_secret(
        granted.world.subscription, base_url=url, key=granted.key, model=names.served_model_name(granted.service)
    )


def _identity_ready(granted: _Access) -> bool:
    _, user, account = granted.identity_refs
    return granted.state(user).ready and granted.state(account).ready


def _lifecycle(granted: _Access) -> str:
    application = granted.world.children.get(granted.application_ref)
    return status.application_lifecycle(application) if application else ""


# --- ModelAccepted -----------------------------------------------------------------------------------------------------


def _access_denied(world: ModelSubscriptionWorld) -> Verdict | None:
    wanted = world.subscription.spec.model_ref.namespace
    if wanted in (None, world.subscription.metadata.namespace):
        return None
    return false(
        Reason.ACCESS_DENIED,
        f"spec.modelRef.namespace: a ModelService of namespace {wanted} accepts subscriptions of its own namespace only",
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
    if _made_by_the_model(world) or (plan.published and not plan.approval_required):
        return None
    why = "needs an approval" if plan.published else "is not published"
    return false(Reason.PLAN_NOT_GRANTED, f"spec.plan: {plan.name} {why}, and this namespace has no grant for it")


def _made_by_the_model(world: ModelSubscriptionWorld) -> bool:
    """Tell whether the model's owner named this developer in spec.developers: that is a grant."""
    owners = world.subscription.metadata.owner_references
    return world.service is not None and any(owner.uid == world.service.metadata.uid for owner in owners)


# --- AccountReady, Approved, KeyReady ----------------------------------------------------------------------------------


def _conditions(granted: _Access) -> tuple[Condition, ...]:
    return (
        decide_condition(
            ConditionType.ACCOUNT_READY,
            (_identity_problem, _identity_refused, _name_taken, _account_failed, _account_pending),
            granted,
            otherwise=true(Reason.READY, "account and user are there"),
        ),
        decide_condition(
            ConditionType.APPROVED,
            (_not_applied, _approval_pending, _suspended),
            granted,
            otherwise=true(Reason.APPROVED, "3scale accepts the application"),
        ),
        decide_condition(
            ConditionType.KEY_READY,
            (_key_refused, _model_not_published, _access_failed, _endpoint_unknown, _key_pending),
            granted,
            otherwise=true(Reason.READY, f"Secret {access.consumer_ref(granted.world.subscription).name} has the key"),
        ),
    )


def _identity_problem(granted: _Access) -> Verdict | None:
    """Tell what keeps us from writing the account at all."""
    world = granted.world
    user = world.subscription.spec.user
    if user != world.founder.spec.user:
        return false(
            Reason.ACCOUNT_MISMATCH,
            f"spec.user: account {world.subscription.spec.account} belongs to the user of ModelSubscription"
            f" {world.founder.metadata.name}: name the same user, or another account",
        )
    password = granted.password
    if password is None:
        name = user.password_secret_ref.name if user.password_secret_ref else ""
        return false(Reason.PASSWORD_MISSING, f"spec.user.passwordSecretRef: Secret {name} with key password not found")
    if len(password.get_secret_value()) < accounts.PASSWORD_MIN_LENGTH:
        return false(
            Reason.PASSWORD_TOO_SHORT,
            f"spec.user.passwordSecretRef: 3scale wants passwords of {accounts.PASSWORD_MIN_LENGTH} characters or more",
        )
    return None


def _identity_refused(granted: _Access) -> Verdict | None:
    return refused(granted.world.children, granted.identity_refs)


def _name_taken(granted: _Access) -> Verdict | None:
    user = granted.world.subscription.spec.user
    if not any(status.name_is_taken(granted.state(ref)) for ref in granted.identity_refs[1:]):
        return None
    return false(
        Reason.USERNAME_TAKEN,
        f"spec.user: {user.username} or {user.email} belongs to another account of 3scale:"
        " create the subscription with another one",
    )


def _account_failed(granted: _Access) -> Verdict | None:
    for ref in granted.identity_refs[1:]:
        state = granted.state(ref)
        if state.failed:
            return false(Reason.ACCOUNT_FAILED, f"{ref}: 3scale says: {state.message}")
    return None


def _account_pending(granted: _Access) -> Verdict | None:
    ref = next((ref for ref in granted.identity_refs[1:] if not granted.state(ref).ready), None)
    return false(Reason.ACCOUNT_PENDING, f"waiting for {ref} to become ready") if ref else None


def _not_applied(granted: _Access) -> Verdict | None:
    return None if _lifecycle(granted) else unknown(Reason.WAITING, "3scale has no application yet")


def _approval_pending(granted: _Access) -> Verdict | None:
    if _lifecycle(granted) != "pending":
        return None
    return false(
        Reason.APPROVAL_PENDING,
        f"{granted.application_ref}: plan {granted.world.subscription.spec.plan} wants an approval in 3scale's admin portal",
    )


def _suspended(granted: _Access) -> Verdict | None:
    if _lifecycle(granted) != "suspended":
        return None
    return false(Reason.SUSPENDED, f"{granted.application_ref} is suspended in 3scale: resume it in its admin portal")


def _key_refused(granted: _Access) -> Verdict | None:
    subscription = granted.world.subscription
    refs = (
        access.key_ref(subscription, granted.namespace),
        granted.application_ref,
        granted.auth_ref,
        access.consumer_ref(subscription),
    )
    return refused(granted.world.children, refs)


def _model_not_published(granted: _Access) -> Verdict | None:
    product = granted.world.product
    if granted.world.children.get(granted.application_ref) or (product is not None and product_state(product).ready):
        return None
    name = granted.service.metadata.name
    return false(Reason.MODEL_NOT_PUBLISHED, f"ModelService {name} is not in 3scale yet: see its condition GatewayReady")


def _access_failed(granted: _Access) -> Verdict | None:
    for ref in (granted.application_ref, granted.auth_ref):
        state = granted.state(ref)
        if state.failed:
            return false(Reason.KEY_FAILED, f"{ref}: 3scale says: {state.message}")
    return None


def _endpoint_unknown(granted: _Access) -> Verdict | None:
    if granted.service.status.url or not granted.state(granted.auth_ref).ready:
        return None
    name = granted.service.metadata.name
    return false(Reason.MODEL_NOT_PUBLISHED, f"ModelService {name} has no URL yet: see its conditions Promoted and Live")


def _key_pending(granted: _Access) -> Verdict | None:
    if granted.world.children.get(access.consumer_ref(granted.world.subscription)):
        return None
    return false(Reason.KEY_PENDING, f"waiting for 3scale to take the key of {granted.application_ref}")


_LATER: Final = (ConditionType.ACCOUNT_READY, ConditionType.APPROVED, ConditionType.KEY_READY)


def _waiting(type_: ConditionType) -> Condition:
    return Condition(type_, ConditionStatus.UNKNOWN, Reason.WAITING, "waiting for ModelAccepted")


# --- status ------------------------------------------------------------------------------------------------------------


def _status(granted: _Access) -> dict[str, Any]:
    subscription = granted.world.subscription
    stored = granted.world.secrets.get(access.key_ref(subscription, granted.namespace))
    application_id = status.application_id(granted.world.children.get(granted.application_ref))
    key: dict[str, Any] = {"applicationID": application_id, "prefix": granted.key.get_secret_value()[:6]}
    if stored and stored.created_at:
        key["createdAt"] = stored.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "state": _subscription_state(granted),
        "secretName": access.consumer_ref(subscription).name,
        "keys": [key] if application_id is not None else [],
    }


def _subscription_state(granted: _Access) -> SubscriptionState:
    if _lifecycle(granted) == "suspended":
        return SubscriptionState.SUSPENDED
    has_key = granted.world.children.get(access.consumer_ref(granted.world.subscription)) is not None
    return SubscriptionState.LIVE if has_key else SubscriptionState.PENDING


def _namespaces(world: ModelSubscriptionWorld) -> frozenset[str]:
    return world.threescale_namespaces | {world.subscription.metadata.namespace}


def _inventory(subscription: ModelSubscription) -> Iterable[Ref]:
    for child in subscription.status.children:
        yield Ref(kind_of(child.api_version, child.kind), child.namespace, child.name)

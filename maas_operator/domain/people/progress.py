"""AccountReady, Approved and KeyReady: how far an accepted subscription has come."""

from __future__ import annotations

from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true, unknown

from . import access, accounts, status
from .world import Access


def stages(granted: Access) -> tuple[Condition, ...]:
    """Decide AccountReady, Approved and KeyReady of an accepted subscription."""
    return (
        decide_condition(
            ConditionType.ACCOUNT_READY,
            (identity_problem, _identity_refused, _name_taken, _account_failed, _account_pending),
            granted,
            otherwise=true(Reason.READY, "account and user are there"),
        ),
        decide_condition(
            ConditionType.APPROVED,
            (_application_refused, _not_applied, _approval_pending, _suspended),
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


def identity_problem(granted: Access) -> Verdict | None:
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


def _identity_refused(granted: Access) -> Verdict | None:
    refs = (*granted.identity_refs, accounts.portal_ref(granted.world.subscription))
    return refused(granted.world.children, refs)


def _name_taken(granted: Access) -> Verdict | None:
    user = granted.world.subscription.spec.user
    if not any(status.name_is_taken(granted.state(ref)) for ref in granted.identity_refs[1:]):
        return None
    return false(
        Reason.USERNAME_TAKEN,
        f"spec.user: {user.username} or {user.email} belongs to another account of 3scale:"
        " create the subscription with another one",
    )


def _account_failed(granted: Access) -> Verdict | None:
    for ref in granted.identity_refs[1:]:
        state = granted.state(ref)
        if state.failed:
            return false(Reason.ACCOUNT_FAILED, f"{ref}: 3scale says: {state.message}")
    return None


def _account_pending(granted: Access) -> Verdict | None:
    ref = next((ref for ref in granted.identity_refs[1:] if not granted.state(ref).ready), None)
    return false(Reason.ACCOUNT_PENDING, f"waiting for {ref} to become ready") if ref else None


def _application_refused(granted: Access) -> Verdict | None:
    return refused(granted.world.children, (granted.application_ref,))


def _not_applied(granted: Access) -> Verdict | None:
    return None if granted.lifecycle else unknown(Reason.WAITING, "3scale has no application yet")


def _approval_pending(granted: Access) -> Verdict | None:
    if granted.lifecycle != "pending":
        return None
    return false(
        Reason.APPROVAL_PENDING,
        f"{granted.application_ref}: plan {granted.world.subscription.spec.plan} wants an approval:"
        " accept the application in 3scale's admin portal",
    )


def _suspended(granted: Access) -> Verdict | None:
    if granted.lifecycle != "suspended":
        return None
    return false(Reason.SUSPENDED, f"{granted.application_ref} is suspended in 3scale: resume it in its admin portal")


def _key_refused(granted: Access) -> Verdict | None:
    subscription = granted.world.subscription
    refs = (
        access.key_ref(subscription, granted.namespace),
        granted.auth_ref,
        access.consumer_ref(subscription),
    )
    return refused(granted.world.children, refs)


def _model_not_published(granted: Access) -> Verdict | None:
    if granted.application_id is not None or granted.model_is_published:
        return None
    name = granted.service.metadata.name
    return false(
        Reason.MODEL_NOT_PUBLISHED, f"ModelService {name} is not in 3scale yet: see its condition GatewayReady"
    )


def _access_failed(granted: Access) -> Verdict | None:
    for ref in (granted.application_ref, granted.auth_ref):
        state = granted.state(ref)
        if state.failed:
            return false(Reason.KEY_FAILED, f"{ref}: 3scale says: {state.message}")
    return None


def _endpoint_unknown(granted: Access) -> Verdict | None:
    if granted.service.status.url or not granted.state(granted.auth_ref).ready:
        return None
    name = granted.service.metadata.name
    return false(
        Reason.MODEL_NOT_PUBLISHED, f"ModelService {name} has no URL yet: see its conditions Promoted and Live"
    )


def _key_pending(granted: Access) -> Verdict | None:
    if granted.has_consumer_secret:
        return None
    return false(Reason.KEY_PENDING, f"waiting for 3scale to take the key of {granted.application_ref}")

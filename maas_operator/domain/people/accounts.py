"""A consumer's account in 3scale: one per (namespace, account), shared by that namespace's subscriptions.

It belongs to the Namespace, not to one subscription: the last one to leave takes it along.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import SecretStr

from maas_operator.api.model_platform import Billing, ModelPlatform
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.domain import labels
from maas_operator.domain.emitted import Emitted, LocalReference, manifest
from maas_operator.domain.kinds import DEVELOPER_ACCOUNT, DEVELOPER_USER, NAMESPACE, SECRET
from maas_operator.domain.objects import Manifest, Ref

from .secrets import secret

PASSWORD_MIN_LENGTH: Final = 15
"""porta refuses shorter ones, the API's sign-up included."""


def account_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the address of the account that a subscription shares."""
    return Ref(DEVELOPER_ACCOUNT, threescale_namespace, _local_name(subscription))


def user_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the address of that account's user."""
    return Ref(DEVELOPER_USER, threescale_namespace, _local_name(subscription))


def password_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the Secret that the 3scale-operator reads; it can not read other namespaces."""
    return Ref(SECRET, threescale_namespace, f"{_local_name(subscription)}.password")


def portal_ref(subscription: ModelSubscription) -> Ref:
    """Return the Secret that tells the consumer how to sign in to the developer portal."""
    return Ref(SECRET, subscription.metadata.namespace, f"{subscription.spec.account}-portal")


def account_labels(subscription: ModelSubscription, namespace_uid: str) -> dict[str, str]:
    """Return the labels of what the subscriptions of an account share: the Namespace owns it."""
    namespace = subscription.metadata.namespace
    owner = {"kind": NAMESPACE.name, "metadata": {"name": namespace, "namespace": namespace, "uid": namespace_uid}}
    return labels.owner_labels(owner) | {labels.ACCOUNT: subscription.spec.account}


class DeveloperAccountSpec(Emitted):
    """The spec of a DeveloperAccount."""

    org_name: str
    monthly_billing_enabled: bool
    monthly_charging_enabled: bool
    provider_account_ref: LocalReference


class DeveloperUserSpec(Emitted):
    """The spec of a DeveloperUser; the password's Secret is one of the same namespace."""

    username: str
    email: str
    role: Literal["admin", "member"]
    password_credentials_ref: LocalReference
    developer_account_ref: LocalReference
    provider_account_ref: LocalReference


def developer_account(subscription: ModelSubscription, platform: ModelPlatform, owner: dict[str, str]) -> Manifest:
    """Build the account; `owner` are its labels."""
    threescale = platform.spec.threescale
    billed = threescale.billing is Billing.ENABLED
    spec = DeveloperAccountSpec(
        org_name=f"{subscription.metadata.namespace}/{subscription.spec.account}",
        monthly_billing_enabled=billed,
        monthly_charging_enabled=billed,
        provider_account_ref=LocalReference(name=threescale.provider_account_secret_ref.name),
    )
    return manifest(account_ref(subscription, threescale.namespace), spec, labels=owner)


def developer_user(subscription: ModelSubscription, platform: ModelPlatform, owner: dict[str, str]) -> Manifest:
    """Build the account's user: its admin, since 3scale opens an account only together with one."""
    threescale = platform.spec.threescale
    spec = DeveloperUserSpec(
        username=subscription.spec.user.username,
        email=subscription.spec.user.email,
        role="admin",
        password_credentials_ref=LocalReference(name=password_ref(subscription, threescale.namespace).name),
        developer_account_ref=LocalReference(name=account_ref(subscription, threescale.namespace).name),
        provider_account_ref=LocalReference(name=threescale.provider_account_secret_ref.name),
    )
    return manifest(user_ref(subscription, threescale.namespace), spec, labels=owner)


def password_secret(
    subscription: ModelSubscription, platform: ModelPlatform, password: SecretStr, owner: dict[str, str]
) -> Manifest:
    """Build the Secret that the DeveloperUser refers to."""
    ref = password_ref(subscription, platform.spec.threescale.namespace)
    return secret(ref, {"password": password}, labels=owner)


def portal_secret(
    subscription: ModelSubscription, portal_url: str, password: SecretStr, owner: dict[str, str]
) -> Manifest:
    """Build the consumer's own copy, with all that one needs to sign in."""
    return secret(
        portal_ref(subscription),
        {
            "url": SecretStr(portal_url),
            "username": SecretStr(subscription.spec.user.username),
            "password": password,
        },
        labels=owner,
    )


def _local_name(subscription: ModelSubscription) -> str:
    # Neither part holds a dot, so that no two (namespace, account) share a name.
    return f"{subscription.metadata.namespace}.{subscription.spec.account}"

"""One subscription's access: the Application, its key, and the Secret that the consumer receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.domain.emitted import Emitted, LocalReference, manifest
from maas_operator.domain.kinds import APPLICATION, APPLICATION_AUTH, SECRET
from maas_operator.domain.labels import ACCEPTED, GROUP
from maas_operator.domain.objects import Manifest, Ref

from .accounts import account_ref
from .secrets import fingerprint, secret

PRODUCT_ID: Final = f"{GROUP}/product-id"
"""Annotation on an Application: 3scale's number of the product that it was made for."""
ACCOUNT_ID: Final = f"{GROUP}/account-id"
"""Annotation on an Application: 3scale's number of the account that it was made for."""


def application_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the address of a subscription's Application."""
    return Ref(APPLICATION, threescale_namespace, _local_name(subscription))


def key_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the Secret that holds the key itself; the consumer's Secret is a copy."""
    return Ref(SECRET, threescale_namespace, f"{_local_name(subscription)}.key")


def application_auth_ref(
    subscription: ModelSubscription, threescale_namespace: str, key: SecretStr, application_id: int | None
) -> Ref:
    """Return the push of one key to one application of 3scale: an ApplicationAuth acts once, so that each has its own.

    An Application that was deleted comes back with another id, and knows no key of ours.
    """
    name = f"{_local_name(subscription)}-{fingerprint(key)}-{application_id or 'none'}"
    return Ref(APPLICATION_AUTH, threescale_namespace, name)


def consumer_ref(subscription: ModelSubscription) -> Ref:
    """Return the consumer's Secret, in the subscription's namespace."""
    name = subscription.spec.secret_name or f"{subscription.metadata.name}-key"
    return Ref(SECRET, subscription.metadata.namespace, name)


class ApplicationSpec(Emitted):
    """The spec of an Application."""

    account_cr: Annotated[LocalReference, Field(serialization_alias="accountCR")]
    product_cr: Annotated[LocalReference, Field(serialization_alias="productCR")]
    application_plan_name: str
    name: str
    description: str


class ApplicationAuthSpec(Emitted):
    """The spec of an ApplicationAuth. The keys that it can generate are guessable: that stays off."""

    application_cr_name: Annotated[str, Field(serialization_alias="applicationCRName")]
    generate_secret: bool = False
    auth_secret_ref: LocalReference
    provider_account_ref: LocalReference


def application(
    subscription: ModelSubscription,
    platform: ModelPlatform,
    product: Ref,
    ids: Mapping[str, int | None],
    *,
    accepted: str = "",
) -> Manifest:
    """Build the Application: this consumer's account on this plan of the product.

    `ids`: those of product and account in 3scale, by annotation; offline there are none.
    `accepted`: the Application's own id if we had 3scale accept it.
    """
    namespace = platform.spec.threescale.namespace
    spec = ApplicationSpec(
        account_cr=LocalReference(name=account_ref(subscription, namespace).name),
        product_cr=LocalReference(name=product.name),
        application_plan_name=subscription.spec.plan,
        name=subscription.metadata.name,
        description=f"ModelSubscription {subscription.metadata.namespace}/{subscription.metadata.name}",
    )
    # The 3scale-operator looks at an Application only when that changes: not when its Product or account is made anew
    # in 3scale, with which every application and key there is gone.
    known = {name: str(number) for name, number in ids.items() if number is not None}
    known |= {ACCEPTED: accepted} if accepted else {}
    return manifest(application_ref(subscription, namespace), spec, annotations=known)


def key_secret(subscription: ModelSubscription, platform: ModelPlatform, key: SecretStr) -> Manifest:
    """Build the Secret that an ApplicationAuth pushes. Its second key is empty, but must be there."""
    ref = key_ref(subscription, platform.spec.threescale.namespace)
    return secret(ref, {"UserKey": key, "ApplicationKey": SecretStr("")})


def application_auth(
    subscription: ModelSubscription, platform: ModelPlatform, key: SecretStr, application_id: int
) -> Manifest:
    """Build the push of a key."""
    threescale = platform.spec.threescale
    spec = ApplicationAuthSpec(
        application_cr_name=application_ref(subscription, threescale.namespace).name,
        auth_secret_ref=LocalReference(name=key_ref(subscription, threescale.namespace).name),
        provider_account_ref=LocalReference(name=threescale.provider_account_secret_ref.name),
    )
    return manifest(application_auth_ref(subscription, threescale.namespace, key, application_id), spec)


def consumer_secret(subscription: ModelSubscription, *, base_url: str, key: SecretStr, model: str) -> Manifest:
    """Build what the consumer mounts: the three variables that OpenAI clients read."""
    values = {"OPENAI_BASE_URL": SecretStr(base_url), "OPENAI_API_KEY": key, "MODEL": SecretStr(model)}
    return secret(consumer_ref(subscription), values)


def _local_name(subscription: ModelSubscription) -> str:
    return f"{subscription.metadata.namespace}.{subscription.metadata.name}"

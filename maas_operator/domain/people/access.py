"""One subscription's access: the Application, its key, and the Secret that the consumer receives."""

from __future__ import annotations

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.domain.kinds import APPLICATION, APPLICATION_AUTH, SECRET
from maas_operator.domain.objects import Manifest, Ref

from .accounts import account_ref
from .secrets import fingerprint, secret


def application_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the address of a subscription's Application."""
    return Ref(APPLICATION, threescale_namespace, _local_name(subscription))


def key_ref(subscription: ModelSubscription, threescale_namespace: str) -> Ref:
    """Return the Secret that holds the key itself; the consumer's Secret is a copy."""
    return Ref(SECRET, threescale_namespace, f"{_local_name(subscription)}.key")


def application_auth_ref(subscription: ModelSubscription, threescale_namespace: str, key: SecretStr) -> Ref:
    """Return the push of one key: an ApplicationAuth acts once, so that each key has its own."""
    return Ref(APPLICATION_AUTH, threescale_namespace, f"{_local_name(subscription)}-{fingerprint(key)}")


def consumer_ref(subscription: ModelSubscription) -> Ref:
    """Return the consumer's Secret, in the subscription's namespace."""
    name = subscription.spec.secret_name or f"{subscription.metadata.name}-key"
    return Ref(SECRET, subscription.metadata.namespace, name)


def application(subscription: ModelSubscription, platform: ModelPlatform, product: Ref) -> Manifest:
    """Build the Application: this consumer's account on this plan of the product."""
    namespace = platform.spec.threescale.namespace
    ref = application_ref(subscription, namespace)
    return {
        "apiVersion": APPLICATION.api_version,
        "kind": APPLICATION.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {
            "accountCR": {"name": account_ref(subscription, namespace).name},
            "productCR": {"name": product.name},
            "applicationPlanName": subscription.spec.plan,
            "name": subscription.metadata.name,
            "description": f"ModelSubscription {subscription.metadata.namespace}/{subscription.metadata.name}",
        },
    }


def key_secret(subscription: ModelSubscription, platform: ModelPlatform, key: SecretStr) -> Manifest:
    """Build the Secret that an ApplicationAuth pushes. Its second key is empty, but must be there."""
    ref = key_ref(subscription, platform.spec.threescale.namespace)
    return secret(ref, {"UserKey": key, "ApplicationKey": SecretStr("")})


def application_auth(subscription: ModelSubscription, platform: ModelPlatform, key: SecretStr) -> Manifest:
    """Build the push of a key. Its generated keys would be guessable: they stay off."""
    threescale = platform.spec.threescale
    ref = application_auth_ref(subscription, threescale.namespace, key)
    return {
        "apiVersion": APPLICATION_AUTH.api_version,
        "kind": APPLICATION_AUTH.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {
            "applicationCRName": application_ref(subscription, threescale.namespace).name,
            "generateSecret": False,
            "authSecretRef": {"name": key_ref(subscription, threescale.namespace).name},
            "providerAccountRef": {"name": threescale.provider_account_secret_ref.name},
        },
    }


def consumer_secret(subscription: ModelSubscription, *, base_url: str, key: SecretStr, model: str) -> Manifest:
    """Build what the consumer mounts: the three variables that OpenAI clients read."""
    values = {"OPENAI_BASE_URL": SecretStr(base_url), "OPENAI_API_KEY": key, "MODEL": SecretStr(model)}
    return secret(consumer_ref(subscription), values)


def _local_name(subscription: ModelSubscription) -> str:
    return f"{subscription.metadata.namespace}.{subscription.metadata.name}"

"""ModelSubscription: one consumer's access to one plan of one model."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from maas_operator.api.base import API_VERSION, ApiModel, Int, ListOf, immutable
from maas_operator.api.fields import (
    DNS_LABEL_PATTERN,
    AccountName,
    DnsLabel,
    Email,
    ObjectName,
    SystemName,
    Timestamp,
    Username,
)
from maas_operator.api.meta import Children, Conditions, Named, ObjectMeta, Resource, SecretReference

_MAKE_ANOTHER = "create another ModelSubscription"


class ModelReference(ApiModel):
    """A ModelService."""

    namespace: DnsLabel | None = None
    """Its namespace; the subscription's own if absent."""
    name: DnsLabel
    """Its name."""


class User(ApiModel):
    """The person who signs in to the developer portal."""

    username: Username
    """Name to sign in with, unique in 3scale."""
    email: Email
    """E-mail address, unique in 3scale."""
    password_secret_ref: SecretReference | None = None
    """A Secret in this namespace with the key `password`; a password is generated if absent."""


class ModelSubscriptionSpec(ApiModel):
    """What is wanted."""

    model_ref: Annotated[ModelReference, immutable("spec.modelRef", _MAKE_ANOTHER)]
    """The model."""
    plan: SystemName
    """Name of one of the model's plans."""
    account: Annotated[AccountName, immutable("spec.account", _MAKE_ANOTHER)]
    """Name of the account, local to this namespace; subscriptions with the same account share it."""
    user: Annotated[User, immutable("spec.user", _MAKE_ANOTHER)]
    """The account's user."""
    secret_name: ObjectName | None = None
    """Name of the Secret that receives OPENAI_BASE_URL, OPENAI_API_KEY and MODEL; `<name>-key` if absent."""


class SubscriptionState(StrEnum):
    """Whether the key works."""

    PENDING = "Pending"
    LIVE = "Live"
    SUSPENDED = "Suspended"


class Key(ApiModel):
    """A key, without what is secret of it."""

    application_id: Int
    """Id of the application in 3scale."""
    prefix: Annotated[str, Field(max_length=16)]
    """First characters, to recognise the key."""
    created_at: Timestamp | None = None
    """When it was made."""


class ModelSubscriptionStatus(ApiModel):
    """What is."""

    observed_generation: Annotated[Int, Field(ge=0)] | None = None
    """The generation that this status was computed from."""
    state: SubscriptionState | None = None
    """Whether the key works."""
    secret_name: Annotated[str, Field(max_length=253)] | None = None
    """The Secret with the key."""
    keys: Annotated[tuple[Key, ...], Field(max_length=8), ListOf(("application_id",))] = ()
    """The keys."""
    children: Children = ()
    """The objects that the operator made."""
    conditions: Conditions = ()
    """Ready, Reconciling, Stalled and one per stage."""


class ModelSubscription(Resource):
    """One consumer's access to one plan of one model; the key arrives as a Secret in this namespace."""

    api_version: Literal["maas-operator.io/v1alpha1"] = API_VERSION
    kind: Literal["ModelSubscription"] = "ModelSubscription"
    metadata: Annotated[ObjectMeta, Named(DNS_LABEL_PATTERN, 63)]
    spec: ModelSubscriptionSpec
    """What is wanted."""
    status: ModelSubscriptionStatus = ModelSubscriptionStatus()
    """What is; written by the operator."""

"""What one pass over a ModelSubscription knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.api.plans import Plan
from maas_operator.domain.child_state import state_of
from maas_operator.domain.decision import Acceptance, ChildState, World
from maas_operator.domain.farewell import Obstacles
from maas_operator.domain.gateway.plans import plans_of
from maas_operator.domain.gateway.status import SyncPhase, product_state
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.labels import ACCEPTED, annotations_of
from maas_operator.domain.names import model_id
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of

from . import access, accounts, status
from .secrets import StoredSecret


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
    `product`: the model's Product as the cache has it.
    `obstacles`: known only while the subscription is being deleted.
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
    obstacles: Obstacles

    @property
    def founder(self) -> ModelSubscription:
        """Return the oldest subscription of the account: its user is the account's."""
        return min(self.siblings, key=lambda one: (str(one.metadata.creation_timestamp), one.metadata.name))

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Return what the model offers."""
        return plans_of(self.service, self.platform) if self.service and self.platform else ()


@dataclass(frozen=True, kw_only=True)
class Access:
    """The refs and values that an accepted subscription works with."""

    world: ModelSubscriptionWorld
    service: ModelService
    platform: ModelPlatform

    @property
    def namespace(self) -> str:
        """Return the 3scale namespace."""
        return self.platform.spec.threescale.namespace

    @property
    def application_ref(self) -> Ref:
        """Return the address of the Application."""
        return access.application_ref(self.world.subscription, self.namespace)

    @property
    def auth_ref(self) -> Ref:
        """Return the address of the push of the current key to the Application as it is in 3scale."""
        return access.application_auth_ref(self.world.subscription, self.namespace, self.key, self.application_id)

    @property
    def identity_refs(self) -> tuple[Ref, Ref, Ref]:
        """Return the password's Secret, the user and the account."""
        subscription = self.world.subscription
        return (
            accounts.password_ref(subscription, self.namespace),
            accounts.user_ref(subscription, self.namespace),
            accounts.account_ref(subscription, self.namespace),
        )

    @property
    def key(self) -> SecretStr:
        """Return the stored key, or the fresh one where none is stored."""
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
        """Return what a child's controller says; not ready while there is no child."""
        child = self.world.child(ref)
        return state_of(child) if child else ChildState(ready=False)

    @property
    def lifecycle(self) -> str:
        """Return 3scale's state of the Application: live, pending or suspended; empty while there is none."""
        application = self.world.child(self.application_ref)
        return status.application_lifecycle(application) if application else ""

    @property
    def application_id(self) -> int | None:
        """Return the Application's id in 3scale; None before it has one."""
        return status.application_id(self.world.child(self.application_ref))

    @property
    def accepted(self) -> str:
        """Return the id of the application that we accepted; empty if there was none to accept."""
        if self.world.accepted == "":
            return str(self.application_id)
        application = self.world.child(self.application_ref)
        return annotations_of(application).get(ACCEPTED, "") if application else ""

    @property
    def acceptance(self) -> Acceptance | None:
        """Return the application that waits for an approval: who got as far as here has the grant for it."""
        account_id = status.account_id(self.world.child(self.identity_refs[2]))
        if self.lifecycle != "pending" or self.application_id is None or account_id is None:
            return None
        return None if self.accepted == str(self.application_id) else Acceptance(account_id, self.application_id)

    @property
    def has_consumer_secret(self) -> bool:
        """Tell whether the consumer has the current key: the Secret was written in this pass."""
        return self.world.children.get(access.consumer_ref(self.world.subscription)) is not None

    @property
    def identity_ready(self) -> bool:
        """Tell whether account and user, as written in this pass, are there in 3scale."""
        return all(ref in self.world.children.live and self._has_answered(ref) for ref in self.identity_refs[1:])

    def _has_answered(self, ref: Ref) -> bool:
        """Tell whether 3scale has a child; in a rehearsal nobody answers for a new one."""
        child = self.world.child(ref)
        return self.state(ref).ready or (self.world.rehearsed and child is not None and not status_of(child))

    @property
    def product_id(self) -> int | None:
        """Return 3scale's number of the model's Product; None before it has one."""
        return product_state(self.world.product).remote_id

    @property
    def model_id(self) -> str:
        """Return the id that clients send: while the model is not changed, the one by which it is served."""
        active = self.service.spec.management_policy is ManagementPolicy.ACTIVE
        return (None if active else self.service.status.model_name) or model_id(self.service)

    @property
    def model_is_published(self) -> bool:
        """Tell whether 3scale has the model's Product, and this plan of it."""
        product = self.world.product
        if product is None:
            return False
        state = product_state(product)
        if not (state.synced or (self.world.rehearsed and state.phase is SyncPhase.SILENT)):
            return False
        return self.world.subscription.spec.plan in product["spec"]["applicationPlans"]

"""ModelService: one model, served and published."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from maas_operator.api.base import API_VERSION, ApiModel, Int, ListOf, Rule, immutable, text
from maas_operator.api.documents import OpenAPI
from maas_operator.api.fields import (
    AccountName,
    Description,
    Duration,
    Email,
    SystemName,
    Timestamp,
    Title,
    between,
)
from maas_operator.api.meta import (
    Children,
    ClusterReference,
    Conditions,
    Consequences,
    Named,
    ObjectMeta,
    PendingChanges,
    Resource,
)
from maas_operator.api.model import Model
from maas_operator.api.plans import Plans
from maas_operator.api.serving import Serving
from maas_operator.api.storage import Storage, StorageStatus


class Timeouts(ApiModel):
    """How long the gateway waits for the model."""

    connect: Annotated[Duration, between("1s", "1m")] = Field(default="10s", validate_default=True)
    """For the connection."""
    read: Annotated[Duration, between("1s", "1h")] = Field(default="5m", validate_default=True)
    """For the answer, and between two parts of a streamed one."""


class Cors(ApiModel):
    """Which web pages may call the API from a browser."""

    allowed_origins: Annotated[
        tuple[Annotated[str, text(r"^(\*|https?://[a-z0-9.-]+(:[0-9]+)?)$", max_length=253)], ...],
        Field(max_length=32),
        ListOf(),
    ] = ()
    """Origins such as https://app.example.com, or *; none switches CORS off."""


class RateLimit(ApiModel):
    """How fast one gateway pod passes calls on to the model, whoever makes them."""

    requests_per_second: Annotated[Int, Field(ge=1, le=100_000)]
    """Calls that pass without delay."""
    burst: Annotated[Int, Field(ge=0, le=100_000)]
    """Calls above that which are held back until they fit, each for burst / requestsPerSecond seconds at most; more
    are refused with 429."""


class NetworkPolicyMode(StrEnum):
    """Who closes the way around the gateway."""

    MANAGED = "Managed"
    NONE = "None"


class PromotionMode(StrEnum):
    """Who says when a new configuration goes to the production gateways."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class Promotion(ApiModel):
    """When a new configuration of the gateways goes to production."""

    mode: PromotionMode = PromotionMode.AUTOMATIC
    """Automatic: at once. Manual: when `approved` names it. Plans, limits, keys and documents never wait for it."""
    approved: Annotated[str, text(r"^[0-9a-f]{16}$", max_length=16)] | None = None
    """With Manual, the hash of the configuration that may go to production: status.gateway.candidateHash."""


class Api(ApiModel):
    """How the gateway publishes the model."""

    timeouts: Timeouts = Timeouts()
    """How long the gateway waits."""
    cors: Cors = Cors()
    """Calls from browsers."""
    open_api: OpenAPI = OpenAPI()
    """The document in the developer portal."""
    rate_limit: RateLimit | None = None
    """Protects the model apart from plans, in each gateway pod by itself; no limit if absent."""
    promotion: Promotion = Promotion()
    """When a new configuration goes to production."""
    network_policy: NetworkPolicyMode = NetworkPolicyMode.MANAGED
    """Managed: only the gateway and monitoring reach the model's pods. None: that is left to somebody else."""


class Developer(ApiModel):
    """A consumer in this namespace; it becomes a ModelSubscription that this ModelService owns."""

    name: AccountName
    """Account and user name in 3scale."""
    email: Email
    """E-mail address of the user, unique in 3scale."""
    plan: SystemName
    """Name of the plan."""


class ManagementPolicy(StrEnum):
    """What the operator does with the object."""

    ACTIVE = "Active"
    PAUSED = "Paused"
    OBSERVE = "Observe"


class ModelServiceSpec(ApiModel):
    """What is wanted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "!has(self.plans) || size(self.plans) == 0 || !has(self.developers)"
                " || self.developers.all(d, self.plans.exists(p, p.name == d.plan))"
            ),
            message="every developer needs a plan of spec.plans: add the plan, or change the developer's plan",
            holds=lambda spec: not spec.plans or {d.plan for d in spec.developers} <= {p.name for p in spec.plans},
        ),
        Rule(
            cel="!has(self.model.source.bucketPath) || has(self.storage)",
            message="model.source.bucketPath needs a bucket: set spec.storage",
            holds=lambda spec: spec.model.source.bucket_path is None or spec.storage is not None,
        ),
    )

    platform_ref: Annotated[
        ClusterReference,
        immutable("spec.platformRef", "to move the model to another platform, delete the ModelService and create it"),
    ] = ClusterReference()
    """The ModelPlatform that publishes the model."""
    display_name: Title | None = None
    """Name that people read; the name of the ModelService if absent."""
    description: Description | None = None
    """One sentence for the catalogue."""
    model: Model
    """The model."""
    serving: Serving = Serving()
    """How it is served."""
    storage: Storage | None = None
    """A bucket for this ModelService; none if absent."""
    api: Api = Api()
    """How it is published."""
    plans: Plans = ()
    """What consumers can subscribe to; the platform's default plans if empty, else one published plan "standard"."""
    developers: Annotated[tuple[Developer, ...], Field(max_length=50), ListOf(("name",))] = ()
    """Consumers in this namespace."""
    management_policy: ManagementPolicy = ManagementPolicy.ACTIVE
    """Paused: nothing is changed any more. Observe: neither, and status.pendingChanges tells what Active would change.
    Deleting works in both."""


class StepStatus(ApiModel):
    """A step of a change that 3scale would block if it were made at once."""

    name: Annotated[str, Field(max_length=63)]
    """KeepMetrics: metrics and methods stay until no configuration counts on them. KeepPlans: plans stay until their
    applications have moved."""
    hash: Annotated[str, Field(max_length=64)]
    """Hash of the Product as this step writes it."""
    message: Annotated[str, Field(max_length=1024)]
    """Why it waits."""


class GatewayStatus(ApiModel):
    """What 3scale knows of the model."""

    system_name: Annotated[str, Field(max_length=255)] | None = None
    """System name of Product and Backend."""
    product_id: Int | None = None
    """Id of the Product."""
    staging_version: Int | None = None
    """Version of the configuration in staging."""
    production_version: Int | None = None
    """Version of the configuration in production."""
    config_hash: Annotated[str, Field(max_length=64)] | None = None
    """Hash of what was promoted last."""
    candidate_hash: Annotated[str, Field(max_length=64)] | None = None
    """Hash of what is promoted next; absent when it was promoted."""
    promoted_generation: Int | None = None
    """Generation of the ModelService that was promoted last."""
    promoted_at: Timestamp | None = None
    """When that was."""
    live_after: Timestamp | None = None
    """When the last gateway has dropped its cached configuration."""
    step: StepStatus | None = None
    """The step that a change waits in; absent when there is none."""
    token_policy_version: Annotated[str, Field(max_length=63)] | None = None
    """The version of the metering policy that gateways may still use for this model."""


class ModelServiceStatus(ApiModel):
    """What is."""

    observed_generation: Annotated[Int, Field(ge=0)] | None = None
    """The generation that this status was computed from."""
    url: Annotated[str, Field(max_length=1024)] | None = None
    """Where consumers find the API."""
    internal_url: Annotated[str, Field(max_length=1024)] | None = None
    """The model inside the cluster."""
    model_name: Annotated[str, Field(max_length=128)] | None = None
    """The id that clients send."""
    runtime: Annotated[str, Field(max_length=253)] | None = None
    """The runtime profile in use, or the runtime of spec.serving.runtimeRef."""
    replicas: Annotated[Int, Field(ge=0)] | None = None
    """Replicas that run."""
    selector: Annotated[str, Field(max_length=1024)] | None = None
    """Label selector of their pods."""
    gateway: GatewayStatus | None = None
    """What 3scale knows."""
    storage: StorageStatus | None = None
    """The bucket of spec.storage."""
    children: Children = ()
    """The objects that the operator made."""
    pending_changes: PendingChanges = ()
    """What would change, while managementPolicy is Observe."""
    pending_consequences: Consequences = ()
    """What would follow from that for the model and its users."""
    conditions: Conditions = ()
    """Ready, Reconciling, Stalled and one per stage."""


class ModelService(Resource):
    """A model reference that the operator turns into a served, limited and key-protected API."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "has(self.spec.model.name) || !has(self.spec.model.adapters)"
                " || self.spec.model.adapters.all(one, one.name != self.metadata.name)"
            ),
            message="spec.model.adapters: the model's own id is the name of the ModelService: give the adapter of that"
            " name another one, or the model a name of its own by spec.model.name",
            holds=lambda service: (
                service.spec.model.name is not None
                or all(adapter.name != service.metadata.name for adapter in service.spec.model.adapters)
            ),
        ),
    )

    api_version: Literal["maas-operator.io/v1alpha1"] = API_VERSION
    kind: Literal["ModelService"] = "ModelService"
    # KServe starts names with a letter and builds Service and volume names of 63 characters from them.
    metadata: Annotated[ObjectMeta, Named(r"^[a-z]([-a-z0-9]*[a-z0-9])?$", 36)]
    spec: ModelServiceSpec
    """What is wanted."""
    status: ModelServiceStatus = ModelServiceStatus()
    """What is; written by the operator."""

"""ModelPlatform: what the platform team owns."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from maas_operator.api.arguments import Arguments, Environment
from maas_operator.api.base import API_VERSION, ATOMIC, DISTINCT, ApiModel, Bool, Int, ListOf, Rule, immutable, text
from maas_operator.api.fields import (
    DNS_LABEL_PATTERN,
    DnsLabel,
    Duration,
    JsonObject,
    SystemName,
    between,
)
from maas_operator.api.meta import Children, Conditions, ConfigMapKey, Named, ObjectMeta, Resource, SecretReference
from maas_operator.api.plans import Plans
from maas_operator.api.scheduling import NodeSelector, Tolerations
from maas_operator.api.serving import Image, Resources
from maas_operator.api.storage import PlatformStorage

Namespaces = Annotated[tuple[DnsLabel, ...], Field(max_length=16), ATOMIC, DISTINCT]


class Billing(StrEnum):
    """Whether 3scale bills and charges the accounts."""

    DISABLED = "Disabled"
    ENABLED = "Enabled"


class Threescale(ApiModel):
    """The 3scale installation."""

    namespace: Annotated[
        DnsLabel,
        immutable("spec.threescale.namespace", "create another ModelPlatform and move the models there"),
    ]
    """Where the 3scale-operator watches; all its objects are made there."""
    provider_account_secret_ref: SecretReference = SecretReference(name="threescale-provider-account")
    """A Secret in that namespace with the keys `adminURL` and `token`."""
    ca_config_map_ref: ConfigMapKey | None = None
    """A ConfigMap in that namespace with the authority (PEM) of the admin portal's certificate; else the system's."""
    billing: Billing = Billing.DISABLED
    """Whether 3scale bills and charges the accounts for the fees of their plans."""
    adopt: Annotated[tuple[SystemName, ...], Field(max_length=200), ListOf()] = ()
    """System names of products and backends that 3scale has already and that may be taken over: a rebuilt cluster."""


class TokenPolicyMode(StrEnum):
    """Whether the operator brings the policy with which the gateways count tokens."""

    MANAGED = "Managed"
    NONE = "None"


class TokenPolicy(ApiModel):
    """The policy with which the gateways count tokens; without it, plans can limit requests only."""

    mode: TokenPolicyMode = TokenPolicyMode.MANAGED
    """Managed: the operator writes the policy's Secret and registers it. None: it does neither."""
    patch_api_manager: Bool = False
    """Whether the operator itself adds the policy to the APIManager, and takes it out again. Leave it off where the
    APIManager comes from Git: condition TokenPolicyReady then tells the lines to add there."""


class Position(StrEnum):
    """Where in the chain a policy stands."""

    BEFORE_AUTH = "BeforeAuth"
    AFTER_AUTH = "AfterAuth"


BUILTIN: Final = "builtin"


class PlatformPolicy(ApiModel):
    """A policy in the chain of every model."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.configuration) || !has(self.configurationSecretRef)",
            message="at most one of configuration and configurationSecretRef may be set: remove one of them",
            holds=lambda policy: policy.configuration is None or policy.configuration_secret_ref is None,
        ),
    )

    name: Annotated[str, text(r"^[A-Za-z0-9_]([-_.A-Za-z0-9]*[A-Za-z0-9_])?$", max_length=63)]
    """Its name, which for a policy of your own is that of its folder in the gateways."""
    version: Annotated[str, text(r"^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$", max_length=63)] = BUILTIN
    """Its version; `builtin` for one that the gateways bring with them."""
    position: Position
    """BeforeAuth: it acts on every call, before the key is checked. AfterAuth: on calls with a valid key only."""
    configuration: JsonObject | None = None
    """Its configuration; that of a built-in policy is checked."""
    configuration_secret_ref: SecretReference | None = None
    """A Secret in the 3scale namespace with the configuration as JSON under the key `configuration`."""


class Gateway(ApiModel):
    """The gateways in front of the models."""

    namespaces: Namespaces = ()
    """Namespaces of the gateways, which may reach the models; the 3scale namespace if empty."""
    configuration_cache: Annotated[Duration, between("0s", "24h")] = Field(default="5m", validate_default=True)
    """How long the production gateways keep a configuration."""
    token_policy: TokenPolicy = TokenPolicy()
    """How tokens are counted."""
    policies: Annotated[tuple[PlatformPolicy, ...], Field(max_length=10), ATOMIC] = ()
    """Policies in every chain besides the operator's own; at each position they stand in this order."""


class Prometheus(ApiModel):
    """The Prometheus that reads the models' metrics, with their labels `namespace` and `pod`."""

    url: Annotated[
        str,
        text(
            r"^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9][-A-Za-z0-9._/]*)?$",
            max_length=512,
        ),
    ]
    """Where KEDA asks it, without credentials. On OpenShift
    https://thanos-querier.openshift-monitoring.svc.cluster.local:9092: there KEDA shows the token of the
    TriggerAuthentication inference-prometheus-auth in the model's namespace, which OpenShift AI makes."""


class Monitoring(ApiModel):
    """Who reads the models' metrics."""

    namespaces: Namespaces = ("openshift-monitoring", "openshift-user-workload-monitoring")
    """Namespaces that may reach the models to read metrics."""
    prometheus: Prometheus | None = None
    """What autoscaling by the model server's own metrics asks."""


class RuntimeProfile(ApiModel):
    """A model server that ModelServices can choose; it takes the place of a built-in profile of the same name."""

    name: DnsLabel
    """Name that ModelServices refer to."""
    image: Image
    """Image of the vLLM server."""
    version: Annotated[str, text(r"^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?$", max_length=16)]
    """Version of vLLM in the image; it decides which flags are used."""
    args: Arguments = ()
    """Arguments of vLLM, each as --flag=value; flags that the operator sets are refused with the ModelService."""
    env: Environment = ()
    """Environment; it wins over what the operator sets."""
    resources: Resources = Resources()
    """Resources for ModelServices that say nothing."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Labels that a node must have; a ModelService may add to them."""
    tolerations: Tolerations = ()
    """Taints that a node may have, besides the accelerator's; a ModelService may add to them."""


class ModelPlatformSpec(ApiModel):
    """What is wanted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "!has(self.storage) || !has(self.storage.minio)"
                " || self.storage.minio.__namespace__ != self.threescale.__namespace__"
            ),
            message="spec.storage.minio.namespace must not be the 3scale namespace: give MinIO one of its own",
            holds=lambda spec: spec.storage.minio is None or spec.storage.minio.namespace != spec.threescale.namespace,
        ),
    )

    threescale: Threescale
    """The 3scale installation."""
    gateway: Gateway = Gateway()
    """The gateways."""
    monitoring: Monitoring = Monitoring()
    """Who reads metrics."""
    runtimes: Annotated[tuple[RuntimeProfile, ...], Field(max_length=20), ListOf(("name",))] = ()
    """Model servers besides the built-in ones."""
    storage: PlatformStorage = PlatformStorage()
    """Where buckets for models come from."""
    default_plans: Plans = ()
    """Plans of ModelServices that name none."""
    currency: Annotated[str, text(r"^[A-Z]{3}$", max_length=3)] = "EUR"
    """The currency of all prices, by its ISO 4217 code; set the same in 3scale, which has its own setting for it."""


class Capabilities(ApiModel):
    """What the operator found in the cluster."""

    kserve: Bool | None = None
    """Whether KServe's kinds are there."""
    kserve_version: Annotated[str, Field(max_length=63)] | None = None
    """KServe's release, as far as its CRDs tell it; absent with CRDs of the minimal flavour, which say nothing."""
    distribution: Annotated[str, Field(max_length=63)] | None = None
    """Who brings KServe, by the place of its configuration: OpenShiftAI, OpenDataHub or KServe."""
    deployment_mode: Annotated[str, Field(max_length=63)] | None = None
    """How KServe runs services that say nothing; models of this operator always are plain Deployments."""
    headless: Bool | None = None
    """Whether KServe's own Services have no cluster IP; the gateways use the operator's Services, which have one."""
    modelcar: Bool | None = None
    """Whether KServe runs models from oci:// images."""
    threescale: Bool | None = None
    """Whether the 3scale-operator's kinds are there."""


class ModelPlatformStatus(ApiModel):
    """What is."""

    observed_generation: Annotated[Int, Field(ge=0)] | None = None
    """The generation that this status was computed from."""
    capabilities: Capabilities | None = None
    """What the operator found in the cluster."""
    portal_url: Annotated[str, Field(max_length=1024)] | None = None
    """The developer portal."""
    admin_url: Annotated[str, Field(max_length=1024)] | None = None
    """3scale's admin portal."""
    token_policy_version: Annotated[str, Field(max_length=63)] | None = None
    """The version of the metering policy that products use while TokenPolicyReady is True."""
    children: Children = ()
    """The objects that the operator made."""
    conditions: Conditions = ()
    """Ready, Reconciling, Stalled, ThreescaleReady, PoliciesReady, TokenPolicyReady and, with storage, StorageReady."""


class ModelPlatform(Resource):
    """The 3scale installation, gateways, runtimes and defaults that ModelServices build on."""

    api_version: Literal["maas-operator.io/v1alpha1"] = API_VERSION
    kind: Literal["ModelPlatform"] = "ModelPlatform"
    metadata: Annotated[ObjectMeta, Named(DNS_LABEL_PATTERN, 63)]
    spec: ModelPlatformSpec
    """What is wanted."""
    status: ModelPlatformStatus = ModelPlatformStatus()
    """What is; written by the operator."""

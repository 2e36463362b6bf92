"""How a ModelService's model is served: runtime, resources, replicas."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from maas_operator.api.arguments import FREE_FLAGS, Arguments, Environment
from maas_operator.api.autoscaling import Autoscaling, RolloutStrategy
from maas_operator.api.base import ApiModel, Int, Rule, text
from maas_operator.api.fields import DnsLabel, Duration, ObjectName, Quantity, between
from maas_operator.api.meta import ConfigMapKey
from maas_operator.api.scheduling import Affinity, HardwareProfile, NodeSelector, PullSecrets, Tolerations

Image = Annotated[str, text(r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$", max_length=512)]


class RuntimeKind(StrEnum):
    """The kinds of KServe that say how a model server runs."""

    SERVING_RUNTIME = "ServingRuntime"
    CLUSTER_SERVING_RUNTIME = "ClusterServingRuntime"


class RuntimeReference(ApiModel):
    """A runtime that somebody else has made for KServe."""

    kind: RuntimeKind
    """ServingRuntime: one in this namespace."""
    name: ObjectName
    """Its name."""


class Resources(ApiModel):
    """Compute resources of one replica."""

    requests: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(default_factory=dict)
    """What the scheduler sets aside; the runtime profile's value for each name that is absent."""
    limits: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(default_factory=dict)
    """What a replica can not exceed. A limit on nvidia.com/gpu also sets the tensor parallelism."""


# KServe renders the whole container as a template, keys included.
_NO_BRACES = Rule(
    cel=(
        "(!has(self.requests) || self.requests.all(name, !name.contains('{')))"
        " && (!has(self.limits) || self.limits.all(name, !name.contains('{')))"
    ),
    message="resource names must not contain braces: write for example cpu, memory or nvidia.com/gpu",
    holds=lambda resources: not any("{" in name for name in (*resources.requests, *resources.limits)),
)


class Serving(ApiModel):
    """How the model is served."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.runtime) || !has(self.runtimeRef)",
            message="runtime and runtimeRef exclude each other: remove one of them",
            holds=lambda serving: serving.runtime is None or serving.runtime_ref is None,
        ),
        Rule(
            cel=(
                "!has(self.hardwareProfile) || ((!has(self.nodeSelector) || size(self.nodeSelector) == 0)"
                " && (!has(self.tolerations) || size(self.tolerations) == 0))"
            ),
            message="hardwareProfile brings nodeSelector and tolerations: remove these, or hardwareProfile",
            holds=lambda serving: (
                serving.hardware_profile is None or not (serving.node_selector or serving.tolerations)
            ),
        ),
    )

    runtime: DnsLabel | None = None
    """A runtime profile of the platform or a built-in one; derived from the limits if absent."""
    runtime_ref: RuntimeReference | None = None
    """A runtime of KServe that somebody else has made, instead of a profile."""
    image: Image | None = None
    """Another image of the same version of vLLM, instead of the runtime's."""
    args: Annotated[Arguments, FREE_FLAGS] = ()
    """Arguments of vLLM after all others, each as --flag=value; flags that the operator sets are refused."""
    env: Environment = ()
    """Environment of vLLM; it wins over the runtime's."""
    resources: Annotated[Resources, _NO_BRACES] = Resources()
    """Compute resources of one replica."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Labels that a node must have, besides those of the runtime profile."""
    tolerations: Tolerations = ()
    """Taints that a node may have, besides those of the runtime profile and the accelerator's."""
    affinity: Affinity | None = None
    """Which nodes and neighbours the pods look for."""
    hardware_profile: HardwareProfile | None = None
    """A HardwareProfile of OpenShift AI, instead of nodeSelector and tolerations. CPU and memory that are not set here
    come from it, and the number of accelerators must be set here."""
    image_pull_secrets: PullSecrets = ()
    """Secrets in this namespace for the images of runtime and model."""
    service_account_name: ObjectName | None = None
    """ServiceAccount of the pods in this namespace; they get no token of it."""
    chat_template_ref: ConfigMapKey | None = None
    """A ConfigMap in this namespace with a chat template, of at most 256 KiB, instead of the model's own. The operator
    looks at it every ten minutes at the latest; other content restarts the pods."""
    tool_call_parser: Annotated[str, text(r"^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$", max_length=63)] | None = None
    """vLLM's parser for the tool calls of this model, such as llama3_json or hermes; absent, models call no tools."""
    startup_timeout: Annotated[Duration, between("1m", "24h")] = Field(default="30m", validate_default=True)
    """How long a replica may load the model before it is restarted."""
    replicas: Annotated[Int, Field(ge=0, le=100)] = 1
    """Number of replicas; 0 stops the model. With autoscaling, any other number has no effect."""
    autoscaling: Autoscaling | None = None
    """Has the number of replicas follow the load; while `replicas` is 0, nothing does."""
    rollout_strategy: RolloutStrategy | None = None
    """RollingUpdate: new replicas start before old ones end, and need room beside them. Recreate: old ones end first,
    and nothing answers meanwhile. If absent, Recreate with accelerators, else RollingUpdate."""

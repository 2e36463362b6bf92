"""How a ModelService's model is served: runtime, resources, replicas."""

from typing import Annotated

from pydantic import Field

from maas_operator.api.autoscaling import Autoscaling, RolloutStrategy
from maas_operator.api.base import ApiModel, Int, Rule, text
from maas_operator.api.fields import DnsLabel, Duration, Quantity, between


class EnvironmentVariable(ApiModel):
    """A variable of the model server."""

    name: Annotated[str, text(r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
    """Its name."""
    value: Annotated[str, Field(max_length=4096)]
    """Its value."""


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

    runtime: DnsLabel | None = None
    """A runtime profile of the platform or a built-in one; derived from the limits if absent."""
    resources: Annotated[Resources, _NO_BRACES] = Resources()
    """Compute resources of one replica."""
    startup_timeout: Annotated[Duration, between("1m", "24h")] = Field(default="30m", validate_default=True)
    """How long a replica may load the model before it is restarted."""
    replicas: Annotated[Int, Field(ge=0, le=100)] = 1
    """Number of replicas; 0 stops the model. With autoscaling, any other number has no effect."""
    autoscaling: Autoscaling | None = None
    """Has the number of replicas follow the load; while `replicas` is 0, nothing does."""
    rollout_strategy: RolloutStrategy | None = None
    """RollingUpdate: new replicas start before old ones end, and need room beside them. Recreate: old ones end first,
    and nothing answers meanwhile. If absent, Recreate with accelerators, else RollingUpdate."""

"""Who decides how many replicas serve a model, and how new ones take the place of old ones."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from maas_operator.api.base import ApiModel, Int, Rule


class ScalingMetric(StrEnum):
    """What the number of replicas follows."""

    CPU = "CPU"
    MEMORY = "Memory"
    CONCURRENCY = "Concurrency"
    WAITING_REQUESTS = "WaitingRequests"
    KV_CACHE = "KVCache"


PERCENTAGES: Final = frozenset({ScalingMetric.CPU, ScalingMetric.MEMORY, ScalingMetric.KV_CACHE})
"""Metrics whose target is a percentage."""


class Autoscaling(ApiModel):
    """The bounds of the number of replicas, and what it follows."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            message="minReplicas must not exceed maxReplicas: lower the one or raise the other",
            holds=lambda autoscaling: autoscaling.min_replicas <= autoscaling.max_replicas,
        ),
        Rule(
            cel="!has(self.target) || !(self.metric in ['CPU', 'Memory', 'KVCache']) || self.target <= 100",
            message="the target of CPU, Memory and KVCache is a percentage: set 100 or less",
            holds=lambda autoscaling: (
                autoscaling.target is None or autoscaling.metric not in PERCENTAGES or autoscaling.target <= 100
            ),
        ),
    )

    min_replicas: Annotated[Int, Field(ge=1, le=100)] = 1
    """The fewest. Never 0: a model without replicas has no metrics that could wake it up again."""
    max_replicas: Annotated[Int, Field(ge=1, le=100)]
    """The most."""
    metric: ScalingMetric
    """CPU and Memory: how much of what they request the replicas use. The others are the model server's own metrics,
    and need KEDA and spec.monitoring.prometheus of the platform: Concurrency counts the requests that are worked on,
    WaitingRequests those that wait, and KVCache is the share of the cache that is in use."""
    target: Annotated[Int, Field(ge=1, le=100_000)] | None = None
    """What a replica should have of it, on average. CPU, Memory and KVCache: percent, 80 if absent. Concurrency:
    requests, 32 if absent. WaitingRequests: requests, 5 if absent."""


class RolloutStrategy(StrEnum):
    """How new replicas take the place of old ones."""

    ROLLING_UPDATE = "RollingUpdate"
    RECREATE = "Recreate"

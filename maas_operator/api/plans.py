"""Plans: what a consumer may do in which time."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from maas_operator.api.base import ApiModel, Bool, Int, ListOf
from maas_operator.api.fields import SystemName, Title


class Metric(StrEnum):
    """What a limit counts."""

    REQUESTS = "Requests"
    PROMPT_TOKENS = "PromptTokens"
    COMPLETION_TOKENS = "CompletionTokens"
    TOTAL_TOKENS = "TotalTokens"


class Period(StrEnum):
    """The calendar period in which a limit counts; Eternity never starts again."""

    MINUTE = "Minute"
    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"
    YEAR = "Year"
    ETERNITY = "Eternity"


class Limit(ApiModel):
    """At most `value` of a metric in each period."""

    metric: Metric
    """What is counted. Token metrics need the platform's metering policy."""
    period: Period
    """When the count starts again."""
    value: Annotated[Int, Field(ge=1, le=1_000_000_000_000_000)]
    """The highest count that is still served."""


class Plan(ApiModel):
    """What consumers subscribe to."""

    name: SystemName
    """Name that subscriptions refer to, and system name in 3scale."""
    display_name: Title | None = None
    """Name that people read; the plan's name if absent."""
    published: Bool = True
    """Whether any consumer with access to the model may choose this plan."""
    approval_required: Bool = False
    """Whether somebody must approve each subscription in 3scale."""
    trial_days: Annotated[Int, Field(ge=0, le=365)] = 0
    """Days for which 3scale charges nothing."""
    limits: Annotated[tuple[Limit, ...], Field(max_length=28), ListOf(("metric", "period"))] = ()
    """Limits that all hold at once; none means unlimited."""


Plans = Annotated[tuple[Plan, ...], Field(max_length=20), ListOf(("name",))]

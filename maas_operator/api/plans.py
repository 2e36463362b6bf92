"""Plans: what a consumer may do in which time."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from maas_operator.api.base import ApiModel, Bool, Int, ListOf, text
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


# Strings: a number would lose cents on its way through YAML and JSON.
Fee = Annotated[str, text(r"^[0-9]{1,9}\.[0-9]{2}$", max_length=12)]
TokenPrice = Annotated[str, text(r"^[0-9]{1,6}(\.[0-9]{1,6})?$", max_length=13)]


class TokenPrices(ApiModel):
    """Prices of tokens as the catalogue shows them; 3scale's own prices are too coarse for single tokens."""

    prompt: TokenPrice
    """For what is sent to the model."""
    completion: TokenPrice
    """For what the model generates; "0" for a model that generates nothing."""


class Pricing(ApiModel):
    """What a plan costs, in the platform's currency."""

    setup_fee: Fee = "0.00"
    """Once, with two decimals such as "50.00"."""
    monthly_fee: Fee = "0.00"
    """Each month, with two decimals."""
    per_million_tokens: TokenPrices | None = None
    """Prices of a million tokens, for the catalogue only: 3scale charges nobody for them."""


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
    pricing: Pricing = Pricing()
    """What it costs. 3scale shows fees always, and charges them where the platform's billing is Enabled."""


Plans = Annotated[tuple[Plan, ...], Field(max_length=20), ListOf(("name",))]

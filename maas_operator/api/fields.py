"""The scalar types of the API: names, text, durations, quantities, timestamps."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue, PlainSerializer, WithJsonSchema

from maas_operator.api.base import Rule, text

DNS_LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
QUANTITY_PATTERN = r"^[0-9]{1,15}(\.[0-9]{1,9})?([KMGTPE]i|[mkMGTPE])?$"

DnsLabel = Annotated[str, text(DNS_LABEL_PATTERN, max_length=63)]
ObjectName = Annotated[str, text(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
SystemName = Annotated[str, text(DNS_LABEL_PATTERN, min_length=2, max_length=63)]
"""A name that becomes a system name in 3scale, which wants two characters and no dots."""
AccountName = Annotated[str, text(DNS_LABEL_PATTERN, min_length=3, max_length=40)]
Username = Annotated[str, text(r"^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$", min_length=3, max_length=40)]
Email = Annotated[
    str,
    text(
        r"^[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$",
        max_length=254,
    ),
]
# No markup and no braces: these texts reach 3scale's portal and KServe's templates.
_TEXT_PATTERN = r"^[^<>{}\x00-\x1f]+$"
Title = Annotated[str, text(_TEXT_PATTERN, max_length=80)]
Description = Annotated[str, text(_TEXT_PATTERN, max_length=500)]

_UNIT_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def parse_duration(value: Any) -> timedelta:
    """Return the length of a GEP-2257 duration such as `1h30m`; anything else is a ValueError."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or re.fullmatch(DURATION_PATTERN, value) is None:
        raise ValueError("want a duration such as 30s, 5m or 1h30m")
    parts = re.findall(r"([0-9]+)(ms|h|m|s)", value)
    return timedelta(milliseconds=sum(int(number) * _UNIT_MILLISECONDS[unit] for number, unit in parts))


def format_duration(value: timedelta) -> str:
    """Return the shortest GEP-2257 form of a duration of whole milliseconds."""
    rest = value // timedelta(milliseconds=1)
    parts = []
    for unit, size in _UNIT_MILLISECONDS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "maxLength": 32}),
]


def between(shortest: str, longest: str) -> Rule:
    """Return the rule that bounds a duration, both ends included."""
    low, high = parse_duration(shortest), parse_duration(longest)
    return Rule(
        cel=f"duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}')",
        message=f"must be between {shortest} and {longest}",
        holds=lambda value: low <= value <= high,
    )


def _parse_quantity(value: Any) -> str:
    # `cpu: 2` is how people write it in YAML; a bool is an int in Python only.
    quantity = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(quantity, str) and re.fullmatch(QUANTITY_PATTERN, quantity):
        return quantity
    raise ValueError("want a quantity such as 2, 500m or 8Gi")


Quantity = Annotated[
    str,
    BeforeValidator(_parse_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 0,
            "maximum": 999_999_999_999_999,
            "pattern": QUANTITY_PATTERN,
            "maxLength": 32,
        }
    ),
]


JsonObject = Annotated[
    dict[str, JsonValue],
    Field(max_length=64),
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True, "maxProperties": 64}),
]
"""An object whose members somebody else knows."""


def _whole_seconds(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=0)


Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_whole_seconds),
    PlainSerializer(lambda value: value.strftime("%Y-%m-%dT%H:%M:%SZ"), return_type=str),
]

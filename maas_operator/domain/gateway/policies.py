"""The gateway's policy chain. Its order is its meaning: each phase of a request runs through it from first to last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from math import ceil

from pydantic import JsonValue

from maas_operator.api.model_service import Api, Timeouts
from maas_operator.domain.emitted import Emitted


class NoReference(Emitted):
    """The empty reference to a configuration, which the 3scale-operator would write."""


class Policy(Emitted):
    """One link of the chain."""

    name: str
    version: str = "builtin"
    configuration: dict[str, JsonValue]
    configuration_ref: NoReference = NoReference()
    enabled: bool = True


def policy_chain(api: Api) -> tuple[Policy, ...]:
    """Return the chain for a model's API."""
    return (
        # Before apicast: a browser asks for permission without a key.
        *_cors(api.cors.allowed_origins),
        _timeouts(api.timeouts),
        Policy(name="apicast", configuration={}),
        # After apicast, which reads the key from the header: the model must not see it.
        Policy(name="headers", configuration={"request": [{"op": "delete", "header": "Authorization"}]}),
    )


def _cors(origins: Sequence[str]) -> tuple[Policy, ...]:
    if not origins:
        return ()
    # Unset, the allowed headers follow the request: browser SDKs send many of their own.
    return (Policy(name="cors", configuration={"allow_origin": _origin_pattern(origins), "allow_credentials": False}),)


def _origin_pattern(origins: Sequence[str]) -> str:
    """Return one expression for all origins, anchored: APIcast would also find it in the middle of another origin."""
    if "*" in origins:
        return "*"
    return f"^(?:{'|'.join(re.escape(origin) for origin in origins)})$"


def _timeouts(timeouts: Timeouts) -> Policy:
    read = _seconds(timeouts.read)
    return Policy(
        name="upstream_connection",
        configuration={"connect_timeout": _seconds(timeouts.connect), "send_timeout": read, "read_timeout": read},
    )


def _seconds(duration: timedelta) -> int:
    return ceil(duration / timedelta(seconds=1))

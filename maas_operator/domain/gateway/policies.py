"""The gateway's policy chain. Its order is its meaning: each phase of a request runs through it from first to last."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from math import ceil
from typing import Final

from pydantic import JsonValue

from maas_operator.api.model import Task
from maas_operator.api.model_service import Api, RateLimit, Timeouts
from maas_operator.domain.emitted import Emitted, LocalReference
from maas_operator.domain.metering.package import NAME

from .mapping_rules import INFERENCE_PATHS

_GENERATING: Final = (Task.CHAT, Task.COMPLETIONS, Task.RESPONSES, Task.EMBEDDINGS)
"""The tasks whose answers tell how many tokens they took."""


class NoReference(Emitted):
    """The empty reference to a configuration, which the 3scale-operator would write."""


class Policy(Emitted):
    """One link of the chain."""

    name: str
    version: str = "builtin"
    configuration: dict[str, JsonValue]
    configuration_ref: NoReference | LocalReference = NoReference()
    enabled: bool = True


def metering_policy(version: str, tasks: Collection[Task]) -> Policy:
    """Return the link that counts tokens.

    It names all metrics of tokens, whether a plan limits them or not: so a changed plan needs no promotion.
    """
    metrics: dict[str, JsonValue] = {
        "prompt": "prompt_tokens",
        "completion": "completion_tokens",
        "total": "total_tokens",
    }
    configuration: dict[str, JsonValue] = {
        "metrics": metrics,
        "limited_metrics": list(metrics.values()),
        "inference_paths": [path for task in _GENERATING if task in tasks for path in INFERENCE_PATHS[task]],
        # What an aborted stream has used so far is known only if each chunk tells it.
        "continuous_usage": True,
        # Clients that did not ask for usage trip over a chunk without choices.
        "hide_injected_usage": True,
    }
    return Policy(name=NAME, version=version, configuration=configuration)


def policy_chain(
    api: Api,
    metering: Policy | None = None,
    *,
    before_auth: Collection[Policy] = (),
    after_auth: Collection[Policy] = (),
) -> tuple[Policy, ...]:
    """Return the chain for a model's API, with the platform's policies before and after authentication."""
    needs_care = metering or before_auth or after_auth
    return (
        # A policy that can not be loaded would be left out: calls would go uncounted, or past what forbids them.
        *([Policy(name="on_failed", configuration={"error_status_code": 503})] if needs_care else []),
        # Before apicast: a browser asks for permission without a key. Before what may refuse calls: it asks for none.
        *_cors(api.cors.allowed_origins),
        *before_auth,
        _timeouts(api.timeouts),
        Policy(name="apicast", configuration={}),
        # Before the rate limit and metering: what they refuse uses up nothing.
        *after_auth,
        # After apicast: before it, strangers without a valid key could use up the model's share.
        *_rate_limit(api.rate_limit),
        # After apicast: before it, what it adds would turn calls of unknown paths into allowed ones.
        *([metering] if metering else []),
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


def _rate_limit(limit: RateLimit | None) -> tuple[Policy, ...]:
    if limit is None:
        return ()
    # The scope makes the key this product's own. No error settings: APIcast would apply them to all products.
    bucket: dict[str, JsonValue] = {
        "key": {"name": "maas-operator", "scope": "service"},
        "rate": limit.requests_per_second,
        "burst": limit.burst,
    }
    return (Policy(name="rate_limit", configuration={"leaky_bucket_limiters": [bucket]}),)


def _seconds(duration: timedelta) -> int:
    return ceil(duration / timedelta(seconds=1))

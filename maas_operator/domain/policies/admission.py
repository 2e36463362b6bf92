"""Which policies a platform may add, and where: none that lets a call through unmetered, or hands a key on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from maas_operator.api.model_platform import BUILTIN, PlatformPolicy, Position
from maas_operator.domain.metering.package import NAME

from . import configurations
from .configurations import Configuration


@dataclass(frozen=True, slots=True)
class Admitted:
    """A built-in policy that may be added.

    `why` it may stand at one `position` only. `note`: why its configuration may be less than the gateway would take.
    """

    model: type[Configuration]
    position: Position | None = None
    why: str = ""
    note: str = ""


_PATHS: Final = "after authentication the path has been counted already"
_LIMITS: Final = "authentication tells it what is left of the limits"

ADMITTED: Final[Mapping[str, Admitted]] = MappingProxyType(
    {
        "caching": Admitted(configurations.Caching, note="other types would serve, uncounted, while 3scale is away"),
        "headers": Admitted(configurations.Headers),
        "ip_check": Admitted(configurations.IpCheck),
        "logging": Admitted(configurations.Logging),
        "maintenance_mode": Admitted(configurations.MaintenanceMode),
        "payload_limits": Admitted(
            configurations.PayloadLimits, note="an answer that is dropped would cost the model's work, uncounted"
        ),
        "rate_limit": Admitted(configurations.RateLimit, note="APIcast applies settings for errors to all products"),
        "rate_limit_headers": Admitted(configurations.RateLimitHeaders, Position.BEFORE_AUTH, _LIMITS),
        "retry": Admitted(configurations.Retry),
        "rewrite_url_captures": Admitted(configurations.RewriteUrlCaptures, Position.BEFORE_AUTH, _PATHS),
        "statuscode_overwrite": Admitted(
            configurations.StatuscodeOverwrite, note="only answers without an error are metered"
        ),
        "tls": Admitted(configurations.Tls),
        "tls_validation": Admitted(configurations.TlsValidation),
        "url_rewriting": Admitted(configurations.UrlRewriting, Position.BEFORE_AUTH, _PATHS),
    }
)

_ELSEWHERE: Final = "calls would go elsewhere than to the model, past metering"
_IDENTITIES: Final = "it needs tokens of an identity provider, and consumers have API keys"
_PROTOCOL: Final = "metering reads plain HTTP answers only"

REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "3scale_batcher": "it reports late, and limits on tokens would not hold",
        "3scale_referrer": "applications have no referrer filters",
        "camel": _ELSEWHERE,
        "conditional": "what it wraps can not be judged",
        "content_caching": "answers for one consumer could reach another",
        "cors": "it is in the chain already: use spec.api.cors of the ModelService",
        "custom_metrics": "it undoes what limits on tokens rest on, and products have no metrics of yours",
        "default_credentials": "strangers could call without a key of their own",
        "echo": "it answers instead of the model, and skips metering",
        "fapi": _IDENTITIES,
        "grpc": _PROTOCOL,
        "http_proxy": _ELSEWHERE,
        "jwt_claim_check": _IDENTITIES,
        "jwt_parser": _IDENTITIES,
        "keycloak_role_check": _IDENTITIES,
        "liquid_context_debug": "it shows what is secret to whoever calls",
        "nginx_filters": "it could hand the consumer's key on to the model",
        "oauth_mtls": _IDENTITIES,
        "on_failed": "the operator adds it by itself",
        "request_unbuffered": "metering reads requests before they go to the model",
        "routing": _ELSEWHERE,
        "soap": "it would turn calls of closed paths into allowed ones",
        "token_introspection": _IDENTITIES,
        "upstream": _ELSEWHERE,
        "upstream_connection": "it is in the chain already: use spec.api.timeouts of the ModelService",
        "upstream_mtls": "models are reached inside the cluster, without TLS",
        "websocket": _PROTOCOL,
    }
)
"""The gateway's other built-in policies, each with the reason against it."""

_OURS: Final = {
    "apicast": "it is in the chain already",
    NAME: "it is in the chain already where spec.gateway.tokenPolicy asks for it",
}
"""What stands in the chain once, whatever the version."""


def objection(policy: PlatformPolicy) -> str | None:
    """Return why a policy may not stand where it is to, beginning with the field; None if it may."""
    if policy.name in _OURS:
        return f"name: {policy.name} can not be added: {_OURS[policy.name]}"
    if policy.version != BUILTIN:
        return None
    if policy.name in REFUSED:
        return f"name: {policy.name} can not be added: {REFUSED[policy.name]}"
    admitted = ADMITTED.get(policy.name)
    if admitted is None:
        choice = ", ".join(ADMITTED)
        return (
            f"name: no built-in policy {policy.name} can be added: choose one of {choice}, or the version of your own"
        )
    if admitted.position not in (None, policy.position):
        return f"position: {policy.name} can only stand {admitted.position}: {admitted.why}"
    return None

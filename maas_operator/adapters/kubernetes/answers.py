"""What the API server's answers mean: HTTP status and Status body in, an error of `engine.errors` out.

The body's `reason` and `details` decide, not its text. Texts are passed on to users, but never those about a Secret:
the server quotes what it cannot decode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kubernetes.aio.client import ApiException

from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import (
    ApiError,
    Conflict,
    Forbidden,
    KindNotServed,
    NamespaceTerminating,
    NotFound,
    Rejected,
    Unavailable,
    WebhookUnavailable,
)

_MESSAGE_LIMIT: Final = 1000
_REJECTED: Final = frozenset({400, 405, 406, 413, 415, 422})
# The server has no reason code for these two, and answers 500 to a storage that is away as well: only the text tells.
_TYPED_APPLY_FAILED: Final = ("failed to create typed patch", "failed to convert new object")

_WEBHOOK_FAILED: Final = "failed calling webhook"
"""The server's words for a webhook that does not answer; it has no reason code for that either."""


def error_of(ref: Ref, answer: ApiException) -> ApiError:
    """Translate an answer that is not 2xx."""
    code, status = int(answer.status or 0), _status_body(answer)
    reason, details = status.get("reason") or "", status.get("details") or {}
    message = _message(ref, code, status)
    if code == 404:
        # Without a name it is the type that is unknown: as plain text, or as a Status with empty details.
        if not details.get("name"):
            return KindNotServed(f"{ref.kind} is not a type of this cluster ({ref.kind.api_version})", status=code)
        return NotFound(message, status=code, reason=reason)
    if code == 409:
        return Conflict(message, status=code, reason=reason)
    if code == 403:
        terminating = any(cause.get("reason") == "NamespaceTerminating" for cause in details.get("causes") or ())
        return (NamespaceTerminating if terminating else Forbidden)(message, status=code, reason=reason)
    if code in _REJECTED or (code == 500 and str(status.get("message", "")).startswith(_TYPED_APPLY_FAILED)):
        return Rejected(message, status=code, reason=reason)
    unavailable = WebhookUnavailable if _WEBHOOK_FAILED in str(status.get("message", "")) else Unavailable
    return unavailable(message, status=code, reason=reason, retry_after_seconds=_retry_after(answer, details))


def broken(ref: Ref, error: Exception) -> Unavailable:
    """Translate a call that got no whole answer: refused, reset, timed out, or not JSON."""
    return Unavailable(f"no answer from the Kubernetes API about {_about(ref)}: {type(error).__name__}")


def refused_name(ref: Ref) -> Rejected | None:
    """Refuse what would change the path of a URL: names come from specs that others write."""
    for part in (ref.name, ref.namespace):
        if part in {".", ".."} or not set("/%?#").isdisjoint(part):
            return Rejected(f"{part!r} is not the name of a {ref.kind}", reason="Invalid")
    return None


def _status_body(answer: ApiException) -> Mapping[str, Any]:
    try:
        body = json.loads(answer.body or "")
    except ValueError:
        return {}
    return body if isinstance(body, dict) and body.get("kind") == "Status" else {}


def _message(ref: Ref, code: int, status: Mapping[str, Any]) -> str:
    about = f"{_about(ref)}: {status.get('reason') or f'HTTP {code}'}"
    if ref.kind == SECRET:
        fields = [cause["field"] for cause in (status.get("details") or {}).get("causes") or () if cause.get("field")]
        return f"{about} ({', '.join(fields)})" if fields else about
    return f"{about}: {status.get('message', '')}"[:_MESSAGE_LIMIT] if status.get("message") else about


def _about(ref: Ref) -> str:
    if ref.name:
        return str(ref)
    return f"{ref.kind.plural} in {ref.namespace}" if ref.namespace else ref.kind.plural


def _retry_after(answer: ApiException, details: Mapping[str, Any]) -> float | None:
    """Return the server's wish in seconds, from the header or the body."""
    wish = (answer.headers or {}).get("Retry-After") or details.get("retryAfterSeconds")
    try:
        return max(0.0, float(wish)) if wish is not None else None
    except ValueError:
        return None  # an HTTP date: our own pause serves as well

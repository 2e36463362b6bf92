"""The gateway's own errors, in the shape that OpenAI clients understand.

3scale takes at most 255 characters of few kinds: no apostrophe, exclamation mark or line feed. Nothing that a user
wrote gets here.
"""

from __future__ import annotations

import json
from typing import Final

from maas_operator.domain.emitted import Emitted

_JSON: Final = "application/json; charset=utf-8"


class GatewayResponse(Emitted):
    """Status, content type and body for each of the gateway's refusals."""

    error_status_auth_failed: int
    error_headers_auth_failed: str = _JSON
    error_auth_failed: str
    error_status_auth_missing: int
    error_headers_auth_missing: str = _JSON
    error_auth_missing: str
    error_status_no_match: int
    error_headers_no_match: str = _JSON
    error_no_match: str
    error_status_limits_exceeded: int
    error_headers_limits_exceeded: str = _JSON
    error_limits_exceeded: str


def _body(message: str, *, type_: str, code: str) -> str:
    return json.dumps(
        {"error": {"message": message, "type": type_, "param": None, "code": code}}, separators=(",", ":")
    )


GATEWAY_RESPONSE: Final = GatewayResponse(
    error_status_auth_failed=401,
    error_auth_failed=_body(
        "Incorrect API key, or it is not valid for this model", type_="invalid_request_error", code="invalid_api_key"
    ),
    error_status_auth_missing=401,
    error_auth_missing=_body(
        "No API key: send it as Authorization: Bearer KEY", type_="invalid_request_error", code="invalid_api_key"
    ),
    error_status_no_match=404,
    error_no_match=_body("No such method and path", type_="invalid_request_error", code="unknown_url"),
    error_status_limits_exceeded=429,
    error_limits_exceeded=_body(
        "A limit of your plan is reached: see Retry-After", type_="rate_limit_error", code="rate_limit_exceeded"
    ),
)

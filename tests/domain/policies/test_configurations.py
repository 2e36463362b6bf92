"""The configurations of the built-in policies that a platform may add."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from maas_operator.domain.policies.admission import ADMITTED

COMPARED = {"left": "{{ uri }}", "left_type": "liquid", "op": "matches", "right": "/v1/.*"}
CONDITION = {"combine_op": "and", "operations": [COMPARED]}
PEM = {"pem_certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("caching", {"caching_type": "none"}),
    ("headers", {"request": [{"op": "set", "header": "X-Team", "value": "{{ service.id }}", "value_type": "liquid"}]}),
    ("headers", {"response": [{"op": "delete", "header": "Server"}]}),
    ("ip_check", {"check_type": "whitelist", "ips": ["10.0.0.0/8", "192.0.2.1"], "client_ip_sources": ["X-Real-IP"]}),
    ("logging", {"enable_access_logs": False}),
    ("logging", {"enable_json_logs": True, "json_object_config": [{"key": "uri", "value": "{{ uri }}"}]}),
    ("maintenance_mode", {}),
    ("maintenance_mode", {"status": 503, "message": "Back at six", "condition": CONDITION}),
    ("payload_limits", {"request": 1048576, "response": 0}),
    ("rate_limit", {"leaky_bucket_limiters": [{"key": {"name": "all"}, "rate": 5, "burst": 0}]}),
    ("rate_limit", {"fixed_window_limiters": [{"key": {"name": "all"}, "count": 5, "window": 60}]}),
    ("rate_limit", {"connection_limiters": [{"key": {"name": "all"}, "conn": 5, "burst": 1, "delay": 0.5}]}),
    ("rate_limit_headers", {}),
    ("retry", {"retries": 3}),
    ("rewrite_url_captures", {"transformations": [{"match_rule": "/{x}/chat", "template": "/v1/chat/{x}"}]}),
    ("statuscode_overwrite", {"http_statuses": [{"upstream": 500, "apicast": 502}]}),
    ("tls", {"certificates": [{"certificate_path": "/a.pem", "certificate_key_path": "/a.key"}]}),
    ("tls", {"certificates": [{"certificate": "data:application/x-pem;base64,eA==", "certificate_key": "data:,x"}]}),
    ("tls_validation", {"whitelist": [PEM], "revocation_check_type": "ocsp", "cache_ttl": 60}),
    ("url_rewriting", {"commands": [{"op": "sub", "regex": "^/api", "replace": "/v1", "break": True}]}),
    ("url_rewriting", {"query_args_commands": [{"op": "delete", "arg": "user_key", "methods": ["POST"]}]}),
]

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("caching", {}, "missing"),
    ("caching", {"caching_type": "allow"}, "serves all while 3scale is away"),
    ("caching", {"caching_type": "resilient"}, "serves, uncounted, while 3scale is away"),
    ("headers", {"request": [{"op": "set", "header": "authorization", "value": "Bearer k"}]}, "one key for all"),
    ("headers", {"request": [{"op": "push", "header": "Authorization", "value": "Bearer k"}]}, "one key for all"),
    ("headers", {"request": [{"op": "set", "header": "Host", "value": "evil"}]}, "elsewhere"),
    ("headers", {"request": [{"op": "set", "header": "Content_Length", "value": "1"}]}, "smuggling"),
    ("headers", {"response": [{"op": "set", "header": "CONTENT-TYPE", "value": "text/html"}]}, "hides usage"),
    ("headers", {"response": [{"op": "set", "header": "Content-Encoding", "value": "gzip"}]}, "hides usage"),
    ("headers", {"request": [{"op": "set", "header": "X-A"}]}, "no value"),
    ("headers", {"request": [{"op": "set", "header": "X-A\r\nX-B", "value": "1"}]}, "two headers"),
    ("ip_check", {"check_type": "blacklist", "ips": ["2001:db8::/32"]}, "APIcast leaves it out"),
    ("ip_check", {"check_type": "blacklist", "ips": ["10.0.0.0/33"]}, "APIcast leaves it out"),
    ("ip_check", {"check_type": "blacklist", "ips": []}, "blocks nobody"),
    ("ip_check", {"check_type": "greylist", "ips": ["10.0.0.1"]}, "unknown"),
    ("logging", {"enable_access_logs": "false"}, "text that is true"),
    ("maintenance_mode", {"message_content_type": "text/html\r\nX: y"}, "two headers"),
    ("payload_limits", {"request": 1, "response": 1000}, "the model works for nothing"),
    ("rate_limit", {"leaky_bucket_limiters": [{"rate": 5, "burst": 0}]}, "no key: APIcast trips"),
    ("rate_limit", {"limits_exceeded_error": {"error_handling": "log"}}, "acts on other products"),
    ("rate_limit", {"redis_url": None}, "null"),
    ("retry", {"retries": 0}, "too few"),
    ("retry", {"retries": "3"}, "text"),
    ("retry", {"retries": 3, "retry": True}, "unknown field"),
    ("statuscode_overwrite", {"http_statuses": [{"upstream": 200, "apicast": 404}]}, "not metered"),
    ("tls", {"certificates": [{"certificate_path": "/a.pem"}]}, "no key"),
    ("tls_validation", {"whitelist": []}, "nobody"),
]


@pytest.mark.parametrize(("name", "configuration"), GOOD)
def test_a_configuration_that_the_gateways_take_is_taken(name: str, configuration: dict[str, Any]) -> None:
    ADMITTED[name].model.model_validate(configuration)


@pytest.mark.parametrize(("name", "configuration", "why"), BAD)
def test_a_configuration_that_would_do_harm_is_refused(name: str, configuration: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError):
        ADMITTED[name].model.model_validate(configuration)


def test_each_policy_that_may_be_added_is_tried() -> None:
    assert {name for name, _ in GOOD} == ADMITTED.keys()

"""What the Admin API's answers mean: JSON in, values of the domain out; for anything else an error of `engine.errors`.

Answers hold keys of applications: nothing of them but 3scale's own error words gets into a text.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from maas_operator.domain.gateway.remote import (
    RemoteApplication,
    RemoteBackend,
    RemoteConfiguration,
    RemoteDocument,
    RemoteMetric,
    RemotePlan,
    RemoteProduct,
    RemoteRule,
)
from maas_operator.domain.people.remote import RemoteAccess
from maas_operator.engine.errors import (
    RemoteNotFound,
    RemoteRefused,
    RemoteUnavailable,
    ThreescaleError,
    TokenRefused,
)

_WORDS_LIMIT: Final = 300
_PORTS: Final = {"https": 443, "http": 80}
_KINDS: Final = {401: TokenRefused, 403: TokenRefused, 404: RemoteNotFound}

Json = dict[str, Any]


def error_of(path: str, answer: httpx.Response) -> ThreescaleError:
    """Translate an answer that is not 2xx."""
    code = answer.status_code
    type_ = RemoteUnavailable if code >= 500 or code == 429 else _KINDS.get(code, RemoteRefused)
    words = _words(answer)
    return type_(f"3scale answers {code} to {path}{f': {words}' if words else ''}")


def not_an_admin_api(path: str) -> RemoteRefused:
    """Say that an answer is none that 3scale would give: the URL leads to somebody else."""
    return RemoteRefused(f"what answers to {path} is no Admin API of 3scale")


def _words(answer: httpx.Response) -> str:
    """Return porta's own words, which it gives as `error`, `errors` or `status`."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    return "; ".join(_texts(body))[:_WORDS_LIMIT]


def _texts(body: Json) -> Iterable[str]:
    errors = body.get("errors")
    if isinstance(errors, dict):
        for field, texts in errors.items():
            yield from (f"{field} {text}" for text in texts)
    elif isinstance(said := body.get("error") or body.get("status"), str):
        yield said


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The answers to the calls that tell all of a product; lists are unwrapped, `limits` are by the plan's id.

    `staging`, `production`: None where nothing was deployed.
    """

    service: Json
    proxy: Json
    usages: list[Json]
    policies: Json
    metrics: list[Json]
    rules: list[Json]
    plans: list[Json]
    limits: Mapping[int, list[Json]]
    staging: Json | None
    production: Json | None


def product(parts: Parts) -> RemoteProduct:
    """Put a product together."""
    service = parts.service["service"]
    names = {metric["id"]: metric["system_name"] for metric in parts.metrics}
    plans = [plan(entry) for entry in parts.plans]
    return RemoteProduct(
        name=service["name"],
        description=service.get("description") or "",
        settings=_settings(service, parts.proxy["proxy"]),
        usages={usage["backend_id"]: usage["path"] for usage in (each["backend_usage"] for each in parts.usages)},
        metrics={metric["system_name"]: _metric(metric) for metric in parts.metrics},
        rules=_rules(parts.rules, names),
        policies=tuple(_policy(policy) for policy in parts.policies["policies_config"]),
        plans={each.system_name: each for each in plans},
        limits={each.system_name: _limits(parts.limits[each.id], names) for each in plans},
        staging=_configuration(parts.staging, names) if parts.staging else None,
        production=_configuration(parts.production, names) if parts.production else None,
    )


def _configuration(entry: Json, names: Mapping[int, str]) -> RemoteConfiguration:
    config = entry["proxy_config"]
    content, proxy = config["content"], config["content"]["proxy"]
    # The rules of backends are in the same list.
    rules = [rule for rule in proxy["proxy_rules"] if rule.get("owner_type") != "BackendApi"]
    chain = [{key: policy[key] for key in ("name", "version", "configuration")} for policy in proxy["policy_chain"]]
    return RemoteConfiguration(
        version=config["version"],
        target=proxy.get("api_backend") or "",
        settings=_settings(content, proxy),
        rules=_rules(rules, names),
        policies=tuple(chain),
    )


def _metric(entry: Json) -> RemoteMetric:
    return RemoteMetric(
        friendly_name=entry["friendly_name"],
        unit=entry.get("unit") or "",
        description=entry.get("description") or "",
        is_method=entry.get("parent_id") is not None,
    )


def _settings(service: Json, proxy: Json) -> dict[str, str]:
    known = {key: value for key, value in proxy.items() if key.startswith("error_") or key == "credentials_location"}
    known |= {key: service[key] for key in ("backend_version", "deployment_option") if key in service}
    return {key: str(value) for key, value in known.items() if value is not None}


def _rules(entries: Iterable[Json], names: Mapping[int, str]) -> tuple[RemoteRule, ...]:
    return tuple(_rule(rule, names) for rule in sorted(entries, key=lambda rule: rule.get("position") or 0))


def _rule(rule: Json, names: Mapping[int, str]) -> RemoteRule:
    metric = names.get(rule["metric_id"], str(rule["metric_id"]))
    return RemoteRule(rule["http_method"], rule["pattern"], metric, rule["delta"], bool(rule.get("last")))


def _policy(policy: Json) -> Json:
    chain = {key: policy[key] for key in ("name", "version", "enabled")}
    return chain | {"configuration": policy.get("configuration") or {}}


def _limits(entries: Iterable[Json], names: Mapping[int, str]) -> dict[tuple[str, str], int]:
    return {
        (names.get(entry["metric_id"], str(entry["metric_id"])), entry["period"]): entry["value"] for entry in entries
    }


def plan(entry: Json) -> RemotePlan:
    """Read an application plan."""
    return RemotePlan(
        id=entry["id"],
        system_name=entry["system_name"],
        name=entry["name"],
        published=entry["state"] == "published",
        custom=bool(entry.get("custom")),
        trial_days=entry.get("trial_period_days") or 0,
        setup_fee=_money(entry.get("setup_fee")),
        month_fee=_money(entry.get("cost_per_month")),
        approval_required=entry.get("approval_required"),
    )


def _money(value: Any) -> Decimal:
    return Decimal(str(value or 0))


def endpoint(url: str) -> str:
    """Read a public base URL: porta writes each with its port, which clients leave out where it is the usual one."""
    parts = urlsplit(url)
    usual = _PORTS[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    if not parts.hostname:
        raise ValueError("a URL without a host")
    return f"{parts.scheme}://{parts.hostname}{port}"


def backend(entry: Json) -> RemoteBackend:
    """Read a backend."""
    return RemoteBackend(
        name=entry["name"], description=entry.get("description") or "", endpoint=entry["private_endpoint"]
    )


def document(entry: Json) -> RemoteDocument:
    """Read a document of the developer portal."""
    return RemoteDocument(
        id=entry["id"],
        system_name=entry["system_name"],
        name=entry["name"],
        description=entry.get("description") or "",
        body=entry["body"],
        published=bool(entry["published"]),
        product_id=entry.get("service_id"),
    )


def application(entry: Json) -> RemoteApplication:
    """Read an application, without its key."""
    return RemoteApplication(
        id=entry["id"], account_id=entry["account_id"], plan_id=entry["plan_id"], state=entry["state"]
    )


def access(entry: Json, key: SecretStr) -> RemoteAccess:
    """Read an application as its subscription sees it. A product whose keys were switched off shows none to compare."""
    told = entry.get("user_key")
    same = told is None or hmac.compare_digest(str(told).encode(), key.get_secret_value().encode())
    return RemoteAccess(plan_id=entry["plan_id"], state=entry["state"], has_key=same)

"""3scale's Admin API: what porta answers to the calls of our own operator, and 404 to all others."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import NotFound

from ..client import Client
from ..faults import Faults, PortaFault
from ..zync import product_host
from .catalogue import Metric, Plan, Product, ProxyConfig
from .context import DEFAULT_SECRET
from .documents import Document
from .errors import PortaError, Unreachable, invalid, not_found
from .people import Application
from .porta import Porta, Tenant

_MOST: Final = 500
_DOCUMENT: Final = r"/active_docs/(?P<document>\d+)"
_PRODUCT: Final = r"/services/(?P<product>\d+)"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as HTTP brings it; header names in lower case."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body; None for none at all."""

    code: int
    body: Any

    @property
    def text(self) -> str:
        """Return the body as it is sent."""
        return "" if self.body is None else json.dumps(self.body)


class AdminApi:
    """Answers requests from a model of 3scale; Unreachable where the real one would not answer at all.

    Its faults are those that the 3scale-operator meets, by annotation of the provider account in `namespace`, too.
    """

    def __init__(self, porta: Porta, faults: Faults, client: Client, namespace: str) -> None:
        self._porta = porta
        self._faults = faults
        self._client = client
        self._account = Ref(SECRET, namespace, DEFAULT_SECRET)
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
            ("GET", re.compile(f"/admin/api{path}.json"), answer) for path, answer in _GETS.items()
        ]
        accept = r"/admin/api/accounts/(?P<account>\d+)/applications/(?P<application>\d+)/accept.json"
        self._routes.append(("PUT", re.compile(accept), _accept))
        self._routes.append(("DELETE", re.compile(f"/admin/api{_DOCUMENT}.json"), _delete_document))

    async def answer(self, request: Request) -> Answer:
        """Answer a request."""
        try:
            tenant = self._tenant(request, await self._fault())
            return Answer(200, self._find(request)(tenant, request.query))
        except PortaError as error:
            return Answer(error.code, dict(error.body))

    async def _fault(self) -> PortaFault | None:
        try:
            return self._faults.of_porta(await self._client.get(self._account))
        except NotFound:
            return self._faults.porta

    def _tenant(self, request: Request, fault: PortaFault | None) -> Tenant:
        tenant = next((one for one in self._porta if _host(one) == request.host), None)
        if tenant is None or fault is PortaFault.DOWN:
            raise Unreachable(f"{request.host} does not answer")
        if fault is PortaFault.FORBIDDEN or tenant.token not in _credentials(request):
            raise PortaError(403, {"error": "Access denied"})
        return tenant

    def _find(self, request: Request) -> Callable[[Tenant, Mapping[str, str]], Any]:
        for method, pattern, answer in self._routes:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                ids = [int(number) for number in found.groups()]
                return lambda tenant, query: answer(tenant, query, *ids)
        raise not_found()


def _host(tenant: Tenant) -> str:
    return urlsplit(tenant.admin_url).netloc


def _credentials(request: Request) -> Sequence[str]:
    """Return where porta looks for a token: user and password of Basic, and the parameter. Never a Bearer."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        basic = base64.b64decode(value, validate=True).decode().split(":", 1) if scheme == "Basic" else []
    except (binascii.Error, UnicodeDecodeError):
        basic = []
    return [*basic, request.query.get("access_token", "")]


def _page(many: str, one: str, entries: Iterable[Json], query: Mapping[str, str]) -> Json:
    """Return a page; numbers that porta does not take are its defaults."""
    number, size = _number(query, "page", 1), _number(query, "per_page", _MOST)
    size = size if size <= _MOST else _MOST
    chosen = list(entries)[(number - 1) * size : number * size]
    return {many: [{one: entry} for entry in chosen]}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, "")
    return int(value) if value.isdecimal() and int(value) > 0 else default


def _services(tenant: Tenant, query: Mapping[str, str]) -> Json:
    return _page("services", "service", map(_service, tenant.catalogue.products.values()), query)


def _one_service(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    return {"service": _service(tenant.catalogue.product(number))}


def _service(product: Product) -> Json:
    versions = {"userkey": "1", "appKeyAppID": "2", "oidc": "oidc"}
    return {
        "id": product.id,
        "name": product.name,
        "state": "incomplete",
        "system_name": product.system_name,
        "backend_version": versions[product.proxy.get("authentication", "userkey")],
        "deployment_option": product.proxy.get("deployment_option", "hosted"),
        "description": product.description,
    }


def _proxy(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    product = tenant.catalogue.product(number)
    told = {name: value for name, value in product.proxy.items() if name not in ("authentication", "deployment_option")}
    # Whatever the tenant's domain is, porta writes the port.
    ends = {"endpoint": "production", "sandbox_endpoint": "staging"}
    urls = {name: f"https://{product_host(product, tenant, where)}:443" for name, where in ends.items()}
    return {"proxy": {"service_id": product.id, "lock_version": 1, **urls, **told}}


def _usages(tenant: Tenant, query: Mapping[str, str], number: int) -> list[Json]:
    product = tenant.catalogue.product(number)
    return [
        {"backend_usage": {"id": backend, "path": path, "service_id": product.id, "backend_id": backend}}
        for backend, path in product.usages.items()
    ]


def _policies(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    return {"policies_config": tenant.catalogue.product(number).policies}


def _staging(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    product = tenant.catalogue.product(number)
    return _config(product, product.staging, "sandbox")


def _production(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    product = tenant.catalogue.product(number)
    return _config(product, product.production, "production")


def _config(product: Product, configs: Sequence[ProxyConfig], environment: str) -> Json:
    """Return the newest configuration as porta composes it: of the enabled policies, and with the rules of backends."""
    if not configs:
        raise not_found()
    version, content = configs[-1].version, configs[-1].content
    told = {key: content["proxy"].get(key) for key in ("authentication", "deployment_option")}
    versions = {"userkey": "1", "appKeyAppID": "2", "oidc": "oidc"}
    rules = [_deployed_rule(rule, "Proxy") for rule in content["rules"]]
    of_backends = [_deployed_rule(rule, "BackendApi") for each in content["backends"] for rule in each["rules"]]
    chain = [
        {key: policy[key] for key in ("name", "version", "configuration")}
        for policy in content["policies"]
        if policy["enabled"]
    ]
    proxy = {key: value for key, value in content["proxy"].items() if key not in told}
    target = {"api_backend": next((each["endpoint"] for each in content["backends"]), None)}
    composed = {
        "id": product.id,
        "system_name": product.system_name,
        "backend_version": versions[told["authentication"] or "userkey"],
        "deployment_option": told["deployment_option"] or "hosted",
        "proxy": {**proxy, **target, "proxy_rules": [*rules, *of_backends], "policy_chain": chain},
    }
    return {"proxy_config": {"id": version, "version": version, "environment": environment, "content": composed}}


def _deployed_rule(rule: Json, owner_type: str) -> Json:
    told = {key: rule[key] for key in ("metric_id", "pattern", "http_method", "last", "position")}
    return {**told, "delta": rule["increment"], "owner_type": owner_type}


def _metrics(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    metrics = tenant.catalogue.product(number).metrics
    return _page("metrics", "metric", (_metric(one, metrics) for one in metrics.values()), query)


def _metric(metric: Metric, others: Mapping[str, Metric]) -> Json:
    parent = {"parent_id": others[metric.parent].id} if metric.parent else {}
    names = {"name": metric.system_name, "system_name": metric.system_name, "friendly_name": metric.friendly_name}
    return {"id": metric.id, **names, "description": metric.description, "unit": metric.unit, **parent}


def _rules(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    product = tenant.catalogue.product(number)
    entries = [
        {
            "id": position, "metric_id": product.metrics[rule.metric].id, "pattern": rule.pattern,
            "http_method": rule.http_method, "delta": rule.increment, "position": position, "last": rule.last,
        }
        for position, rule in enumerate(product.rules, 1)
    ]  # fmt: skip
    return _page("mapping_rules", "mapping_rule", entries, query)


def _plans(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    # Porta does not page this list.
    return _page("plans", "application_plan", map(_plan, tenant.catalogue.product(number).plans.values()), {})


def _plan(plan: Plan) -> Json:
    return {
        "id": plan.id, "name": plan.name, "system_name": plan.system_name, "custom": False, "default": False,
        "state": "published" if plan.published else "hidden", "approval_required": plan.approval_required,
        "trial_period_days": plan.trial_days, "cancellation_period": 0,
        "setup_fee": float(plan.setup_fee), "cost_per_month": float(plan.month_fee),
    }  # fmt: skip


def _limits(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    for product in tenant.catalogue.products.values():
        plan = next((one for one in product.plans.values() if one.id == number), None)
        if plan is not None:
            entries = [
                {"id": position, "plan_id": plan.id, "metric_id": _metric_id(tenant, product, metric, backend),
                 "period": period, "value": value}
                for position, ((metric, backend, period), value) in enumerate(plan.limits.items(), 1)
            ]  # fmt: skip
            return _page("limits", "limit", entries, query)
    raise not_found()


def _metric_id(tenant: Tenant, product: Product, metric: str, backend: int) -> int:
    owner = tenant.catalogue.backends[backend] if backend else product
    return owner.metrics[metric].id


def _backends(tenant: Tenant, query: Mapping[str, str]) -> Json:
    entries = [_backend(tenant, number) for number in sorted(tenant.catalogue.backends)]
    return _page("backend_apis", "backend_api", entries, query)


def _one_backend(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    return {"backend_api": _backend(tenant, number)}


def _backend(tenant: Tenant, number: int) -> Json:
    backend = tenant.catalogue.backends.get(number)
    if backend is None:
        raise not_found()
    return {
        "id": backend.id,
        "name": backend.name,
        "system_name": backend.system_name,
        "description": backend.description,
        "private_endpoint": backend.endpoint,
    }


def _applications(tenant: Tenant, query: Mapping[str, str]) -> Json:
    wanted = query.get("service_id")
    found = tenant.people.applications.values()
    entries = [_application(one) for one in found if wanted in (None, str(one.product_id))]
    return _page("applications", "application", entries, query)


def _one_application(tenant: Tenant, query: Mapping[str, str], account: int, number: int) -> Json:
    return {"application": _application(_bought(tenant, account, number))}


def _one_user(tenant: Tenant, query: Mapping[str, str], account: int, number: int) -> Json:
    found = tenant.people.account(account)
    if found is None or number not in found.users:
        raise not_found()
    user = found.users[number]
    return {"user": {"id": user.id, "state": user.state, "role": user.role, "username": user.username,
                     "email": user.email}}  # fmt: skip


def _accept(tenant: Tenant, query: Mapping[str, str], account: int, number: int) -> Json:
    application = _bought(tenant, account, number)
    if application.state != "pending":
        raise invalid(state='cannot transition via "accept"')
    application.state = "live"
    return {"application": _application(application)}


def _bought(tenant: Tenant, account: int, number: int) -> Application:
    application = tenant.people.applications.get(number)
    if application is None or application.account_id != account:
        raise not_found()
    return application


def _application(application: Application) -> Json:
    return {
        "id": application.id,
        "state": application.state,
        "enabled": True,
        "service_id": application.product_id,
        "plan_id": application.plan.id,
        "account_id": application.account_id,
        "user_key": application.user_key,
        "name": application.name,
        "description": application.description,
    }


def _documents(tenant: Tenant, query: Mapping[str, str]) -> Json:
    # Porta does not page this list.
    return {"api_docs": [{"api_doc": _document(one)} for one in tenant.documents]}


def _one_document(tenant: Tenant, query: Mapping[str, str], number: int) -> Json:
    return {"api_doc": _document(tenant.documents.find(number))}


def _delete_document(tenant: Tenant, query: Mapping[str, str], number: int) -> None:
    tenant.documents.delete(number)


def _document(document: Document) -> Json:
    bound = {} if document.product_id is None else {"service_id": document.product_id}
    return {
        "id": document.id, "system_name": document.system_name, "name": document.name,
        "description": document.description, "published": document.published,
        "skip_swagger_validations": document.skip_validations, "body": document.body, **bound,
    }  # fmt: skip


_GETS: Final[dict[str, Callable[..., Any]]] = {
    "/services": _services,
    _PRODUCT: _one_service,
    f"{_PRODUCT}/proxy": _proxy,
    f"{_PRODUCT}/proxy/mapping_rules": _rules,
    f"{_PRODUCT}/proxy/policies": _policies,
    f"{_PRODUCT}/proxy/configs/sandbox/latest": _staging,
    f"{_PRODUCT}/proxy/configs/production/latest": _production,
    f"{_PRODUCT}/backend_usages": _usages,
    f"{_PRODUCT}/metrics": _metrics,
    f"{_PRODUCT}/application_plans": _plans,
    r"/application_plans/(?P<plan>\d+)/limits": _limits,
    "/backend_apis": _backends,
    r"/backend_apis/(?P<backend>\d+)": _one_backend,
    "/active_docs": _documents,
    _DOCUMENT: _one_document,
    "/applications": _applications,
    r"/accounts/(?P<account>\d+)/applications/(?P<application>\d+)": _one_application,
    r"/accounts/(?P<account>\d+)/users/(?P<user>\d+)": _one_user,
}

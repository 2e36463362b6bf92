"""What one tenant of 3scale publishes: products, backends, metrics, rules, plans. Refuses what porta refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from ..conditions import Clock, timestamp
from ..faults import Delays
from .errors import TAKEN, PortaError, invalid, not_found

_T = TypeVar("_T")
_SYSTEM_NAME: Final = re.compile(r"\w[\w\-/_]+", re.ASCII)
_LONGEST: Final = 255
_LONGEST_CHAIN: Final = 2 * 1024 * 1024
_HOST_LABEL: Final = 63
_PATTERN: Final = re.compile(r"/[\w.\-~%!&'()*+,;=:@/{}]*\$?", re.ASCII)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_RESPONSE_TEXT: Final = re.compile(r"""[{}\[\],.;@#~%&()?\w"= /\\:+-]*""", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[\w-]+", re.ASCII)
_PERIODS: Final = frozenset({"eternity", "year", "month", "week", "day", "hour", "minute"})
_PRICE: Final = re.compile(r"\d+(\.\d{2})?")


@dataclass
class Metric:
    """A metric, or with `parent` a method, of a product or backend."""

    id: int
    system_name: str
    friendly_name: str
    unit: str = "hit"
    description: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Rule:
    """A mapping rule: a request that matches counts on a metric or method."""

    http_method: str
    pattern: str
    metric: str
    increment: int
    last: bool = False


@dataclass
class Api:
    """What products and backends share."""

    id: int
    system_name: str
    name: str
    description: str = ""
    metrics: dict[str, Metric] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


@dataclass
class Backend(Api):
    """An upstream service."""

    endpoint: str = ""


@dataclass
class Plan:
    """An application plan. `limits` by (metric, backend id or 0, period); `prices` as the API tells them."""

    id: int
    system_name: str
    name: str
    approval_required: bool = False
    trial_days: int = 0
    setup_fee: str = "0.00"
    month_fee: str = "0.00"
    published: bool = False
    limits: dict[tuple[str, int, str], int] = field(default_factory=dict)
    prices: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class ProxyConfig:
    """One deployed configuration of the gateways; `used` are the ids of the metrics that its rules count on."""

    version: int
    text: str
    used: frozenset[int]

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the gateways load."""
        return dict(json.loads(self.text))


@dataclass
class Product(Api):
    """A product with its proxy, plans and deployed configurations (oldest first)."""

    usages: dict[int, str] = field(default_factory=dict)
    proxy: dict[str, Any] = field(default_factory=dict)
    policies: list[dict[str, Any]] = field(default_factory=list)
    plans: dict[str, Plan] = field(default_factory=dict)
    staging: list[ProxyConfig] = field(default_factory=list)
    production: list[ProxyConfig] = field(default_factory=list)
    updated_at: str = ""


_APICAST: Final[dict[str, Any]] = {"name": "apicast", "version": "builtin", "configuration": {}, "enabled": True}


class Catalogue:
    """The part of a tenant's Admin API that deals with products and backends."""

    def __init__(self, clock: Clock, ids: Iterator[int], delays: Delays) -> None:
        self.products: dict[int, Product] = {}
        self.backends: dict[int, Backend] = {}
        self.contracts: dict[int, int] = {}
        """How many applications a plan has, by its id; kept by `People`."""
        self._clock = clock
        self._ids = ids
        self._delays = delays
        self._purged_at: dict[str, datetime] = {}
        # Every tenant is born with a product of its own, which can never be deleted.
        self._default = self.create_product(name="API", system_name="api")

    # Products and backends

    def product(self, product_id: int) -> Product:
        """Return a product; 404 if there is none."""
        return _found(self.products, product_id)

    def find_product(self, system_name: str) -> Product | None:
        """Return the product of this system name."""
        return next((p for p in self.products.values() if p.system_name == system_name), None)

    def find_backend(self, system_name: str) -> Backend | None:
        """Return the backend of this system name."""
        return next((b for b in self.backends.values() if b.system_name == system_name), None)

    def create_product(self, *, name: str, system_name: str) -> Product:
        """Create a product with the metric `hits`; 422 if its system name is refused, or not yet purged."""
        check_system_name(system_name)
        if self.find_product(system_name) or self._purged_at.get(system_name, self._clock()) > self._clock():
            raise invalid(system_name=TAKEN)
        product = Product(next(self._ids), system_name, name, policies=[dict(_APICAST)])
        self.products[product.id] = product
        self.put_metric(product, "hits", friendly_name="Hits", unit="hit", description="Number of API hits")
        self._touch(product)
        return product

    def delete_product(self, product_id: int) -> None:
        """Mark a product deleted: it is gone at once, its name is free when it is purged."""
        product = self.product(product_id)
        if product is self._default or len(self.products) == 1:
            raise PortaError(403, {"status": "Forbidden", "errors": {"base": ["This product cannot be removed"]}})
        self._purged_at[product.system_name] = self._clock() + timedelta(seconds=self._delays.purge)
        del self.products[product_id]

    def create_backend(self, *, name: str, system_name: str, endpoint: str) -> Backend:
        """Create a backend with the metric `hits`; 422 if its system name or URL is refused."""
        check_system_name(system_name)
        check_endpoint(endpoint)
        if self.find_backend(system_name):
            raise invalid(system_name=TAKEN)
        backend = Backend(next(self._ids), system_name, name, endpoint=_with_port(endpoint))
        self.backends[backend.id] = backend
        self.put_metric(backend, "hits", friendly_name="Hits", unit="hit", description="Number of API hits")
        return backend

    def update_backend(self, backend: Backend, *, name: str, description: str, endpoint: str) -> None:
        """Change a backend; 422 if its URL is refused. Gateways notice at the next deployment."""
        check_endpoint(endpoint)
        backend.name, backend.description, backend.endpoint = name, description, _with_port(endpoint)

    def delete_backend(self, backend_id: int) -> None:
        """Delete a backend; refused while a product uses it."""
        _found(self.backends, backend_id)
        if any(backend_id in product.usages for product in self.products.values()):
            message = "cannot be deleted because it is used by at least one Product"
            raise PortaError(403, {"errors": {"base": [message]}})
        del self.backends[backend_id]

    def set_usages(self, product: Product, usages: Mapping[int, str]) -> None:
        """Replace the backends of a product; limits of those that go, go too (their prices stay)."""
        for path in usages.values():
            if not 1 <= len(path) <= _LONGEST or not path.startswith("/"):
                raise invalid(path="is invalid")
        if len(set(map(_normal_path, usages.values()))) < len(usages):
            raise invalid(path=TAKEN)
        for backend_id in product.usages.keys() - usages.keys():
            for plan in product.plans.values():
                plan.limits = {key: value for key, value in plan.limits.items() if key[1] != backend_id}
        product.usages = {backend_id: _normal_path(path) for backend_id, path in usages.items()}
        self._touch(product)

    # Metrics, methods and rules

    def put_metric(
        self,
        api: Api,
        system_name: str,
        *,
        friendly_name: str,
        unit: str = "hit",
        description: str = "",
        parent: str = "",
    ) -> None:
        """Create or update a metric, or with `parent` a method."""
        check_system_name(system_name)
        others = [m.friendly_name.lower() for m in api.metrics.values() if m.system_name != system_name]
        if friendly_name.lower() in others:
            raise invalid(friendly_name=TAKEN)
        if not 1 <= len(friendly_name) <= _LONGEST:
            raise invalid(friendly_name="is too long (maximum is 255 characters)")
        known = api.metrics.get(system_name)
        metric_id = known.id if known else next(self._ids)
        api.metrics[system_name] = Metric(metric_id, system_name, friendly_name, unit, description, parent)

    def delete_metric(self, api: Api, system_name: str) -> None:
        """Delete a metric or method with its rules, limits and prices; refused while a deployed rule counts on it."""
        metric = api.metrics[system_name]
        if any(metric.id in config.used for config in self._newest_configs()):
            what = "Method" if metric.parent else "Metric"
            message = f"{what} is used by the latest gateway configuration and cannot be deleted"
            raise PortaError(403, {"errors": {"base": [message]}})
        del api.metrics[system_name]
        api.rules = [rule for rule in api.rules if rule.metric != system_name]
        scope = 0 if isinstance(api, Product) else api.id
        for product in self.products.values():
            for plan in product.plans.values() if scope or product is api else ():
                plan.limits = {key: value for key, value in plan.limits.items() if key[:2] != (system_name, scope)}

    def _newest_configs(self) -> Iterator[ProxyConfig]:
        for product in self.products.values():
            yield from product.staging[-1:]
            yield from product.production[-1:]

    def set_rules(self, api: Api, rules: Sequence[Rule]) -> None:
        """Replace the mapping rules."""
        for rule in rules:
            _check_rule(rule)
        if api.rules != list(rules):
            api.rules = list(rules)
            if isinstance(api, Product):
                self._touch(api)

    # Plans

    def put_plan(self, product: Product, system_name: str, **attributes: Any) -> Plan:
        """Create or update a plan."""
        check_system_name(system_name)
        for fee in ("setup_fee", "month_fee"):
            if not _PRICE.fullmatch(attributes.get(fee, "0.00")):
                raise invalid(**{fee: "is not a number"})
        plan = product.plans.get(system_name) or Plan(next(self._ids), system_name, system_name)
        for name, value in attributes.items():
            setattr(plan, name, value)
        product.plans[system_name] = plan
        return plan

    def delete_plan(self, product: Product, system_name: str) -> None:
        """Delete a plan; refused while an application uses it."""
        if self.contracts.get(product.plans[system_name].id):
            message = "This application plan cannot be deleted because it is used by at least one application"
            raise PortaError(403, {"errors": {"base": [message]}})
        del product.plans[system_name]

    def set_limits(self, plan: Plan, limits: Mapping[tuple[str, int, str], int]) -> None:
        """Replace the limits of a plan: they act at once."""
        for (_, _, period), value in limits.items():
            if period not in _PERIODS:
                raise invalid(period="is not included in the list")
            if value < 0:
                raise invalid(value="must be greater than or equal to 0")
        plan.limits = dict(limits)

    def set_prices(self, plan: Plan, prices: Sequence[Mapping[str, Any]]) -> None:
        """Replace the pricing rules of a plan."""
        for price in prices:
            if not _PRICE.fullmatch(str(price["pricePerUnit"])):
                raise invalid(cost_per_unit="is not a number")
        plan.prices = list(prices)

    # Proxy: what the gateways load

    def update_proxy(self, product: Product, settings: Mapping[str, Any]) -> None:
        """Change settings of the proxy; porta deploys the result to staging by itself."""
        for name, value in settings.items():
            _check_proxy_setting(name, value)
        product.proxy |= settings
        self._touch(product)
        self.deploy(product)

    def set_policies(self, product: Product, chain: Sequence[dict[str, Any]]) -> None:
        """Replace the policy chain; porta deploys the result to staging by itself. 422 if a link lacks something."""
        if not all(link.get("name") and link.get("version") for link in chain):
            raise invalid(policies_config="contains an invalid policy")
        if len(json.dumps(chain)) > _LONGEST_CHAIN:
            raise invalid(policies_config="is too long")
        product.policies = list(chain)
        self._touch(product)
        self.deploy(product)

    def deploy(self, product: Product) -> None:
        """Deploy to staging. Without a backend nothing happens, and porta does not say so; nor for an equal text."""
        if not product.usages:
            return
        text, used = self._config(product)
        if not product.staging or product.staging[-1].text != text:
            product.staging.append(ProxyConfig(len(product.staging) + 1, text, used))

    def promote(self, product: Product, version: int) -> None:
        """Copy a staging version to production; refused if production has it already. The highest one is in use."""
        config = next((c for c in product.staging if c.version == version), None)
        if config is None:
            raise not_found()
        if config in product.production:
            raise invalid(version=TAKEN)
        product.production.append(config)
        product.production.sort(key=lambda one: one.version)

    def _config(self, product: Product) -> tuple[str, frozenset[int]]:
        backends = [(self.backends[backend_id], path) for backend_id, path in product.usages.items()]
        content = {
            "system_name": product.system_name,
            "updated_at": product.updated_at,
            "proxy": product.proxy,
            "rules": _deployed(product),
            "policies": product.policies,
            "backends": [{"endpoint": b.endpoint, "path": path, "rules": _deployed(b)} for b, path in backends],
        }
        used = {api.metrics[rule.metric].id for api in (product, *(b for b, _ in backends)) for rule in api.rules}
        return json.dumps(content, sort_keys=True), frozenset(used)

    def _touch(self, product: Product) -> None:
        # One second is the resolution of porta's times: two changes within it may look like one.
        product.updated_at = timestamp(self._clock())


def _deployed(api: Api) -> list[dict[str, Any]]:
    """Return rules as they are deployed: with their places, and the ids of what they count on."""
    return [
        {**vars(rule), "metric_id": api.metrics[rule.metric].id, "position": position}
        for position, rule in enumerate(api.rules, 1)
    ]


def check_system_name(name: str) -> None:
    """Raise porta's 422 for a system name that it does not accept; the custom resources' schemas do not check it."""
    if not _SYSTEM_NAME.fullmatch(name):
        message = "invalid. Only ASCII letters, numbers, dashes, underscores and forward slashes are allowed"
        raise invalid(system_name=message)
    if len(name) > _LONGEST:
        raise invalid(system_name="is too long (maximum is 255 characters)")


def check_endpoint(url: str) -> None:
    """Raise porta's 422 for a private base URL that it does not accept."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https", "ws", "wss"} or not host or len(url) > _LONGEST:
        raise invalid(private_endpoint="is invalid")
    if host == "localhost" or host.startswith("127."):
        raise invalid(private_endpoint="can't be localhost")
    if parts.username or parts.query or parts.fragment or any(len(p) > _HOST_LABEL for p in host.split(".")):
        raise invalid(private_endpoint="is invalid")


def _with_port(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443, "ws": 80, "wss": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}:{port}{parts.path}"


def _normal_path(path: str) -> str:
    return "/" + path.strip("/")


def _check_rule(rule: Rule) -> None:
    if rule.http_method not in _METHODS:
        raise invalid(http_method="is not included in the list")
    if not _PATTERN.fullmatch(rule.pattern) or len(rule.pattern) > _LONGEST:
        raise invalid(pattern="is invalid")
    if rule.increment < 1:
        raise invalid(delta="must be greater than 0")


def _check_proxy_setting(name: str, value: Any) -> None:
    if name.startswith("error_status_"):
        if not 200 <= int(value) <= 599:
            raise invalid(**{name: "is not included in the list"})
    elif name.startswith("error_"):
        if len(value) > _LONGEST or not _RESPONSE_TEXT.fullmatch(value):
            raise invalid(**{name: "is invalid"})
    elif name in {"auth_user_key", "secret_token"} and not _HEADER_NAME.fullmatch(value):
        raise invalid(**{name: "is invalid"})


def _found(objects: Mapping[int, _T], object_id: int) -> _T:
    if object_id not in objects:
        raise not_found()
    return objects[object_id]


def numbers() -> Iterator[int]:
    """Yield ids, as a tenant's database gives them."""
    return count(101)

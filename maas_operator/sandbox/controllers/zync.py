"""zync and the router: Routes for a tenant's portals, and for each product that has a production configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from maas_operator.domain.kinds import NAMESPACE, PRODUCT, PROXY_CONFIG_PROMOTE, ROUTE, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.applier import says
from maas_operator.engine.errors import KindNotServed

from .client import Change, Client
from .conditions import Clock, condition, merged_conditions, system_clock, write_status
from .faults import Delays
from .runner import Trigger
from .threescale.catalogue import Product
from .threescale.porta import Porta, Tenant

CREATED_BY: Final = "3scale.net/created-by"
TENANT: Final = "3scale.net/tenant_id"
SERVICE: Final = "3scale.net/service_id"
INGRESS: Final = "zync.3scale.net/ingress"
ROUTE_TO: Final = "zync.3scale.net/route-to"
_LABEL: Final = 63
_SHA_PIECE: Final = 7
_ROUTER: Final = {"routerName": "default", "wildcardPolicy": "None"}


@dataclass(frozen=True)
class _Target:
    """One Route that must exist; `service_id` is 0 for the portals."""

    prefix: str
    host: str
    service: str
    ingress: str
    tenant_id: int
    service_id: int = 0

    @property
    def name(self) -> str:
        # Five digits, as of a generateName, would be the same for two of some hundreds of Routes.
        digest = hashlib.sha256(f"{self.host}/{self.service_id}".encode()).hexdigest()[:16]
        return f"zync-3scale-{self.prefix}-{digest}"


class Zync:
    """A controller for `Runner`. 3scale tells it of changes; here the custom resources' changes do."""

    def __init__(
        self, client: Client, porta: Porta, *, namespace: str, delays: Delays, clock: Clock = system_clock
    ) -> None:
        self._client = client
        self._porta = porta
        self._namespace = namespace
        self._delays = delays
        self._clock = clock
        self._first_wanted: dict[str, datetime] = {}

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """Whatever changes, all Routes are compared: one key stands for them all."""
        # Namespaces are always there: they make us look at the portals before there is a product.
        return dict.fromkeys((NAMESPACE, PRODUCT, PROXY_CONFIG_PROMOTE, ROUTE), self._everything)

    def _everything(self, _change: Change) -> Iterable[Ref]:
        return (Ref(ROUTE, self._namespace, "*"),)

    async def reconcile(self, _ref: Ref) -> float | None:
        """Make the Routes be what 3scale says; edits by others are overwritten."""
        targets = {target.name: target for tenant in self._porta for target in _targets(tenant)}
        try:
            routes = {ref_of(route): route for route in await self._client.list(ROUTE)}
        except KindNotServed:
            return None
        for ref in [ref for ref, route in routes.items() if self._is_ours(route) and ref.name not in targets]:
            await self._client.delete(ref, uid=routes.pop(ref)["metadata"]["uid"])
        waits = [self._seconds_to_wait(name) for name in targets]
        for name, target in targets.items():
            if self._seconds_to_wait(name) <= 0:
                await self._write(target, routes)
        return max((seconds for seconds in waits if seconds > 0), default=None)

    def _is_ours(self, route: Manifest) -> bool:
        metadata = route["metadata"]
        return metadata["namespace"] == self._namespace and (metadata.get("labels") or {}).get(CREATED_BY) == "zync"

    def _seconds_to_wait(self, name: str) -> float:
        first = self._first_wanted.setdefault(name, self._clock())
        return (first + timedelta(seconds=self._delays.route) - self._clock()).total_seconds()

    async def _write(self, target: _Target, routes: dict[Ref, Manifest]) -> None:
        wanted = _route(target, self._namespace)
        route = routes.get(ref_of(wanted))
        if route is None or not says(route, wanted):
            route = routes[ref_of(wanted)] = await self._client.apply(wanted, manager="zync")
        await write_status(self._client, route, self._admission(route, routes.values()))

    def _admission(self, route: Manifest, all_routes: Iterable[Manifest]) -> dict[str, Any]:
        """Return the router's verdict: of two Routes with one host the older one has it."""
        host = route["spec"]["host"]
        routes = [r for r in all_routes if r["spec"]["host"] == host]
        first = min(routes, key=lambda r: (r["metadata"]["creationTimestamp"], r["metadata"]["name"]))
        admitted = first["metadata"]["uid"] == route["metadata"]["uid"]
        reason = {} if admitted else {"reason": "HostAlreadyClaimed"}
        message = "" if admitted else f"route {first['metadata']['name']} already exposes {host} and is older"
        known = ((route.get("status") or {}).get("ingress") or [{}])[0]
        conditions = merged_conditions(
            {"status": known}, [{**condition("Admitted", admitted, message=message), **reason}], self._clock()
        )
        domain = host.split(".", 1)[1]
        canonical = {"routerCanonicalHostname": f"router-default.{domain}"}
        return {"ingress": [{"host": host, **_ROUTER, **canonical, "conditions": conditions}]}


def _targets(tenant: Tenant) -> Iterator[_Target]:
    for suffix, service in (("-admin", "system-provider"), ("", "system-developer")):
        yield _Target("provider", f"{tenant.name}{suffix}.{tenant.domain}", service, "provider", tenant.id)
    for product in tenant.catalogue.products.values():
        if product.production and product.proxy.get("deployment_option") == "hosted":
            for environment in ("staging", "production"):
                host = product_host(product, tenant, environment)
                yield _Target("api", host, f"apicast-{environment}", "proxy", tenant.id, product.id)


def product_host(product: Product, tenant: Tenant, environment: str) -> str:
    """Return the host under which a product is served; a label that is too long ends in a piece of its SHA-1."""
    label = f"{product.system_name}-{tenant.name}-apicast-{environment}".lower().replace("_", "-").replace("/", "-")
    if len(label) > _LABEL:
        digest = hashlib.sha1(label.encode(), usedforsecurity=False).hexdigest()[:_SHA_PIECE]
        label = f"{label[: _LABEL - _SHA_PIECE - 1]}-{digest}"
    return f"{label}.{tenant.domain}"


def _route(target: _Target, namespace: str) -> Manifest:
    labels = {
        CREATED_BY: "zync",
        TENANT: str(target.tenant_id),
        INGRESS: target.ingress,
        ROUTE_TO: target.service,
    }
    if target.service_id:
        labels[SERVICE] = str(target.service_id)
    model = f"Proxy/{target.service_id}" if target.service_id else f"Provider/{target.tenant_id}"
    return {
        "apiVersion": ROUTE.api_version,
        "kind": ROUTE.name,
        "metadata": {
            "name": target.name,
            "namespace": namespace,
            "labels": labels,
            "annotations": {"zync.3scale.net/host": target.host, "zync.3scale.net/gid": f"gid://zync/{model}"},
        },
        "spec": {
            "host": target.host,
            "to": {"kind": "Service", "name": target.service, "weight": 100},
            "port": {"targetPort": "gateway" if target.service_id else "http"},
            "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
            "wildcardPolicy": "None",
        },
    }

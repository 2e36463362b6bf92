"""zync and the router: Routes for a tenant's portals, and for each product that has a production configuration."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from maas_operator.domain.kinds import NAMESPACE, PRODUCT, PROXY_CONFIG_PROMOTE, ROUTE, Kind
from maas_operator.domain.labels import labels_of
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
_PORTALS: Final = "portals"
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
        self._claims: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """What changes makes us compare the Routes of its product, by 3scale's number, or of the portals."""
        # Namespaces are always there: they make us look at the portals before there is a product.
        return {
            NAMESPACE: lambda _: [self._key(_PORTALS)],
            PRODUCT: self._of_product,
            PROXY_CONFIG_PROMOTE: self._of_product,
            ROUTE: self._of_route,
        }

    def _of_product(self, change: Change) -> Iterable[Ref]:
        number = (change.object.get("status") or {}).get("productId")
        return [self._key(str(number))] if number else []

    def _of_route(self, change: Change) -> Iterable[Ref]:
        route = change.object
        number = labels_of(route).get(SERVICE, _PORTALS)
        # Another one may have the host now.
        return [self._key(one) for one in {number, *self._claims.get(route["spec"]["host"], ())}]

    def _key(self, whose: str) -> Ref:
        return Ref(ROUTE, self._namespace, whose)

    async def reconcile(self, ref: Ref) -> float | None:
        """Make the Routes of a product be what 3scale says; edits by others are overwritten."""
        whose = ref.name
        targets = {target.name: target for tenant in self._porta for target in _targets(tenant, whose)}
        hosts = {target.host for target in targets.values()}
        for host in hosts:
            self._claims[host].add(whose)
        try:
            listed = await self._client.list(ROUTE)
        except KindNotServed:
            return None
        routes = {ref_of(one): one for one in listed if one["spec"]["host"] in hosts or self._made_for(whose, one)}
        for gone in [one for one, route in routes.items() if self._made_for(whose, route) and one.name not in targets]:
            await self._client.delete(gone, uid=routes.pop(gone)["metadata"]["uid"])
        waits = [self._seconds_to_wait(name) for name in targets]
        for name, target in targets.items():
            if self._seconds_to_wait(name) <= 0:
                await self._write(target, routes)
        return max((seconds for seconds in waits if seconds > 0), default=None)

    def _made_for(self, whose: str, route: Manifest) -> bool:
        labels = labels_of(route)
        ours = ref_of(route).namespace == self._namespace and labels.get(CREATED_BY) == "zync"
        return ours and labels.get(SERVICE, _PORTALS) == whose

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


def _targets(tenant: Tenant, whose: str) -> Iterator[_Target]:
    if whose == _PORTALS:
        for suffix, service in (("-admin", "system-provider"), ("", "system-developer")):
            yield _Target("provider", f"{tenant.name}{suffix}.{tenant.domain}", service, "provider", tenant.id)
    # A failed promotion tells words where the number belongs.
    product = tenant.catalogue.products.get(int(whose)) if whose.isdecimal() else None
    if product and product.production and product.proxy.get("deployment_option") == "hosted":
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

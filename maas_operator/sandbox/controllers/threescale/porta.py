"""3scale itself: tenants, each with an admin URL, a token, a catalogue and people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..conditions import Clock, system_clock
from ..faults import Delays, PortaFault
from .catalogue import Catalogue, numbers
from .documents import Documents
from .errors import Unreachable, forbidden
from .people import People
from .registry import Registry


@dataclass
class Tenant:
    """One provider account of 3scale."""

    id: int
    admin_url: str
    token: str
    catalogue: Catalogue
    people: People
    registry: Registry
    documents: Documents

    @property
    def name(self) -> str:
        """The tenant's part of every host name."""
        return str(urlsplit(self.admin_url).hostname).split(".")[0].removesuffix("-admin")

    @property
    def domain(self) -> str:
        """The wildcard domain of the installation."""
        return str(urlsplit(self.admin_url).hostname).split(".", 1)[1]


class Porta:
    """An installation of 3scale."""

    def __init__(self, *, clock: Clock = system_clock, delays: Delays | None = None) -> None:
        self._clock = clock
        self._delays = delays or Delays()
        self._tenants: dict[str, Tenant] = {}

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._tenants.values())

    def add_tenant(self, admin_url: str, token: str) -> Tenant:
        """Create a tenant that answers at this URL to this token."""
        ids = numbers()
        catalogue = Catalogue(self._clock, ids, self._delays)
        people, registry, documents = People(catalogue, ids), Registry(catalogue, ids), Documents(catalogue, ids)
        tenant = Tenant(len(self._tenants) + 2, admin_url, token, catalogue, people, registry, documents)
        self._tenants[_host(admin_url)] = tenant
        return tenant

    def connect(self, admin_url: str, token: str, *, fault: PortaFault | None, path: str) -> Tenant:
        """Return the tenant; Unreachable or PortaError as the first call to `path` would fail."""
        tenant = self._tenants.get(_host(admin_url))
        if fault is PortaFault.DOWN:
            raise Unreachable(f'Get "{admin_url}{path}": dial tcp 10.0.0.1:443: connect: connection refused')
        if tenant is None:
            host = urlsplit(admin_url).hostname
            raise Unreachable(f'Get "{admin_url}{path}": dial tcp: lookup {host} on 172.30.0.10:53: no such host')
        if fault is PortaFault.FORBIDDEN or token != tenant.token:
            raise forbidden()
        return tenant


def _host(url: str) -> str:
    return urlsplit(url).hostname or url

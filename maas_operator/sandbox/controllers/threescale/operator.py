"""The 3scale-operator as one controller for `Runner`: ten kinds, one process that can go down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from maas_operator.domain.kinds import (
    ACTIVE_DOC,
    API_MANAGER,
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    CUSTOM_POLICY_DEFINITION,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from ..client import Client
from ..conditions import Clock, system_clock
from ..faults import Delays, Faults
from ..runner import Trigger, itself
from ..violations import Rule, Violations
from .active_docs import ActiveDocs
from .applications import ApplicationAuths, Applications
from .backends import Backends
from .context import Context
from .definitions import Definitions
from .developers import Accounts, Users
from .errors import Crash
from .installations import Installations, check_chains
from .porta import Porta
from .products import Products
from .promotions import Promotions

KINDS: Final = (
    BACKEND, PRODUCT, PROXY_CONFIG_PROMOTE, DEVELOPER_ACCOUNT, DEVELOPER_USER, APPLICATION, APPLICATION_AUTH,
    CUSTOM_POLICY_DEFINITION, API_MANAGER, ACTIVE_DOC,
)  # fmt: skip

_MOVES_GATEWAYS: Final = (PRODUCT, PROXY_CONFIG_PROMOTE, API_MANAGER)


class _Reconciler(Protocol):
    async def reconcile(self, manifest: Manifest) -> None: ...


class ThreescaleOperator:
    """Watches its own kinds only, in one namespace if one is given: Secrets and referenced objects go unnoticed."""

    def __init__(
        self,
        client: Client,
        porta: Porta,
        *,
        violations: Violations,
        faults: Faults,
        delays: Delays,
        clock: Clock = system_clock,
        namespace: str = "",
    ) -> None:
        self._context = context = Context(client, porta, faults, delays, clock, violations)
        self._namespace = namespace
        self.crashed = False
        self._reconcilers: dict[Kind, _Reconciler] = {
            BACKEND: Backends(context),
            PRODUCT: Products(context),
            PROXY_CONFIG_PROMOTE: Promotions(context),
            DEVELOPER_ACCOUNT: Accounts(context),
            DEVELOPER_USER: Users(context),
            APPLICATION: Applications(context),
            APPLICATION_AUTH: ApplicationAuths(context),
            CUSTOM_POLICY_DEFINITION: Definitions(context),
            API_MANAGER: Installations(context),
            ACTIVE_DOC: ActiveDocs(context),
        }

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """Its own kinds, and nothing that they refer to."""
        return dict.fromkeys(KINDS, itself)

    async def reconcile(self, ref: Ref) -> float | None:
        """Bring one object of 3scale in line with its custom resource."""
        if self.crashed:
            return None
        if self._namespace and ref.namespace != self._namespace:
            message = f"it watches the namespace {self._namespace} only"
            self._context.violations.add(Rule.IGNORED_NAMESPACE, ref, message)
            return None
        try:
            manifest = await self._context.client.get(ref)
        except NotFound:
            return None
        if (seconds := self._context.seconds_to_wait(manifest)) > 0:
            return seconds
        await self._act(manifest)
        if ref.kind in _MOVES_GATEWAYS:
            await check_chains(self._context, ref.namespace)
        return None

    async def _act(self, manifest: Manifest) -> None:
        ref = ref_of(manifest)
        try:
            await self._reconcilers[ref.kind].reconcile(manifest)
        except Crash as crash:
            self.crashed = True
            self._context.violations.add(Rule.THREESCALE_CRASH, ref, str(crash))

"""What can be set when the operator starts; everything else is in the objects that it serves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from maas_operator.adapters.kubernetes.access import Access
from maas_operator.adapters.threescale.client import AdminApi, CallObserver
from maas_operator.app.election import Election
from maas_operator.engine.fence import WriteSeconds
from maas_operator.engine.threescale import Threescale


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach Kubernetes and 3scale, and where to serve metrics and probes; port 0 picks a free one.

    `election`: how this replica and others agree who works; None if it is the only one.
    """

    access: Access
    threescale: Callable[[WriteSeconds, CallObserver], AbstractAsyncContextManager[Threescale]] = AdminApi
    election: Election | None = None
    http_host: str
    http_port: int

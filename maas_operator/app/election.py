"""Which of several replicas works: the wiring of `engine.leadership` for this process."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from maas_operator.adapters.kubernetes.client import KubernetesCluster
from maas_operator.adapters.kubernetes.leases import KubernetesLeases, own_namespace
from maas_operator.app.rbac import LEASE_NAME, NAMESPACE
from maas_operator.domain.kinds import LEASE
from maas_operator.domain.lease import Terms
from maas_operator.domain.objects import Ref
from maas_operator.engine.fence import Fence
from maas_operator.engine.leadership import Leadership


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """How replicas agree: on which Lease, by which terms, and what this one is called."""

    terms: Terms
    namespace: str
    identity: str


def elected(namespace: str | None, **terms: timedelta) -> Election:
    """Return the election that this process takes part in; ValueError if these terms are not safe."""
    # A container that starts again in its pod is another process: it must not take the Lease for its own.
    identity = f"{os.environ.get('POD_ID') or socket.gethostname()}_{secrets.token_hex(4)}"
    return Election(terms=Terms(**terms), namespace=namespace or own_namespace() or NAMESPACE, identity=identity)


class Lead:
    """This process's lead; without an election it always leads."""

    def __init__(self, election: Election | None) -> None:
        self._election = election
        self._fence = Fence()
        self._leadership: Leadership | None = None
        if election is None:
            self._fence.open_for_ever()

    @property
    def identity(self) -> str:
        """Name this process among the replicas; empty without an election."""
        return self._election.identity if self._election else ""

    def may_write(self) -> float:
        """Be a `WriteSeconds`."""
        return self._fence()

    @property
    def stands_by(self) -> bool:
        """Tell whether another leads, and this one waits to take over."""
        return self._leadership is not None and self._leadership.stands_by

    @asynccontextmanager
    async def held(self, cluster: KubernetesCluster, now: Callable[[], datetime]) -> AsyncIterator[None]:
        """Wait until this process leads, and let go at the end; in a group: why it never will, or NotLeading."""
        if self._election is None:
            yield
            return
        ref = Ref(LEASE, self._election.namespace, LEASE_NAME)
        self._leadership = leadership = Leadership(
            KubernetesLeases(cluster), ref, self.identity, self._fence, terms=self._election.terms, now=now
        )
        try:
            async with asyncio.TaskGroup() as group:
                await leadership.acquire()
                keeping = group.create_task(leadership.keep())
                yield
                keeping.cancel()
        finally:
            await leadership.release()

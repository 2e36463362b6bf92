"""Two replicas that elect a leader: whatever happens to it, the other takes over, and never do both write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import groupby

import pytest
import pytest_asyncio

from maas_operator.domain.kinds import LEASE, PRODUCT
from maas_operator.domain.lease import Terms
from maas_operator.domain.objects import Ref
from maas_operator.sandbox.operator_process import OperatorProcess
from tests.e2e.world import READ, World, sample, service_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TERMS = Terms(lease=timedelta(seconds=6), renew=timedelta(seconds=4), retry=timedelta(seconds=0.5))
LEASE_REF = Ref(LEASE, "maas-operator", "maas-operator")


class Pair:
    """Two replicas; `leader` is the one that was started first."""

    def __init__(self, world: World) -> None:
        around = world.environment
        self.world = world
        self.audited = len(list(world.audit())) if world.audit_log else 0
        self.leader, self.standby = (
            OperatorProcess(
                around.operator_kubeconfig, around.admin_api_port, world.operator.log.with_name(name), terms=TERMS
            )
            for name in ("leader.log", "standby.log")
        )

    async def holder(self) -> str:
        found = await self.world.find(LEASE_REF)
        return str((found or {}).get("spec", {}).get("holderIdentity", ""))

    async def taken_over(self, first: str) -> None:
        await self.world.until(LEASE_REF, lambda live: live["spec"]["holderIdentity"] not in ("", first))

    def writers(self) -> list[str]:
        """Return who wrote, in the order in which the server got it; each once for all that it wrote in a row."""
        if self.world.audit_log is None:
            return []
        entries = list(self.world.audit())[self.audited :]
        writes = [one for one in entries if one["verb"] not in READ and "/leases" not in one["requestURI"]]
        writes.sort(key=lambda one: one["requestReceivedTimestamp"])
        return [name for name, _ in groupby(one["userAgent"] for one in writes)]


@pytest_asyncio.fixture(loop_scope="session")
async def pair(world: World) -> AsyncIterator[Pair]:
    await world.operator.stop()
    pair = Pair(world)
    try:
        async with pair.leader:
            await pair.leader.ready()
            async with pair.standby:
                await pair.standby.ready()
                yield pair
            print(pair.leader.log.read_text()[-2000:], pair.standby.log.read_text()[-2000:])
    finally:
        await world.run()


async def busy(pair: Pair, namespace: str) -> str:
    """Have the leader in the middle of its work, and return its name."""
    await pair.world.apply(sample(namespace))
    await pair.world.first(PRODUCT)
    return await pair.holder()


async def proved(pair: Pair, namespace: str) -> None:
    await pair.world.complete(service_of(namespace))
    assert len(pair.writers()) in ((2,) if pair.world.audit_log else (0,)), pair.writers()
    assert not list(pair.world.environment.around.violations)


async def test_a_killed_leader_is_followed(pair: Pair, namespace: str) -> None:
    first = await busy(pair, namespace)
    await pair.leader.kill()
    await pair.taken_over(first)
    await proved(pair, namespace)


async def test_a_leader_that_ends_in_order_is_followed_before_its_lease_would_have_run_out(
    pair: Pair, namespace: str
) -> None:
    first = await busy(pair, namespace)
    assert await pair.leader.stop() == 0
    async with asyncio.timeout(4):
        await pair.taken_over(first)
    await proved(pair, namespace)


async def test_a_leader_that_was_stopped_writes_nothing_when_it_wakes(pair: Pair, namespace: str) -> None:
    first = await busy(pair, namespace)
    pair.leader.pause()
    await pair.taken_over(first)
    await pair.world.complete(service_of(namespace))
    pair.leader.resume()
    assert await asyncio.wait_for(pair.leader.ended(), 20) == 1
    await proved(pair, namespace)

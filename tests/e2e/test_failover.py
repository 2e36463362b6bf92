"""Two replicas that elect a leader: whatever happens to it, the other takes over, and never do both write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from itertools import groupby

import aiohttp
import pytest
import pytest_asyncio

from maas_operator.domain.kinds import LEASE, PRODUCT, SERVING_RUNTIME, Kind
from maas_operator.domain.lease import Terms
from maas_operator.domain.objects import Ref
from maas_operator.sandbox.operator_process import OperatorProcess
from tests.e2e.network import Network
from tests.e2e.world import LIMIT_SECONDS, LOOK_SECONDS, READ, World, sample, service_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TERMS = Terms(lease=timedelta(seconds=6), renew=timedelta(seconds=4), retry=timedelta(seconds=0.5))
OUTAGE_SECONDS = 12.0
LEASE_REF = Ref(LEASE, "maas-operator", "maas-operator")


class Pair:
    """Two replicas; `leader` is the one that was started first."""

    def __init__(self, world: World) -> None:
        around = world.environment
        self.world = world
        self.audited = len(list(world.audit())) if world.audit_log else 0
        self.networks = [Network(around.operator_kubeconfig, name) for name in ("leader", "standby")]
        self.leader, self.standby = (
            OperatorProcess(one.kubeconfig, around.admin_api_port, one.kubeconfig.with_suffix(".log"), terms=TERMS)
            for one in self.networks
        )

    async def holder(self) -> str:
        found = await self.world.find(LEASE_REF)
        return str((found or {}).get("spec", {}).get("holderIdentity", ""))

    async def taken_over(self, first: str) -> None:
        await self.world.until(LEASE_REF, lambda live: live["spec"]["holderIdentity"] not in ("", first))

    def writers(self) -> list[str]:
        """Return who wrote, in the order in which the server got it; each once for all that it wrote in a row.

        To claim the Lease is to write: so it shows what came between that and all the rest.
        """
        if self.world.audit_log is None:
            return []
        entries = list(self.world.audit())[self.audited :]
        writes = [one for one in entries if one["verb"] not in READ and one["responseStatus"].get("code") != 409]
        writes.sort(key=lambda one: one["requestReceivedTimestamp"])
        return [name for name, _ in groupby(one["userAgent"] for one in writes)]


@pytest_asyncio.fixture(loop_scope="session")
async def pair(world: World) -> AsyncIterator[Pair]:
    await world.operator.stop()
    pair = Pair(world)
    try:
        async with pair.networks[0], pair.networks[1], pair.leader:
            await pair.leader.ready()
            async with pair.standby:
                await pair.standby.ready()
                yield pair
            print(pair.leader.log.read_text()[-2000:], pair.standby.log.read_text()[-2000:])
    finally:
        await world.run()


async def busy(pair: Pair, namespace: str, until: Kind = PRODUCT) -> str:
    """Have the leader in the middle of its work, and return its name."""
    await pair.world.apply(sample(namespace))
    await pair.world.first(until)
    return await pair.holder()


async def proved(pair: Pair, namespace: str) -> None:
    """Prove that the model is there, all of it once, and that one has written what the other had not."""
    await pair.world.complete(service_of(namespace))
    assert len(pair.writers()) in ((2,) if pair.world.audit_log else (0,)), pair.writers()
    assert len(pair.world.in_3scale()) == 4, "product, backend, account, application"
    assert len(pair.world.user_keys()) == 1
    assert not list(pair.world.environment.around.violations)


async def probes(operator: OperatorProcess, *wanted: int) -> None:
    """Return when /healthz and /readyz answer so."""
    async with asyncio.timeout(LIMIT_SECONDS), aiohttp.ClientSession() as session:
        while True:
            with suppress(aiohttp.ClientError):
                answers = [await session.get(f"{operator.url}/{path}") for path in ("healthz", "readyz")]
                if [one.status for one in answers] == list(wanted):
                    return
            assert operator.running
            await asyncio.sleep(LOOK_SECONDS)


async def test_a_killed_leader_is_followed(pair: Pair, namespace: str) -> None:
    first = await busy(pair, namespace)
    await pair.leader.kill()
    await pair.taken_over(first)
    await proved(pair, namespace)


async def test_a_leader_that_ends_in_order_lets_the_lease_go(pair: Pair, namespace: str) -> None:
    first = await busy(pair, namespace)
    assert await pair.leader.stop() == 0
    assert await pair.holder() != first
    await pair.taken_over(first)
    await proved(pair, namespace)


async def test_a_leader_that_was_stopped_writes_nothing_when_it_wakes(pair: Pair, namespace: str) -> None:
    first = await busy(pair, namespace, SERVING_RUNTIME)
    # It has more to write, and would go on as soon as it has the answer that it waits for.
    pair.networks[0].hold_answers()
    await asyncio.sleep(LOOK_SECONDS * 5)
    pair.leader.pause()
    await pair.taken_over(first)
    pair.networks[0].release_answers()
    # They have arrived before it wakes.
    await asyncio.sleep(LOOK_SECONDS * 5)
    pair.leader.resume()
    assert await asyncio.wait_for(pair.leader.ended(), 20) == 1
    await proved(pair, namespace)


async def test_a_leader_that_is_cut_off_ends_and_is_a_standby_when_it_comes_back(pair: Pair, namespace: str) -> None:
    first = await busy(pair, namespace)
    pair.networks[0].cut()
    await pair.taken_over(first)
    second = await pair.holder()
    assert await asyncio.wait_for(pair.leader.ended(), 20) == 1
    await pair.world.complete(service_of(namespace))
    await pair.leader.start()
    await probes(pair.leader, 200, 503)
    pair.networks[0].mend()
    await pair.leader.ready()
    await proved(pair, namespace)
    assert await pair.holder() == second


async def test_an_api_that_nobody_reaches_ends_the_leader_only_and_one_goes_on_when_it_is_back(
    pair: Pair, namespace: str
) -> None:
    first = await busy(pair, namespace)
    for network in pair.networks:
        network.cut()
    assert await asyncio.wait_for(pair.leader.ended(), 20) == 1
    await pair.leader.start()
    for operator in (pair.leader, pair.standby):
        await probes(operator, 200, 503)
    assert await pair.holder() == first
    for network in pair.networks:
        network.mend()
    await pair.taken_over(first)
    for operator in (pair.leader, pair.standby):
        await probes(operator, 200, 200)
    await proved(pair, namespace)


async def test_without_an_election_an_api_that_is_away_is_waited_for(world: World, namespace: str) -> None:
    await world.operator.stop()
    around = world.environment
    async with Network(around.operator_kubeconfig, "alone") as network:
        log = network.kubeconfig.with_suffix(".log")
        async with OperatorProcess(network.kubeconfig, around.admin_api_port, log) as alone:
            await alone.ready()
            await world.apply(sample(namespace))
            await world.first(PRODUCT)
            network.cut()
            # Longer than a connection may take to be made, so that watches and passes have failed.
            await asyncio.sleep(OUTAGE_SECONDS)
            await probes(alone, 200, 200)
            network.mend()
            await world.complete(service_of(namespace))
    await world.run()

"""An election of several processes by one Lease, on a virtual clock; the API server is the only fake."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from maas_operator.domain.kinds import LEASE
from maas_operator.domain.lease import Terms
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.errors import ApiError, Conflict, Forbidden, NotFound, NotLeading, Unavailable
from maas_operator.engine.fence import Fence, always
from maas_operator.engine.leadership import Leadership
from tests.virtual_time import now, run_for

REF = Ref(LEASE, "maas-operator", "maas-operator")
TERMS = Terms()
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Server:
    """One Lease as a server keeps it."""

    lease: Manifest | None = None
    version: int = 0

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""

    def store(self, lease: Manifest) -> Manifest:
        self.version += 1
        metadata = lease["metadata"] | {"resourceVersion": str(self.version)}
        self.lease = lease | {"metadata": metadata}
        return self.lease


@dataclass
class Connection:
    """One process's way to the server: it can be cut, be slow, deny, or lose an answer."""

    server: Server
    error: ApiError | None = None
    seconds: float = 0.0
    loses_answers: bool = False
    calls: list[str] = field(default_factory=list)

    async def get(self, ref: Ref) -> Manifest:
        return await self._call("get", self._get)

    async def create(self, lease: Manifest) -> Manifest:
        return await self._call("create", lambda: self._create(lease))

    async def replace(self, lease: Manifest) -> Manifest:
        return await self._call("replace", lambda: self._replace(lease))

    async def _call(self, verb: str, act: Callable[[], Manifest]) -> Manifest:
        self.calls.append(verb)
        if self.error:
            raise self.error
        answer = act()
        await asyncio.sleep(self.seconds)
        if self.loses_answers and verb != "get":
            raise Unavailable("no answer")
        return answer

    def _get(self) -> Manifest:
        if self.server.lease is None:
            raise NotFound("there is no Lease")
        return self.server.lease

    def _create(self, lease: Manifest) -> Manifest:
        if self.server.lease is not None:
            raise Conflict("there is one")
        return self.server.store(lease)

    def _replace(self, lease: Manifest) -> Manifest:
        if self.server.lease is None:
            raise NotFound("there is no Lease")
        if lease["metadata"]["resourceVersion"] != self.server.lease["metadata"]["resourceVersion"]:
            raise Conflict("another version")
        return self.server.store(lease)


class Candidate:
    """A process that takes part; `led` holds from when until when it could write."""

    def __init__(self, server: Server, name: str, *, terms: Terms = TERMS) -> None:
        self.connection = Connection(server)
        self.fence = Fence()
        self.leadership = Leadership(
            self.connection, REF, name, self.fence, terms=terms, now=lambda: EPOCH, rng=lambda: 0.5
        )
        self.began: float | None = None
        self.ended: NotLeading | None = None

    async def run(self) -> None:
        try:
            await self.leadership.acquire()
            self.began = now()
            await self.leadership.keep()
        except NotLeading as error:
            self.ended = error


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def a(server: Server) -> Candidate:
    return Candidate(server, "a")


@pytest.fixture
def b(server: Server) -> Candidate:
    return Candidate(server, "b")


async def leading(candidate: Candidate) -> asyncio.Task[None]:
    """Let a candidate lead, and go on in the background."""
    task = asyncio.ensure_future(candidate.run())
    await asyncio.sleep(1)
    assert candidate.fence() > 0
    return task


async def test_without_an_election_every_write_is_allowed() -> None:
    fence = Fence()
    fence.open_for_ever()
    assert fence() == always() == math.inf


async def test_who_does_not_lead_may_not_write() -> None:
    assert Fence()() < 0


async def test_the_first_takes_the_lease_at_once_and_the_second_stands_by(a: Candidate, b: Candidate) -> None:
    await run_for(60, a.run(), b.run())
    assert (a.began, b.began) == (0, None)
    assert b.leadership.holder == "a"
    assert b.fence() < 0


async def test_a_leader_that_renews_leads_for_ever(server: Server, a: Candidate) -> None:
    await run_for(3600, a.run())
    assert a.fence() > 0
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 0


async def test_a_dead_leader_is_followed_when_its_lease_has_run_out(server: Server, a: Candidate, b: Candidate) -> None:
    (await leading(a)).cancel()
    died = now()
    await run_for(30, b.run())
    assert b.began is not None
    assert 15 < b.began - died <= 15 + 3 * 2
    assert server.holder == "b"


async def test_a_standby_that_can_not_see_whether_the_leader_lives_does_not_claim_to_be_one(
    a: Candidate, b: Candidate
) -> None:
    task = await leading(a)
    assert not a.leadership.stands_by
    assert not b.leadership.stands_by
    other = await leading_soon(b)
    assert b.leadership.stands_by
    b.connection.error = Unavailable("no answer")
    await asyncio.sleep(14)
    assert b.leadership.stands_by
    await asyncio.sleep(4)
    assert not b.leadership.stands_by
    b.connection.error = None
    await asyncio.sleep(3)
    assert b.leadership.stands_by
    task.cancel()
    other.cancel()


async def test_a_released_lease_is_taken_within_a_retry(server: Server, a: Candidate, b: Candidate) -> None:
    task = await leading(a)
    standby = await leading_soon(b)
    task.cancel()
    await a.leadership.release()
    released = now()
    assert a.fence() < 0
    await asyncio.sleep(2)
    assert b.began is not None
    assert b.began - released <= 2
    standby.cancel()


async def leading_soon(candidate: Candidate) -> asyncio.Task[None]:
    task = asyncio.ensure_future(candidate.run())
    await asyncio.sleep(1)
    return task


async def test_a_leader_that_is_cut_off_may_not_write_long_before_another_leads(a: Candidate, b: Candidate) -> None:
    task = await leading(a)
    other = await leading_soon(b)
    a.connection.error = Unavailable("no answer")
    cut = now()
    while a.fence() > 0:
        await asyncio.sleep(0.1)
        assert b.began is None
    closed = now()
    await task
    assert closed - cut < 10.2, "it looks each 0.1 s"
    assert "not renewed within 10 s" in str(a.ended)
    await asyncio.sleep(10)
    assert b.began is not None
    assert b.began - closed >= 4
    other.cancel()


async def test_an_outage_that_is_shorter_than_the_deadline_costs_nothing(a: Candidate) -> None:
    task = await leading(a)
    a.connection.error = Unavailable("no answer")
    await asyncio.sleep(7)
    a.connection.error = None
    await asyncio.sleep(3)
    assert a.ended is None
    assert a.fence() > 0
    task.cancel()


async def test_the_lead_counts_from_before_the_request_and_not_from_its_answer(a: Candidate) -> None:
    a.connection.seconds = 2.4
    await a.leadership.acquire()
    # The read took 2.4 s, then the creation: since the latter began 2.4 s have gone.
    assert a.fence() == pytest.approx(10 - 2.4)


async def test_a_server_that_answers_too_late_is_no_lead(a: Candidate) -> None:
    a.connection.seconds = 6
    await run_for(60, a.leadership.acquire())
    assert a.fence() < 0


async def test_a_lease_that_we_took_without_an_answer_is_ours(server: Server, a: Candidate) -> None:
    a.connection.loses_answers = True
    task = asyncio.ensure_future(a.run())
    await asyncio.sleep(1)
    assert (server.holder, a.began) == ("a", None)
    a.connection.loses_answers = False
    await asyncio.sleep(2)
    assert a.began is not None
    task.cancel()


async def test_a_renewal_whose_answer_was_lost_is_followed_by_another(a: Candidate) -> None:
    task = await leading(a)
    a.connection.loses_answers = True
    await asyncio.sleep(3)
    a.connection.loses_answers = False
    await asyncio.sleep(60)
    assert a.ended is None
    assert a.fence() > 0
    task.cancel()


async def test_a_label_that_somebody_puts_on_the_lease_takes_the_lead_from_nobody(server: Server, a: Candidate) -> None:
    task = await leading(a)
    assert server.lease is not None
    server.store(server.lease | {"metadata": server.lease["metadata"] | {"labels": {"x": "y"}}})
    await asyncio.sleep(60)
    assert a.ended is None
    assert server.lease["metadata"]["labels"] == {"x": "y"}
    task.cancel()


async def test_a_leader_whose_lease_another_holds_ends_at_once(server: Server, a: Candidate) -> None:
    task = await leading(a)
    assert server.lease is not None
    server.store(server.lease | {"spec": server.lease["spec"] | {"holderIdentity": "b"}})
    await asyncio.sleep(2.5)
    assert str(a.ended) == "Lease maas-operator/maas-operator was taken by b"
    assert a.fence() < 0
    await task


async def test_a_leader_makes_a_lease_anew_that_somebody_deleted(server: Server, a: Candidate, b: Candidate) -> None:
    task = await leading(a)
    other = await leading_soon(b)
    server.lease = None
    await asyncio.sleep(60)
    assert server.holder == "a"
    assert a.fence() > 0
    assert b.began is None
    task.cancel()
    other.cancel()


async def test_a_standby_does_not_take_a_deleted_lease_before_it_would_have_run_out(
    server: Server, a: Candidate, b: Candidate
) -> None:
    task = await leading(a)
    other = await leading_soon(b)
    task.cancel()
    server.lease = None
    await asyncio.sleep(11)
    assert b.began is None
    await asyncio.sleep(10)
    assert b.began is not None
    other.cancel()


async def test_of_two_that_find_the_lease_free_one_gets_it(server: Server) -> None:
    candidates = [Candidate(server, name) for name in "abcdef"]
    for one in candidates:
        one.connection.seconds = 0.5
    tasks = [asyncio.ensure_future(one.run()) for one in candidates]
    await asyncio.sleep(10)
    assert len([one for one in candidates if one.fence() > 0]) == 1
    for task in tasks:
        task.cancel()


async def test_a_clock_that_is_wrong_by_a_day_changes_nothing(server: Server, a: Candidate, b: Candidate) -> None:
    # The Lease's own times are of 2026, whatever the time is: nobody reads them.
    task = await leading(a)
    assert server.lease is not None
    assert server.lease["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"
    await run_for(60, b.run())
    assert b.began is None
    task.cancel()


async def test_a_standby_waits_for_as_long_as_the_leader_promised(server: Server, b: Candidate) -> None:
    generous = Candidate(server, "a", terms=Terms(lease=TERMS.lease * 4))
    (await leading(generous)).cancel()
    died = now()
    await run_for(90, b.run())
    assert b.began is not None
    assert b.began - died > 60


async def test_a_process_that_was_stopped_may_not_write_when_it_wakes_and_ends(a: Candidate, b: Candidate) -> None:
    task = await leading(a)
    # Nothing of it runs meanwhile.
    a.connection.seconds = 40
    await asyncio.sleep(40)
    assert a.fence() < 0
    await task
    assert a.ended is not None


async def test_a_missing_permission_is_told_at_once(a: Candidate) -> None:
    a.connection.error = Forbidden("leases is forbidden")
    with pytest.raises(Forbidden):
        await a.leadership.acquire()


async def test_a_lost_lead_is_not_released(server: Server, a: Candidate) -> None:
    task = await leading(a)
    a.connection.error = Unavailable("no answer")
    await task
    a.connection.error = None
    await a.leadership.release()
    assert server.holder == "a"


async def test_a_lease_of_another_is_not_released(server: Server, a: Candidate) -> None:
    (await leading(a)).cancel()
    assert server.lease is not None
    server.store(server.lease | {"spec": server.lease["spec"] | {"holderIdentity": "b"}})
    await a.leadership.release()
    assert server.holder == "b"


async def test_a_lease_that_a_person_emptied_is_left_to_who_comes_first(
    server: Server, a: Candidate, b: Candidate
) -> None:
    task = await leading(a)
    assert server.lease is not None
    server.store({key: value for key, value in server.lease.items() if key != "spec"})
    await a.leadership.release()
    assert "spec" not in server.lease
    await asyncio.sleep(3)
    assert "was taken by somebody who let it go" in str(a.ended)
    other = await leading(b)
    assert server.lease["spec"]["leaseTransitions"] == 0
    await task
    other.cancel()


async def test_a_person_who_names_another_holder_ends_the_leader_and_makes_others_wait_as_long_as_written(
    server: Server, a: Candidate, b: Candidate
) -> None:
    task = await leading(a)
    assert server.lease is not None
    written = {"holderIdentity": "me", "leaseDurationSeconds": 60}
    server.store(server.lease | {"spec": written})
    other = asyncio.ensure_future(b.run())
    await asyncio.sleep(59)
    assert a.ended is not None
    assert b.began is None
    await asyncio.sleep(5)
    assert b.began is not None
    await task
    other.cancel()


@pytest.mark.parametrize("seconds", [0, 10])
async def test_a_release_that_fails_or_hangs_ends_the_process_all_the_same(
    seconds: float, server: Server, a: Candidate
) -> None:
    (await leading(a)).cancel()
    a.connection.seconds = seconds
    a.connection.error = None if seconds else Unavailable("no answer")
    await a.leadership.release()
    assert a.fence() < 0

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.engine.queue import WorkQueue, spread
from tests.virtual_time import VirtualTimeLoop, now, run_for


def no_jitter() -> float:
    return 0.5


@pytest.fixture
def queue() -> WorkQueue[str]:
    return WorkQueue(no_jitter)


async def take(queue: WorkQueue[str]) -> tuple[str, float]:
    """Take a key and finish its pass at once; return it and the time."""
    key = await queue.get()
    queue.done(key)
    return key, now()


async def test_a_key_added_twice_is_worked_on_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert [(await take(queue))[0], (await take(queue))[0]] == ["a", "b"]
    await asyncio.sleep(1000)
    assert queue.depth == 0


async def test_a_key_that_is_due_already_is_not_queued_again(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await asyncio.sleep(1)
    queue.add("a")
    await asyncio.sleep(1)
    assert queue.depth == 1


async def test_of_two_delays_the_earlier_wins_in_either_order(queue: WorkQueue[str]) -> None:
    queue.add("a", after_seconds=60)
    queue.add("a", after_seconds=10)
    queue.add("b", after_seconds=20)
    queue.add("b", after_seconds=70)
    assert await take(queue) == ("a", 10)
    assert await take(queue) == ("b", 20)


async def test_children_in_a_burst_cause_one_pass(queue: WorkQueue[str]) -> None:
    for _ in range(5):
        queue.add("a", after_seconds=0.15)
        await asyncio.sleep(0.01)
    assert await take(queue) == ("a", 0.15)
    assert queue.depth == 0


async def test_a_key_in_work_is_given_to_no_second_worker_and_comes_again_when_done(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a", after_seconds=1)
    await asyncio.sleep(5)
    assert queue.depth == 0
    queue.done("a")
    assert await take(queue) == ("a", 5)


async def test_a_pass_takes_over_what_was_planned_for_its_key(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await asyncio.sleep(1)
    queue.add("a", after_seconds=5)
    assert await queue.get() == "a"
    queue.succeed("a", again_after_seconds=600)
    queue.done("a")
    assert await take(queue) == ("a", 601)


async def test_the_back_off_doubles_up_to_five_minutes_and_ends_with_a_success(queue: WorkQueue[str]) -> None:
    queue.add("a")
    delays = []
    for _ in range(11):
        await queue.get()
        delays.append(queue.fail("a"))
        queue.done("a")
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    await queue.get()
    queue.succeed("a", again_after_seconds=7)
    queue.done("a")
    before = now()
    assert await take(queue) == ("a", before + 7)
    assert queue.fail("a") == 1


async def test_a_server_that_names_its_time_is_obeyed(queue: WorkQueue[str]) -> None:
    assert queue.fail("a", at_least_seconds=30) == 30
    assert await take(queue) == ("a", 30)


async def test_children_do_not_end_a_back_off(queue: WorkQueue[str]) -> None:
    queue.fail("a", at_least_seconds=100)
    queue.add("a")
    assert await take(queue) == ("a", 100)


async def test_a_new_spec_ends_a_back_off(queue: WorkQueue[str]) -> None:
    queue.fail("a", at_least_seconds=100)
    queue.add("a", urgent=True)
    assert await take(queue) == ("a", 0)


@pytest.mark.parametrize(("urgent", "expected"), [(True, 3), (False, 103)])
async def test_a_new_spec_during_a_pass_that_fails_is_not_delayed(
    queue: WorkQueue[str], urgent: bool, expected: float
) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a", urgent=urgent)
    await asyncio.sleep(1)
    queue.add("a")
    await asyncio.sleep(2)
    queue.fail("a", at_least_seconds=100)
    queue.done("a")
    assert await take(queue) == ("a", expected)


async def test_how_long_keys_wait_and_run_is_known(queue: WorkQueue[str]) -> None:
    assert (queue.depth, queue.longest_wait_seconds, queue.longest_running_seconds) == (0, 0, 0)
    queue.add("a")
    await asyncio.sleep(2)
    assert (queue.depth, queue.longest_wait_seconds, queue.longest_running_seconds) == (1, 2, 0)
    await queue.get()
    await asyncio.sleep(3)
    assert (queue.depth, queue.longest_wait_seconds, queue.longest_running_seconds) == (0, 0, 3)


async def test_each_key_that_a_worker_takes_tells_how_long_it_was_due() -> None:
    waits: list[float] = []
    queue: WorkQueue[str] = WorkQueue(no_jitter, waited=waits.append)
    queue.add("a", after_seconds=5)
    queue.add("b")
    await asyncio.sleep(7)
    assert {await queue.get(), await queue.get()} == {"a", "b"}
    assert waits == [7, 2]


async def test_the_key_that_has_been_without_success_for_longest_is_known_until_it_is_forgotten(
    queue: WorkQueue[str],
) -> None:
    assert queue.longest_unsuccessful_seconds == 0
    queue.add("a")
    await asyncio.sleep(1)
    queue.add("b")
    assert {await queue.get(), await queue.get()} == {"a", "b"}
    queue.fail("a")
    queue.succeed("b", again_after_seconds=600)
    await asyncio.sleep(4)
    assert queue.longest_unsuccessful_seconds == 5
    queue.succeed("a", again_after_seconds=600)
    assert queue.longest_unsuccessful_seconds == 4
    queue.forget("b")
    queue.forget("a")
    assert queue.longest_unsuccessful_seconds == 0


@given(st.floats(0, 1, exclude_max=True))
def test_the_jitter_stays_within_a_tenth(value: float) -> None:
    assert 89.999 <= spread(100, lambda: value) <= 110.001


Step = tuple[str, str, float]
steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["add", "urgent", "sleep"]), st.floats(0, 3)), max_size=20
)


@given(steps, st.lists(st.tuples(st.floats(0, 2), st.booleans()), min_size=1))
def test_whatever_happens_no_change_is_missed_and_no_key_has_two_workers(
    script: list[Step], passes: list[tuple[float, bool]]
) -> None:
    _run(lambda: _no_change_is_missed(script, passes))


def _run(main: Callable[[], object]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())  # type: ignore[arg-type]


async def _no_change_is_missed(script: list[Step], passes: list[tuple[float, bool]]) -> None:
    queue: WorkQueue[str] = WorkQueue(no_jitter)
    changed_at: dict[str, float] = {}
    started_at: dict[str, float] = {}
    running: set[str] = set()

    async def work(number: int) -> None:
        while True:
            key = await queue.get()
            assert key not in running
            running.add(key)
            started_at[key] = now()
            duration, good = passes[len(started_at) % len(passes)]
            await asyncio.sleep(duration)
            if good:
                queue.succeed(key, again_after_seconds=100_000)
            else:
                queue.fail(key)
            running.remove(key)
            queue.done(key)

    async def change() -> None:
        for key, verb, seconds in script:
            if verb == "sleep":
                await asyncio.sleep(seconds)
            else:
                changed_at[key] = now()
                queue.add(key, after_seconds=seconds, urgent=verb == "urgent")

    await run_for(5_000, change(), work(1), work(2))
    assert all(started_at[key] >= changed_at[key] for key in changed_at)

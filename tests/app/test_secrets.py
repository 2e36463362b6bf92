"""Whatever fails, and whatever words it fails with: what is secret reaches no log, Event, status or metric."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from maas_operator.adapters.metrics import Metrics
from maas_operator.app import logs
from maas_operator.domain.kinds import EVENT, SECRET
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call
from tests.engine.stage import GATEWAY, HOME, Stage, ToyWorld, toy
from tests.virtual_time import VirtualTimeLoop, run_for

KEY = "s3cret-k3y"

words = st.builds("{}{}{}".format, st.text(max_size=9), st.just(KEY), st.text(max_size=9))
faults = st.sampled_from([ValueError, KeyError, RuntimeError, OSError, AssertionError, UnicodeError]).flatmap(
    lambda type_: st.builds(type_, words)
) | st.builds(lambda text: ExceptionGroup(text, [ValueError(text)]), words)
answers = st.builds(ApiError, st.sampled_from([400, 403, 409, 413, 422, 429, 500, 503]), st.just("Invalid"), words)


@given(
    st.lists(st.tuples(st.sampled_from(["get", "apply"]), answers | faults), max_size=3), st.lists(faults, max_size=2)
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_key_gets_out(of_secrets: list[tuple[str, Exception]], of_passes: list[Exception]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        said = runner.run(all_that_is_said(of_secrets, of_passes))
    assert KEY not in said


async def all_that_is_said(of_secrets: list[tuple[str, Exception]], of_passes: list[Exception]) -> str:
    """Let an owner with a key live through these failures, and return what anybody can read of it then."""
    stream, stage, metrics = io.StringIO(), Stage(), Metrics()
    logs.configure("DEBUG", stream)
    await stage.set_up()
    heal = stage.kubeapi.faults.add(failing(list(of_secrets)))
    gather, failures = stage.gather, list(of_passes)

    async def gathered(owner: Manifest) -> ToyWorld:
        if failures:
            raise failures.pop()
        return replace(await gather(owner), key=KEY)

    stage.gather = gathered  # type: ignore[method-assign]
    await stage.user.apply(toy(text="a"))
    engine = stage.restart(metrics)
    metrics.expose(stage.cache, engine.queue)
    await run_for(200, stage.run(199, engine))
    heal()
    events = [one for place in (HOME, GATEWAY) for one in await stage.cluster.list(EVENT, namespace=place)]
    page = generate_latest(metrics.registry).decode()
    assert "ModelService" in page
    return json.dumps([await stage.owner(), events, page]) + stream.getvalue()


def failing(answers: list[tuple[str, Exception]]) -> Callable[[Call], Awaitable[None]]:
    async def fail(call: Call) -> None:
        if call.kind == SECRET.name and answers and call.verb == answers[-1][0]:
            raise answers.pop()[1]

    return fail

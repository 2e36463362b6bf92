"""What the API denies to a person who makes a plan, and what 3scale says to somebody who does not ask it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from maas_operator.engine.caller import Caller, NotAllowed
from maas_operator.engine.errors import NamespaceTerminating, RemoteUnavailable
from maas_operator.engine.threescale import Tenant
from maas_operator.engine.unasked import Unasked
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call
from tests.engine.stage import BACK, Stage, manifest

TENANT = Tenant("https://3scale-admin.example.com", SecretStr("token"))
CALLS: list[Callable[[Caller], Awaitable[object]]] = [
    lambda caller: caller.get(BACK),
    lambda caller: caller.list(BACK.kind),
    lambda caller: caller.apply(manifest(BACK, spec={}), dry_run=True),
    lambda caller: caller.json_patch(BACK, [], resource_version="1", dry_run=True),
    lambda caller: caller.delete(BACK, uid="uid"),
]


def deny(stage: Stage, **details: object) -> None:
    async def refuse(call: Call) -> None:
        raise ApiError(403, "Forbidden", "no", {"name": "toy", **details})

    stage.kubeapi.faults.add(refuse)


@pytest.mark.parametrize("call", CALLS)
async def test_what_a_person_may_not_do_is_no_refusal_of_an_object(
    stage: Stage, call: Callable[[Caller], Awaitable[object]]
) -> None:
    deny(stage)
    with pytest.raises(NotAllowed, match="a plan reads objects and patches them by dry runs"):
        await call(Caller(stage.cluster))


async def test_a_namespace_that_goes_is_nobodys_lack(stage: Stage) -> None:
    deny(stage, causes=[{"reason": "NamespaceTerminating"}])
    with pytest.raises(NamespaceTerminating):
        await Caller(stage.cluster).get(BACK)


async def test_what_is_allowed_passes(stage: Stage) -> None:
    applied = await Caller(stage.cluster).apply(manifest(BACK, spec={}), dry_run=True)
    assert applied["spec"] == {}
    assert await Caller(stage.cluster).list(BACK.kind) == []


async def test_3scale_that_is_not_asked_has_nothing_and_tells_nothing() -> None:
    unasked = Unasked()
    await unasked.check(TENANT)
    assert not await unasked.product_id(TENANT, "tiny")
    assert not await unasked.has_backend(TENANT, "tiny")
    assert await unasked.plans(TENANT, 1) == []
    assert await unasked.applications(TENANT, 1) == []
    questions = [unasked.product(TENANT, 1), unasked.backend(TENANT, 1), unasked.endpoint(TENANT, 1)]
    for question in (*questions, unasked.accept(TENANT, 1, 1)):
        with pytest.raises(RemoteUnavailable, match="3scale is not asked"):
            await question

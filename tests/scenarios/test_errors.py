"""Errors of the API (faults F7 and F8): what passes is repeated, what does not is told, and all of it heals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maas_operator.domain.kinds import (
    APPLICATION,
    BACKEND,
    CUSTOM_POLICY_DEFINITION,
    DEVELOPER_USER,
    EVENT,
    INFERENCE_SERVICE,
    MODEL_SERVICE,
    NETWORK_POLICY,
    PRODUCT,
    SECRET,
    SERVICE,
    SERVING_RUNTIME,
    TABLE,
    Kind,
    Use,
)
from maas_operator.engine.errors import Unavailable
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from tests.scenarios import harness
from tests.scenarios.harness import NOT_IN_SAMPLE, a_settled_world, a_world, sample
from tests.scenarios.operator import Fault
from tests.scenarios.snapshot import differences
from tests.scenarios.undisturbed import QUIET_SECONDS, Undisturbed, create

READ = [MODEL_SERVICE, *[kind for kind, use in TABLE.items() if Use.READ in use]]
WRITTEN = [kind for kind, use in TABLE.items() if (Use.WRITE | Use.STATUS) & use and kind not in NOT_IN_SAMPLE]
DELETED = [kind for kind, use in TABLE.items() if Use.WRITE in use and kind not in NOT_IN_SAMPLE]

Error = Callable[[], BaseException]


def conflict() -> ApiError:
    return ApiError(409, "Conflict", "the object has been modified", {"name": "x"})


def too_many() -> ApiError:
    return ApiError(429, "TooManyRequests", "too many requests", retry_after=7)


def internal() -> ApiError:
    return ApiError(500, "InternalError", "etcd is away")


def unavailable() -> ApiError:
    return ApiError(503, "ServiceUnavailable", "apiserver is shutting down")


def timeout() -> Unavailable:
    return Unavailable("no answer from the Kubernetes API: TimeoutError")


def of(verb: Verb, kind: Kind) -> Callable[[Call], bool]:
    return lambda call: call.verb is verb and call.kind == kind.name


PASSING = [(error, Moment.BEFORE) for error in (conflict, too_many, internal, unavailable, timeout)] + [
    (timeout, Moment.AFTER)
]
PASSING_IDS = [f"{error.__name__}-{moment}" for error, moment in PASSING]


@pytest.mark.parametrize(("error", "moment"), PASSING, ids=PASSING_IDS)
async def test_one_error_of_every_call_on_every_kind_is_survived_by_create(
    error: Error, moment: Moment, calm: Undisturbed
) -> None:
    async with a_world() as world:
        faults = [Fault(of(verb, kind), error, moment) for verb, kind in _calls_of_create()]
        world.operator.faults.extend(faults)
        await create(world)
        await world.settle()
        assert sum(fault.hits for fault in faults) >= len(WRITTEN)
        assert "\n".join(differences(calm.created, world.snapshot())) == ""


@pytest.mark.parametrize(("error", "moment"), PASSING, ids=PASSING_IDS)
async def test_one_error_of_every_call_on_every_kind_is_survived_by_delete(
    error: Error, moment: Moment, calm: Undisturbed
) -> None:
    async with a_settled_world() as world:
        verbs = (Verb.GET, Verb.LIST, Verb.DELETE, Verb.APPLY)
        faults = [Fault(of(verb, kind), error, moment) for verb in verbs for kind in WRITTEN]
        world.operator.faults.extend(faults)
        await world.delete(harness.SERVICE)
        # Twenty errors in a row, each another one: the back-off is at its longest then.
        await world.settle(quiet_seconds=2 * harness.HOUR, patience_seconds=8 * harness.HOUR)
        assert sum(fault.hits for fault in faults) >= len(DELETED)
        assert "\n".join(differences(calm.deleted, world.snapshot())) == ""


def _calls_of_create() -> list[tuple[Verb, Kind]]:
    applied = [(Verb.APPLY, kind) for kind in WRITTEN]
    return [*applied, *[(Verb.GET, kind) for kind in READ]]


@pytest.mark.matrix
@pytest.mark.parametrize("kind", WRITTEN, ids=str)
async def test_an_api_that_is_away_for_two_minutes_is_not_hammered(kind: Kind) -> None:
    async with a_world() as world:
        world.operator.faults.append(Fault(of(Verb.APPLY, kind), unavailable, times=1000))
        await world.apply(*sample())
        await world.rest(120.0)
        calls = [call for call in world.operator.records.calls if of(Verb.APPLY, kind)(call)]
        assert 2 <= len(calls) <= 40
        world.operator.faults.clear()
        await world.settle()
        assert await world.told(harness.SERVICE, "Ready") == ("True", "Ready")


async def test_lost_events_are_only_logged() -> None:
    async with a_world() as world:
        world.operator.faults.append(Fault(of(Verb.APPLY, EVENT), unavailable, times=1000))
        await world.apply(*sample())
        await world.settle()
        assert await world.told(harness.SERVICE, "Ready") == ("True", "Ready")


async def test_the_wish_of_the_server_to_be_left_alone_is_respected() -> None:
    async with a_world() as world:
        world.operator.faults.append(Fault(of(Verb.APPLY, BACKEND), too_many))
        await world.apply(*sample())
        await world.rest(0.6)
        at = world.wall_clock()
        while not await world.client.list(BACKEND):
            await world.rest(0.1)
        assert (world.wall_clock() - at).total_seconds() > 5
        await world.settle()


def forbidden() -> ApiError:
    return ApiError(403, "Forbidden", "User maas-operator cannot patch this resource")


def terminating() -> ApiError:
    cause = {"reason": "NamespaceTerminating", "message": "namespace is being terminated"}
    return ApiError(403, "Forbidden", "because it is being terminated", {"name": "x", "causes": [cause]})


def quota() -> ApiError:
    return ApiError(403, "Forbidden", "exceeded quota: objects, used: 10, limited: 10", {"name": "x"})


def invalid() -> ApiError:
    return ApiError(422, "Invalid", "admission webhook said no: bad policy", {"name": "x"})


def no_namespace() -> ApiError:
    return ApiError(404, "NotFound", 'namespaces "x" not found', {"name": "x", "kind": "namespaces"})


def no_kind() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


REFUSALS = {
    forbidden: "Forbidden",
    terminating: "NamespaceTerminating",
    quota: "Forbidden",
    invalid: "Rejected",
    no_namespace: "NamespaceMissing",
    no_kind: "DependencyMissing",
}
STAGES = {
    SERVING_RUNTIME: (harness.SERVICE, "ModelReady"),
    INFERENCE_SERVICE: (harness.SERVICE, "ModelReady"),
    SERVICE: (harness.SERVICE, "ModelReady"),
    NETWORK_POLICY: (harness.SERVICE, "ModelReady"),
    BACKEND: (harness.SERVICE, "GatewayReady"),
    PRODUCT: (harness.SERVICE, "GatewayReady"),
    APPLICATION: (harness.SUBSCRIPTION, "Approved"),
    SECRET: (harness.SUBSCRIPTION, "AccountReady"),
}


@pytest.mark.matrix
@pytest.mark.parametrize("kind", STAGES, ids=str)
@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.__name__)
async def test_a_refusal_is_told_where_it_belongs_and_heals_by_itself(kind: Kind, error: Error) -> None:
    ref, stage = STAGES[kind]
    async with a_world() as world:
        world.operator.faults.append(Fault(of(Verb.APPLY, kind), error, times=100_000))
        await world.apply(*sample())
        await world.rest(45.0)
        status, reason = await world.told(ref, stage)
        message = await world.message(ref, stage)
        assert (status, reason) == ("False", REFUSALS[error]), message
        assert f"{kind} " in message
        other = "GatewayReady" if stage == "ModelReady" else "ModelReady"
        assert await world.told(harness.SERVICE, other) == ("True", "Ready")
        assert len(world.operator.records.calls) < 400
        world.operator.faults.clear()
        await world.rest(90.0)
        assert await world.told(harness.SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(harness.SUBSCRIPTION, "Ready") == ("True", "Ready")


@pytest.mark.matrix
@pytest.mark.parametrize(
    "kind", [kind for kind in DELETED if kind not in (DEVELOPER_USER, CUSTOM_POLICY_DEFINITION)], ids=str
)
async def test_a_deletion_that_is_forbidden_is_told_and_finished_later(kind: Kind) -> None:
    async with a_settled_world() as world:
        refused = Fault(of(Verb.DELETE, kind), forbidden, times=100_000)
        world.operator.faults.append(refused)
        await world.delete(harness.SERVICE)
        await world.settle(quiet_seconds=QUIET_SECONDS)
        assert refused.hits
        assert await world.told(harness.SERVICE, "Ready") == ("False", "Deleting")
        told = await world.message(harness.SERVICE)
        if await world.find(harness.SUBSCRIPTION):
            told += await world.message(harness.SUBSCRIPTION)
        assert f"{kind} " in told
        world.operator.faults.clear()
        await world.settle()
        assert await world.find(harness.SERVICE) is None


async def test_one_broken_service_does_not_hold_up_another() -> None:
    async with a_world() as world:
        world.operator.faults.append(Fault(lambda call: call.name.startswith("broken"), internal, times=100_000))
        await world.apply(*sample(), _another())
        await world.rest(30.0)
        assert await world.told(harness.SERVICE, "Ready") == ("True", "Ready")
        world.operator.faults.clear()
        await world.settle()


def _another() -> harness.Manifest:
    service = sample(developers=[])[-1]
    return {**service, "metadata": {**service["metadata"], "name": "broken"}}

"""A plan of files: it is what happens when they are applied, and nothing happens before."""

from __future__ import annotations

import re
from typing import Any

import pytest

from maas_operator.app.operator import behaviours
from maas_operator.app.plan_output import as_json, as_text
from maas_operator.domain.kinds import (
    ACTIVE_DOC,
    APPLICATION_AUTH,
    MODEL_SUBSCRIPTION,
    NAMESPACE,
    PROXY_CONFIG_PROMOTE,
    ROUTE,
    SECRET,
    TABLE,
    Use,
)
from maas_operator.domain.labels import owner_uid_of
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.plan.plan import Plan
from maas_operator.engine.planning import Planner
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from tests.edits import EDITS, PREMIUM, TOGETHER, edited
from tests.scenarios.harness import HOME, NAME, SERVICE, World, a_settled_world, a_subscription, a_world, sample
from tests.scenarios.oracles import CANARY

PLANS = [*sample()[-1]["spec"]["plans"], PREMIUM]

WRITTEN = {kind.name for kind, use in TABLE.items() if Use.WRITE in use}

Told = tuple[str, str, str, str]


def files(**edits: Any) -> list[Manifest]:
    spec = {**sample()[-1]["spec"], "plans": PLANS}
    for field, value in edits.items():
        spec = edited(spec, field, value)
    return sample(**spec)


async def plan(world: World, *documents: Manifest, **options: Any) -> Plan:
    """Return the plan of these documents, and prove that it has changed nothing."""
    version, calls = world.kubeapi.api.store.version, len(world.admin_api.calls)
    ours = [one for one in documents if one["kind"] != NAMESPACE.name]
    found = [one for one in documents if one["kind"] == NAMESPACE.name]
    new = [
        one | {"metadata": one["metadata"] | {"uid": "new"}}
        for one in found
        if await world.find(Ref(NAMESPACE, "", one["metadata"]["name"])) is None
    ]
    cluster = InProcessCluster(world.kubeapi)
    made = await Planner(cluster, behaviours, now=world.wall_clock, new_namespaces=new, **options).plan(ours)
    assert world.kubeapi.api.store.version == version
    assert len(world.admin_api.calls) == calls
    assert CANARY not in as_json(made) + as_text(made)
    return made


def told(made: Plan) -> list[Told]:
    return sorted((str(one.action), one.ref.kind.name, one.ref.namespace, one.ref.name) for one in made.changes)


def written(manifest: Manifest) -> Any:
    metadata = manifest["metadata"]
    parts = (manifest.get(part) for part in ("spec", "data"))
    return [*parts, metadata.get("labels"), metadata.get("annotations"), metadata.get("ownerReferences")]


def ours(world: World) -> dict[tuple[str, str, str], Manifest]:
    """Return what users and the operator wrote, by address."""
    return {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in world.objects()
        if one["apiVersion"].startswith("maas-operator.io/")
        or (owner_uid_of(one) is not None and one["kind"] in WRITTEN)
        or one["kind"] == ROUTE.name
    }


def happened(before: dict[Any, Manifest], after: dict[Any, Manifest]) -> list[Told]:
    created = [("Create", *where) for where in after.keys() - before.keys()]
    deleted = [("Delete", *where) for where in before.keys() - after.keys()]
    both = before.keys() & after.keys()
    return sorted(
        [
            *created,
            *deleted,
            *[("Change", *where) for where in both if written(before[where]) != written(after[where])],
        ]
    )


async def test_files_that_are_applied_already_change_nothing() -> None:
    async with a_settled_world() as world:
        made = await plan(world, *sample())
        assert (told(made), made.consequences, made.problems, made.notes) == ([], (), (), ())


@pytest.mark.matrix
@pytest.mark.parametrize("field", [field for field in EDITS if field != "managementPolicy"])
async def test_what_is_planned_is_what_happens_and_then_there_is_nothing_to_do(field: str) -> None:
    async with a_world() as world:
        await world.apply(*files())
        await world.settle(quiet_seconds=150.0)
        edit = dict([(field, EDITS[field]), *([TOGETHER[field]] if field in TOGETHER else [])])
        planned, before = await plan(world, *files(**edit)), ours(world)
        await world.apply(*files(**edit))
        await world.settle()
        assert happened(before, ours(world)) == told(planned)
        assert told(await plan(world, *files(**edit))) == []


async def test_a_cluster_without_anything_of_ours_is_planned_up_to_what_only_3scale_can_tell() -> None:
    async with a_world() as world:
        planned, before = await plan(world, *files()), ours(world)
        await world.apply(*files())
        await world.settle()
        # They are named by 3scale's numbers, or wait for such an object; a document tells the URL of a Route.
        later = {PROXY_CONFIG_PROMOTE.name, APPLICATION_AUTH.name, ROUTE.name, ACTIVE_DOC.name}
        all_of_it = happened(before, ours(world))
        real = [one for one in all_of_it if one[1] not in later and ".document-" not in one[3]]
        assert [one for one in real if one not in told(planned)] == [
            ("Create", SECRET.name, HOME, "dev1-portal"),
            ("Create", SECRET.name, HOME, f"{NAME}-dev1-key"),
        ]
        assert [one for one in told(planned) if one not in real] == []
        assert planned.notes == ("ModelPlatform default is new: the rest takes for granted that it becomes ready",)
        assert [str(one) for one in planned.consequences] == [
            f"Product 3scale/{HOME}.{NAME} needs a promotion: it follows when 3scale has taken the change"
        ]


async def test_a_developer_who_goes_takes_account_and_keys_along() -> None:
    async with a_world() as world:
        developers = sample()[-1]["spec"]["developers"]
        other = {"name": "dev2", "email": "dev2@example.com", "plan": "standard"}
        await world.apply(*sample(developers=[*developers, other]))
        await world.settle()
        world.historian.credentials.clear()
        planned, before = await plan(world, *sample(developers=[other])), ours(world)
        await world.apply(*sample(developers=[other]))
        await world.settle()
        assert happened(before, ours(world)) == told(planned)
        assert [str(one) for one in planned.consequences] == [
            f"ModelSubscription {HOME}/{NAME}-dev1 loses access: its application and its key are deleted",
        ]


async def test_a_platform_is_planned_with_the_models_that_build_on_it() -> None:
    async with a_settled_world() as world:
        documents = sample()
        documents[1]["spec"]["gateway"]["namespaces"] = ["gateways"]
        planned, before = await plan(world, documents[1]), ours(world)
        await world.apply(documents[1])
        await world.settle()
        assert happened(before, ours(world)) == told(planned)
        assert ("Change", "NetworkPolicy", HOME, f"{NAME}-api") in told(planned)


async def test_what_is_in_the_way_is_told() -> None:
    async with a_settled_world() as world:
        made = await plan(world, a_subscription("dev2", plan="gold"))
        assert told(made) == [("Create", MODEL_SUBSCRIPTION.name, HOME, "dev2")]
        (problem,) = made.problems
        assert str(problem).startswith(f"ModelSubscription {HOME}/dev2: ModelAccepted: PlanMissing: ")


async def test_an_observed_service_is_left_to_the_operator() -> None:
    async with a_settled_world() as world:
        made = await plan(world, *files(managementPolicy="Observe"))
        assert told(made) == [("Change", "ModelService", HOME, NAME)]
        assert made.notes[0].startswith(f"{SERVICE}: spec.managementPolicy is Observe: ")


async def test_without_kserve_and_3scale_the_plan_says_what_is_missing() -> None:
    async with a_world(install=False, ends=False) as world:
        await world.install(kinds=[MODEL_SUBSCRIPTION])
        made = await plan(world, *files())
        reasons = {(one.subject.kind.name, str(one.reason)) for one in made.problems}
        assert ("ModelService", "DependencyMissing") in reasons
        assert ("Create", "NetworkPolicy", HOME, f"{NAME}-api") in told(made)


async def test_what_a_caller_may_not_look_into_is_noted_where_no_file_names_it() -> None:
    async with a_settled_world(ends=False) as world:

        async def deny(call: Call) -> None:
            if call.dry_run and call.kind == "NetworkPolicy":
                raise ApiError(403, "Forbidden", "no", {"name": call.name})

        allow = world.kubeapi.faults.add(deny)
        documents = sample()
        documents[1]["spec"]["gateway"]["namespaces"] = ["gateways"]
        made = await plan(world, documents[1])
        allow()
        assert ("Change", "ModelPlatform", "", "default") in told(made)
        assert made.notes[0].startswith(f"{SERVICE} is not looked into: NetworkPolicy {HOME}/{NAME}-api: Forbidden: no")


async def test_a_promotion_that_must_be_approved_is_told_with_its_hash() -> None:
    async with a_settled_world(ends=False) as world:
        api = sample()[-1]["spec"]["api"]
        made = await plan(world, *sample(api={**api, "promotion": {"mode": "Manual"}, "timeouts": {"read": "10s"}}))
        (found,) = [str(one) for one in made.consequences if "promotion" in str(one)]
        assert re.search(r"needs a promotion, which waits for spec.api.promotion.approved: [0-9a-f]{16}$", found)

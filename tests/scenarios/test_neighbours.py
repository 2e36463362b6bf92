"""Several owners in one cluster, and what a namespace's user may try on the others (design rules 7 and 8)."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import DEVELOPER_ACCOUNT, MODEL_SERVICE, MODEL_SUBSCRIPTION, SECRET
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.errors import Rejected
from tests.scenarios import harness
from tests.scenarios.harness import (
    GATEWAY,
    HOME,
    NAME,
    SERVICE,
    SUBSCRIPTION,
    World,
    a_settled_world,
    a_subscription,
    a_world,
    sample,
)

OTHER = "team-b"


def a_service(name: str, namespace: str = HOME, **spec: Any) -> Manifest:
    service = sample(**spec)[-1]
    return {**service, "metadata": {"name": name, "namespace": namespace}}


def sub(name: str, namespace: str = HOME) -> Ref:
    return Ref(MODEL_SUBSCRIPTION, namespace, name)


def orgs(world: World) -> list[str]:
    return sorted(a.org_name for t in world.around.porta for a in t.people.accounts.values())


async def test_two_services_share_the_account_of_a_developer_and_the_last_one_takes_it_along() -> None:
    async with a_settled_world() as world:
        await world.apply(a_service("second"))
        await world.settle()
        assert await world.told(Ref(MODEL_SERVICE, HOME, "second"), "DevelopersReady") == ("True", "Ready")
        assert orgs(world) == [f"{HOME}/dev1"]
        keys = {await world.key(), await world.key(Ref(SECRET, HOME, "second-dev1-key"))}
        assert len(keys) == 2
        await world.delete(SERVICE)
        await world.settle()
        assert orgs(world) == [f"{HOME}/dev1"]
        assert await world.key(Ref(SECRET, HOME, "second-dev1-key")) in keys
        await world.delete(Ref(MODEL_SERVICE, HOME, "second"))
        await world.settle()
        assert orgs(world) == []


async def test_services_of_one_name_in_two_namespaces_do_not_meet() -> None:
    async with a_settled_world() as world:
        developers = [{"name": "dev9", "email": "dev9@example.com", "plan": "standard"}]
        await world.apply(harness.a_namespace(OTHER), a_service(NAME, OTHER, developers=developers))
        await world.settle()
        twin = Ref(MODEL_SERVICE, OTHER, NAME)
        assert await world.told(twin, "Ready") == ("True", "Ready")
        names = {(await world.get(ref))["status"]["gateway"]["systemName"] for ref in (SERVICE, twin)}
        assert len(names) == 2
        await world.delete(twin)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_username_that_another_namespace_has_is_taken_and_never_adopted() -> None:
    async with a_settled_world() as world:
        await world.apply(harness.a_namespace(OTHER), a_service("twin", OTHER))
        await world.settle()
        second = sub("twin-dev1", OTHER)
        assert await world.told(second, "Ready") == ("False", "UsernameTaken"), await world.message(second)
        assert "dev1" in await world.message(second)
        assert (await world.told(second, "Stalled"))[0] == "True"
        assert (await world.told(Ref(MODEL_SERVICE, OTHER, "twin"), "DevelopersReady"))[1] == "DevelopersFailed"
        assert orgs(world) == [f"{HOME}/dev1"]
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        await world.delete(SERVICE)
        await world.settle()
        await world.rest(1200.0)
        assert await world.told(second, "Ready") == ("True", "Ready"), await world.message(second)


async def test_a_model_of_another_namespace_is_denied_and_nothing_is_made() -> None:
    async with a_settled_world() as world:
        await world.apply(harness.a_namespace(OTHER))
        await world.apply(a_subscription("thief", namespace=OTHER, modelRef={"namespace": HOME, "name": NAME}))
        await world.settle()
        assert await world.told(sub("thief", OTHER), "ModelAccepted") == ("False", "AccessDenied")
        assert orgs(world) == [f"{HOME}/dev1"]


async def test_a_secret_of_somebody_else_is_not_overwritten() -> None:
    async with a_settled_world() as world:
        await world.foreign(harness.a_secret(Ref(SECRET, HOME, "precious"), password="mine"))
        await world.apply(a_subscription("clumsy", secretName="precious"))
        await world.settle()
        assert (await world.told(sub("clumsy"), "KeyReady"))[1] == "Conflict"
        assert "Secret llm-hosting/precious" in await world.message(sub("clumsy"), "KeyReady")


async def test_the_key_secret_of_another_subscription_is_not_taken_over() -> None:
    async with a_settled_world() as world:
        key = await world.key()
        await world.apply(a_subscription("greedy", secretName=harness.CONSUMER_KEY.name))
        await world.settle()
        assert (await world.told(sub("greedy"), "KeyReady"))[1] == "Conflict"
        assert await world.key() == key


async def test_a_plan_that_is_not_published_or_needs_approval_is_not_granted() -> None:
    plans = [
        *sample()[-1]["spec"]["plans"],
        {"name": "hidden", "published": False},
        {"name": "gated", "approvalRequired": True},
    ]
    async with a_world() as world:
        await world.apply(*sample(plans=plans))
        await world.apply(a_subscription("one", plan="hidden"), a_subscription("two", plan="gated"))
        await world.apply(a_subscription("six", plan="absent"))
        await world.settle()
        assert (await world.told(sub("one"), "ModelAccepted"))[1] == "PlanNotGranted"
        assert (await world.told(sub("two"), "ModelAccepted"))[1] == "PlanNotGranted"
        assert (await world.told(sub("six"), "ModelAccepted"))[1] == "PlanMissing"
        assert orgs(world) == [f"{HOME}/dev1"]


async def test_an_owner_reference_that_a_user_writes_grants_nothing() -> None:
    async with a_settled_world() as world:
        await world.apply(*sample(plans=[*sample()[-1]["spec"]["plans"], {"name": "hidden", "published": False}]))
        service = await world.get(SERVICE)
        forged = a_subscription("forger", plan="hidden")
        reference = {"apiVersion": service["apiVersion"], "kind": service["kind"], "name": NAME}
        forged["metadata"]["ownerReferences"] = [{**reference, "uid": service["metadata"]["uid"], "controller": True}]
        forged["metadata"]["labels"] = owner_labels(service)
        await world.apply(forged)
        await world.settle()
        found = await world.find(sub("forger"))
        # It claims to be the service's child, which the service does not want.
        assert found is None or (await world.told(sub("forger"), "ModelAccepted"))[1] == "PlanNotGranted"
        assert orgs(world) == [f"{HOME}/dev1"]


async def test_labels_and_annotations_that_imitate_ours_change_nothing() -> None:
    async with a_settled_world() as world:
        await world.apply(harness.a_namespace(OTHER))
        service = a_service("imitator", OTHER, developers=[])
        service["metadata"]["labels"] = owner_labels(await world.get(SERVICE))
        service["metadata"]["annotations"] = {"serving.kserve.io/stop": "true", "maas-operator.io/config-hash": "x"}
        await world.apply(service)
        await world.settle()
        assert await world.told(Ref(MODEL_SERVICE, OTHER, "imitator"), "Ready") == ("True", "Ready")
        await world.delete(SERVICE)
        await world.settle()
        assert await world.told(Ref(MODEL_SERVICE, OTHER, "imitator"), "Ready") == ("True", "Ready")


async def test_a_subscription_of_a_developers_name_is_a_conflict_and_stays_its_users() -> None:
    async with a_world() as world:
        namespace, platform, service = sample()
        await world.apply(namespace, platform)
        user = {"username": "mallory", "email": "mallory@example.com"}
        await world.apply(a_subscription(SUBSCRIPTION.name, account="mallory", user=user))
        await world.apply(service)
        await world.settle()
        assert (await world.told(SERVICE, "DevelopersReady"))[1] == "Conflict"
        assert orgs(world) == [f"{HOME}/mallory"]
        await world.delete(SERVICE)
        await world.settle()
        assert await world.find(SUBSCRIPTION) is not None


async def test_a_developer_whose_names_joined_look_like_anothers_is_kept_apart() -> None:
    async with a_world() as world:
        developers = [{"name": "c-dev", "email": "c@example.com", "plan": "standard"}]
        others = [{"name": "dev", "email": "d@example.com", "plan": "standard"}]
        await world.apply(*sample()[:2], a_service("a", developers=developers), a_service("a-c", developers=others))
        await world.settle()
        told = {(await world.told(Ref(MODEL_SERVICE, HOME, name), "DevelopersReady")) for name in ("a", "a-c")}
        assert told == {("True", "Ready"), ("False", "Conflict")}
        await world.check()


@pytest.mark.parametrize("subresource", ["", "status"])
async def test_an_edited_status_of_a_subscription_gives_nothing_away(subresource: str) -> None:
    async with a_settled_world() as world:
        stored = await world.foreign(harness.a_secret(Ref(SECRET, GATEWAY, "stolen.key"), UserKey="canary-of-others"))
        patch = {"status": {"state": "Live", "secretName": "stolen", "keys": [], "children": []}}
        await world.edit(SUBSCRIPTION, patch, subresource=subresource)
        await world.settle()
        assert (await world.get(SUBSCRIPTION))["status"]["secretName"] == harness.CONSUMER_KEY.name
        assert await world.get(Ref(SECRET, GATEWAY, "stolen.key")) == stored


async def test_subscriptions_of_one_account_must_name_the_same_user() -> None:
    async with a_settled_world() as world:
        user = {"username": "mallory", "email": "mallory@example.com"}
        await world.rest(2.0)
        await world.apply(a_subscription("usurper", account="dev1", user=user))
        await world.settle()
        assert await world.told(sub("usurper"), "Ready") == ("False", "AccountMismatch")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")
        account = await world.get(Ref(DEVELOPER_ACCOUNT, GATEWAY, f"{HOME}.dev1"))
        assert account["status"]["accountID"]


HOSTILE = [
    {"model": {"source": {"uri": "https://user:secret@evil.example.com/x"}}},
    {"model": {"source": {"uri": "oci://x/{{.Values}}"}}},
    {"model": {"source": {"uri": "oci://x/y"}, "name": "x' --trust-remote-code"}},
    {"displayName": "<script>"},
    {"displayName": "{{ 7 * 7 }}"},
    {"api": {"cors": {"allowedOrigins": ["http://x.*"]}}},
    {"plans": [{"name": "../../admin"}]},
    {"developers": [{"name": "dev.1", "email": "a@example.com", "plan": "standard"}]},
]


@pytest.mark.parametrize("spec", HOSTILE, ids=lambda spec: str(spec)[:60])
async def test_what_could_be_read_as_something_else_is_refused(spec: dict[str, Any]) -> None:
    async with a_world() as world:
        await world.apply(*sample()[:2])
        with pytest.raises(Rejected):
            await world.apply(sample(**spec)[-1])

"""DeveloperAccount and DeveloperUser: they wait for each other, and 3scale is strict about people."""

from typing import Any

import pytest

from maas_operator.domain.kinds import DEVELOPER_ACCOUNT, DEVELOPER_USER
from maas_operator.sandbox.controllers.threescale.people import Account, People
from tests.sandbox.controllers.objects import GATEWAY, PASSWORD, account, provider_secret, secret, user
from tests.sandbox.controllers.world import World

PASSWORD_SECRET = secret("dev1-password", password=PASSWORD)
READY_ACCOUNT = {"Ready": "True", "Waiting": "False", "Invalid": "False", "Failed": "False"}
READY_USER = {"Ready": "True", "Orphan": "False", "Invalid": "False", "Failed": "False"}


def people(world: World) -> People:
    (tenant,) = world.around.porta
    return tenant.people


def only_account(world: World) -> Account:
    (found,) = people(world).accounts.values()
    return found


async def test_an_account_signs_up_with_its_orphan_admin(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    assert await world.conditions(account()) == READY_ACCOUNT
    assert await world.conditions(user()) == READY_USER
    (remote,) = only_account(world).users.values()
    assert (remote.username, remote.role, remote.state) == ("dev1", "admin", "active")
    assert (await world.status(account()))["accountID"] == only_account(world).id
    assert (await world.status(account()))["accountState"] == "approved"
    status = await world.status(user())
    assert (status["developerUserID"], status["accoundID"]) == (remote.id, only_account(world).id)


async def test_an_account_waits_for_an_admin(world: World) -> None:
    await world.settle(PASSWORD_SECRET, account(), user(role="member"))
    assert (await world.conditions(account()))["Waiting"] == "True"
    assert await world.message(account(), "Waiting") == "valid admin developer user CR not found"
    assert (await world.conditions(user()))["Orphan"] == "True"


async def test_an_account_that_waits_signs_up_by_its_own_retry_only(world: World) -> None:
    await world.settle(PASSWORD_SECRET, account())
    await world.settle(user(), retries=False)
    assert (await world.conditions(account()))["Waiting"] == "True"
    await world.settle()
    assert await world.conditions(account()) == READY_ACCOUNT


async def test_a_user_without_an_account_is_an_orphan(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user())
    assert await world.message(user(), "Orphan") == (
        "spec.developerAccountRef: Invalid value: parent account resource not found"
    )


async def test_a_missing_password_fails_the_account_and_is_tried_again(world: World) -> None:
    await world.settle(user(), account())
    assert "dev1-password" in await world.message(account(), "Failed")
    await world.settle(PASSWORD_SECRET)
    assert await world.conditions(account()) == READY_ACCOUNT


async def test_a_secret_without_a_password_fails(world: World) -> None:
    await world.settle(secret("dev1-password", other="x"), user(), account())
    assert "not found password field" in await world.message(account(), "Failed")


async def test_a_missing_password_makes_a_second_user_invalid_for_good(world: World) -> None:
    second = user("dev2", role="member", passwordCredentialsRef={"name": "absent"})
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.settle(second)
    assert (await world.conditions(second))["Invalid"] == "True"
    await world.settle(secret("absent", password=PASSWORD))
    assert (await world.conditions(second))["Invalid"] == "True"
    await world.patch(second, {"metadata": {"annotations": {"nudge": "1"}}})
    await world.settle()
    assert await world.conditions(second) == READY_USER


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a short password": ({}, "fourteen-chars", "password"),
    "a name with a slash": ({"username": "a/b"}, PASSWORD, "username"),
    "a name of two letters": ({"username": "ab"}, PASSWORD, "username"),
    "an address without a domain": ({"email": "dev1@here"}, PASSWORD, "email"),
}


@pytest.mark.parametrize(("spec", "password", "field"), REFUSED.values(), ids=REFUSED.keys())
async def test_3scale_refuses_to_sign_up(world: World, spec: dict[str, Any], password: str, field: str) -> None:
    await world.settle(secret("dev1-password", password=password), user(**spec), account())
    message = await world.message(account(), "Failed")
    assert f'"{field}"' in message
    assert "code: 422" in message
    assert password not in message


@pytest.mark.parametrize(
    "taken", [{"username": "dev1", "email": "other@example.com"}, {"username": "dev9", "email": "dev1@example.com"}]
)
async def test_names_and_addresses_are_unique_in_the_tenant(world: World, taken: dict[str, str]) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.settle(account("dev2"), user("dev2", developerAccountRef={"name": "dev2"}, **taken))
    assert "has already been taken" in await world.message(account("dev2"), "Failed")


async def test_ids_are_kept_as_annotations_and_recover_a_lost_status(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    live = await world.get(DEVELOPER_ACCOUNT, "dev1")
    assert live["metadata"]["annotations"] == {"accountID": str(only_account(world).id)}
    await world.client.replace({**live, "status": {}}, subresource="status")
    await world.settle()
    assert (await world.status(account()))["accountID"] == only_account(world).id
    assert (await world.get(DEVELOPER_USER, "dev1"))["metadata"]["annotations"].keys() == {"userID"}


async def test_a_user_is_owned_by_its_account(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    (owner,) = (await world.get(DEVELOPER_USER, "dev1"))["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("DeveloperAccount", "dev1", True)


async def test_a_user_that_has_a_controller_keeps_it(world: World) -> None:
    await world.settle(PASSWORD_SECRET, account("parent"))
    live = await world.get(DEVELOPER_ACCOUNT, "parent")
    reference = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "name": "parent",
        "uid": live["metadata"]["uid"],
        "controller": True,
    }
    owned = user()
    owned["metadata"]["ownerReferences"] = [reference]
    await world.settle(owned, account())
    references = (await world.get(DEVELOPER_USER, "dev1"))["metadata"]["ownerReferences"]
    assert [r["name"] for r in references] == ["parent"]


async def test_the_last_admin_cannot_be_deleted_until_its_account_goes(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.delete(user())
    await world.settle()
    assert (await world.conditions(user()))["Failed"] == "True"
    assert "code: 403" in await world.message(user(), "Failed")
    await world.delete(account())
    await world.settle()
    assert await world.is_gone(account())
    assert await world.is_gone(user())
    assert people(world).accounts == {}


async def test_a_second_user_can_be_deleted(world: World) -> None:
    second = user("dev2", role="member")
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.settle(second)
    assert len(only_account(world).users) == 2
    await world.delete(second)
    await world.settle()
    assert await world.is_gone(second)
    assert len(only_account(world).users) == 1


async def test_an_account_without_its_secret_leaks_the_remote_one(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.delete(provider_secret())
    await world.delete(account())
    await world.settle()
    assert await world.is_gone(account())
    assert len(people(world).accounts) == 1


async def test_changes_reach_3scale(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.settle(account(orgName="Team B", monthlyBillingEnabled=False))
    await world.settle(user(username="dev9", email="dev9@example.com", suspended=True))
    assert (only_account(world).org_name, only_account(world).billing) == ("Team B", False)
    (remote,) = only_account(world).users.values()
    assert (remote.username, remote.email, remote.state) == ("dev9", "dev9@example.com", "suspended")


async def test_a_password_is_not_synced_again(world: World) -> None:
    await world.settle(PASSWORD_SECRET, user(), account())
    await world.settle(secret("dev1-password", password="another-password-of-length"))
    world.around.runner.resync()
    await world.settle()
    (remote,) = only_account(world).users.values()
    assert remote.password == PASSWORD


async def test_a_password_may_live_in_another_namespace(world: World) -> None:
    await world.apply(secret("far", "models", password=PASSWORD))
    await world.settle(user(passwordCredentialsRef={"name": "far", "namespace": "models"}), account())
    assert await world.conditions(account()) == READY_ACCOUNT
    assert (await world.get(DEVELOPER_ACCOUNT, "dev1"))["metadata"]["namespace"] == GATEWAY

"""Application and ApplicationAuth: keys are pushed once, and an empty one takes the 3scale-operator down."""

from typing import Any

import pytest

from maas_operator.domain.kinds import APPLICATION, APPLICATION_AUTH, SECRET
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.threescale.context import secret_data
from maas_operator.sandbox.controllers.threescale.people import Application
from tests.sandbox.controllers.objects import (
    ADMIN_URL,
    GATEWAY,
    PASSWORD,
    TOKEN,
    USER_KEY,
    account,
    application,
    application_auth,
    backend,
    manifest,
    product,
    provider_secret,
    secret,
    user,
)
from tests.sandbox.controllers.world import World

PARENTS = [secret("dev1-password", password=PASSWORD), backend(), product(), user(), account()]
KEY = secret("dev1-llama-key", UserKey=USER_KEY, ApplicationKey="")


def only(world: World) -> Application:
    (tenant,) = world.around.porta
    (found,) = tenant.people.applications.values()
    return found


def rules(world: World) -> list[str]:
    return [violation.rule.value for violation in world.around.violations]


async def with_application(world: World, *more: Manifest) -> None:
    await world.settle(*PARENTS)
    await world.settle(application(), *more)


async def test_an_application_is_live_with_its_id(world: World) -> None:
    await with_application(world)
    status = await world.status(application())
    assert await world.conditions(application()) == {"Ready": "True"}
    assert (status["applicationID"], status["state"]) == (only(world).id, "live")
    live = await world.get(APPLICATION, "dev1-llama")
    assert live["metadata"]["annotations"] == {"applicationID": str(only(world).id)}
    assert live["metadata"]["finalizers"] == ["application.capabilities.3scale.net/finalizer"]
    assert live["metadata"]["ownerReferences"][0]["kind"] == "DeveloperAccount"


NOT_READY: dict[str, tuple[list[Manifest], str]] = {
    "without its account": ([], 'DeveloperAccount "dev1" not found'),
    "without its product": (
        [secret("dev1-password", password=PASSWORD), user(), account()],
        'Product "llama" not found',
    ),
    "with an account without an id": (
        [backend(), product(), account()],
        "accountCR name doesnt have a valid account reference",
    ),
    "with a product without an id": (
        [secret("dev1-password", password=PASSWORD), product(), user(), account()],
        "productCR name doesnt have a valid product reference",
    ),
}


@pytest.mark.parametrize(("parents", "message"), NOT_READY.values(), ids=NOT_READY.keys())
async def test_an_application_is_not_ready(world: World, parents: list[Manifest], message: str) -> None:
    await world.settle(*parents)
    await world.settle(application())
    assert await world.conditions(application()) == {"Ready": "False"}
    assert message in await world.message(application(), "Ready")
    await world.settle(*PARENTS)
    assert await world.conditions(application()) == {"Ready": "True"}


async def test_product_and_account_must_have_one_host(world: World) -> None:
    await world.apply(secret("slash", adminURL=f"{ADMIN_URL}/", token=TOKEN))
    own = {"providerAccountRef": {"name": "slash"}}
    await world.settle(secret("dev1-password", password=PASSWORD), backend(), product(), user(**own), account(**own))
    await world.settle(application())
    assert "providerAccounts dont match" in await world.message(application(), "Ready")


async def test_an_unknown_plan_is_told_in_the_original_words(world: World) -> None:
    await world.settle(*PARENTS)
    await world.settle(application(applicationPlanName="absent"))
    assert await world.message(application(), "Ready") == (
        "task failed SyncApplication: error sync application [dev1-llama]: "
        "plan [absent] doesnt exist in product [llama]"
    )


async def test_a_plan_that_needs_approval_leaves_the_application_pending(world: World) -> None:
    plans = {"standard": {"name": "Standard", "appsRequireApproval": True}}
    await world.settle(*PARENTS, product(applicationPlans=plans))
    await world.settle(application())
    assert (await world.status(application()))["state"] == "pending"


async def test_the_plan_changes_in_place(world: World) -> None:
    plans = {"standard": {"name": "Standard"}, "premium": {"name": "Premium"}}
    await world.settle(*PARENTS, product(applicationPlans=plans))
    await world.settle(application())
    before = only(world).id
    await world.settle(application(applicationPlanName="premium"))
    assert (only(world).id, only(world).plan.system_name) == (before, "premium")
    await world.settle(product(applicationPlans={"premium": {"name": "Premium"}}))
    assert (await world.conditions(product()))["Synced"] == "True"


async def test_suspending_and_resuming(world: World) -> None:
    await with_application(world)
    await world.settle(application(suspend=True))
    assert (only(world).state, (await world.status(application()))["state"]) == ("suspended", "suspended")
    await world.settle(application(suspend=False))
    assert (only(world).state, (await world.status(application()))["state"]) == ("live", "live")


async def test_deleting_an_application_deletes_the_remote_one(world: World) -> None:
    await with_application(world)
    await world.delete(application())
    await world.settle()
    assert await world.is_gone(application())
    (tenant,) = world.around.porta
    assert tenant.people.applications == {}


async def test_deleting_without_the_provider_secret_hangs(world: World) -> None:
    await with_application(world)
    await world.delete(provider_secret())
    await world.delete(application())
    await world.settle()
    assert not await world.is_gone(application())


async def test_deleting_while_3scale_is_down_hangs_until_it_is_back(world: World) -> None:
    await with_application(world)
    world.around.faults.porta = PortaFault.DOWN
    await world.delete(application())
    await world.settle()
    assert not await world.is_gone(application())
    world.around.faults.porta = None
    await world.settle()
    assert await world.is_gone(application())


async def test_an_account_takes_its_applications_with_it(world: World) -> None:
    await with_application(world)
    await world.delete(account())
    await world.settle()
    assert await world.is_gone(application())
    assert await world.is_gone(account())


async def test_a_deleted_product_leaves_its_application_not_ready_for_ever(world: World) -> None:
    await with_application(world)
    await world.delete(product())
    await world.settle()
    world.around.runner.resync()
    await world.settle()
    assert await world.conditions(application()) == {"Ready": "False"}


async def test_a_key_is_pushed_once(world: World) -> None:
    await with_application(world, KEY)
    await world.settle(application_auth())
    assert await world.conditions(application_auth()) == {"Ready": "True", "Failed": "False"}
    assert only(world).user_key == USER_KEY
    await world.settle(secret("dev1-llama-key", UserKey="another-key-than-before"))
    world.around.runner.resync()
    await world.settle()
    assert only(world).user_key == USER_KEY


async def test_the_values_used_are_written_back(world: World) -> None:
    await with_application(world, secret("dev1-llama-key", UserKey=USER_KEY, ApplicationKey="application-key"))
    await world.settle(application_auth())
    data = secret_data(await world.get(SECRET, "dev1-llama-key"))
    assert data == {
        "UserKey": USER_KEY,
        "ApplicationKey": "application-key",
        "ApplicationID": only(world).application_id,
    }
    assert only(world).keys == ["application-key"]


async def test_a_new_auth_rotates_the_key(world: World) -> None:
    await with_application(world, KEY)
    await world.settle(application_auth())
    await world.settle(secret("dev1-llama-key", UserKey="another-key-than-before"))
    await world.settle(application_auth("second"))
    assert only(world).user_key == "another-key-than-before"


async def test_an_auth_before_the_application_has_an_id_is_ready_without_effect(world: World) -> None:
    world.around.faults.porta = PortaFault.DOWN
    await world.settle(*PARENTS, application(), KEY, application_auth())
    world.around.faults.porta = None
    await world.settle()
    assert await world.conditions(application_auth()) == {"Ready": "True", "Failed": "False"}
    assert only(world).user_key != USER_KEY
    assert rules(world) == ["KeyNeverReachesThreescale"]


async def test_a_key_under_another_name_never_arrives(world: World) -> None:
    named = {"apicastHosted": {"authentication": {"userkey": {"authUserKey": "api_key"}}}}
    await world.settle(*PARENTS, product(deployment=named))
    await world.settle(application(), KEY)
    await world.settle(application_auth())
    assert (await world.conditions(application_auth()))["Ready"] == "True"
    assert only(world).user_key != USER_KEY
    assert rules(world) == ["KeyNeverReachesThreescale"]


CRASHES: dict[str, tuple[Manifest, dict[str, Any]]] = {
    "an empty key and generateSecret unset": (secret("dev1-llama-key", UserKey=""), {"generateSecret": None}),
    "no key and generateSecret unset": (secret("dev1-llama-key", Other="x"), {"generateSecret": None}),
    "a secret without data": (secret("dev1-llama-key"), {"generateSecret": False}),
}


@pytest.mark.parametrize(("key", "spec"), CRASHES.values(), ids=CRASHES.keys())
async def test_the_3scale_operator_goes_down(world: World, key: Manifest, spec: dict[str, Any]) -> None:
    await with_application(world, key)
    auth = application_auth(**spec)
    auth["spec"] = {name: value for name, value in auth["spec"].items() if value is not None}
    await world.settle(auth)
    assert world.around.threescale.crashed
    assert rules(world) == ["ThreescaleOperatorCrashes"]
    await world.settle(application("later"))
    assert await world.status(application("later")) == {}


async def test_generated_keys_depend_on_the_second_only(world: World) -> None:
    await with_application(world, secret("dev1-llama-key", UserKey="", ApplicationKey=""))
    await world.settle(application_auth(generateSecret=True))
    first = only(world).user_key
    await world.settle(secret("second-key", UserKey="", ApplicationKey=""), application("second"))
    second = application_auth("second", applicationCRName="second", authSecretRef={"name": "second-key"})
    second["spec"]["generateSecret"] = True
    await world.settle(second)
    assert "has already been taken" in await world.message(second, "Failed")
    assert len(first) == 64


REFUSED_KEYS = {"a key with a space": "a key", "a key that is too long": "k" * 257, "an umlaut": "schlüssel-schlüssel"}


@pytest.mark.parametrize("key", REFUSED_KEYS.values(), ids=REFUSED_KEYS.keys())
async def test_3scale_refuses_a_key(world: World, key: str) -> None:
    await with_application(world, secret("dev1-llama-key", UserKey=key))
    await world.settle(application_auth())
    message = await world.message(application_auth(), "Failed")
    assert '"user_key":["is invalid"]' in message
    assert key not in message


async def test_two_applications_of_a_product_cannot_share_a_key(world: World) -> None:
    await with_application(world, KEY)
    await world.settle(application_auth(), application("second"))
    await world.settle(application_auth("second", applicationCRName="second"))
    assert "has already been taken" in await world.message(application_auth("second"), "Failed")


async def test_an_application_has_at_most_five_keys(world: World) -> None:
    await with_application(world)
    for number in range(6):
        await world.settle(secret("dev1-llama-key", UserKey=USER_KEY, ApplicationKey=f"application-key-{number}"))
        await world.settle(application_auth(f"auth-{number}"))
    assert "Limit reached" in await world.message(application_auth("auth-5"), "Failed")


@pytest.mark.parametrize("missing", ["application", "secret"])
async def test_an_auth_waits_for_what_it_names(world: World, missing: str) -> None:
    await world.settle(*PARENTS)
    await world.settle(*([KEY] if missing == "application" else [application()]))
    await world.settle(application_auth())
    assert "not found" in await world.message(application_auth(), "Failed")
    if missing == "application":
        await world.settle(application(), retries=False)
    await world.settle(KEY)
    assert (await world.conditions(application_auth()))["Ready"] == "True"
    assert only(world).user_key == USER_KEY


async def test_an_auth_uses_its_own_provider_account(world: World) -> None:
    await with_application(world, KEY)
    spec = {key: value for key, value in application_auth()["spec"].items() if key != "providerAccountRef"}
    await world.settle(manifest(APPLICATION_AUTH, GATEWAY, "dev1-llama-1", spec))
    assert await world.status(application_auth()) == {}


async def test_an_immutable_secret_cannot_be_written_back(world: World) -> None:
    await with_application(world, {**KEY, "immutable": True})
    await world.settle(application_auth())
    assert (await world.conditions(application_auth()))["Failed"] == "True"

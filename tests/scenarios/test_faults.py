"""What goes wrong around us: the condition names the object, its cause and the way out, and heals when it is gone."""

from __future__ import annotations

import pytest

from maas_operator.sandbox.controllers.faults import PodFault, PortaFault
from tests.scenarios import harness
from tests.scenarios.harness import ACCOUNT, NAME, SERVICE, SUBSCRIPTION, a_settled_world, a_world, sample

PODS = {
    PodFault.IMAGE_PULL: ("ImagePullFailed", "Back-off pulling image"),
    PodFault.UNSCHEDULABLE: ("Unschedulable", "2 Insufficient nvidia.com/gpu"),
    PodFault.OOM_KILLED: ("OutOfMemory", "killed for its memory"),
    PodFault.CRASH_LOOP: ("ContainerCrashed", "larger than the available KV cache memory"),
    PodFault.STORAGE_INITIALIZER: ("ModelLoadFailed", "does not exist in bucket models"),
    PodFault.MODELCAR: ("ModelLoadFailed", "no /models directory"),
    PodFault.QUOTA: ("PodsRefused", "exceeded quota"),
    PodFault.NEVER_READY: ("ModelLoading", "InferenceService"),
}


@pytest.mark.parametrize("fault", PODS, ids=str)
async def test_a_pod_that_does_not_come_up_is_explained_and_given_up_on_in_time(fault: PodFault) -> None:
    reason, words = PODS[fault]
    async with a_world() as world:
        world.around.faults.pods[NAME] = fault
        await world.apply(*sample(serving={**sample()[-1]["spec"]["serving"], "startupTimeout": "10m"}))
        await world.rest(60.0)
        message = await world.message(SERVICE, "ModelReady")
        assert await world.told(SERVICE, "ModelReady") == ("False", reason), message
        assert words in message
        assert await world.told(SERVICE, "Ready") == ("False", reason)
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")
        await world.rest(700.0)
        late = fault is not PodFault.QUOTA
        assert (await world.told(SERVICE, "Stalled"))[0] == ("True" if late else "False")
        assert words in await world.message(SERVICE)
        del world.around.faults.pods[NAME]
        await world.rest(60.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")


async def test_a_model_that_breaks_later_is_told_and_stays_published() -> None:
    async with a_settled_world() as world:
        key = await world.key()
        world.around.faults.pods[NAME] = PodFault.OOM_KILLED
        await world.break_pods()
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "OutOfMemory")
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        world.around.faults.pods.clear()
        await world.rest(60.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.key() == key


@pytest.mark.parametrize(("fault", "words"), [(PortaFault.DOWN, "connection refused"), (PortaFault.FORBIDDEN, "403")])
async def test_3scale_that_does_not_answer_is_quoted_and_the_model_is_served_meanwhile(
    fault: PortaFault, words: str
) -> None:
    async with a_world() as world:
        world.around.faults.porta = fault
        await world.apply(*sample())
        await world.rest(120.0)
        status, reason = await world.told(SERVICE, "GatewayReady")
        message = await world.message(SERVICE, "GatewayReady")
        assert (status, reason) == ("False", "GatewayFailed"), message
        assert "Backend 3scale/" in message
        assert words in message
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")
        world.around.faults.porta = None
        await world.rest(200.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")


async def test_a_token_that_3scale_refuses_is_told_and_the_right_one_heals() -> None:
    async with a_world(install=False) as world:
        await world.install(account=False)
        await world.apply(harness.a_secret(ACCOUNT, adminURL=harness.ADMIN_URL, token="expired-canary"))
        await world.apply(*sample())
        await world.rest(120.0)
        assert (await world.told(SERVICE, "GatewayReady"))[1] == "GatewayFailed"
        await world.apply(harness.the_account())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_what_works_goes_on_working_while_3scale_is_down() -> None:
    async with a_settled_world() as world:
        key = await world.key()
        world.around.faults.porta = PortaFault.DOWN
        await world.apply(*sample(displayName="Another name"))
        await world.settle()
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")
        assert (await world.told(SERVICE, "GatewayReady"))[0] == "False"
        assert await world.key() == key
        world.around.faults.porta = None
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.key() == key


async def test_a_route_that_is_late_is_told() -> None:
    async with a_world() as world:
        world.around.delays.route = 100.0
        await world.apply(*sample())
        await world.rest(60.0)
        assert await world.told(SERVICE, "Live") == ("False", "RouteMissing")
        assert await world.told(SUBSCRIPTION, "KeyReady") == ("False", "ModelNotPublished")
        await world.rest(120.0)
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        assert await world.told(SUBSCRIPTION, "Ready") == ("True", "Ready")

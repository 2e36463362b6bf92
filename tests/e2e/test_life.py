"""The life of a model on a live API: made, seen, repaired, interrupted, deleted."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import (
    APPLICATION_AUTH,
    BACKEND,
    DEVELOPER_ACCOUNT,
    INFERENCE_SERVICE,
    NAMESPACE,
    NETWORK_POLICY,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SECRET,
    SERVICE,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.sandbox.controllers.faults import PodFault, PortaFault
from maas_operator.sandbox.controllers.surroundings import THREESCALE_NAMESPACE
from maas_operator.sandbox.controllers.threescale.context import DEFAULT_SECRET
from tests.e2e.world import World, condition, is_complete, sample, service_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROVIDER_ACCOUNT = Ref(SECRET, THREESCALE_NAMESPACE, DEFAULT_SECRET)
KEY = "llama-32-1b-instruct-cpu-dev1-key"
MOMENTS = (INFERENCE_SERVICE, BACKEND, PRODUCT, DEVELOPER_ACCOUNT, PROXY_CONFIG_PROMOTE, APPLICATION_AUTH)
DRIFT = {
    SERVING_RUNTIME: {"multiModel": True},
    INFERENCE_SERVICE: {"predictor": {"minReplicas": 3, "maxReplicas": 3}},
    NETWORK_POLICY: {"ingress": []},
    BACKEND: {"privateBaseURL": "https://evil.example.com"},
    PRODUCT: {"name": "Another name"},
}


async def test_a_developer_gets_a_key_that_3scale_lets_in(world: World, model: str) -> None:
    keys = await world.keys(model)
    assert set(keys) == {KEY, "dev1-portal"}
    assert keys[KEY]["OPENAI_API_KEY"] in world.user_keys()
    assert keys[KEY]["MODEL"] == "llama-32-1b-instruct"
    assert keys[KEY]["OPENAI_BASE_URL"] == (await world.get(service_of(model)))["status"]["url"]
    assert keys["dev1-portal"].keys() == {"url", "username", "password"}
    assert not list(world.environment.around.violations)


async def test_kubectl_tells_what_is_served(world: World, namespace: str) -> None:
    await world.kubectl("apply", "-f", str(world.written(sample(namespace))))
    name, home = "msvc/llama-32-1b-instruct-cpu", f"--namespace={namespace}"
    await world.kubectl("wait", home, name, "--for=condition=Ready", "--timeout=60s")
    line = (await world.kubectl("get", home, "msvc")).splitlines()[1].split()
    assert line[:4] == ["llama-32-1b-instruct-cpu", "True", "Ready", "llama-32-1b-instruct"]
    assert "the model is served and published" in await world.kubectl("describe", home, name)
    assert "dev1" in await world.kubectl("get", home, "msub")
    assert "unchanged" in await world.kubectl("apply", "-f", str(world.written(sample(namespace))))


async def test_what_kubectl_edits_arrives_at_3scale(world: World, model: str) -> None:
    home, editor = f"--namespace={model}", "sed -i s/value:.60/value:\\ 61/"
    await world.kubectl("edit", home, "msvc/llama-32-1b-instruct-cpu", KUBE_EDITOR=editor)
    await world.until(service_of(model), is_complete)
    product = await world.first(PRODUCT)
    assert product["spec"]["applicationPlans"]["standard"]["limits"][0]["value"] == 61


async def test_a_second_apply_of_everything_writes_nothing(world: World, model: str) -> None:
    before, writes = await world.quiet(), world.writes()
    await world.apply(sample(model))
    # Old servers note the time of an apply that changes nothing.
    applied = {ref_of(one) for one in sample(model)}
    assert {ref for ref, version in (await world.quiet()).items() if before[ref] != version} <= applied
    assert world.writes() == writes


async def test_a_restart_writes_nothing(world: World, model: str) -> None:
    # A new operator applies everything once; the server finds nothing to write.
    before = await world.quiet()
    assert await world.operator.stop() == 0
    await world.run()
    assert await world.quiet() == before


@pytest.mark.parametrize("kind", DRIFT, ids=str)
async def test_a_child_that_somebody_changed_is_put_back(world: World, model: str, kind: Kind) -> None:
    await world.quiet()
    child = await world.first(kind)
    await world.patch(ref_of(child), spec=DRIFT[kind])
    await world.until(ref_of(child), lambda live: live["spec"] == child["spec"])


async def test_a_child_that_somebody_deleted_comes_back(world: World, model: str) -> None:
    service = Ref(SERVICE, model, "llama-32-1b-instruct-cpu-api")
    old = await world.get(service)
    await world.delete(service)
    assert (await world.until(service, lambda live: True))["metadata"]["uid"] != old["metadata"]["uid"]


async def test_a_model_whose_pod_fits_on_no_node_says_so_until_it_does(world: World, model: str) -> None:
    async with world.fault(service_of(model), PodFault.UNSCHEDULABLE):
        failed = await world.until(service_of(model), lambda live: ready(live)["reason"] == "Unschedulable")
        assert "nodes are available" in condition(failed, "ModelReady")["message"]
    await world.complete(service_of(model))


async def test_deleting_while_3scale_is_down_tells_what_it_waits_for(world: World, model: str) -> None:
    application = f"Application 3scale/{model}.llama-32-1b-instruct-cpu-dev1"
    async with world.fault(PROVIDER_ACCOUNT, PortaFault.DOWN):
        await world.delete(service_of(model))
        # What 3scale answered a moment ago, to the deletion before, still holds for some seconds.
        waits = await world.until(service_of(model), lambda live: ready(live)["reason"] == "DeletionBlocked")
        assert application in ready(waits)["message"]
    await world.gone(service_of(model))
    assert world.in_3scale() == []


async def test_deleting_the_model_leaves_nothing(world: World, model: str) -> None:
    await world.delete(service_of(model))
    await world.gone(service_of(model))
    assert [ref_of(one) for one in await world.ours()] == []
    assert world.in_3scale() == []


async def test_deleting_the_namespace_leaves_nothing(world: World, model: str) -> None:
    await world.delete(Ref(NAMESPACE, "", model))
    await world.gone(Ref(NAMESPACE, "", model))
    assert [ref_of(one) for one in await world.ours()] == []
    assert world.in_3scale() == []


async def test_an_operator_that_is_killed_again_and_again_comes_to_the_same_end(world: World, namespace: str) -> None:
    await world.apply(sample(namespace))
    for kind in MOMENTS:
        await world.first(kind)
        await world.operator.kill()
        await world.run()
    await world.complete(service_of(namespace))
    keys = await world.keys(namespace)
    assert [keys[KEY]["OPENAI_API_KEY"]] == world.user_keys()
    assert not list(world.environment.around.violations)


async def test_deleting_ends_although_the_operator_is_killed_meanwhile(world: World, model: str) -> None:
    await world.delete(service_of(model))
    await world.until(service_of(model), lambda live: ready(live)["reason"] in ("Deleting", "DeletionBlocked"))
    await world.operator.kill()
    await world.run()
    await world.gone(service_of(model))
    assert world.in_3scale() == []


def ready(service: Manifest) -> Manifest:
    return condition(service, "Ready")

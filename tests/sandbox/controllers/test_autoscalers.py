"""KServe's autoscalers, Kubernetes' and KEDA's: what they make, what they refuse, and whom they leave in peace."""

from typing import Any

from maas_operator.domain.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    POD,
    SCALED_OBJECT,
)
from maas_operator.domain.objects import Manifest, Ref
from tests.sandbox.controllers.objects import MODELS, manifest, runtime, service
from tests.sandbox.controllers.world import World

CLASS = "serving.kserve.io/autoscalerClass"
TARGET = Ref(DEPLOYMENT, MODELS, "llama-predictor")
BOUNDS = {"minReplicas": 2, "maxReplicas": 4}
METRIC = {"backend": "prometheus", "serverAddress": "http://prometheus:9090", "query": "sum(up)", "namespace": MODELS}
BEARER = {"authModes": "bearer", "authenticationRef": {"name": "token"}}


def of_class(name: str, **predictor: Any) -> Manifest:
    isvc = service(predictor=BOUNDS | predictor)
    return {**isvc, "metadata": {**isvc["metadata"], "annotations": {**isvc["metadata"]["annotations"], CLASS: name}}}


def by_keda(**more: Any) -> Manifest:
    external = {"metric": METRIC, "target": {"type": "Value", "value": "5"}, **more}
    return of_class("keda", autoScaling={"metrics": [{"type": "External", "external": external}]})


async def names(world: World, kind: Any) -> list[str]:
    return [one["metadata"]["name"] for one in await world.client.list(kind, namespace=MODELS)]


async def running(world: World) -> int:
    return len(await world.client.list(POD, namespace=MODELS))


async def test_without_a_class_there_is_an_autoscaler_that_brings_replicas_to_the_least(world: World) -> None:
    await world.settle(runtime(), service(predictor=BOUNDS))
    found = await world.get(HORIZONTAL_POD_AUTOSCALER, "llama-predictor", MODELS)
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (2, 4)
    assert await running(world) == 2


async def test_the_class_none_has_no_autoscaler_and_sets_the_replicas_itself(world: World) -> None:
    await world.settle(runtime(), of_class("none"))
    assert (await names(world, HORIZONTAL_POD_AUTOSCALER), await running(world)) == ([], 2)


async def test_load_moves_replicas_within_the_bounds_and_kserve_leaves_them(world: World) -> None:
    await world.settle(runtime(), of_class("hpa"))
    for load, replicas in ((3, 3), (9, 4), (1, 2)):
        await world.around.autoscalers.move(TARGET, load)
        await world.settle()
        world.around.runner.resync()
        await world.settle()
        assert await running(world) == replicas


async def test_keda_makes_its_own_autoscaler_of_what_kserve_describes(world: World) -> None:
    await world.settle(runtime(), by_keda(authenticationRef=BEARER))
    (trigger,) = (await world.get(SCALED_OBJECT, "llama-predictor", MODELS))["spec"]["triggers"]
    assert trigger["metadata"]["authModes"] == "bearer"
    assert trigger["authenticationRef"] == {"name": "token"}
    assert await names(world, HORIZONTAL_POD_AUTOSCALER) == ["keda-hpa-llama-predictor"]
    assert await running(world) == 2


async def test_keda_refuses_to_work_beside_an_autoscaler_that_kserve_left_behind(world: World) -> None:
    await world.settle(runtime(), of_class("hpa"))
    await world.settle(by_keda())
    assert await names(world, SCALED_OBJECT) == []
    await world.delete(await world.get(HORIZONTAL_POD_AUTOSCALER, "llama-predictor", MODELS))
    await world.settle()
    assert await names(world, SCALED_OBJECT) == ["llama-predictor"]


async def test_kserve_leaves_a_scaled_object_behind_too(world: World) -> None:
    await world.settle(runtime(), by_keda())
    await world.settle(of_class("none"))
    assert await names(world, SCALED_OBJECT) == ["llama-predictor"]
    await world.delete(await world.get(SCALED_OBJECT, "llama-predictor", MODELS))
    await world.settle()
    assert await names(world, SCALED_OBJECT) == []


async def test_two_autoscalers_of_the_same_pods_do_not_act(world: World) -> None:
    await world.settle(runtime(), of_class("hpa"))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama-predictor"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5}
    await world.settle(manifest(HORIZONTAL_POD_AUTOSCALER, MODELS, "second", spec))
    await world.around.autoscalers.move(TARGET, 4)
    await world.settle()
    assert await running(world) == 2
    second = await world.get(HORIZONTAL_POD_AUTOSCALER, "second", MODELS)
    assert second["status"]["conditions"][-1]["reason"] == "AmbiguousSelector"


async def test_a_stop_takes_the_autoscaler_along(world: World) -> None:
    for isvc, kind in ((of_class("hpa"), HORIZONTAL_POD_AUTOSCALER), (by_keda(), SCALED_OBJECT)):
        await world.settle(runtime(), isvc)
        annotations = {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}}
        await world.client.merge_patch(Ref(INFERENCE_SERVICE, MODELS, "llama"), annotations)
        await world.settle()
        assert (await names(world, kind), await running(world)) == ([], 0)
        await world.delete(isvc)
        await world.settle()


async def test_without_metrics_an_autoscaler_says_so_and_leaves_the_replicas(world: World) -> None:
    world.around.faults.metrics = "no metrics returned from resource metrics API"
    await world.settle(runtime(), of_class("hpa"), retries=False)
    await world.around.autoscalers.move(TARGET, 4)
    found = await world.get(HORIZONTAL_POD_AUTOSCALER, "llama-predictor", MODELS)
    told = {one["type"]: (one["status"], one["reason"]) for one in found["status"]["conditions"]}
    assert told == {
        "AbleToScale": ("True", "SucceededGetScale"),
        "ScalingActive": ("False", "FailedGetResourceMetric"),
    }
    assert await running(world) == 2
    world.around.faults.metrics = ""
    await world.around.autoscalers.move(TARGET, 4)
    await world.settle()
    assert await running(world) == 4

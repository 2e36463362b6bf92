"""Replicas: by the scale subresource, by KServe's autoscalers and by the user's own, and what restarts pods."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    MODEL_SERVICE,
    POD,
    SCALED_OBJECT,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.sandbox.crds import third_party_crds
from tests.scenarios.harness import HOME, NAME, SERVICE, World, a_world, sample
from tests.scenarios.operator import Records

MODEL = Ref(INFERENCE_SERVICE, HOME, NAME)
PODS = Ref(DEPLOYMENT, HOME, f"{NAME}-predictor")
OF_KSERVE = Ref(HORIZONTAL_POD_AUTOSCALER, HOME, PODS.name)
OF_KEDA = Ref(SCALED_OBJECT, HOME, PODS.name)
PROMETHEUS = {"url": "https://prometheus.example.com:9090"}
QUEUE = {"maxReplicas": 4, "metric": "WaitingRequests"}
CPU = {"maxReplicas": 4, "metric": "CPU", "target": 70}
CLASS = "serving.kserve.io/autoscalerClass"


def wish(prometheus: dict[str, Any] | None = PROMETHEUS, **serving: Any) -> list[Manifest]:
    namespace, platform, service = sample()
    if prometheus:
        platform["spec"]["monitoring"] = {"prometheus": prometheus}
    service["spec"]["serving"] |= serving
    return [namespace, platform, service]


async def apply(world: World, prometheus: dict[str, Any] | None = PROMETHEUS, **serving: Any) -> None:
    await world.apply(*wish(prometheus, **serving))
    await world.settle(quiet_seconds=150.0)


async def scale(world: World, replicas: int) -> None:
    """Do what `kubectl scale` does."""
    await world.edit(SERVICE, {"spec": {"replicas": replicas}}, subresource="scale")
    await world.settle(quiet_seconds=150.0)


async def running(world: World) -> int:
    return len(await world.client.list(POD, namespace=HOME, labels={"app": f"isvc.{NAME}-predictor"}))


def started(world: World) -> int:
    return world.around.kserve.pods_started.total()


def written(records: Records, since: int) -> set[tuple[str, str]]:
    return {(call.kind, call.subresource) for call, _ in records.writes(since)}


async def scaler_class(world: World) -> str | None:
    found = (await world.get(MODEL))["metadata"]["annotations"].get(CLASS)
    return None if found is None else str(found)


async def without(world: World, kind: Kind) -> None:
    name = f"{kind.plural}.{kind.group}"
    await world.delete(Ref(CUSTOM_RESOURCE_DEFINITION, "", name))


async def install(world: World, kind: Kind) -> None:
    definitions = [one for one in third_party_crds() if one["spec"]["group"] == kind.group]
    for one in definitions:
        await world.client.apply(one, manager="admin")


async def test_the_scale_subresource_scales_one_to_one() -> None:
    async with a_world() as world:
        await apply(world)
        before = started(world)
        await scale(world, 3)
        status = (await world.get(SERVICE))["status"]
        assert (await running(world), status["replicas"], started(world) - before) == (3, 3, 2)
        assert status["selector"] == f"app=isvc.{NAME}-predictor"
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await scale(world, 1)
        assert (await running(world), (await world.get(SERVICE))["status"]["replicas"]) == (1, 1)


async def test_no_replicas_stop_the_model_and_say_what_callers_get() -> None:
    async with a_world() as world:
        await apply(world)
        await scale(world, 0)
        assert (await running(world), (await world.get(SERVICE))["status"]["replicas"]) == (0, 0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "Stopped")
        assert "502" in await world.message(SERVICE, "ModelReady")
        await scale(world, 2)
        assert (await running(world), await world.told(SERVICE, "Ready")) == (2, ("True", "Ready"))


async def test_an_autoscaler_of_the_users_own_works_on_the_scale_of_the_model() -> None:
    async with a_world() as world:
        await apply(world)
        target = {"apiVersion": MODEL_SERVICE.api_version, "kind": MODEL_SERVICE.name, "name": NAME}
        mine = await world.foreign(
            {
                "apiVersion": HORIZONTAL_POD_AUTOSCALER.api_version,
                "kind": HORIZONTAL_POD_AUTOSCALER.name,
                "metadata": {"name": "mine", "namespace": HOME},
                "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5},
            }
        )
        await world.settle(quiet_seconds=150.0)
        await world.around.autoscalers.move(SERVICE, 4)
        await world.settle(quiet_seconds=150.0)
        ref = Ref(HORIZONTAL_POD_AUTOSCALER, HOME, "mine")
        assert await world.told(ref, "ScalingActive") == ("True", "ValidMetricFound")
        assert await running(world) == 4
        await world.no_longer_foreign(mine)


async def test_keda_scales_on_what_waits_at_this_model_and_nobody_writes_against_it() -> None:
    async with a_world() as world:
        await apply(world, autoscaling=QUEUE)
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")
        spec = (await world.get(OF_KEDA))["spec"]
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 4)
        assert spec["triggers"] == [
            {
                "type": "prometheus",
                "metadata": {
                    "serverAddress": PROMETHEUS["url"],
                    "query": f'sum(vllm:num_requests_waiting{{namespace="{HOME}",'
                    f'pod=~"{NAME}-predictor-[0-9a-z]+-[0-9a-z]+"}})',
                    "threshold": "5",
                    "namespace": HOME,
                },
            }
        ]
        pods, calls = started(world), len(world.operator.records.calls)
        flips = len([*world.historian.history])
        world.around.delays.pod_start = 60.0
        for replicas in (3, 2, 4, 1):
            await world.around.autoscalers.move(PODS, replicas)
            await world.rest(10.0)
            assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")
            await world.settle(quiet_seconds=150.0)
            assert (await running(world), (await world.get(SERVICE))["status"]["replicas"]) == (replicas, replicas)
        assert written(world.operator.records, calls) == {("ModelService", "status")}
        assert started(world) - pods == 4
        changes = [e.object for e in world.historian.history[flips:] if e.object["kind"] == SERVICE.kind.name]
        truths = {
            one["status"]
            for c in changes
            for one in c["status"]["conditions"]
            if one["type"] in ("Ready", "ModelReady")
        }
        assert truths == {"True"}


async def test_a_horizontal_pod_autoscaler_scales_on_the_processor() -> None:
    async with a_world() as world:
        await apply(world, autoscaling={**CPU, "minReplicas": 2})
        spec = (await world.get(OF_KSERVE))["spec"]
        target = {"type": "Utilization", "averageUtilization": 70}
        assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        assert await running(world) == 2
        await world.around.autoscalers.move(PODS, 9)
        await world.settle(quiet_seconds=150.0)
        assert (await running(world), await world.told(SERVICE, "Ready")) == (4, ("True", "Ready"))


async def test_another_bound_metric_or_target_restarts_nothing() -> None:
    async with a_world() as world:
        await apply(world, autoscaling=CPU)
        before = started(world)
        await apply(world, autoscaling={"maxReplicas": 5, "metric": "Memory", "target": 50})
        assert started(world) == before
        await apply(world, autoscaling=QUEUE)
        before = started(world)
        await apply(world, autoscaling={"maxReplicas": 2, "metric": "Concurrency", "target": 8})
        assert started(world) == before


async def test_each_change_of_who_scales_restarts_the_pods_once_and_leaves_no_second_autoscaler() -> None:
    async with a_world() as world:
        await apply(world)
        for autoscaling, word in ((CPU, "hpa"), (QUEUE, "keda"), (CPU, "hpa"), (QUEUE, "keda"), (None, "none")):
            before = started(world)
            await apply(world, **({"autoscaling": autoscaling} if autoscaling else {}))
            assert (await scaler_class(world), started(world) - before) == (word, 1)
            assert (await world.find(OF_KSERVE) is not None) == (word == "hpa")
            assert (await world.find(OF_KEDA) is not None) == (word == "keda")
            assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_scaled_model_that_is_stopped_has_no_autoscaler_and_gets_it_back() -> None:
    async with a_world() as world:
        await apply(world, autoscaling=QUEUE)
        await apply(world, autoscaling=QUEUE, replicas=0)
        assert await world.told(SERVICE, "Ready") == ("False", "Stopped")
        assert (await world.find(OF_KEDA), await running(world)) == (None, 0)
        await apply(world, autoscaling=QUEUE)
        assert await world.find(OF_KEDA) is not None
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_pods_of_a_version_that_named_no_class_go_on_running() -> None:
    async with a_world() as world:
        await apply(world)
        await world.edit(MODEL, {"metadata": {"annotations": {CLASS: None}}})
        await world.settle(quiet_seconds=150.0)
        assert (await scaler_class(world), await world.find(OF_KSERVE) is not None) == (None, True)
        before = started(world)
        await apply(world, autoscaling=CPU)
        await apply(world, replicas=1)
        assert (started(world), await scaler_class(world)) == (before, None)
        await apply(world, startupTimeout="45m")
        # These pods are new ones anyway.
        assert (await scaler_class(world), await world.find(OF_KSERVE)) == ("none", None)


async def test_without_keda_nothing_is_half_made_until_it_is_there() -> None:
    async with a_world() as world:
        await without(world, SCALED_OBJECT)
        await apply(world, autoscaling=QUEUE)
        assert await world.told(SERVICE, "ModelReady") == ("False", "AutoscalingUnavailable")
        assert await world.told(SERVICE, "Stalled") == ("True", "AutoscalingUnavailable")
        message = await world.message(SERVICE, "ModelReady")
        assert "spec.serving.autoscaling.metric" in message
        assert "scaledobjects.keda.sh is not installed: install KEDA" in message
        assert await world.find(MODEL) is None
        await install(world, SCALED_OBJECT)
        await world.settle(quiet_seconds=150.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_without_an_address_of_prometheus_a_running_model_stays_as_it_is() -> None:
    async with a_world() as world:
        await apply(world, prometheus=None)
        before = started(world)
        await apply(world, prometheus=None, autoscaling=QUEUE)
        assert await world.told(SERVICE, "ModelReady") == ("False", "AutoscalingUnavailable")
        assert "spec.monitoring.prometheus.url of ModelPlatform default" in await world.message(SERVICE, "ModelReady")
        assert (started(world), await scaler_class(world)) == (before, "none")
        await apply(world, autoscaling=QUEUE)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_while_the_next_autoscaler_can_not_be_had_the_one_before_goes_on() -> None:
    async with a_world() as world:
        await apply(world, prometheus=None, autoscaling=CPU)
        before = await world.get(OF_KSERVE)
        await apply(world, prometheus=None, autoscaling=QUEUE)
        assert await world.told(SERVICE, "ModelReady") == ("False", "AutoscalingUnavailable")
        assert (await world.get(OF_KSERVE))["metadata"]["uid"] == before["metadata"]["uid"]
        await apply(world, autoscaling=QUEUE)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.find(OF_KSERVE) is None


async def test_keda_that_can_not_ask_is_told_of_a_model_that_answers() -> None:
    async with a_world() as world:
        world.around.faults.keda = "error requesting metrics endpoint: connection refused"
        await apply(world, autoscaling=QUEUE)
        assert await world.told(SERVICE, "ModelReady") == ("True", "AutoscalerFailing")
        message = await world.message(SERVICE, "ModelReady")
        assert f"ScaledObject {HOME}/{PODS.name}" in message
        assert "connection refused" in message
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        world.around.faults.keda = ""
        await world.edit(OF_KEDA, {"metadata": {"annotations": {"looked-at": "again"}}})
        await world.settle(quiet_seconds=150.0)
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")


async def test_metrics_that_are_missing_are_told_of_a_model_that_answers_and_heal() -> None:
    async with a_world() as world:
        world.around.faults.metrics = "unable to get metrics for resource cpu: the server could not find the resource"
        await apply(world, autoscaling=CPU)
        assert await world.told(SERVICE, "ModelReady") == ("True", "AutoscalerFailing")
        message = await world.message(SERVICE, "ModelReady")
        assert f"{OF_KSERVE} does not scale it: FailedGetResourceMetric" in message
        assert "the server could not find the resource" in message
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        world.around.faults.metrics = ""
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("True", "Ready")


async def test_metrics_that_go_are_told_at_the_next_look_and_cost_one_read_of_each() -> None:
    async with a_world() as world:
        await apply(world, autoscaling=CPU)
        await world.rest(900.0)
        begin = len(world.operator.records.calls)
        await world.rest(1500.0)
        asked = [call for call in world.operator.records.calls[begin:] if call.kind == HORIZONTAL_POD_AUTOSCALER.name]
        assert [call.verb for call in asked] == ["get"] * len(asked)
        assert 1 <= len(asked) <= 4
        world.around.faults.metrics = "no metrics returned from resource metrics API"
        world.around.runner.resync()
        await world.rest(700.0)
        assert await world.told(SERVICE, "ModelReady") == ("True", "AutoscalerFailing")


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
async def test_the_rollout_strategy_is_the_users(strategy: str) -> None:
    async with a_world() as world:
        await apply(world, rolloutStrategy=strategy)
        assert (await world.get(PODS))["spec"]["strategy"]["type"] == strategy

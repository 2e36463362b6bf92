"""The KServe stand-in: what it makes, tells, and refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from maas_operator.domain.kinds import DEPLOYMENT, INFERENCE_SERVICE, MODEL_SERVICE, POD, SERVICE
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.errors import NotFound
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.conditions import conditions_of
from maas_operator.sandbox.controllers.faults import FAULT_ANNOTATION, Delays, PodFault
from maas_operator.sandbox.controllers.kserve.settings import Settings
from maas_operator.sandbox.controllers.surroundings import surroundings
from tests.sandbox.controllers.objects import MODELS, manifest, runtime, service
from tests.sandbox.controllers.world import World

RAW = {"serving.kserve.io/deploymentMode": "RawDeployment"}


async def pods(world: World) -> list[Manifest]:
    return await world.client.list(POD, namespace=MODELS)


async def deployment(world: World) -> Manifest:
    return await world.get(DEPLOYMENT, "llama-predictor", MODELS)


def rules(world: World) -> list[str]:
    return [violation.rule.value for violation in world.around.violations]


def annotated(isvc: Manifest, **annotations: str) -> Manifest:
    merged = {**isvc["metadata"]["annotations"], **annotations}
    return {**isvc, "metadata": {**isvc["metadata"], "annotations": merged}}


async def test_a_service_becomes_ready_with_its_deployment_and_address(world: World) -> None:
    await world.settle(runtime(), service())
    status = await world.status(service())
    assert await world.conditions(service()) == {
        "PredictorReady": "True",
        "IngressReady": "True",
        "Stopped": "False",
        "Ready": "True",
    }
    assert status["address"]["url"] == "http://llama-predictor.models.svc.cluster.local:8080"
    assert status["url"] == "http://llama-predictor.models.svc.cluster.local"
    assert status["deploymentMode"] == "RawDeployment"
    assert status["modelStatus"]["states"]["activeModelState"] == "Loaded"


async def test_observed_generation_is_that_of_the_deployment(world: World) -> None:
    await world.settle(runtime(), service())
    await world.settle(service(predictor={"maxReplicas": 3}))
    isvc, deployed = await world.get(INFERENCE_SERVICE, "llama", MODELS), await deployment(world)
    assert isvc["metadata"]["generation"] == 2
    assert isvc["status"]["observedGeneration"] == deployed["metadata"]["generation"] == 1


async def test_the_container_merges_runtime_and_service(world: World) -> None:
    environment = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    await world.settle(runtime(**environment), service(env=[{"name": "B", "value": "2"}]))
    (container,) = (await deployment(world))["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--port=8080", "--max-model-len=2000"]
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert container["image"] == "vllm:1"


async def test_names_in_arguments_are_filled_in(world: World) -> None:
    await world.settle(runtime(), service(args=["--served-model-name={{.Name}}", "{{.Namespace}}"]))
    (container,) = (await deployment(world))["spec"]["template"]["spec"]["containers"]
    assert container["args"][1:] == ["--served-model-name=llama", "models"]


async def test_pods_carry_the_annotations_of_the_service_and_the_predictor(world: World) -> None:
    isvc = service(predictor={"annotations": {"hash": "1"}, "labels": {"team": "a"}})
    await world.settle(runtime(), isvc)
    (pod,) = await pods(world)
    source = {"internal.serving.kserve.io/storage-initializer-sourceuri": "oci://registry.example.com/llama:1"}
    assert pod["metadata"]["annotations"] == {**RAW, **source, "hash": "1"}
    assert pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == "llama"
    assert pod["metadata"]["labels"]["app"] == "isvc.llama-predictor"
    assert pod["metadata"]["labels"]["team"] == "a"


async def test_an_unchanged_template_restarts_no_pod(world: World) -> None:
    await world.settle(runtime(), service())
    await world.settle(service(predictor={"maxReplicas": 2}))
    assert world.around.kserve.pods_started == {"models/llama": 1}


@pytest.mark.parametrize(
    "change",
    [
        [annotated(service(), updated="now")],
        [service(args=["--max-model-len=4000"])],
        [runtime(image="vllm:2")],
    ],
    ids=["annotation", "argument", "runtime"],
)
async def test_a_changed_template_replaces_the_pods(world: World, change: list[Manifest]) -> None:
    await world.settle(runtime(), service())
    (before,) = await pods(world)
    await world.settle(*change)
    (after,) = await pods(world)
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert world.around.kserve.pods_started == {"models/llama": 2}


async def test_a_rolling_update_keeps_the_old_pod_until_the_new_one_is_ready(world: World) -> None:
    await world.settle(runtime(), service())
    world.around.faults.pods["llama"] = PodFault.NEVER_READY
    await world.settle(service(args=["--slow"]))
    assert len(await pods(world)) == 2
    assert (await world.conditions(service()))["Ready"] == "True"
    world.around.faults.pods.clear()
    await world.settle()
    assert len(await pods(world)) == 1


async def test_recreate_deletes_the_old_pod_first(world: World) -> None:
    strategy = {"deploymentStrategy": {"type": "Recreate"}}
    await world.settle(runtime(), service(predictor=strategy))
    world.around.faults.pods["llama"] = PodFault.NEVER_READY
    await world.settle(service(predictor=strategy, args=["--slow"]))
    assert len(await pods(world)) == 1
    assert (await world.conditions(service()))["Ready"] == "False"


async def test_replicas_follow_the_service(world: World) -> None:
    await world.settle(runtime(), service(predictor={"minReplicas": 3, "maxReplicas": 3}))
    assert len(await pods(world)) == 3
    await world.settle(service())
    assert len(await pods(world)) == 1


async def test_loading_takes_its_time(world: World) -> None:
    world.around.delays.pod_start = 30
    await world.settle(runtime(), service())
    ready = conditions_of(await world.get(INFERENCE_SERVICE, "llama", MODELS))["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "MinimumReplicasUnavailable")
    world.clock.advance(30)
    await world.settle()
    assert (await world.conditions(service()))["Ready"] == "True"


async def test_a_missing_runtime_is_not_recognized_and_its_creation_triggers_nothing(world: World) -> None:
    await world.settle(service())
    status = await world.status(service())
    assert status["modelStatus"]["transitionStatus"] == "InvalidSpec"
    assert status["modelStatus"]["lastFailureInfo"]["reason"] == "RuntimeNotRecognized"
    await world.settle(runtime(), retries=False)
    assert (await world.status(service())) == status
    await world.settle(retries=True)
    assert (await world.conditions(service()))["Ready"] == "True"


@pytest.mark.parametrize(
    "model", [{"modelFormat": {"name": "onnx"}}, {"modelFormat": {"name": "vLLM", "version": "2"}}, {"runtime": ""}]
)
async def test_a_format_that_the_runtime_does_not_serve_is_refused(world: World, model: dict[str, Any]) -> None:
    await world.settle(runtime(), service(**model))
    info = (await world.status(service()))["modelStatus"]["lastFailureInfo"]
    assert info["reason"] == "NoSupportingRuntime"


async def test_a_disabled_runtime_is_told(world: World) -> None:
    disabled = runtime()
    disabled["spec"]["disabled"] = True
    await world.settle(disabled, service())
    info = (await world.status(service()))["modelStatus"]["lastFailureInfo"]
    assert info["reason"] == "RuntimeDisabled"


async def test_the_runtime_version_replaces_the_tag_of_the_image(world: World) -> None:
    await world.settle(runtime(), service(runtimeVersion="2"))
    (container,) = (await deployment(world))["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "vllm:2"


async def test_of_pod_fields_maps_add_up_lists_by_name_too_and_tolerations_are_the_services(world: World) -> None:
    gpu, spot = {"key": "gpu", "operator": "Exists"}, {"key": "spot", "operator": "Exists"}
    theirs = runtime()
    theirs["spec"] |= {
        "tolerations": [gpu],
        "nodeSelector": {"a": "1", "b": "1"},
        "imagePullSecrets": [{"name": "one"}],
        "volumes": [{"name": "shm", "emptyDir": {}}],
    }
    ours = {
        "tolerations": [spot],
        "nodeSelector": {"b": "2"},
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
        "volumes": [{"name": "template", "configMap": {"name": "templates"}}],
    }
    await world.settle(theirs, service(predictor=ours))
    pod = (await deployment(world))["spec"]["template"]["spec"]
    assert pod["tolerations"] == [spot]
    assert pod["nodeSelector"] == {"a": "1", "b": "2"}
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert [volume["name"] for volume in pod["volumes"]] == ["shm", "template"]


async def test_a_pod_starts_only_with_the_file_that_it_mounts(world: World) -> None:
    source = {"name": "templates", "items": [{"key": "a", "path": "template"}]}
    mounting = service(predictor={"volumes": [{"name": "template", "configMap": source}]})
    await world.settle(runtime(), mounting)
    (pod,) = await pods(world)
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    for data in ({"b": "other"}, {"a": "template"}):
        metadata = {"name": "templates", "namespace": MODELS}
        await world.settle({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        world.clock.advance(10)
        await world.settle()
        assert (await world.conditions(mounting))["Ready"] == ("True" if "a" in data else "False")


async def test_two_ways_to_ask_in_one_probe_cannot_be_reconciled(world: World) -> None:
    tcp, http = {"tcpSocket": {"port": 8080}}, {"httpGet": {"path": "/health", "port": 8080}}
    await world.settle(runtime(startupProbe=tcp), service(startupProbe=http))
    info = (await world.status(service()))["modelStatus"]["lastFailureInfo"]
    assert info["message"] == "startupProbe: Forbidden: may not specify more than 1 handler type"
    assert rules(world) == ["KServeCannotReconcile"]


async def test_a_runtime_of_the_cluster_serves_where_the_namespace_has_none_of_its_name(world: World) -> None:
    local = runtime(image="local:1")
    clusterwide = {**runtime(image="cluster:1"), "kind": "ClusterServingRuntime", "metadata": {"name": "llama"}}
    await world.settle(clusterwide, service())
    (container,) = (await deployment(world))["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "cluster:1"
    await world.settle(local, service(args=["--seed=1"]))
    (container,) = (await deployment(world))["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "local:1"


async def test_a_literal_template_in_an_argument_cannot_be_reconciled(world: World) -> None:
    await world.settle(runtime(), service(args=["--chat-template={{ messages }}"]))
    info = (await world.status(service()))["modelStatus"]["lastFailureInfo"]
    assert info["reason"] == "InvalidPredictorSpec"
    assert rules(world) == ["KServeCannotReconcile"]


async def test_stopping_deletes_deployment_and_service_and_starting_makes_them_again(world: World) -> None:
    await world.settle(runtime(), service())
    stopped = annotated(service(), **{"serving.kserve.io/stop": "true"})
    await world.settle(stopped)
    assert await world.client.list(DEPLOYMENT) == await world.client.list(SERVICE) == await pods(world) == []
    assert (await world.conditions(service()))["Stopped"] == "True"
    await world.settle(service())
    assert (await world.conditions(service()))["Ready"] == "True"


async def test_deleting_a_service_takes_all_that_belongs_to_it(world: World) -> None:
    await world.settle(runtime(), service())
    await world.delete(service())
    assert not await world.is_gone(service())
    await world.settle()
    assert await world.is_gone(service())
    assert await world.client.list(DEPLOYMENT) == await pods(world) == []


async def test_an_absent_deployment_mode_is_written_by_kserve(world: World) -> None:
    bare = service()
    del bare["metadata"]["annotations"]
    await world.settle(runtime(), bare)
    isvc = await world.get(INFERENCE_SERVICE, "llama", MODELS)
    assert isvc["metadata"]["annotations"] == RAW
    assert isvc["metadata"]["finalizers"] == ["inferenceservice.finalizers"]


async def test_newer_versions_rewrite_the_legacy_mode(world: World) -> None:
    assert isinstance(world.client, InProcessClient)
    around = surroundings(world.client, clock=world.clock, settings=Settings(rewrites_legacy_modes=True))
    await world.apply(runtime(), service())
    await around.runner.settle()
    isvc = await world.get(INFERENCE_SERVICE, "llama", MODELS)
    assert isvc["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Standard"}
    assert isvc["status"]["deploymentMode"] == "Standard"


@pytest.mark.parametrize(("headless", "address"), [(True, "None"), (False, None)])
async def test_the_service_is_headless_where_the_platform_says_so(
    world: World, headless: bool, address: str | None
) -> None:
    around = surroundings(world.client, clock=world.clock, settings=Settings(headless=headless))
    await world.apply(runtime(), service())
    await around.runner.settle()
    spec = (await world.get(SERVICE, "llama-predictor", MODELS))["spec"]
    assert spec.get("clusterIP") == address
    assert spec["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]


CLASS = "serving.kserve.io/autoscalerClass"


def _keda(**external: Any) -> Manifest:
    metric = {"backend": "prometheus", "serverAddress": "http://p", "query": "sum(up)"}
    known = {"metric": metric, "target": {"type": "Value", "value": "5"}} | external
    scaled = {"maxReplicas": 3, "autoScaling": {"metrics": [{"type": "External", "external": known}]}}
    return annotated(service(predictor=scaled), **{CLASS: "keda"})


REFUSED: dict[str, Manifest] = {
    "a name with a leading digit": service("1lama"),
    "minReplicas above maxReplicas": service(predictor={"minReplicas": 3, "maxReplicas": 2}),
    "a model without storage": service(storageUri=""),
    "two kinds of storage": service(storage={"key": "bucket"}),
    "PYTHONPATH": service(env=[{"name": "PYTHONPATH", "value": "/"}]),
    "a named model": service(name="model"),
    "an unknown autoscaler": annotated(service(), **{"serving.kserve.io/autoscalerClass": "magic"}),
    "a negative number of replicas": service(predictor={"minReplicas": -1}),
    "a scale metric for keda": annotated(
        service(predictor={"scaleMetric": "cpu"}), **{"serving.kserve.io/autoscalerClass": "keda"}
    ),
    "a query that is empty": _keda(metric={"backend": "prometheus", "serverAddress": "http://p", "query": ""}),
    "a target that is none": _keda(target={"type": "Value"}),
    "nothing external": annotated(
        service(predictor={"autoScaling": {"metrics": [{"type": "External"}]}}), **{CLASS: "keda"}
    ),
    "a metric of keda for hpa": annotated(
        service(predictor={"autoScaling": {"metrics": [{"type": "External"}]}}), **{CLASS: "hpa"}
    ),
    "requests per second for hpa": annotated(service(predictor={"scaleMetric": "rps"}), **{CLASS: "hpa"}),
    "more than everything for hpa": annotated(
        service(predictor={"scaleMetric": "memory", "scaleTarget": 101}), **{CLASS: "hpa"}
    ),
    "no model format": service(modelFormat={}),
    "no model": manifest(INFERENCE_SERVICE, MODELS, "llama", {"predictor": {}}),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED.keys())
async def test_the_webhook_refuses(world: World, refused: Manifest) -> None:
    await world.settle(runtime(), refused)
    assert rules(world) == ["KServeWebhookRefuses"]
    assert await world.client.list(DEPLOYMENT) == []


async def test_the_deployment_mode_is_immutable(world: World) -> None:
    await world.settle(runtime(), service())
    await world.settle(annotated(service(), **{"serving.kserve.io/deploymentMode": "Serverless"}))
    assert rules(world) == ["KServeWebhookRefuses"]


MODES = {
    "up to 0.15": (Settings(), "RawDeployment", "RawDeployment", []),
    "up to 0.15, the later word": (Settings(), "RawDeployment", "Standard", ["KServeWebhookRefuses"]),
    "0.16": (Settings(knows_both_modes=True), "Standard", "Standard", []),
    "0.16, the word of the creation": (
        Settings(knows_both_modes=True), "RawDeployment", "RawDeployment", ["KServeWebhookRefuses"],
    ),
    "since 0.17": (Settings(rewrites_legacy_modes=True), "RawDeployment", "RawDeployment", []),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "first", "then", "refused"), MODES.values(), ids=MODES)
async def test_each_release_takes_its_own_words_for_a_plain_deployment(
    world: World, settings: Settings, first: str, then: str, refused: list[str]
) -> None:
    around = surroundings(world.client, clock=world.clock, settings=settings)
    for mode in (first, then):
        await world.apply(runtime(), annotated(service(), **{"serving.kserve.io/deploymentMode": mode}))
        await around.runner.settle()
    assert [violation.rule.value for violation in around.violations] == refused


async def test_only_a_plain_deployment_has_a_strategy(world: World) -> None:
    around = surroundings(world.client, clock=world.clock, settings=Settings(knows_both_modes=True))
    await world.apply(runtime(), service(predictor={"deploymentStrategy": {"type": "Recreate"}}))
    await around.runner.settle()
    assert "only supported for raw deployment mode" in repr(around.violations)


@pytest.mark.parametrize("settings", [Settings(auth_proxy=True), Settings(forces_auth=True)], ids=str)
async def test_a_proxy_stands_beside_the_model_or_before_it(world: World, settings: Settings) -> None:
    around = surroundings(world.client, clock=world.clock, settings=settings)
    await world.apply(runtime(), service())
    await around.runner.settle()
    (pod,) = await pods(world)
    assert [one["name"] for one in pod["spec"]["containers"]][:2] == ["kserve-container", "kube-rbac-proxy"]
    (port,) = (await world.get(SERVICE, "llama-predictor", MODELS))["spec"]["ports"]
    assert port["port"] == (8443 if settings.forces_auth else 80)


async def test_a_name_that_is_too_long_for_labels_cannot_be_reconciled(world: World) -> None:
    await world.settle(runtime(), service("a" * 49))
    assert set(rules(world)) == {"KServeCannotReconcile"}


async def test_a_finalizer_of_ours_on_the_service_would_get_lost(world: World) -> None:
    isvc = service()
    isvc["metadata"]["finalizers"] = ["maas-operator.io/finalizer"]
    await world.settle(runtime(), isvc)
    assert rules(world) == ["FinalizerGetsLost"]


async def test_a_volatile_annotation_is_noticed(world: World) -> None:
    await world.settle(runtime(), annotated(service(), **{"kopf.zalando.org/last-handled-configuration": "{}"}))
    assert rules(world) == ["VolatileAnnotationRestartsPods"]


async def test_a_model_that_is_not_kept_inside_the_cluster_is_a_way_around_the_gateway(world: World) -> None:
    isvc = service()
    isvc["metadata"]["labels"] = {"networking.kserve.io/visibility": "exposed"}
    await world.settle(runtime(), isvc)
    assert rules(world) == ["WayAroundTheGateway"]


async def test_a_runtime_without_its_container_is_refused(world: World) -> None:
    await world.settle(runtime(name="other"), service())
    assert "KServeWebhookRefuses" in rules(world)


async def status_of_pod(world: World, fault: PodFault, **container: Any) -> dict[str, Any]:
    world.around.faults.pods["llama"] = fault
    await world.settle(runtime(**container), service())
    (pod,) = await pods(world)
    return dict(pod["status"])


async def test_a_pod_that_cannot_be_scheduled_says_why(world: World) -> None:
    status = await status_of_pod(world, PodFault.UNSCHEDULABLE)
    (condition,) = status["conditions"]
    assert (condition["type"], condition["reason"]) == ("PodScheduled", "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in condition["message"]


async def test_a_pod_whose_image_cannot_be_pulled_says_so_on_the_pod_only(world: World) -> None:
    status = await status_of_pod(world, PodFault.IMAGE_PULL)
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    model = (await world.status(service()))["modelStatus"]
    assert (model["transitionStatus"], "lastFailureInfo" in model) == ("InProgress", False)


async def test_a_pod_that_is_killed_for_memory_has_its_exit_code(world: World) -> None:
    status = await status_of_pod(world, PodFault.OOM_KILLED)
    last = status["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("OOMKilled", 137)
    assert (await world.status(service()))["modelStatus"]["lastFailureInfo"]["exitCode"] == 137


@pytest.mark.parametrize(
    ("container", "told"),
    [({}, False), ({"terminationMessagePolicy": "FallbackToLogsOnError"}, True)],
    ids=["default policy", "fallback to logs"],
)
async def test_a_crash_shows_its_last_lines_only_where_the_runtime_asks_for_them(
    world: World, container: dict[str, Any], told: bool
) -> None:
    status = await status_of_pod(world, PodFault.CRASH_LOOP, **container)
    last = status["containerStatuses"][0]["lastState"]["terminated"]
    info = (await world.status(service()))["modelStatus"]["lastFailureInfo"]
    assert ("KV cache" in last.get("message", "")) is told
    assert ("message" in info) is told


async def test_a_model_that_cannot_be_fetched_fails_in_the_initializer(world: World) -> None:
    status = await status_of_pod(world, PodFault.STORAGE_INITIALIZER)
    assert status["initContainerStatuses"][0]["name"] == "storage-initializer"
    info = (await world.status(service()))["modelStatus"]["lastFailureInfo"]
    assert info["reason"] == "ModelLoadFailed"


async def test_a_modelcar_without_models_is_told_by_the_pod_only(world: World) -> None:
    status = await status_of_pod(world, PodFault.MODELCAR)
    assert status["initContainerStatuses"][0]["name"] == "modelcar-init"
    assert "lastFailureInfo" not in (await world.status(service()))["modelStatus"]


async def test_a_quota_is_told_by_the_deployment_and_no_pod_is_there(world: World) -> None:
    world.around.faults.pods["*"] = PodFault.QUOTA
    await world.settle(runtime(), service())
    assert await pods(world) == []
    assert conditions_of(await deployment(world))["ReplicaFailure"]["status"] == "True"
    predictor = conditions_of(await world.get(INFERENCE_SERVICE, "llama", MODELS))["PredictorReady"]
    assert "exceeded quota" in predictor["message"]
    world.around.faults.pods.clear()
    await world.settle()
    assert "ReplicaFailure" not in conditions_of(await deployment(world))
    assert (await world.conditions(service()))["Ready"] == "True"


async def test_after_ten_minutes_the_deadline_is_exceeded_and_it_may_still_recover(world: World) -> None:
    world.around.faults.pods["llama"] = PodFault.NEVER_READY
    await world.settle(runtime(), service())
    world.clock.advance(601)
    await world.settle()
    predictor = conditions_of(await world.get(INFERENCE_SERVICE, "llama", MODELS))["PredictorReady"]
    assert predictor["reason"] == "ProgressDeadlineExceeded"
    world.around.faults.pods.clear()
    await world.settle()
    assert (await world.conditions(service()))["Ready"] == "True"


@pytest.mark.parametrize("fault", list(PodFault))
async def test_every_fault_of_pods_keeps_the_service_from_ready_until_it_is_over(world: World, fault: PodFault) -> None:
    await world.settle(runtime(), annotated(service(), **{FAULT_ANNOTATION: fault.value}))
    assert (await world.conditions(service()))["Ready"] == "False"
    await world.settle(service())
    assert (await world.conditions(service()))["Ready"] == "True"
    # Another pod takes the place of an evicted one.
    assert world.around.kserve.pods_started == {"models/llama": 2 if fault is PodFault.EVICTED else 1}


async def test_drift_in_the_deployment_is_repaired(world: World) -> None:
    await world.settle(runtime(), service())
    await world.patch(await deployment(world), {"spec": {"replicas": 5}})
    await world.settle()
    assert (await deployment(world))["spec"]["replicas"] == 1


async def test_a_deleted_pod_comes_back(world: World) -> None:
    await world.settle(runtime(), service())
    (pod,) = await pods(world)
    await world.delete(pod)
    await world.settle()
    (new,) = await pods(world)
    assert new["metadata"]["uid"] != pod["metadata"]["uid"]


async def test_delays_are_zero_unless_asked_for() -> None:
    assert Delays() == Delays(pod_start=0, porta=0, purge=0, route=0)


async def test_a_service_that_is_gone_is_no_error(world: World) -> None:
    ref = Ref(INFERENCE_SERVICE, MODELS, "absent")
    assert await world.around.kserve.reconcile(ref) is None
    with pytest.raises(NotFound):
        await world.client.get(ref)


async def test_a_demonstration_breaks_the_pods_of_a_model_by_annotating_the_model(world: World) -> None:
    definition = Path(__file__).parents[3] / "crds" / "maas-operator.io_modelservices.yaml"
    await world.client.create(yaml.safe_load(definition.read_text(encoding="utf-8")))
    spec = {
        "displayName": "Llama",
        "model": {"source": {"uri": "oci://registry.example.com/llama:1"}, "contextLength": 2000},
        "serving": {"resources": {"limits": {"cpu": "4", "memory": "8Gi"}}},
    }
    model = await world.client.create(manifest(MODEL_SERVICE, MODELS, "llama", spec))
    isvc = service()
    owner = {key: model["metadata"][key] for key in ("name", "uid")}
    isvc["metadata"]["ownerReferences"] = [{"apiVersion": model["apiVersion"], "kind": model["kind"], **owner}]
    await world.settle(runtime(), isvc)
    await world.patch(model, {"metadata": {"annotations": {FAULT_ANNOTATION: "OOMKilled"}}})
    await world.settle()
    assert (await world.conditions(service()))["Ready"] == "False"
    await world.patch(model, {"metadata": {"annotations": {FAULT_ANNOTATION: None}}})
    await world.settle()
    assert (await world.conditions(service()))["Ready"] == "True"


async def test_a_fault_set_at_runtime_shows_at_the_next_resync(world: World) -> None:
    await world.settle(runtime(), service())
    world.around.faults.pods["llama"] = PodFault.OOM_KILLED
    world.around.runner.resync()
    await world.settle()
    assert (await world.conditions(service()))["Ready"] == "False"

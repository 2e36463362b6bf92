"""Runtimes and settings of the model server: runtimes of others, refused flags, chat templates; each fault heals."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import CLUSTER_SERVING_RUNTIME as CLUSTER
from maas_operator.domain.kinds import CONFIG_MAP, DEPLOYMENT, INFERENCE_SERVICE, SERVING_RUNTIME, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.controller import RESYNC_SECONDS
from tests.scenarios.harness import HOME, NAME, SERVICE, World, a_settled_world, a_world, sample

OWN = Ref(SERVING_RUNTIME, HOME, NAME)
ISVC = Ref(INFERENCE_SERVICE, HOME, NAME)
TEMPLATES = Ref(CONFIG_MAP, HOME, "templates")
A_RESYNC = 1.1 * RESYNC_SECONDS + 60
OF_CHAT = {"chatTemplateRef": {"name": "templates", "key": "llama.jinja"}}


def serving(**fields: Any) -> dict[str, Any]:
    return {"spec": {"serving": fields}}


def a_template(text: str) -> Manifest:
    metadata = {"name": TEMPLATES.name, "namespace": HOME}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"llama.jinja": text}}


def a_runtime(kind: Kind = SERVING_RUNTIME, **container: Any) -> Manifest:
    place = {"namespace": HOME} if kind.namespaced else {}
    theirs = {
        "name": "kserve-container",
        "image": "registry.example.com/theirs:1",
        "args": ["--model=/mnt/models", "--served-model-name={{.Name}}"],
        **container,
    }
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": "theirs", **place},
        "spec": {"supportedModelFormats": [{"name": "vLLM"}], "containers": [theirs]},
    }


async def pod_of(world: World) -> dict[str, Any]:
    deployment = await world.get(Ref(DEPLOYMENT, HOME, f"{NAME}-predictor"))
    pod = dict(deployment["spec"]["template"]["spec"])
    # Of a list that was merged by name the order is its history.
    containers = [{**one, "env": sorted(one["env"], key=lambda env: env["name"])} for one in pod["containers"]]
    return pod | {"containers": containers}


def pods(world: World) -> int:
    return world.around.kserve.pods_started.total()


async def refers_to(world: World, kind: Kind) -> None:
    reference = {"kind": kind.name, "name": "theirs"}
    await world.edit(SERVICE, serving(runtime=None, runtimeRef=reference))


async def test_a_runtime_of_the_namespace_is_waited_for_and_takes_the_place_of_ours() -> None:
    async with a_settled_world() as world:
        before = await world.get(ISVC)
        await refers_to(world, SERVING_RUNTIME)
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "RuntimeMissing")
        message = await world.message(SERVICE, "ModelReady")
        assert message == (
            f"spec.serving.runtimeRef: there is no ServingRuntime {HOME}/theirs: create it, or name another"
        )
        assert (await world.get(ISVC))["spec"] == before["spec"]
        await world.foreign(a_runtime())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert (await world.get(SERVICE))["status"]["runtime"] == "theirs"
        (container,) = (await pod_of(world))["containers"]
        assert container["image"] == "registry.example.com/theirs:1"
        assert f"--served-model-name={NAME.removesuffix('-cpu')}" in container["args"]
        assert await world.find(OWN) is None


async def test_a_runtime_of_the_cluster_serves_and_the_way_back_leaves_no_trace() -> None:
    async with a_settled_world() as world:
        spec = (await world.get(SERVICE))["spec"]
        before = await pod_of(world)
        await world.foreign(a_runtime(CLUSTER))
        await refers_to(world, CLUSTER)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.replace(SERVICE, spec=spec)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await pod_of(world) == before


async def test_a_change_of_their_runtime_rolls_the_pods_once() -> None:
    async with a_settled_world() as world:
        await world.apply(runtime := a_runtime())
        await refers_to(world, SERVING_RUNTIME)
        await world.settle()
        started = pods(world)
        await world.apply(a_runtime(image="registry.example.com/theirs:2"))
        await world.settle()
        assert pods(world) == started + 1
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.edit(SERVICE, serving(runtime="vllm-cpu", runtimeRef=None))
        await world.settle()
        await world.delete(ref_of(runtime))


@pytest.mark.parametrize(
    ("unfit", "words"),
    [
        ({"disabled": True}, "RuntimeDisabled: Specified runtime is disabled"),
        ({"supportedModelFormats": [{"name": "sklearn"}]}, "does not support specified framework/version"),
    ],
    ids=["disabled", "another format"],
)
async def test_a_runtime_that_kserve_refuses_is_told_in_its_words_and_heals(unfit: dict[str, Any], words: str) -> None:
    async with a_settled_world() as world:
        good = a_runtime()
        await world.apply({**good, "spec": {**good["spec"], **unfit}})
        await refers_to(world, SERVING_RUNTIME)
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "RuntimeRefused")
        message = await world.message(SERVICE, "ModelReady")
        assert message.startswith(f"{ISVC}: ")
        assert words in message
        assert "correct the runtime of spec.serving.runtimeRef" in message
        await world.apply(good)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.edit(SERVICE, serving(runtime="vllm-cpu", runtimeRef=None))
        await world.settle()
        await world.delete(ref_of(good))


async def test_a_task_that_the_version_does_not_have_is_told_and_another_one_heals() -> None:
    async with a_settled_world() as world:
        before = pods(world)
        await world.edit(SERVICE, {"spec": {"model": {"tasks": ["Chat", "Responses"]}}})
        await world.settle()
        assert await world.told(SERVICE, "ModelReady") == ("False", "RuntimeRefused")
        assert "spec.model.tasks: vLLM 0.7.3 of runtime vllm-cpu has no Responses" in await world.message(
            SERVICE, "ModelReady"
        )
        await world.edit(SERVICE, {"spec": {"model": {"tasks": ["Chat"]}}})
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert pods(world) == before


async def test_a_beginning_of_a_flag_is_refused_and_what_runs_stays() -> None:
    async with a_settled_world() as world:
        before, started = await world.get(ISVC), pods(world)
        await world.edit(SERVICE, serving(args=["--max-model=9999"]))
        await world.settle()
        assert await world.told(SERVICE, "ModelReady") == ("False", "ArgumentRefused")
        assert "use spec.model.contextLength" in await world.message(SERVICE, "ModelReady")
        assert (await world.told(SERVICE, "Stalled"))[0] == "True"
        assert (await world.get(ISVC))["spec"] == before["spec"]
        await world.edit(SERVICE, serving(args=None))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert pods(world) == started


async def test_a_flag_in_a_profile_of_the_platform_is_refused_with_the_profile() -> None:
    async with a_world() as world:
        namespace, platform, service = sample()
        profile = {"name": "vllm-cpu", "image": "registry.example.com/vllm:1", "version": "0.7.3"}
        platform["spec"]["runtimes"] = [profile | {"args": ["--port=9000"]}]
        await world.apply(namespace, platform, service)
        await world.settle()
        assert await world.told(SERVICE, "ModelReady") == ("False", "ArgumentRefused")
        assert "args of runtime vllm-cpu in the ModelPlatform" in await world.message(SERVICE, "ModelReady")
        platform["spec"]["runtimes"] = [profile]
        await world.apply(platform)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_chat_template_is_waited_for_and_other_content_rolls_the_pods_exactly_once() -> None:
    async with a_settled_world() as world:
        started = pods(world)
        await world.edit(SERVICE, serving(**OF_CHAT))
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "ChatTemplateMissing")
        assert f"ConfigMap {HOME}/templates, key llama.jinja" in await world.message(SERVICE, "ModelReady")
        await world.apply(a_template("{{ messages }}"))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert pods(world) == started + 1
        pod = await pod_of(world)
        assert "--chat-template=/etc/chat-template/template.jinja" in pod["containers"][0]["args"]
        assert "chat-template" in [volume["name"] for volume in pod["volumes"]]
        assert "{{" not in str(pod)
        await world.apply(a_template("{{ other }}"))
        await world.rest(A_RESYNC)
        await world.settle()
        assert pods(world) == started + 2
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        await world.edit(SERVICE, serving(chatTemplateRef=None))
        await world.settle()
        await world.delete(TEMPLATES)


async def test_a_template_that_goes_leaves_what_runs_and_its_return_restarts_nothing() -> None:
    async with a_settled_world() as world:
        await world.apply(a_template("{{ messages }}"))
        await world.edit(SERVICE, serving(**OF_CHAT))
        await world.settle()
        started = pods(world)
        await world.delete(TEMPLATES)
        await world.rest(A_RESYNC)
        assert await world.told(SERVICE, "ModelReady") == ("False", "ChatTemplateMissing")
        await world.apply(a_template("   "))
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "ChatTemplateInvalid")
        await world.apply(a_template("{{ messages }}"))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert pods(world) == started
        await world.edit(SERVICE, serving(chatTemplateRef=None))
        await world.settle()
        await world.delete(TEMPLATES)


async def test_lists_reach_the_pods_and_can_be_taken_away_again() -> None:
    async with a_settled_world() as world:
        before = await pod_of(world)
        lists = {
            "env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}, {"name": "EMPTY", "value": ""}],
            "imagePullSecrets": [{"name": "pull"}],
            "tolerations": [{"key": "spot", "operator": "Equal", "value": "a", "effect": "NoSchedule"}],
        }
        await world.edit(SERVICE, serving(**lists))
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        pod = await pod_of(world)
        assert (pod["imagePullSecrets"], pod["tolerations"]) == (lists["imagePullSecrets"], lists["tolerations"])
        assert {"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"} in pod["containers"][0]["env"]
        await world.edit(SERVICE, serving(**dict.fromkeys(lists)))
        await world.settle()
        assert await pod_of(world) == before

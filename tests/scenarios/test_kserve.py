"""The releases of KServe and the ways to set it up: what is told of them, and that models are served in each."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import BACKEND, CONFIG_MAP, DEPLOYMENT, INFERENCE_SERVICE, POD
from maas_operator.domain.kinds import SERVICE as SERVICE_KIND
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.serving.kserve import DEFINITION
from maas_operator.sandbox.controllers.kserve.settings import Settings
from tests.domain.serving.test_kserve import FIELDS
from tests.scenarios.harness import GATEWAY, HOME, NAME, PLATFORM, SERVICE, World, a_namespace, a_world, sample

ISVC = Ref(INFERENCE_SERVICE, HOME, NAME)
API = Ref(SERVICE_KIND, HOME, f"{NAME}-api")

SETTINGS = {
    "0.15.1": Settings(default_deployment_mode="Serverless", headless=False),
    "0.16.0": Settings(default_deployment_mode="Knative", knows_both_modes=True, headless=False),
    "0.17.0": Settings(default_deployment_mode="Knative", rewrites_legacy_modes=True, headless=False),
    "0.20.0": Settings(default_deployment_mode="Standard", rewrites_legacy_modes=True, headless=False),
    "ODH 2.30": Settings(default_deployment_mode="Serverless"),
    "ODH 3.3": Settings(),
    "ODH 3.4": Settings(rewrites_legacy_modes=True),
    "ODH 3.5": Settings(rewrites_legacy_modes=True, auth_proxy=True),
    "ODH 3.5, guarded": Settings(rewrites_legacy_modes=True, auth_proxy=True, forces_auth=True),
}


async def set_up(world: World, version: str, settings: Settings) -> None:
    """Install a release of KServe: its CRD, as far as it tells the release, and its configuration."""
    place = "redhat-ods-applications" if version.startswith("ODH") else "kserve"
    await install(world, version)
    await world.apply(a_namespace(place), settings.configuration(place))


async def install(world: World, version: str) -> None:
    definition = await world.get(DEFINITION)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    anything = {"x-kubernetes-preserve-unknown-fields": True}
    schema["properties"] = {"spec": dict(anything), "status": dict(anything)}
    for field in (*FIELDS[version.partition(",")[0]], "spec.predictor.model"):
        node: dict[str, Any] = schema
        for name in field.split("."):
            node = node.setdefault("properties", {}).setdefault(name, dict(anything))
    await world.replace(DEFINITION, spec=definition["spec"])


async def capabilities(world: World) -> Manifest:
    return dict((await world.get(PLATFORM))["status"]["capabilities"])


@pytest.mark.parametrize("version", SETTINGS)
async def test_a_model_is_served_by_each_release_without_a_restart_and_reached_by_its_own_service(version: str) -> None:
    settings = SETTINGS[version]
    async with a_world(settings=settings) as world:
        await set_up(world, version, settings)
        await world.apply(*sample())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        assert (await world.get(ISVC))["status"]["deploymentMode"] == settings.plain_mode
        await world.edit(SERVICE, {"spec": {"displayName": "Another name"}})
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready"), await world.message(SERVICE)
        assert world.around.kserve.pods_started == {f"{HOME}/{NAME}": 1}
        await leads_to_the_model(world)


async def leads_to_the_model(world: World) -> None:
    """Follow the gateway's way: the backend's address, our Service, its selector, the port of the model's container."""
    backend = await world.get(Ref(BACKEND, GATEWAY, f"{HOME}.{NAME}"))
    service = await world.get(API)
    (port,) = service["spec"]["ports"]
    host = f"{API.name}.{HOME}.svc.cluster.local:{port['port']}"
    assert backend["spec"]["privateBaseURL"].removeprefix("http://").rstrip("/") == host
    assert service["spec"]["type"] == "ClusterIP"
    assert "clusterIP" not in service["spec"]
    behind = await world.client.list(POD, namespace=HOME, labels=service["spec"]["selector"])
    (pod,) = behind
    assert pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == NAME
    (model,) = (one for one in pod["spec"]["containers"] if one["name"] == "kserve-container")
    assert port["targetPort"] in [one["containerPort"] for one in model["ports"]]


async def test_what_is_installed_is_shown_and_asked_for_once_in_a_while() -> None:
    settings = SETTINGS["ODH 3.5"]
    async with a_world(settings=settings) as world:
        await set_up(world, "ODH 3.5", settings)
        await world.apply(*sample())
        await world.settle()
        assert await capabilities(world) == {
            "kserve": True,
            "kserveVersion": "0.20 or later",
            "distribution": "OpenShiftAI",
            "deploymentMode": "RawDeployment",
            "headless": True,
            "modelcar": True,
            "threescale": True,
        }
        begin = len(world.operator.records.calls)
        await world.rest(3000.0)
        asked = [call for call in world.operator.records.calls[begin:] if call.kind == CONFIG_MAP.name]
        assert len(asked) <= 1


async def test_the_minimal_flavour_tells_nothing_and_serves() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        assert await capabilities(world) == {"kserve": True, "threescale": True}
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_kserve_that_is_too_old_is_told_and_an_upgrade_heals() -> None:
    async with a_world() as world:
        await install(world, "0.15.0")
        await world.apply(*sample())
        await world.rest(120.0)
        assert await world.told(PLATFORM, "Ready") == ("False", "KServeTooOld")
        assert await world.told(PLATFORM, "Stalled") == ("True", "KServeTooOld")
        assert await world.told(SERVICE, "PlatformReady") == ("False", "KServeTooOld")
        assert await world.told(SERVICE, "Ready") == ("False", "KServeTooOld")
        assert "upgrade KServe" in await world.message(SERVICE)
        await install(world, "0.15.1")
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_model_that_runs_stays_when_its_kserve_turns_out_to_be_too_old() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        await install(world, "ODH 2.29")
        await world.settle()
        await world.edit(SERVICE, {"spec": {"serving": {"replicas": 3}}})
        await world.settle()
        assert await world.told(SERVICE, "ModelReady") == ("False", "KServeTooOld")
        assert (await world.get(ISVC))["spec"]["predictor"]["minReplicas"] == 1
        assert world.around.kserve.pods_started == {f"{HOME}/{NAME}": 1}
        await install(world, "ODH 3.3")
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_model_that_runs_in_another_mode_is_told_once_and_made_anew_when_its_service_is_deleted() -> None:
    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        around = world.around.faults
        around.kserve_down = True
        await world.edit(ISVC, {"status": {"deploymentMode": "Serverless"}}, subresource="status")
        await world.settle()
        assert await world.told(SERVICE, "ModelReady") == ("False", "DeploymentModeFixed")
        assert await world.told(SERVICE, "Stalled") == ("True", "DeploymentModeFixed")
        message = await world.message(SERVICE, "ModelReady")
        assert "Serverless" in message
        assert "delete this one" in message
        around.kserve_down = False
        await world.delete(ISVC)
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.find(Ref(DEPLOYMENT, HOME, f"{NAME}-predictor")) is not None

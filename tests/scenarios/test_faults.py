"""What goes wrong around us: the condition names the object, its cause and the way out, and heals when it is gone."""

from __future__ import annotations

import pytest

from maas_operator.domain.kinds import EVENT, INFERENCE_SERVICE
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import WebhookUnavailable
from maas_operator.sandbox.controllers.faults import PodFault, PortaFault
from tests.scenarios import harness
from tests.scenarios.harness import (
    ACCOUNT,
    HOME,
    NAME,
    PLATFORM,
    SERVICE,
    SUBSCRIPTION,
    a_settled_world,
    a_world,
    sample,
)
from tests.scenarios.operator import Fault

PODS = {
    PodFault.IMAGE_PULL: ("ImagePullFailed", "Back-off pulling image", "image of the runtime"),
    PodFault.UNSCHEDULABLE: ("Unschedulable", "2 Insufficient nvidia.com/gpu", "spec.serving.resources"),
    PodFault.OOM_KILLED: ("OutOfMemory", "killed for its memory", "spec.serving.resources.limits.memory"),
    PodFault.CRASH_LOOP: ("ContainerCrashed", "larger than the available KV cache memory", "spec.model.contextLength"),
    PodFault.CRASH_WITH_KEY: ("ContainerCrashed", "'HF_TOKEN': '[hidden]'", "last words"),
    PodFault.PROBE: ("ProbeFailed", "12% Completed", "spec.serving.startupTimeout"),
    PodFault.SECRET_MISSING: ("PodsRefused", 'secret "hf-token" not found', "create it in the namespace"),
    PodFault.STORAGE_INITIALIZER: ("ModelNotFound", "No model found in models/absent", "path in spec.model.source"),
    PodFault.STORAGE_DENIED: ("ModelAccessDenied", "(AccessDenied)", "list and read what spec.model.source.uri names"),
    PodFault.STORAGE_KEY: ("ModelAccessDenied", "(InvalidAccessKeyId)", "AWS_SECRET_ACCESS_KEY in spec.model.cred"),
    PodFault.STORAGE_BUCKET: ("ModelNotFound", "(NoSuchBucket)", "bucket in spec.model.source"),
    PodFault.STORAGE_TLS: ("ModelLoadFailed", "CERTIFICATE_VERIFY_FAILED", "trust the authority"),
    PodFault.STORAGE_UNREACHABLE: ("ModelLoadFailed", "Could not connect to the endpoint", "check the endpoint"),
    PodFault.STORAGE_GATED: ("ModelAccessDenied", "Cannot access gated repo", "HF_TOKEN in spec"),
    PodFault.STORAGE_IMAGE: ("ImagePullFailed", "storage-initializer", "KServe's configuration"),
    PodFault.STORAGE_MEMORY: ("OutOfMemory", "storage-initializer", "KServe's configuration"),
    PodFault.MODELCAR: ("ModelNotFound", "modelcar is invalid", "/models"),
    PodFault.MODELCAR_IMAGE: ("ImagePullFailed", "authentication required", "spec.serving.imagePullSecrets"),
    PodFault.MODELCAR_CRASH: ("ContainerCrashed", "container modelcar", "last words"),
    PodFault.VOLUME_MISSING: ("VolumeNotReady", 'persistentvolumeclaim "models" not found', "PersistentVolumeClaim of"),
    PodFault.VOLUME_PENDING: ("VolumeNotReady", "unbound immediate", "PersistentVolumeClaim of"),
    PodFault.EVICTED: ("PodLost", "Evicted: The node was low on resource", "another pod takes its place"),
    PodFault.NODE_LOST: ("PodLost", "its containers are ready, and the pod is not", "whether its node answers"),
    PodFault.QUOTA: ("PodsRefused", "exceeded quota", "raise the ResourceQuota"),
    PodFault.POLICY: ("PodsRefused", "security context constraint", "policy that admits the pod"),
    PodFault.NEVER_READY: ("ModelLoading", "InferenceService", ""),
}
"""What is told of each fault: the reason, the words of who knows, and the remedy."""


def test_every_fault_of_pods_is_told() -> None:
    # Of an adapter, tests/scenarios/test_sources.py tells.
    assert PODS.keys() == set(PodFault) - {PodFault.GATED_ADAPTER}


@pytest.mark.matrix
@pytest.mark.parametrize("fault", PODS, ids=str)
async def test_a_pod_that_does_not_come_up_is_explained_and_given_up_on_in_time(fault: PodFault) -> None:
    reason, words, remedy = PODS[fault]
    async with a_world() as world:
        world.around.faults.pods[NAME] = fault
        await world.apply(*sample(serving={**sample()[-1]["spec"]["serving"], "startupTimeout": "10m"}))
        await world.rest(60.0)
        message = await world.message(SERVICE, "ModelReady")
        assert await world.told(SERVICE, "ModelReady") == ("False", reason), message
        assert words in message
        assert remedy in message
        assert await world.told(SERVICE, "Ready") == ("False", reason)
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")
        await world.rest(700.0)
        assert await world.told(SERVICE, "Stalled") == ("True", "StartupTimeout")
        assert f"{reason}: " in await world.message(SERVICE)
        assert words in await world.message(SERVICE)
        del world.around.faults.pods[NAME]
        await world.rest(60.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")


async def test_a_correction_after_the_timeout_has_its_whole_time_to_start() -> None:
    async with a_world() as world:
        world.around.faults.pods[NAME] = PodFault.IMAGE_PULL
        await world.apply(*sample())
        await world.rest(3600.0)
        assert await world.told(SERVICE, "Stalled") == ("True", "StartupTimeout")
        # What was wrong is corrected, and KServe takes a minute to begin with it.
        del world.around.faults.pods[NAME]
        world.around.faults.kserve_down = True
        await world.edit(SERVICE, {"spec": {"serving": {"env": [{"name": "ANOTHER", "value": "1"}]}}})
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "ModelStarting")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")
        world.around.faults.kserve_down = False
        await world.rest(120.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_what_a_crash_prints_reaches_neither_status_nor_events_if_it_is_a_key() -> None:
    async with a_world() as world:
        world.around.faults.pods[NAME] = PodFault.CRASH_WITH_KEY
        await world.apply(*sample())
        await world.rest(120.0)
        written = await world.client.list(EVENT)
        assert written
        told = str([await world.get(SERVICE), *written])
        assert "Segmentation fault" in told
        assert "theCanary" not in told
        world.around.faults.pods.clear()


async def test_a_kserve_that_is_down_is_suspected_and_goes_on_where_it_was() -> None:
    async with a_world() as world:
        world.around.faults.kserve_down = True
        await world.apply(*sample())
        await world.rest(120.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "ModelStarting")
        await world.rest(240.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "KServeSilent")
        assert f"InferenceService {HOME}/{NAME}" in await world.message(SERVICE, "ModelReady")
        await world.rest(1800.0)
        assert await world.told(SERVICE, "Stalled") == ("True", "StartupTimeout")
        assert "KServeSilent" in await world.message(SERVICE)
        world.around.faults.kserve_down = False
        await world.rest(120.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_what_refuses_kserves_deployment_is_told_in_its_words_and_heals() -> None:
    words = 'admission webhook "policies.example.com" denied the request: label team is missing'
    async with a_world() as world:
        world.around.faults.kserve = words
        await world.apply(*sample())
        await world.rest(60.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "ServingFailed")
        message = await world.message(SERVICE, "ModelReady")
        assert message.startswith(f"InferenceService {HOME}/{NAME}: {words}; ")
        assert "spec.serving" in message
        await world.rest(2400.0)
        assert await world.told(SERVICE, "Stalled") == ("True", "StartupTimeout")
        world.around.faults.kserve = ""
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_while_a_new_revision_loads_the_one_before_serves_and_the_model_is_not_ready() -> None:
    async with a_settled_world() as world:
        world.around.delays.pod_start = 300.0
        await world.rest(400.0)
        await world.edit(SERVICE, {"spec": {"model": {"contextLength": 1000}}})
        await world.rest(120.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "RollingOut")
        assert await world.told(SERVICE, "Live") == ("True", "Live")
        await world.rest(300.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


async def test_a_name_that_is_too_long_with_its_namespace_makes_no_model_and_a_shorter_one_does() -> None:
    place, name = "n" * 20, f"m{'o' * 33}"
    namespace, platform, service = sample(developers=[])
    namespace["metadata"]["name"] = place
    long, short = ({**service, "metadata": {"name": one, "namespace": place}} for one in (name, "short"))
    async with a_world() as world:
        await world.apply(namespace, platform, long)
        await world.rest(120.0)
        ref = Ref(SERVICE.kind, place, name)
        assert await world.told(ref, "ModelReady") == ("False", "NameTooLong")
        assert await world.told(ref, "Stalled") == ("True", "NameTooLong")
        assert await world.client.list(INFERENCE_SERVICE) == []
        await world.delete(ref)
        await world.apply(short)
        await world.settle()
        assert await world.told(Ref(SERVICE.kind, place, "short"), "Ready") == ("True", "Ready")


async def test_a_webhook_that_does_not_answer_is_quoted_and_holds_up_nothing_else() -> None:
    words = 'failed calling webhook "inferenceservice.kserve-webhook-server.defaulter": connect: connection refused'
    async with a_world() as world:
        down = Fault(
            lambda call: call.kind == INFERENCE_SERVICE.name and call.writes,
            lambda: WebhookUnavailable(words, status=500),
            times=1000,
        )
        world.operator.faults.append(down)
        await world.apply(*sample())
        await world.rest(50.0)
        assert await world.told(SERVICE, "ModelReady") == ("False", "WebhookUnavailable")
        assert words in await world.message(SERVICE, "ModelReady")
        assert await world.told(SERVICE, "Promoted") == ("True", "Promoted")
        assert await world.told(SERVICE, "Stalled") == ("False", "Settled")
        world.operator.faults.clear()
        await world.rest(120.0)
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")


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
        assert (status, reason) == ("False", "PlatformNotReady"), message
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
        assert (await world.told(SERVICE, "GatewayReady"))[1] == "PlatformNotReady"
        assert await world.told(PLATFORM, "ThreescaleReady") == ("False", "TokenRefused")
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

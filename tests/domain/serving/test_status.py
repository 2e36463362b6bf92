"""Whether a model serves, and if not, why."""

from typing import Any

import pytest

from maas_operator.api.reasons import Reason
from maas_operator.domain.serving.inference_service import CONFIG_HASH, POD_LABEL
from maas_operator.domain.serving.origins import origins_of
from maas_operator.domain.serving.status import ModelState, model_state
from tests.domain.children import a_service, children_of

HASH = "0123456789abcdef"


def an_inference_service(*, ready: bool = True, replicas: int = 1, **status: Any) -> dict[str, Any]:
    manifest = children_of(a_service(serving={"replicas": replicas}))["InferenceService"]
    condition = {"type": "Ready", "status": "True" if ready else "False", "reason": "MinimumReplicasUnavailable"}
    return manifest | {"status": {"conditions": [condition]} | status}


def a_deployment(
    *, hash_: str = HASH, replicas: int = 1, fresh: bool = True, conditions: Any = (), **counts: int
) -> dict[str, Any]:
    numbers = {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}
    return {
        "metadata": {"name": "tiny-predictor", "generation": 5},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {CONFIG_HASH: hash_}}}},
        "status": {"observedGeneration": 5 if fresh else 4, "conditions": list(conditions)} | numbers | counts,
    }


def a_pod(
    name: str = "tiny-1",
    *,
    hash_: str = HASH,
    created: str = "2026-01-01T00:00:00Z",
    phase: str = "Pending",
    **status: Any,
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "labels": {POD_LABEL: "tiny"},
            "annotations": {CONFIG_HASH: hash_},
        },
        "status": {"phase": phase} | status,
    }


def a_container(name: str = "kserve-container", *, restarts: int = 0, **state: Any) -> dict[str, Any]:
    last = {"lastState": {"terminated": state.pop("last")}} if "last" in state else {}
    return {"name": name, "ready": False, "restartCount": restarts, "state": state} | last


def starting_with(*pods: dict[str, Any], **deployment: Any) -> ModelState:
    wanted = {"availableReplicas": 0} | deployment
    origins = origins_of(a_service(), None)
    return model_state(
        an_inference_service(ready=False), a_deployment(**wanted), pods, config_hash=HASH, origins=origins
    )


def test_a_model_whose_replicas_all_run_this_configuration_is_ready() -> None:
    state = model_state(an_inference_service(), a_deployment(), [a_pod(phase="Running")], config_hash=HASH)
    assert state == ModelState(ready=True, reason=Reason.READY, replicas=1)


def test_kserves_ready_is_not_believed_of_older_pods() -> None:
    state = model_state(an_inference_service(), a_deployment(hash_="old"), [a_pod(phase="Running")], config_hash=HASH)
    assert state == ModelState(reason=Reason.ROLLING_OUT, replicas=1)


@pytest.mark.parametrize(
    "deployment",
    [{"fresh": False}, {"updatedReplicas": 0}, {"replicas": 2}, {"replicas": 1, "availableReplicas": 0}],
    ids=str,
)
def test_a_rollout_that_goes_on_is_not_ready(deployment: dict[str, Any]) -> None:
    state = model_state(an_inference_service(), a_deployment(**deployment), [a_pod()], config_hash=HASH)
    assert not state.ready
    assert not state.failed


def test_nothing_there_yet_is_a_start() -> None:
    assert model_state(None, None, [], config_hash=HASH).reason is Reason.MODEL_STARTING
    assert model_state(an_inference_service(ready=False), None, [], config_hash=HASH).reason is Reason.MODEL_STARTING


def test_not_ready_while_loading_is_no_failure() -> None:
    assert starting_with(a_pod(phase="Running")) == ModelState(reason=Reason.MODEL_LOADING)


def test_a_stopped_model_is_stopped_when_its_deployment_is_gone() -> None:
    stopped = an_inference_service(ready=False, replicas=0)
    assert model_state(stopped, None, [], config_hash=HASH).reason is Reason.STOPPED
    assert model_state(stopped, a_deployment(), [], config_hash=HASH).reason is Reason.ROLLING_OUT


@pytest.mark.parametrize("waiting", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
@pytest.mark.parametrize("place", ["initContainerStatuses", "containerStatuses"])
def test_an_image_that_can_not_be_pulled_is_named(waiting: str, place: str) -> None:
    container = a_container("modelcar-init", waiting={"reason": waiting, "message": "manifest unknown"})
    statuses: dict[str, Any] = {place: [container]}
    state = starting_with(a_pod(**statuses))
    assert (state.failed, state.reason) == (True, Reason.IMAGE_PULL_FAILED)
    assert state.message.startswith(f"pod tiny-1, container modelcar-init: {waiting}: manifest unknown; ")
    assert "spec.model.source" in state.message


def test_the_schedulers_words_are_passed_on() -> None:
    words = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
    state = starting_with(a_pod(conditions=[scheduled]))
    assert (state.failed, state.reason) == (True, Reason.UNSCHEDULABLE)
    assert words in state.message


def test_a_pod_that_waits_in_a_queue_is_told() -> None:
    words = "Scheduling is blocked due to non-empty scheduling gates"
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": words}
    state = starting_with(a_pod(conditions=[gated]))
    assert (state.failed, state.reason) == (True, Reason.UNSCHEDULABLE)
    assert f"{words}; wait for room in its queue" in state.message


def test_out_of_memory_is_told_at_the_first_kill() -> None:
    killed = {"exitCode": 137, "reason": "OOMKilled"}
    state = starting_with(a_pod(containerStatuses=[a_container(restarts=1, running={}, last=killed)]))
    assert (state.failed, state.reason) == (True, Reason.OUT_OF_MEMORY)


def test_a_crash_loop_is_told_with_the_servers_last_words() -> None:
    words = "Traceback\n" * 100 + "ValueError: the KV cache holds 1024 tokens"
    container = a_container(
        restarts=3, waiting={"reason": "CrashLoopBackOff"}, last={"exitCode": 1, "reason": "Error", "message": words}
    )
    state = starting_with(a_pod(containerStatuses=[container]))
    assert (state.failed, state.reason) == (True, Reason.CONTAINER_CRASHED)
    assert "ValueError: the KV cache holds 1024 tokens; lower spec.model.contextLength" in state.message
    assert len(state.message) < 800


def test_two_restarts_are_forgiven_since_the_model_may_arrive_late() -> None:
    container = a_container(restarts=2, waiting={"reason": "CrashLoopBackOff"}, last={"exitCode": 1})
    assert not starting_with(a_pod(containerStatuses=[container])).failed


def test_a_crash_without_words_tells_the_exit_code() -> None:
    container = a_container(restarts=5, terminated={"exitCode": 2})
    assert "ended 5 times: exit code 2; " in starting_with(a_pod(containerStatuses=[container])).message


def test_a_container_that_serves_again_is_no_trouble() -> None:
    container = a_container(restarts=9, running={}, last={"exitCode": 1}) | {"ready": True}
    assert not starting_with(a_pod(phase="Running", containerStatuses=[container])).failed


def test_a_finished_init_container_is_no_trouble() -> None:
    done = a_container("storage-initializer", terminated={"exitCode": 0, "reason": "Completed"})
    assert not starting_with(a_pod(initContainerStatuses=[done])).failed


def test_a_model_that_can_not_be_fetched_is_told_at_once() -> None:
    container = a_container("storage-initializer", last={"exitCode": 1, "message": "NoSuchBucket: models"})
    state = starting_with(a_pod(initContainerStatuses=[container]))
    assert (state.failed, state.reason, state.of_origin) == (True, Reason.MODEL_NOT_FOUND, True)
    assert "NoSuchBucket" in state.message


def test_an_adapter_that_can_not_be_fetched_says_nothing_of_where_the_model_is() -> None:
    container = a_container("fetch-adapters", last={"exitCode": 1, "message": "403 Client Error: Forbidden"})
    state = starting_with(a_pod(initContainerStatuses=[container]))
    assert (state.reason, state.of_origin) == (Reason.MODEL_ACCESS_DENIED, False)
    assert "spec.model.adapters" in state.message


def test_a_container_that_can_not_be_made_is_refused() -> None:
    container = a_container(waiting={"reason": "CreateContainerConfigError", "message": "secret not found"})
    assert starting_with(a_pod(containerStatuses=[container])).reason is Reason.PODS_REFUSED


def test_the_newest_pod_with_a_fault_speaks() -> None:
    pulling = [a_container(waiting={"reason": "ImagePullBackOff"})]
    refused = [a_container(waiting={"reason": "CreateContainerError"})]
    older = a_pod("tiny-old", containerStatuses=pulling)
    newer = a_pod("tiny-new", created="2026-01-02T00:00:00Z", containerStatuses=refused)
    assert starting_with(older, newer).message.startswith("pod tiny-new")


def test_of_pods_that_are_made_in_the_same_second_always_the_same_one_speaks() -> None:
    pulling = [a_container(waiting={"reason": "ImagePullBackOff"})]
    first, second = a_pod("tiny-1", containerStatuses=pulling), a_pod("tiny-2", containerStatuses=pulling)
    assert starting_with(first, second) == starting_with(second, first)


def test_what_kserve_itself_waits_for_is_told_when_the_pods_are_ready() -> None:
    conditions = [
        {"type": "PredictorReady", "status": "True"},
        {"type": "IngressReady", "status": "False", "reason": "Unprogrammed", "message": "no Gateway"},
        {"type": "Ready", "status": "False", "reason": "Unprogrammed"},
        {"type": "Stopped", "status": "False"},
    ]
    waiting = an_inference_service(conditions=conditions)
    state = model_state(waiting, a_deployment(), [a_pod(phase="Running")], config_hash=HASH)
    assert (state.ready, state.failed, state.reason) == (False, False, Reason.ROLLING_OUT)
    assert state.message == "IngressReady: Unprogrammed: no Gateway"


def test_pods_on_their_way_out_are_not_heard() -> None:
    pulling = [a_container(waiting={"reason": "ImagePullBackOff"})]
    other = a_pod(hash_="old", containerStatuses=pulling)
    leaving = a_pod(containerStatuses=pulling)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not starting_with(other, leaving).failed


def test_a_quota_is_told_from_the_deployment() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: compute"}
    state = starting_with(conditions=[failure])
    assert (state.failed, state.reason) == (True, Reason.PODS_REFUSED)
    assert state.message.startswith("exceeded quota: compute; raise the ResourceQuota")


def test_a_runtime_that_kserve_refuses_is_told_in_its_words() -> None:
    status = {
        "transitionStatus": "InvalidSpec",
        "lastFailureInfo": {"reason": "NoSupportingRuntime", "message": "no runtime for vLLM"},
    }
    state = model_state(an_inference_service(ready=False, modelStatus=status), None, [], config_hash=HASH)
    assert (state.failed, state.reason) == (True, Reason.RUNTIME_REFUSED)
    assert state.message == (
        "InferenceService llm/tiny: NoSupportingRuntime: no runtime for vLLM; correct the runtime of"
        " spec.serving.runtimeRef, or choose a profile by spec.serving.runtime"
    )


def test_a_failed_load_of_yesterday_is_not_believed() -> None:
    status = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": {"reason": "ModelLoadFailed"}}
    inference_service = an_inference_service(ready=False, modelStatus=status)
    assert not model_state(inference_service, None, [], config_hash=HASH).failed


def test_kserves_own_failure_is_told() -> None:
    failed = {"type": "PredictorReady", "status": "False", "reason": "ReconcileFailed", "message": "fails to create"}
    state = model_state(an_inference_service(conditions=[failed]), None, [], config_hash=HASH)
    assert (state.failed, state.reason) == (True, Reason.SERVING_FAILED)
    assert state.message.startswith("InferenceService llm/tiny: fails to create; lift what is in KServe's way")


def an_exit(code: int, *, name: str = "kserve-container", reason: str = "Error", restarts: int = 1) -> Any:
    return [a_container(name, restarts=restarts, running={}, last={"exitCode": code, "reason": reason})]


@pytest.mark.parametrize("code", [137, 143])
def test_a_server_that_is_killed_has_most_likely_not_answered_its_probe(code: int) -> None:
    state = starting_with(a_pod(phase="Running", containerStatuses=an_exit(code)))
    assert (state.failed, state.reason) == (True, Reason.PROBE_FAILED)
    assert "spec.serving.startupTimeout" in state.message


def test_a_server_that_ends_without_a_fault_does_not_serve_either() -> None:
    state = starting_with(a_pod(phase="Running", containerStatuses=an_exit(0, restarts=3)))
    assert (state.failed, state.reason) == (True, Reason.CONTAINER_CRASHED)


@pytest.mark.parametrize(
    ("name", "field"),
    [("kserve-container", "spec.serving.resources.limits.memory"), ("storage-initializer", "KServe's configuration")],
)
def test_what_is_killed_for_its_memory_names_whose_it_is(name: str, field: str) -> None:
    statuses = an_exit(137, name=name, reason="OOMKilled")
    state = starting_with(a_pod(initContainerStatuses=statuses))
    assert (state.failed, state.reason) == (True, Reason.OUT_OF_MEMORY)
    assert field in state.message


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("modelcar", "spec.model.source"),
        ("kserve-container", "image of the runtime"),
        ("storage-initializer", "KServe's configuration"),
    ],
)
def test_an_image_names_whose_it_is(name: str, field: str) -> None:
    state = starting_with(a_pod(containerStatuses=[a_container(name, waiting={"reason": "ErrImagePull"})]))
    assert (state.failed, state.reason) == (True, Reason.IMAGE_PULL_FAILED)
    assert field in state.message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"reason": "Evicted", "message": "The node was low on resource: memory."}, "Evicted: The node was low"),
        ({}, "it has failed"),
    ],
)
def test_an_evicted_pod_is_told_while_it_is_the_newest(status: dict[str, Any], words: str) -> None:
    evicted = a_pod(phase="Failed", **status)
    state = starting_with(evicted)
    assert (state.failed, state.reason) == (True, Reason.POD_LOST)
    assert words in state.message
    newer = a_pod("tiny-2", created="2026-01-02T00:00:00Z", phase="Running")
    assert starting_with(evicted, newer) == ModelState(reason=Reason.MODEL_LOADING)


def test_a_pod_whose_node_does_not_answer_is_told() -> None:
    running = a_container(running={}) | {"ready": True}
    unready = {"type": "Ready", "status": "False"}
    state = starting_with(a_pod(phase="Running", conditions=[unready], containerStatuses=[running]))
    assert (state.failed, state.reason) == (True, Reason.POD_LOST)
    assert "see whether its node answers" in state.message


def test_what_others_say_is_cleaned_before_it_is_told() -> None:
    key = "hf_canaryCanary123"
    crash = [a_container(restarts=3, running={}, last={"exitCode": 1, "message": f"env HF_TOKEN={key}\x1b[31m\x00"})]
    failure = {"reason": "ModelLoadFailed", "message": f"token: {key}"}
    invalid = {"transitionStatus": "InvalidSpec", "lastFailureInfo": failure}
    states = [
        starting_with(a_pod(containerStatuses=crash)),
        starting_with(a_pod(phase="Failed", message=f"Bearer {key}")),
        starting_with(conditions=[{"type": "ReplicaFailure", "status": "True", "message": f"denied: {key}"}]),
        model_state(an_inference_service(ready=False, modelStatus=invalid), None, [], config_hash=HASH),
    ]
    for state in states:
        assert "[hidden]" in state.message
        assert key not in state.message
        assert state.message.isprintable()


@pytest.mark.parametrize("missing", [["minReplicas"], ["maxReplicas"], ["minReplicas", "maxReplicas"]], ids=str)
def test_in_a_model_that_is_only_observed_somebody_may_have_taken_the_bounds_out(missing: list[str]) -> None:
    manifest = an_inference_service()
    predictor = {key: value for key, value in manifest["spec"]["predictor"].items() if key not in missing}
    edited = manifest | {"spec": {"predictor": predictor}}
    assert model_state(edited, a_deployment(), [a_pod(phase="Running")], config_hash=HASH).ready


def scaled(deployment: dict[str, Any], *pods: dict[str, Any], least: int = 1) -> ModelState:
    """Return the state of a model whose InferenceService is not Ready, since a replica more loads."""
    manifest = an_inference_service(ready=False)
    bounds = {"minReplicas": least, "maxReplicas": 5}
    predictor = manifest["spec"]["predictor"] | bounds
    return model_state(manifest | {"spec": {"predictor": predictor}}, deployment, pods, config_hash=HASH)


def a_ready_pod(name: str = "tiny-1", *, hash_: str = HASH) -> dict[str, Any]:
    return a_pod(name, hash_=hash_, phase="Running", conditions=[{"type": "Ready", "status": "True"}])


def test_a_scaled_model_serves_while_a_replica_more_loads() -> None:
    growing = a_deployment(replicas=3, fresh=False, availableReplicas=1)
    assert scaled(growing, a_ready_pod(), a_pod("tiny-2")).ready


def test_a_scaled_model_needs_the_least_that_is_asked_for_or_what_its_autoscaler_wants() -> None:
    assert not scaled(a_deployment(replicas=2), a_ready_pod(), a_pod("tiny-2"), least=2).ready
    assert scaled(a_deployment(replicas=2), a_ready_pod(), a_ready_pod("tiny-2"), least=2).ready
    assert scaled(a_deployment(replicas=1), a_ready_pod(), least=2).ready


def test_a_scaled_model_without_a_pod_that_answers_does_not_serve() -> None:
    assert not scaled(a_deployment(replicas=0)).ready
    assert not scaled(a_deployment(), a_pod()).ready


def test_a_scaled_model_is_rolled_out_when_no_older_pod_is_left() -> None:
    old = a_ready_pod("tiny-0", hash_="old")
    assert not scaled(a_deployment(replicas=2), a_ready_pod(), old).ready
    leaving = old | {"metadata": old["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert scaled(a_deployment(replicas=2), a_ready_pod(), leaving).ready

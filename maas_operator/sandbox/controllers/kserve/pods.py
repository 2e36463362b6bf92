"""Pods as scheduler and kubelet leave them: running, on their way, or stuck in one of the usual ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from maas_operator.domain.objects import Manifest

from ..conditions import condition
from ..faults import PodFault
from .settings import CONTAINER, TEMPLATE_HASH

_LAST_LINES: Final = (
    "ValueError: To serve at least one request with the model's max seq len (131072), 16.00 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (3.12 GiB)."
)
_GATED_LINES: Final = (
    "huggingface_hub.errors.GatedRepoError: 401 Client Error. Cannot access gated repo for url "
    "https://huggingface.co/api/models/org/legal/revision/main. Access to model org/legal is restricted."
)
_PRINTED_KEY: Final = "environ({'HF_TOKEN': 'hf_theCanaryOfTheModel', 'HOME': '/tmp'})\nSegmentation fault"
_INITIALIZER_LINES: Final = {
    PodFault.STORAGE_INITIALIZER: "RuntimeError: Failed to fetch model. No model found in models/absent.",
    PodFault.STORAGE_DENIED: (
        "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the ListObjects operation:"
        " Access Denied."
    ),
    PodFault.STORAGE_KEY: (
        "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the ListObjects"
        " operation: The Access Key Id you provided does not exist in our records."
    ),
    PodFault.STORAGE_BUCKET: (
        "botocore.errorfactory.NoSuchBucket: An error occurred (NoSuchBucket) when calling the ListObjects operation:"
        " The specified bucket does not exist"
    ),
    PodFault.STORAGE_TLS: (
        "botocore.exceptions.SSLError: SSL validation failed for https://minio.minio.svc:9000/models"
        " [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1000)"
    ),
    PodFault.STORAGE_UNREACHABLE: (
        "botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL:"
        ' "https://s3.openshift-storage.svc/"'
    ),
    PodFault.STORAGE_GATED: (
        "huggingface_hub.errors.GatedRepoError: 401 Client Error. Cannot access gated repo for url"
        " https://huggingface.co/meta-llama/x/resolve/main/config.json. Access to model meta-llama/x is restricted."
    ),
}
UNBOUND: Final = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
_NO_VOLUME: Final = {
    PodFault.VOLUME_MISSING: '0/3 nodes are available: persistentvolumeclaim "models" not found.',
    PodFault.VOLUME_PENDING: UNBOUND,
}
_NO_NODE: Final = (
    "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/master: }, "
    "2 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: "
    "3 No preemption victims found for incoming pod."
)
REFUSALS: Final = {
    PodFault.QUOTA: (
        'pods "{name}" is forbidden: exceeded quota: compute, requested: requests.memory=6Gi, '
        "used: requests.memory=60Gi, limited: requests.memory=64Gi"
    ),
    PodFault.POLICY: (
        'pods "{name}" is forbidden: unable to validate against any security context constraint: '
        '[provider "restricted-v2": .spec.securityContext.runAsUser: Invalid value: 1010: must be in the ranges]'
    ),
}
"""What keeps pods from being made at all."""
_Status: TypeAlias = dict[str, Any]
_Fault: TypeAlias = Callable[[Mapping[str, Any], str], _Status]


def pod(deployment: Manifest, name: str, template_hash: str) -> Manifest:
    """Return a new pod of a Deployment, with the init container that fetches the model."""
    template, metadata = deployment["spec"]["template"], deployment["metadata"]
    owner = {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {**template["metadata"]["labels"], TEMPLATE_HASH: template_hash},
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [owner],
        },
        "spec": dict(template["spec"]),
    }


def is_ready(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a pod's Ready condition is true."""
    conditions = (manifest.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def mounted_keys(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and key of each value of a ConfigMap that a pod mounts: without it, the kubelet does not start it."""
    for volume in manifest["spec"].get("volumes") or []:
        source = volume.get("configMap") or {}
        yield from ((source["name"], item["key"]) for item in source.get("items") or [])


def status_of_pod(
    manifest: Mapping[str, Any], *, fault: PodFault | None, started: bool, since: str, mounted: bool = True
) -> _Status:
    """Return the status of a pod that has, or has not yet, had the time to start."""
    if fault:
        return _FAULTS[fault](manifest, since)
    if not mounted:
        return _creating(manifest, since)
    return _running(manifest, since) if started else _loading(manifest, since)


def unstarted(manifest: Mapping[str, Any], since: str, reason: str, message: str) -> _Status:
    """Return the status of a pod that lacks something of others: no node takes it, or a container can not be made."""
    if reason == "Unschedulable":
        scheduled = condition("PodScheduled", False, reason=reason, message=message)
        return {"phase": "Pending", "conditions": [{**scheduled, "lastTransitionTime": since}]}
    state = _wait(reason, message)
    containers = [_container_status(c, ready=False, state=state) for c in manifest["spec"]["containers"]]
    return _status("Pending", since, ready=False, containers=containers)


def _running(manifest: Mapping[str, Any], since: str) -> _Status:
    containers = [_container_status(c, ready=True, state=_run(since)) for c in manifest["spec"]["containers"]]
    return _status("Running", since, ready=True, containers=containers)


def _loading(manifest: Mapping[str, Any], since: str) -> _Status:
    containers = [_container_status(c, ready=False, state=_run(since)) for c in manifest["spec"]["containers"]]
    return _status("Running", since, ready=False, containers=containers)


def _creating(manifest: Mapping[str, Any], since: str) -> _Status:
    state = _wait("ContainerCreating")
    containers = [_container_status(c, ready=False, state=state) for c in manifest["spec"]["containers"]]
    return _status("Pending", since, ready=False, containers=containers)


def _unschedulable(words: str) -> _Fault:
    def status(_manifest: Mapping[str, Any], since: str) -> _Status:
        scheduled = condition("PodScheduled", False, reason="Unschedulable", message=words)
        return {"phase": "Pending", "conditions": [{**scheduled, "lastTransitionTime": since}]}

    return status


def _waiting(reason: str, words: str) -> _Fault:
    def status(manifest: Mapping[str, Any], since: str) -> _Status:
        state = _wait(reason, words.format(image=manifest["spec"]["containers"][0]["image"]))
        containers = [_container_status(c, ready=False, state=state) for c in manifest["spec"]["containers"]]
        return _status("Pending", since, ready=False, containers=containers)

    return status


def _ending(reason: str, code: int, lines: str = "", container: str = CONTAINER) -> _Fault:
    def status(manifest: Mapping[str, Any], since: str) -> _Status:
        logs = _main(manifest).get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return _crashing(manifest, since, _terminated(reason, code, since, lines if logs else ""), container)

    return status


def _evicted(_manifest: Mapping[str, Any], _since: str) -> _Status:
    words = "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 9Gi. "
    return {"phase": "Failed", "reason": "Evicted", "message": words}


def _node_lost(manifest: Mapping[str, Any], since: str) -> _Status:
    running = _running(manifest, since)
    conditions = [{**one, "status": "False"} if one["type"] == "Ready" else one for one in running["conditions"]]
    return {**running, "conditions": conditions}


def _crashing(manifest: Mapping[str, Any], since: str, last: _Status, container: str) -> _Status:
    name = manifest["metadata"]["name"]
    text = f"back-off 5m0s restarting failed container={container} pod={name}_{manifest['metadata']['namespace']}"
    crashed = {**_main(manifest), "name": container}
    status = _container_status(crashed, ready=False, state=_wait("CrashLoopBackOff", text), last=last, restarts=5)
    return _status("Running", since, ready=False, containers=[status])


def _loader(name: str, lines: str, *, reason: str = "Error", code: int = 1) -> _Fault:
    def status(manifest: Mapping[str, Any], since: str) -> _Status:
        state = _wait("CrashLoopBackOff", f"back-off 5m0s restarting failed container={name}")
        last = _terminated(reason, code, since, lines)
        return _stuck_in_init(manifest, since, name, state=state, last=last, restarts=5)

    return status


def _loader_image(name: str) -> _Fault:
    def status(manifest: Mapping[str, Any], since: str) -> _Status:
        state = _wait("ImagePullBackOff", f'Back-off pulling image "{name}": unauthorized: authentication required')
        return _stuck_in_init(manifest, since, name, state=state)

    return status


def _gated_adapter(manifest: Mapping[str, Any], since: str) -> _Status:
    state = _wait("CrashLoopBackOff", "back-off 5m0s restarting failed container=fetch-adapters")
    last = _terminated("Error", 1, since, _GATED_LINES)
    return _stuck_in_init(manifest, since, "fetch-adapters", state=state, last=last, restarts=5)


def _stuck_in_init(
    manifest: Mapping[str, Any],
    since: str,
    name: str,
    *,
    state: _Status,
    last: _Status | None = None,
    restarts: int = 0,
) -> _Status:
    container = {"name": name, "image": name}
    failed = _container_status(container, ready=False, state=state, last=last, restarts=restarts)
    waiting = [
        _container_status(c, ready=False, state=_wait("PodInitializing")) for c in manifest["spec"]["containers"]
    ]
    return {**_status("Pending", since, ready=False, containers=waiting), "initContainerStatuses": [failed]}


def _status(phase: str, since: str, *, ready: bool, containers: list[_Status]) -> _Status:
    unready = "" if ready else f"containers with unready status: [{CONTAINER}]"
    reason = "" if ready else "ContainersNotReady"
    conditions = [
        condition("Initialized", True),
        condition("Ready", ready, reason=reason, message=unready),
        condition("ContainersReady", ready, reason=reason, message=unready),
        condition("PodScheduled", True),
    ]
    stamped = [{**c, "lastTransitionTime": since} for c in conditions]
    return {"phase": phase, "conditions": stamped, "containerStatuses": containers}


def _container_status(
    container: Mapping[str, Any], *, ready: bool, state: _Status, last: _Status | None = None, restarts: int = 0
) -> _Status:
    image = container.get("image", "")
    return {
        "name": container["name"], "image": image, "imageID": "", "ready": ready, "started": ready,
        "restartCount": restarts, "state": state, "lastState": last or {},
    }  # fmt: skip


def _main(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(c for c in manifest["spec"]["containers"] if c["name"] == CONTAINER)


def _run(since: str) -> _Status:
    return {"running": {"startedAt": since}}


def _wait(reason: str, message: str = "") -> _Status:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def _terminated(reason: str, code: int, when: str, message: str = "") -> _Status:
    text = {"message": message} if message else {}
    return {"terminated": {"reason": reason, "exitCode": code, "startedAt": when, "finishedAt": when, **text}}


_INITIALIZER: Final = "storage-initializer"
_FAULTS: Final[dict[PodFault, _Fault]] = {
    PodFault.IMAGE_PULL: _waiting("ImagePullBackOff", 'Back-off pulling image "{image}"'),
    PodFault.UNSCHEDULABLE: _unschedulable(_NO_NODE),
    **{fault: _unschedulable(words) for fault, words in _NO_VOLUME.items()},
    PodFault.OOM_KILLED: _ending("OOMKilled", 137),
    PodFault.CRASH_LOOP: _ending("Error", 1, _LAST_LINES),
    PodFault.CRASH_WITH_KEY: _ending("Error", 139, _PRINTED_KEY),
    PodFault.PROBE: _ending("Error", 137, "INFO Loading safetensors checkpoint shards: 12% Completed"),
    PodFault.SECRET_MISSING: _waiting("CreateContainerConfigError", 'secret "hf-token" not found'),
    **{fault: _loader(_INITIALIZER, lines) for fault, lines in _INITIALIZER_LINES.items()},
    PodFault.GATED_ADAPTER: _gated_adapter,
    PodFault.STORAGE_IMAGE: _loader_image(_INITIALIZER),
    PodFault.STORAGE_MEMORY: _loader(_INITIALIZER, "", reason="OOMKilled", code=137),
    PodFault.MODELCAR: _loader(
        "modelcar-init", "NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)"
    ),
    PodFault.MODELCAR_IMAGE: _loader_image("modelcar-init"),
    PodFault.MODELCAR_CRASH: _ending("StartError", 128, "exec: sh: executable file not found", "modelcar"),
    PodFault.EVICTED: _evicted,
    PodFault.NODE_LOST: _node_lost,
    PodFault.NEVER_READY: _loading,
}

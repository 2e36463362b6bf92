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
_INITIALIZER_LINES: Final = (
    "RuntimeError: Failed to fetch model. The path or model models/absent does not exist in bucket models."
)
_DOWNLOAD_LINES: Final = {
    PodFault.WRONG_KEYS: "RuntimeError: Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    PodFault.BUCKET_DENIED: "botocore.exceptions.ClientError: An error occurred (403) when calling the HeadBucket"
    " operation: Forbidden",
    PodFault.NO_BUCKET: "botocore.errorfactory.NoSuchBucket: An error occurred (NoSuchBucket) when calling the"
    " ListObjects operation: The specified bucket does not exist",
    PodFault.NO_MODEL: "RuntimeError: Failed to fetch model. No model found in models/llama/.",
    PodFault.UNTRUSTED_STORE: "botocore.exceptions.SSLError: SSL validation failed for"
    " https://s3.openshift-storage.svc/ [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
    PodFault.STORE_UNREACHABLE: "botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL:"
    ' "https://s3.openshift-storage.svc/"',
}
"""What the storage initializer says last, by what its S3 client met."""
_GATED_LINES: Final = (
    "huggingface_hub.errors.GatedRepoError: 401 Client Error. Cannot access gated repo for url "
    "https://huggingface.co/api/models/org/legal/revision/main. Access to model org/legal is restricted."
)
_NO_NODE: Final = (
    "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/master: }, "
    "2 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: "
    "3 No preemption victims found for incoming pod."
)
QUOTA_MESSAGE: Final = (
    'pods "{name}" is forbidden: exceeded quota: compute, requested: requests.memory=6Gi, '
    "used: requests.memory=60Gi, limited: requests.memory=64Gi"
)
_Status: TypeAlias = dict[str, Any]


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


def _unschedulable(_manifest: Mapping[str, Any], since: str) -> _Status:
    scheduled = condition("PodScheduled", False, reason="Unschedulable", message=_NO_NODE)
    return {"phase": "Pending", "conditions": [{**scheduled, "lastTransitionTime": since}]}


def _image_pull(manifest: Mapping[str, Any], since: str) -> _Status:
    image = manifest["spec"]["containers"][0]["image"]
    state = _wait("ImagePullBackOff", f'Back-off pulling image "{image}"')
    containers = [_container_status(c, ready=False, state=state) for c in manifest["spec"]["containers"]]
    return _status("Pending", since, ready=False, containers=containers)


def _oom_killed(manifest: Mapping[str, Any], since: str) -> _Status:
    return _crashing(manifest, since, _terminated("OOMKilled", 137, since))


def _crash_loop(manifest: Mapping[str, Any], since: str) -> _Status:
    container = _main(manifest)
    logs = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    return _crashing(manifest, since, _terminated("Error", 1, since, _LAST_LINES if logs else ""))


def _crashing(manifest: Mapping[str, Any], since: str, last: _Status) -> _Status:
    name = manifest["metadata"]["name"]
    text = f"back-off 5m0s restarting failed container={CONTAINER} pod={name}_{manifest['metadata']['namespace']}"
    status = _container_status(
        _main(manifest), ready=False, state=_wait("CrashLoopBackOff", text), last=last, restarts=5
    )
    return _status("Running", since, ready=False, containers=[status])


def _storage_initializer(lines: str) -> Callable[[Mapping[str, Any], str], _Status]:
    def status(manifest: Mapping[str, Any], since: str) -> _Status:
        last = _terminated("Error", 1, since, lines)
        return _stuck_in_init(manifest, since, "storage-initializer", last)

    return status


def _modelcar(manifest: Mapping[str, Any], since: str) -> _Status:
    last = _terminated("Error", 1, since, "Pre-fetched modelcar has no /models directory")
    return _stuck_in_init(manifest, since, "modelcar-init", last)


def _gated_adapter(manifest: Mapping[str, Any], since: str) -> _Status:
    return _stuck_in_init(manifest, since, "fetch-adapters", _terminated("Error", 1, since, _GATED_LINES))


def _stuck_in_init(manifest: Mapping[str, Any], since: str, name: str, last: _Status) -> _Status:
    state = _wait("CrashLoopBackOff", f"back-off 5m0s restarting failed container={name}")
    failed = _container_status({"name": name, "image": name}, ready=False, state=state, last=last, restarts=5)
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


_FAULTS: Final[dict[PodFault, Callable[[Mapping[str, Any], str], _Status]]] = {
    PodFault.IMAGE_PULL: _image_pull,
    PodFault.UNSCHEDULABLE: _unschedulable,
    PodFault.OOM_KILLED: _oom_killed,
    PodFault.CRASH_LOOP: _crash_loop,
    PodFault.STORAGE_INITIALIZER: _storage_initializer(_INITIALIZER_LINES),
    **{fault: _storage_initializer(lines) for fault, lines in _DOWNLOAD_LINES.items()},
    PodFault.MODELCAR: _modelcar,
    PodFault.GATED_ADAPTER: _gated_adapter,
    PodFault.NEVER_READY: _loading,
}

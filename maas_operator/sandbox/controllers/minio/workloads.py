"""The StatefulSet and Job controllers, and the kubelet that runs their pods: a MinIO, and scripts that call it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from maas_operator.domain.kinds import JOB, NAMESPACE, PERSISTENT_VOLUME_CLAIM, POD, SECRET, SERVICE, STATEFUL_SET, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from ..client import Change, Client
from ..conditions import Clock, condition, merged_conditions, timestamp, write_status
from ..faults import Delays, Faults, MinIOFault, PodFault
from ..kserve.pods import REFUSALS, UNBOUND, is_ready, status_of_pod
from ..runner import Trigger, itself
from ..violations import Rule, Violations
from .admission import WOULD_BE_ROOT, refusal, would_be_root
from .shell import BadScript, Shell
from .store import Refused, Store
from .volumes import of_claims, tell

_POLL_SECONDS: Final = 5.0
_HASH: Final = "controller-revision-hash"
_JOB_NAME: Final = "job-name"


class Unstartable(Exception):
    """A container that lacks a Secret for a variable, or would be root; the words are the kubelet's."""


@dataclass(frozen=True)
class Running:
    """A MinIO that runs: its root credentials, as they were when it started, and its volume's content."""

    user: str
    password: str
    store: Store


class Workloads:
    """A controller for `Runner`. `stores`: the contents of all volumes, by the uid of their claims."""

    def __init__(self, client: Client, *, violations: Violations, faults: Faults, delays: Delays, clock: Clock) -> None:
        self.stores: dict[str, Store] = {}
        self.scripts_run = 0
        self._client = client
        self._violations = violations
        self._faults = faults
        self._delays = delays
        self._clock = clock
        self._running: dict[str, Running] = {}

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The workloads and what they wait for."""
        return {STATEFUL_SET: itself, JOB: itself, POD: _owner, PERSISTENT_VOLUME_CLAIM: _namesake}

    async def reconcile(self, ref: Ref) -> float | None:
        """Bring one workload's pod and status up to date."""
        try:
            workload = await self._client.get(ref)
        except NotFound:
            return None
        if "deletionTimestamp" in workload["metadata"]:
            return None
        return await (self._serve(workload) if ref.kind == STATEFUL_SET else self._work(workload))

    # --- a StatefulSet of one pod --------------------------------------------------------------------------------

    async def _serve(self, workload: Manifest) -> float | None:
        ref, revision = ref_of(workload), _digest(workload["spec"]["template"])
        address = Ref(POD, ref.namespace, f"{ref.name}-0")
        pod = await self._find(address)
        # In order, the controller waits for the old pod to become ready, however long that takes.
        replaces = workload["spec"].get("podManagementPolicy") == "Parallel" or (pod is not None and is_ready(pod))
        if pod is not None and replaces and pod["metadata"]["labels"].get(_HASH) != revision:
            await self._client.delete(address, uid=pod["metadata"]["uid"])
            pod = await self._find(address)
        if pod is None:
            wanted = _pod(workload, address.name, {_HASH: revision})
            if words := await self._refusal(workload, wanted):
                await tell(self._client, workload, "FailedCreate", words, self._clock)
                await self._write_counts(workload, None)
                return _POLL_SECONDS
            pod = await self._client.create(wanted)
        pod = await self._start(pod, self._faults.of_pods(workload))
        await self._write_counts(workload, pod)
        return None if is_ready(pod) else _POLL_SECONDS

    async def _refusal(self, workload: Manifest, pod: Manifest) -> str:
        """Return why a pod is not made; empty if it is."""
        if self._faults.of_pods(workload) is PodFault.QUOTA:
            return REFUSALS[PodFault.QUOTA].format(name=pod["metadata"]["name"])
        return refusal(pod, await self._home(pod))

    async def _home(self, pod: Manifest) -> Manifest:
        return await self._find(Ref(NAMESPACE, "", pod["metadata"]["namespace"])) or {"metadata": {}}

    async def _start(self, pod: Manifest, fault: PodFault | None) -> Manifest:
        claims = [one["persistentVolumeClaim"]["claimName"] for one in pod["spec"].get("volumes") or ()]
        found = [await self._find(ref) for ref in of_claims(claims, pod["metadata"]["namespace"])]
        since = pod["metadata"]["creationTimestamp"]
        if not all(one and one.get("status", {}).get("phase") == "Bound" for one in found):
            scheduled = condition("PodScheduled", False, reason="Unschedulable", message=UNBOUND)
            conditions = merged_conditions(pod, [scheduled], self._clock())
            return await write_status(self._client, pod, {"phase": "Pending", "conditions": conditions})
        try:
            env = await self._environment(pod)
        except Unstartable as error:
            return await write_status(self._client, pod, _unconfigured(pod, str(error)))
        if is_ready(pod) and fault is None:
            return pod
        ready = await write_status(self._client, pod, status_of_pod(pod, fault=fault, started=True, since=since))
        if fault is None and found[0] is not None:
            store = self.stores.setdefault(found[0]["metadata"]["uid"], Store())
            self._running[pod["metadata"]["uid"]] = Running(env["MINIO_ROOT_USER"], env["MINIO_ROOT_PASSWORD"], store)
        return ready

    async def _write_counts(self, workload: Manifest, pod: Manifest | None) -> None:
        ready = int(pod is not None and is_ready(pod))
        counts = {"readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": int(pod is not None)}
        status = {
            "observedGeneration": workload["metadata"]["generation"],
            "replicas": int(pod is not None),
            **{name: count for name, count in counts.items() if count},
        }
        await write_status(self._client, workload, status)

    # --- a Job of one pod ----------------------------------------------------------------------------------------

    async def _work(self, job: Manifest) -> float | None:
        if any(one["type"] in ("Complete", "Failed") for one in job.get("status", {}).get("conditions") or ()):
            return None
        ref = ref_of(job)
        address = Ref(POD, ref.namespace, f"{ref.name}-{_digest(job['metadata']['uid'])[:5]}")
        pod = await self._find(address)
        if pod is None:
            labels = {_JOB_NAME: ref.name, f"batch.kubernetes.io/{_JOB_NAME}": ref.name}
            wanted = _pod(job, address.name, labels)
            if words := await self._refusal(job, wanted):
                await tell(self._client, job, "FailedCreate", words, self._clock)
                return _POLL_SECONDS
            pod = await self._client.create(wanted)
        if fault := self._faults.of_pods(job):
            status = status_of_pod(pod, fault=fault, started=False, since=pod["metadata"]["creationTimestamp"])
            await write_status(self._client, pod, status)
            return _POLL_SECONDS
        try:
            env = await self._environment(pod)
        except Unstartable as error:
            await write_status(self._client, pod, _unconfigured(pod, str(error)))
            return _POLL_SECONDS
        await self._end(job, pod, await self._run(job, env))
        return None

    async def _run(self, job: Manifest, env: Mapping[str, str]) -> str:
        """Run a Job's script; return its last words if it fails, else nothing."""
        (container,) = job["spec"]["template"]["spec"]["containers"]
        stores = await self._served(job["metadata"]["namespace"])
        try:
            if container["command"] != ["sh", "-c"] or len(container["args"]) != 1:
                raise BadScript(f"an odd command: {container['command']}")
            Shell(env, lambda url, user, password: self._open(stores, url, user, password)).run(container["args"][0])
        except BadScript as error:
            self._violations.add(Rule.BAD_SCRIPT, ref_of(job), str(error))
            return f"sh: {error}"
        except Refused as error:
            return f"mc: <ERROR> {error}"
        self.scripts_run += 1
        return ""

    async def _served(self, namespace: str) -> dict[str, Running]:
        """Return the MinIOs that run, by the URL of the Service in front of each."""
        found: dict[str, Running] = {}
        for service in await self._client.list(SERVICE, namespace=namespace):
            selector = service["spec"].get("selector") or {}
            for pod in await self._client.list(POD, namespace=namespace, labels=selector) if selector else ():
                name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
                if is_ready(pod) and (running := self._running.get(pod["metadata"]["uid"])):
                    found[f"http://{name}.{namespace}.svc:{port}"] = running
        return found

    def _open(self, stores: Mapping[str, Running], url: str, user: str, password: str) -> Store:
        running = stores.get(url)
        if running is None:
            raise Refused(f"Unable to initialize new alias from the provided credentials. Get {url}: no such host.")
        if self._faults.minio is MinIOFault.ACCESS_DENIED or (user, password) != (running.user, running.password):
            raise Refused("Unable to initialize new alias from the provided credentials. Access Denied.")
        return running.store

    async def _end(self, job: Manifest, pod: Manifest, words: str) -> None:
        now = timestamp(self._clock())
        ended: dict[str, Any] = {"exitCode": int(bool(words)), "startedAt": now, "finishedAt": now}
        ended |= {"reason": "Error", "message": words} if words else {"reason": "Completed"}
        name = pod["spec"]["containers"][0]["name"]
        state = {"name": name, "ready": False, "restartCount": 0, "state": {"terminated": ended}}
        status = {"phase": "Failed" if words else "Succeeded", "containerStatuses": [state]}
        await write_status(self._client, pod, status)
        told = (
            condition(
                "Failed", True, reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit"
            )
            if words
            else condition(
                "Complete", True, reason="CompletionsReached", message="Reached expected number of succeeded pods"
            )
        )
        conditions = [{**one, "lastProbeTime": now} for one in merged_conditions(job, [told], self._clock())]
        counts = {"failed": 1} if words else {"succeeded": 1, "completionTime": now}
        await write_status(self._client, job, {"startTime": now, **counts, "conditions": conditions})

    # --- what the kubelet does -----------------------------------------------------------------------------------

    async def _environment(self, pod: Manifest) -> dict[str, str]:
        (container,) = pod["spec"]["containers"]
        if would_be_root(pod, await self._home(pod)):
            raise Unstartable(WOULD_BE_ROOT)
        values = {}
        for one in container["env"]:
            reference = one.get("valueFrom", {}).get("secretKeyRef")
            values[one["name"]] = await self._secret(pod, reference) if reference else one["value"]
        return values

    async def _secret(self, pod: Manifest, reference: Mapping[str, str]) -> str:
        namespace, name, key = pod["metadata"]["namespace"], reference["name"], reference["key"]
        found = await self._find(Ref(SECRET, namespace, name))
        if found is None:
            raise Unstartable(f'secret "{name}" not found')
        if key not in (found.get("data") or {}):
            raise Unstartable(f"couldn't find key {key} in Secret {namespace}/{name}")
        return base64.b64decode(found["data"][key]).decode()

    async def _find(self, ref: Ref) -> Manifest | None:
        try:
            return await self._client.get(ref)
        except NotFound:
            return None


def _unconfigured(pod: Manifest, message: str) -> dict[str, Any]:
    name = pod["spec"]["containers"][0]["name"]
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    return {
        "phase": "Pending",
        "containerStatuses": [{"name": name, "ready": False, "restartCount": 0, "state": {"waiting": waiting}}],
    }


def _pod(workload: Manifest, name: str, labels: Mapping[str, str]) -> Manifest:
    template, metadata = workload["spec"]["template"], workload["metadata"]
    owner = {
        "apiVersion": workload["apiVersion"], "kind": workload["kind"], "name": metadata["name"],
        "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": POD.name,
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {**template["metadata"]["labels"], **labels},
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [owner],
        },
        "spec": dict(template["spec"]),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def _owner(change: Change) -> Iterable[Ref]:
    metadata = change.object["metadata"]
    kinds = {STATEFUL_SET.name: STATEFUL_SET, JOB.name: JOB}
    for owner in metadata.get("ownerReferences") or ():
        if owner["kind"] in kinds:
            yield Ref(kinds[owner["kind"]], metadata["namespace"], owner["name"])


def _namesake(change: Change) -> Iterable[Ref]:
    metadata = change.object["metadata"]
    return [Ref(STATEFUL_SET, metadata["namespace"], metadata["name"])]

"""The Deployment controller: pods follow the template, the Deployment's status follows the pods."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from maas_operator.domain.kinds import CONFIG_MAP, POD
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import Forbidden, NotFound

from ..client import Client
from ..conditions import Clock, condition, merged_conditions, timestamp, write_status
from ..faults import Delays, PodFault
from .injection import injected, misled, unmet
from .pods import REFUSALS, is_ready, mounted_keys, pod, status_of_pod, unstarted
from .settings import TEMPLATE_HASH, Settings

_PROGRESS_DEADLINE: Final = timedelta(seconds=600)
_POLL_SECONDS: Final = 5.0


class Rollout:
    """Keeps the pods of Deployments. `pods_started` counts, by InferenceService, how many pods were ever made."""

    def __init__(self, client: Client, clock: Clock, delays: Delays, settings: Settings) -> None:
        self.pods_started: Counter[str] = Counter()
        self._client = client
        self._clock = clock
        self._delays = delays
        self._settings = settings
        self._born: dict[str, datetime] = {}

    async def reconcile(self, deployment: Manifest, fault: PodFault | None) -> tuple[Manifest, float | None]:
        """Make, replace and start pods; return the Deployment with its new status, and seconds until the next look."""
        current, old = await self._pods(deployment, fault)
        problem = await self._scale(deployment, current, old, fault)
        for index, manifest in enumerate(current):
            current[index] = await self._live(manifest, fault)
        ready = [manifest for manifest in current if is_ready(manifest)]
        if len(ready) == deployment["spec"]["replicas"]:
            await self._delete(old)
            old = []
        deployment = await self._write_status(deployment, current, old, problem)
        return deployment, self._next_look(current, ready, hindered=bool(fault or problem or _are_stuck(current)))

    async def _pods(self, deployment: Manifest, fault: PodFault | None) -> tuple[list[Manifest], list[Manifest]]:
        selector = deployment["spec"]["selector"]["matchLabels"]
        pods = await self._client.list(POD, namespace=deployment["metadata"]["namespace"], labels=selector)
        # Another pod takes the place of an evicted one, which stays; while the fault lasts it would fare no better.
        alive = [
            one for one in pods
            if "deletionTimestamp" not in one["metadata"] and (fault or one.get("status", {}).get("phase") != "Failed")
        ]  # fmt: skip
        wanted = template_hash(deployment)
        current = [manifest for manifest in alive if manifest["metadata"]["labels"].get(TEMPLATE_HASH) == wanted]
        return current, [manifest for manifest in alive if manifest not in current]

    async def _scale(
        self, deployment: Manifest, current: list[Manifest], old: list[Manifest], fault: PodFault | None
    ) -> str:
        """Bring the number of current pods to what is wanted; return why none can be made, or nothing."""
        replicas = deployment["spec"]["replicas"]
        await self._delete(current[replicas:])
        del current[replicas:]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            await self._delete(old)
            old.clear()
        if fault in REFUSALS and len(current) < replicas:
            return REFUSALS[fault].format(name=deployment["metadata"]["name"])
        try:
            while len(current) < replicas:
                current.append(await self._start(deployment))
        except Forbidden as error:
            return error.message
        return ""

    async def _start(self, deployment: Manifest) -> Manifest:
        metadata = deployment["metadata"]
        owner = metadata["ownerReferences"][0]["name"]
        self.pods_started[f"{metadata['namespace']}/{owner}"] += 1
        digest = template_hash(deployment)
        number = self.pods_started[f"{metadata['namespace']}/{owner}"]
        suffix = hashlib.sha256(f"{metadata['uid']}/{number}/{self._clock()}".encode()).hexdigest()[:5]
        manifest = pod(deployment, f"{metadata['name']}-{digest}-{suffix}", digest)
        return await self._client.create(await injected(self._client, manifest, self._settings))

    async def _live(self, manifest: Manifest, fault: PodFault | None) -> Manifest:
        """Write a pod's status as the kubelet sees it now."""
        born = self._born.setdefault(manifest["metadata"]["uid"], self._clock())
        started = self._clock() >= born + timedelta(seconds=self._delays.pod_start)
        # What runs already has its files; only a start needs them.
        mounted = is_ready(manifest) or await self._is_mountable(manifest)
        fault = fault or misled(manifest)
        status = status_of_pod(manifest, fault=fault, started=started, since=timestamp(born), mounted=mounted)
        if not is_ready(manifest) and (problem := await unmet(self._client, manifest)) is not None:
            status = unstarted(manifest, timestamp(born), *problem)
        return await write_status(self._client, manifest, status)

    async def _is_mountable(self, manifest: Manifest) -> bool:
        for name, key in mounted_keys(manifest):
            try:
                found = await self._client.get(Ref(CONFIG_MAP, manifest["metadata"]["namespace"], name))
            except NotFound:
                return False
            if key not in (found.get("data") or {}):
                return False
        return True

    async def _delete(self, pods: Sequence[Manifest]) -> None:
        for manifest in pods:
            self._born.pop(manifest["metadata"]["uid"], None)
            try:
                await self._client.delete(ref_of(manifest), uid=manifest["metadata"]["uid"])
            except NotFound:
                continue

    def _next_look(self, current: Sequence[Manifest], ready: Sequence[Manifest], *, hindered: bool) -> float | None:
        if hindered:
            return _POLL_SECONDS
        if len(ready) == len(current):
            return None
        # A pod that waits for a file is looked at again, too, as the kubelet does.
        return self._delays.pod_start or _POLL_SECONDS

    async def _write_status(
        self, deployment: Manifest, current: Sequence[Manifest], old: Sequence[Manifest], problem: str
    ) -> Manifest:
        ready = sum(map(is_ready, [*current, *old]))
        counts = {
            "replicas": len(current) + len(old), "updatedReplicas": len(current), "readyReplicas": ready,
            "availableReplicas": ready, "unavailableReplicas": max(deployment["spec"]["replicas"] - ready, 0),
        }  # fmt: skip
        now = self._clock()
        conditions = merged_conditions(deployment, self._conditions(deployment, current, ready, problem), now)
        kept = [
            {**c, "lastUpdateTime": c["lastTransitionTime"]}
            for c in conditions
            if problem or c["type"] != "ReplicaFailure"
        ]
        observed = {"observedGeneration": deployment["metadata"]["generation"]}
        status = {**observed, **{k: n for k, n in counts.items() if n}, "conditions": kept}
        return await write_status(self._client, deployment, status)

    def _conditions(
        self, deployment: Manifest, current: Sequence[Manifest], ready: int, problem: str
    ) -> list[dict[str, Any]]:
        available = ready >= deployment["spec"]["replicas"]
        conditions = [_available(available), self._progressing(deployment, current)]
        if problem:
            conditions.append(condition("ReplicaFailure", True, reason="FailedCreate", message=problem))
        return conditions

    def _progressing(self, deployment: Manifest, current: Sequence[Manifest]) -> dict[str, Any]:
        name = f'ReplicaSet "{deployment["metadata"]["name"]}-{template_hash(deployment)}"'
        waiting = [m for m in current if not is_ready(m)]
        if not waiting and len(current) == deployment["spec"]["replicas"]:
            message = f"{name} has successfully progressed."
            return condition("Progressing", True, reason="NewReplicaSetAvailable", message=message)
        if any(self._is_late(manifest) for manifest in waiting):
            message = f"{name} has timed out progressing."
            return condition("Progressing", False, reason="ProgressDeadlineExceeded", message=message)
        return condition("Progressing", True, reason="ReplicaSetUpdated", message=f"{name} is progressing.")

    def _is_late(self, manifest: Manifest) -> bool:
        return self._clock() > self._born[manifest["metadata"]["uid"]] + _PROGRESS_DEADLINE


def _are_stuck(pods: Sequence[Manifest]) -> bool:
    return any(manifest["status"].get("phase") == "Pending" for manifest in pods)


def _available(available: bool) -> dict[str, Any]:
    if available:
        message = "Deployment has minimum availability."
        return condition("Available", True, reason="MinimumReplicasAvailable", message=message)
    message = "Deployment does not have minimum availability."
    return condition("Available", False, reason="MinimumReplicasUnavailable", message=message)


def template_hash(deployment: Mapping[str, Any]) -> str:
    """Return the hash of the pod template: another hash means other pods."""
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]

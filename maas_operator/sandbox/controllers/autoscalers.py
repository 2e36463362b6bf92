"""Kubernetes' controller of HorizontalPodAutoscalers, and KEDA: they move replicas when somebody says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from maas_operator.domain.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    MODEL_SERVICE,
    SCALED_OBJECT,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from .client import Change, Client
from .conditions import Clock, condition, merged_conditions, write_status
from .faults import Faults
from .runner import Trigger, itself

_SYNC_SECONDS: Final = 15.0
_FINALIZER: Final = "finalizer.keda.sh"
_SCALABLE: Final = {DEPLOYMENT.name: DEPLOYMENT, MODEL_SERVICE.name: MODEL_SERVICE}


class HorizontalPodAutoscalers:
    """Keeps replicas between their bounds, and follows the load that `move` tells."""

    def __init__(self, client: Client, clock: Clock, faults: Faults) -> None:
        self._client = client
        self._clock = clock
        self._faults = faults
        self._loads: dict[Ref, int] = {}
        self._users: dict[Ref, set[Ref]] = {}

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The autoscalers and what they scale."""
        return {HORIZONTAL_POD_AUTOSCALER: itself, DEPLOYMENT: self._scalers_of, MODEL_SERVICE: self._scalers_of}

    def _scalers_of(self, change: Change) -> Iterable[Ref]:
        return self._users.get(ref_of(change.object), set())

    async def move(self, target: Ref, replicas: int) -> None:
        """Have the load of a target want so many replicas; its autoscalers act at once."""
        self._loads[target] = replicas
        for autoscaler in sorted(self._users.get(target, set())):
            await self.reconcile(autoscaler)

    async def reconcile(self, ref: Ref) -> float | None:
        """Scale one target, and tell about it."""
        try:
            autoscaler = await self._client.get(ref)
            wanted = autoscaler["spec"]["scaleTargetRef"]
            target = Ref(_SCALABLE[wanted["kind"]], ref.namespace, wanted["name"])
            self._users.setdefault(target, set()).add(ref)
            scaled = await self._client.get(target)
        except NotFound:
            return None
        current, problem = _replicas(scaled), await self._problem(autoscaler, scaled)
        desired = self._desired(autoscaler["spec"], target, current, blind=problem is not None)
        if desired != current:
            await self._client.merge_patch(target, {"spec": {"replicas": desired}}, subresource="scale")
        await self._tell(autoscaler, current, desired, problem)
        # What hinders it comes and goes without an event.
        return _SYNC_SECONDS if problem is not None else None

    def _desired(self, spec: Mapping[str, Any], target: Ref, current: int, *, blind: bool) -> int:
        low, high = int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
        # Nobody scales what is switched off; and only within the bounds are metrics asked for.
        if current == 0:
            return 0
        if not low <= current <= high:
            return max(low, min(high, current))
        return current if blind else max(low, min(high, self._loads.get(target, current)))

    async def _problem(self, autoscaler: Manifest, scaled: Manifest) -> dict[str, Any] | None:
        """Return why replicas are not scaled by metrics; None if they are."""
        if rivals := await self._rivals(autoscaler, scaled):
            message = f"pods by selector are controlled by multiple HPAs: {', '.join(rivals)}"
            return condition("ScalingActive", False, reason="AmbiguousSelector", message=message)
        by_resource = any(metric["type"] == "Resource" for metric in autoscaler["spec"].get("metrics") or ())
        if self._faults.metrics and by_resource:
            message = f"the HPA was unable to compute the replica count: {self._faults.metrics}"
            return condition("ScalingActive", False, reason="FailedGetResourceMetric", message=message)
        return None

    async def _rivals(self, autoscaler: Manifest, scaled: Manifest) -> list[str]:
        """Return the other autoscalers of the same pods: beside them none acts."""
        selector, names = _selector(scaled), []
        for other in await self._client.list(HORIZONTAL_POD_AUTOSCALER, namespace=autoscaler["metadata"]["namespace"]):
            found = await self._find(other)
            if other["metadata"]["uid"] != autoscaler["metadata"]["uid"] and found and _selector(found) == selector:
                names.append(str(other["metadata"]["name"]))
        return names

    async def _find(self, autoscaler: Manifest) -> Manifest | None:
        wanted = autoscaler["spec"]["scaleTargetRef"]
        try:
            return await self._client.get(
                Ref(_SCALABLE[wanted["kind"]], autoscaler["metadata"]["namespace"], wanted["name"])
            )
        except NotFound:
            return None

    async def _tell(self, autoscaler: Manifest, current: int, desired: int, problem: dict[str, Any] | None) -> None:
        able = condition("AbleToScale", True, reason="SucceededGetScale")
        active = problem or condition("ScalingActive", True, reason="ValidMetricFound")
        conditions = merged_conditions(autoscaler, [able, active], self._clock())
        status = {"currentReplicas": current, "desiredReplicas": desired, "conditions": conditions}
        await write_status(self._client, autoscaler, status)


class Keda:
    """Makes a HorizontalPodAutoscaler of each ScaledObject."""

    def __init__(self, client: Client, faults: Faults) -> None:
        self._client = client
        self._faults = faults

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The ScaledObjects."""
        return {SCALED_OBJECT: itself}

    async def reconcile(self, ref: Ref) -> float | None:
        """Bring one ScaledObject's autoscaler and status up to date."""
        try:
            scaled = await self._client.get(ref)
        except NotFound:
            return None
        finalizers = scaled["metadata"].get("finalizers") or []
        if "deletionTimestamp" in scaled["metadata"]:
            await self._write_finalizers(ref, [name for name in finalizers if name != _FINALIZER])
            return None
        if _FINALIZER not in finalizers:
            scaled = await self._write_finalizers(ref, [*finalizers, _FINALIZER])
        if problem := self._faults.keda:
            ready = condition("Ready", False, reason="ScaledObjectCheckFailed", message=problem)
        else:
            await self._client.apply(_autoscaler(scaled), manager="keda-operator")
            message = "ScaledObject is defined correctly and is ready for scaling"
            ready = condition("Ready", True, reason="ScaledObjectReady", message=message)
        # KEDA's conditions have no time.
        await write_status(self._client, scaled, {**(scaled.get("status") or {}), "conditions": [ready]})
        return None

    async def _write_finalizers(self, ref: Ref, names: list[str]) -> Manifest:
        return await self._client.merge_patch(ref, {"metadata": {"finalizers": names}})


def _autoscaler(scaled: Manifest) -> Manifest:
    metadata, spec = scaled["metadata"], scaled["spec"]
    owner = {
        "apiVersion": scaled["apiVersion"], "kind": scaled["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    target = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, "name": spec["scaleTargetRef"]["name"]}
    return {
        "apiVersion": HORIZONTAL_POD_AUTOSCALER.api_version,
        "kind": HORIZONTAL_POD_AUTOSCALER.name,
        "metadata": {
            "name": f"keda-hpa-{metadata['name']}",
            "namespace": metadata["namespace"],
            "labels": metadata.get("labels") or {},
            "ownerReferences": [owner],
        },
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": spec["minReplicaCount"] or 1,
            "maxReplicas": spec["maxReplicaCount"],
            "metrics": [_metric(index, one) for index, one in enumerate(spec["triggers"])],
        },
    }


def _metric(index: int, trigger: Mapping[str, Any]) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": trigger["metadata"]["threshold"]}
    return {"type": "External", "external": {"metric": {"name": f"s{index}-{trigger['type']}"}, "target": target}}


def _replicas(scaled: Manifest) -> int:
    if scaled["kind"] == MODEL_SERVICE.name:
        return int(scaled["spec"]["serving"]["replicas"])
    return int(scaled["spec"]["replicas"])


def _selector(scaled: Manifest) -> str:
    if scaled["kind"] == MODEL_SERVICE.name:
        return str(scaled.get("status", {}).get("selector", ""))
    return ",".join(f"{key}={value}" for key, value in sorted(scaled["spec"]["selector"]["matchLabels"].items()))

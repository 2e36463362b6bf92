"""The autoscaler that KServe makes of an InferenceService: by its class, and forgetting that of another class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from maas_operator.domain.kinds import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from ..client import Client
from ..runner import Retry
from .settings import MANAGER, autoscaler_class

_DEFAULT_UTILIZATION: Final = 80


class Autoscaling:
    """Keeps the autoscalers of Deployments."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def with_replicas(self, deployment: Manifest) -> Manifest:
        """Return a desired Deployment with the replicas that an autoscaler has given it: they are not KServe's."""
        live = await self._find(ref_of(deployment))
        if live is None or "replicas" in deployment["spec"]:
            return deployment
        return {**deployment, "spec": {**deployment["spec"], "replicas": live["spec"]["replicas"]}}

    async def reconcile(self, isvc: Manifest, deployment: Manifest) -> None:
        """Make the autoscaler of this class. Like the original, it forgets the one of another class."""
        wanted = autoscaler_class(deployment["metadata"]["annotations"])
        if wanted == "keda":
            await self._scale_by_keda(isvc, deployment)
        elif wanted == "hpa":
            await self._client.apply(_child(HORIZONTAL_POD_AUTOSCALER, deployment, _hpa_spec(isvc)), manager=MANAGER)
        else:
            await self._delete(HORIZONTAL_POD_AUTOSCALER, isvc, deployment)

    async def stop(self, isvc: Manifest, name: str) -> None:
        """Delete the autoscaler of this class."""
        wanted = autoscaler_class(isvc["metadata"].get("annotations") or {})
        kind = SCALED_OBJECT if wanted == "keda" else HORIZONTAL_POD_AUTOSCALER
        await self._delete(kind, isvc, {"metadata": {"namespace": isvc["metadata"]["namespace"], "name": name}})

    async def _scale_by_keda(self, isvc: Manifest, deployment: Manifest) -> None:
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        for rival in await self._client.list(HORIZONTAL_POD_AUTOSCALER, namespace=namespace):
            owners = {owner["kind"] for owner in rival["metadata"].get("ownerReferences") or []}
            if rival["spec"]["scaleTargetRef"]["name"] == name and SCALED_OBJECT.name not in owners:
                hpa = rival["metadata"]["name"]
                raise Retry(f"the workload '{name}' of type 'apps/v1.Deployment' is already managed by the hpa '{hpa}'")
        await self._client.apply(_child(SCALED_OBJECT, deployment, _scaled_object_spec(isvc, name)), manager=MANAGER)

    async def _find(self, ref: Ref) -> Manifest | None:
        try:
            return await self._client.get(ref)
        except NotFound:
            return None

    async def _delete(self, kind: Kind, isvc: Manifest, deployment: Manifest) -> None:
        live = await self._find(Ref(kind, deployment["metadata"]["namespace"], deployment["metadata"]["name"]))
        if live is not None and any(o["uid"] == isvc["metadata"]["uid"] for o in live["metadata"]["ownerReferences"]):
            await self._client.delete(ref_of(live), uid=live["metadata"]["uid"])


def _child(kind: Kind, deployment: Manifest, spec: Mapping[str, Any]) -> Manifest:
    """Return an object with the Deployment's name, labels, annotations and owner."""
    parts = ("name", "namespace", "labels", "annotations", "ownerReferences")
    metadata = {part: deployment["metadata"][part] for part in parts}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": spec}


def _bounds(isvc: Manifest) -> tuple[int, int]:
    low = isvc["spec"]["predictor"].get("minReplicas", 1)
    return low, max(isvc["spec"]["predictor"].get("maxReplicas", 0), low)


def _hpa_spec(isvc: Manifest) -> dict[str, Any]:
    predictor, (low, high) = isvc["spec"]["predictor"], _bounds(isvc)
    low = max(low, 1)
    target = {"type": "Utilization", "averageUtilization": predictor.get("scaleTarget", _DEFAULT_UTILIZATION)}
    resource = {"name": predictor.get("scaleMetric", "cpu"), "target": target}
    return {
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name,
            "name": f"{isvc['metadata']['name']}-predictor",
        },
        "minReplicas": low,
        "maxReplicas": max(high, low),
        "metrics": [{"type": "Resource", "resource": resource}],
    }  # fmt: skip


def _scaled_object_spec(isvc: Manifest, name: str) -> dict[str, Any]:
    low, high = _bounds(isvc)
    metrics = (isvc["spec"]["predictor"].get("autoScaling") or {}).get("metrics") or []
    return {
        "scaleTargetRef": {"name": name},
        "minReplicaCount": low,
        "maxReplicaCount": high,
        "triggers": [_trigger(metric["external"]) for metric in metrics if metric["type"] == "External"],
    }


def _trigger(external: Mapping[str, Any]) -> dict[str, Any]:
    metric, authentication = external["metric"], external.get("authenticationRef")
    metadata = {
        "serverAddress": metric["serverAddress"],
        "query": metric["query"],
        "threshold": str(external["target"]["value"]),
        **({"namespace": metric["namespace"]} if metric.get("namespace") else {}),
    }
    if authentication is None:
        return {"type": metric["backend"], "metadata": metadata}
    return {
        "type": metric["backend"],
        "metadata": {**metadata, "authModes": authentication["authModes"]},
        "authenticationRef": {"name": authentication["authenticationRef"]["name"]},
    }

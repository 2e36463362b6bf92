"""The status of an InferenceService, derived from its Deployment and pods as KServe does it in raw mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from maas_operator.domain.objects import Manifest

from ..conditions import condition, conditions_of, is_true, merged_conditions
from .settings import DEPLOYMENT_MODE, RAW, Settings, predictor_name

_READY_TYPES = ("PredictorReady", "IngressReady")
_CRASHES = ("Error", "CrashLoopBackOff")


class FailureReason(StrEnum):
    """KServe's reasons in `lastFailureInfo`."""

    MODEL_LOAD_FAILED = "ModelLoadFailed"
    RUNTIME_NOT_RECOGNIZED = "RuntimeNotRecognized"
    RUNTIME_DISABLED = "RuntimeDisabled"
    NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"
    INVALID_PREDICTOR_SPEC = "InvalidPredictorSpec"


@dataclass(frozen=True)
class InvalidSpec(Exception):
    """No Deployment can be built from this service; KServe says why in its model status."""

    reason: FailureReason
    message: str


def serving_status(
    isvc: Manifest, deployment: Manifest, pods: Sequence[Manifest], settings: Settings, now: datetime
) -> dict[str, Any]:
    """Return the status of a service whose Deployment exists."""
    predictor = _predictor_condition(isvc, deployment)
    serving = predictor["status"] == "True"
    conditions = [predictor, condition("IngressReady", True), _stopped(False)]
    return {
        **_base(isvc, settings),
        **_addresses(isvc, settings),
        "observedGeneration": deployment["metadata"]["generation"],
        "components": {"predictor": {"url": _url(isvc)}},
        "conditions": _with_ready(merged_conditions(isvc, conditions, now), isvc, now),
        "modelStatus": _model_status(isvc, pods, serving),
    }


def stopped_status(isvc: Manifest, settings: Settings, now: datetime) -> dict[str, Any]:
    """Return the status of a service that is stopped by annotation."""
    conditions = [
        condition("PredictorReady", False, reason="Stopped"),
        condition("IngressReady", False, reason="Stopped"),
        _stopped(True),
    ]
    return {
        **(isvc.get("status") or {}),
        **_base(isvc, settings),
        "conditions": _with_ready(merged_conditions(isvc, conditions, now), isvc, now),
        "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "", "targetModelState": ""}},
    }


def invalid_status(isvc: Manifest, problem: InvalidSpec, settings: Settings, now: datetime) -> dict[str, Any]:
    """Return the status of a service from which nothing can be built; conditions stay as they were."""
    info = {"reason": problem.reason.value, "message": problem.message}
    states = {"activeModelState": "", "targetModelState": "FailedToLoad"}
    old = isvc.get("status") or {}
    unknown = [condition(name, None) for name in _READY_TYPES if name not in conditions_of(isvc)]
    return {
        **old,
        **_base(isvc, settings),
        "conditions": _with_ready(merged_conditions(isvc, [*unknown, _stopped(False)], now), isvc, now),
        "modelStatus": {"transitionStatus": "InvalidSpec", "states": states, "lastFailureInfo": info},
    }


def failed_status(isvc: Manifest, words: str, settings: Settings, now: datetime) -> dict[str, Any]:
    """Return the status of a service whose Deployment could not be written."""
    failed = condition("PredictorReady", False, reason="ReconcileFailed", message=words)
    conditions = [failed, *([] if "IngressReady" in conditions_of(isvc) else [condition("IngressReady", None)])]
    return {
        **(isvc.get("status") or {}),
        **_base(isvc, settings),
        "conditions": _with_ready(merged_conditions(isvc, [*conditions, _stopped(False)], now), isvc, now),
    }


def _base(isvc: Manifest, settings: Settings) -> dict[str, Any]:
    wanted = (isvc["metadata"].get("annotations") or {}).get(DEPLOYMENT_MODE, settings.default_deployment_mode)
    return {"deploymentMode": settings.plain_mode if wanted in RAW else wanted}


def _addresses(isvc: Manifest, settings: Settings) -> dict[str, Any]:
    return {"url": _url(isvc), "address": {"url": f"{_url(isvc)}:8080" if settings.headless else _url(isvc)}}


def _url(isvc: Manifest) -> str:
    metadata = isvc["metadata"]
    return f"http://{predictor_name(metadata['name'])}.{metadata['namespace']}.svc.cluster.local"


def _predictor_condition(isvc: Manifest, deployment: Manifest) -> dict[str, Any]:
    """The worst of the Deployment's conditions, in KServe's order."""
    found = conditions_of(deployment)
    if is_true(deployment, "ReplicaFailure"):
        failure = found["ReplicaFailure"]
        return condition("PredictorReady", False, reason=failure["reason"], message=failure["message"])
    if found["Available"]["status"] == "True":
        return condition("PredictorReady", True)
    for kind in ("Progressing", "Available"):
        if found[kind]["status"] == "False":
            return condition("PredictorReady", False, reason=found[kind]["reason"], message=found[kind]["message"])
    return condition("PredictorReady", None)


def _stopped(stopped: bool) -> dict[str, Any]:
    return {**condition("Stopped", stopped), "severity": "Info"}


def _with_ready(conditions: list[dict[str, Any]], isvc: Manifest, now: datetime) -> list[dict[str, Any]]:
    by_type = {c["type"]: c for c in conditions}
    parts = [by_type[name] for name in _READY_TYPES]
    worst = next((c for c in parts if c["status"] == "False"), None) or next(
        (c for c in parts if c["status"] == "Unknown"), None
    )
    words = {"True": True, "False": False, "Unknown": None}
    ready = condition(
        "Ready",
        words[worst["status"]] if worst else True,
        reason=worst.get("reason", "") if worst else "",
        message=worst.get("message", "") if worst else "",
    )
    return merged_conditions({"status": {"conditions": [*_old_ready(isvc), *conditions]}}, [ready], now)


def _old_ready(isvc: Manifest) -> list[dict[str, Any]]:
    old = conditions_of(isvc).get("Ready")
    return [old] if old else []


def _model_status(isvc: Manifest, pods: Sequence[Manifest], serving: bool) -> dict[str, Any]:
    """What KServe reads from the newest pod; a hint only: an old failure survives recovery."""
    old = ((isvc.get("status") or {}).get("modelStatus") or {}).get("lastFailureInfo")
    failure = _failure(pods[-1]) if pods and not serving else None
    if failure:
        states = {"activeModelState": "", "targetModelState": "FailedToLoad"}
        return {"transitionStatus": "BlockedByFailedLoad", "states": states, "lastFailureInfo": failure}
    kept = {"lastFailureInfo": old} if old else {}
    if serving:
        states = {"activeModelState": "Loaded", "targetModelState": "Loaded"}
        copies = {"totalCopies": len(pods), "failedCopies": 0}
        return {"transitionStatus": "UpToDate", "states": states, "copies": copies, **kept}
    states = {"activeModelState": "", "targetModelState": "Pending"}
    return {"transitionStatus": "InProgress", "states": states, **kept}


def _failure(pod: Mapping[str, Any]) -> dict[str, Any] | None:
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        last = (container.get("lastState") or {}).get("terminated")
        # KServe reads the outcome of its own initializer only, never that of the modelcar's.
        if container["name"] == "modelcar-init" or not last or waiting.get("reason") not in _CRASHES:
            continue
        return {
            "reason": FailureReason.MODEL_LOAD_FAILED.value,
            "exitCode": last["exitCode"],
            **({"message": last["message"]} if "message" in last else {}),
        }
    return None

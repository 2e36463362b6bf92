"""Whether a model serves, from what KServe, the Deployment and the pods say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maas_operator.api.reasons import Reason
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.observed import condition_of, is_fresh, status_of, true_conditions

from .inference_service import CONFIG_HASH, STOP
from .meanings import meaning_of_refusal
from .origins import NO_ORIGINS, Origins
from .pods import Trouble, find_trouble, runs
from .words import quoted

_NO_PART_OF_READY: Final = frozenset({"Ready", "Stopped"})
"""Conditions of an InferenceService that are the sum of others, or False in one that serves."""
_OTHER_RUNTIME: Final = "correct the runtime of spec.serving.runtimeRef, or choose a profile by spec.serving.runtime"
_LET_KSERVE_WORK: Final = "lift what is in KServe's way, or change the field of spec.serving that it names"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """A model's state: `ready` when all replicas of this configuration serve, `failed` when waiting will not help.

    `of_origin`: the model can not be had from where it is.
    """

    ready: bool = False
    failed: bool = False
    reason: Reason
    message: str = ""
    replicas: int = 0
    of_origin: bool = False


def model_state(
    inference_service: Manifest | None,
    deployment: Manifest | None,
    pods: Sequence[Manifest],
    *,
    config_hash: str,
    origins: Origins = NO_ORIGINS,
) -> ModelState:
    """Read a model's objects; None is one that does not exist yet. `config_hash`: what the pods should run."""
    replicas = status_of(deployment).get("availableReplicas", 0) if deployment else 0
    if inference_service is None:
        return ModelState(reason=Reason.MODEL_STARTING, replicas=replicas)
    if STOP in inference_service["metadata"].get("annotations", {}):
        return _stopping(deployment, replicas)
    if deployment is not None and _serves(deployment, inference_service, pods, config_hash):
        return ModelState(ready=True, reason=Reason.READY, replicas=replicas)
    found = find_trouble(pods, config_hash=config_hash, origins=origins)
    if trouble := found or _refused(deployment) or _kserve_trouble(inference_service):
        return ModelState(
            failed=True,
            reason=trouble.reason,
            message=trouble.message,
            replicas=replicas,
            of_origin=trouble.of_origin,
        )
    rolled_out = deployment is not None and _is_rolled_out(deployment, inference_service, config_hash)
    message = _still_missing(inference_service) if rolled_out else ""
    return ModelState(reason=_progress(deployment, pods, replicas), message=message, replicas=replicas)


def carries(deployment: Manifest | None, config_hash: str) -> bool:
    """Tell whether KServe has given the Deployment what its pods should run."""
    template = deployment["spec"]["template"]["metadata"] if deployment else {}
    return (template.get("annotations") or {}).get(CONFIG_HASH) == config_hash


def _stopping(deployment: Manifest | None, replicas: int) -> ModelState:
    reason = Reason.STOPPED if deployment is None else Reason.ROLLING_OUT
    return ModelState(reason=reason, replicas=replicas)


def _serves(deployment: Manifest, inference_service: Manifest, pods: Sequence[Manifest], config_hash: str) -> bool:
    least, most = _bounds(inference_service)
    if least < most:
        return _serves_scaled(deployment, pods, least, config_hash)
    return "Ready" in true_conditions(inference_service) and _is_rolled_out(deployment, inference_service, config_hash)


def _bounds(inference_service: Manifest) -> tuple[int, int]:
    # Of one that is only observed they may have been taken out: then KServe runs one replica.
    predictor = inference_service["spec"]["predictor"]
    least: int = predictor.get("minReplicas", 1)
    return least, predictor.get("maxReplicas", least)


def _serves_scaled(deployment: Manifest, pods: Sequence[Manifest], least: int, config_hash: str) -> bool:
    """Tell whether a model serves whose replicas somebody else counts: all pods are of this configuration.

    While a replica more loads, the Deployment is not Available, and neither is the InferenceService Ready: the others
    answer nevertheless.
    """
    alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    answering = [pod for pod in alive if condition_of(pod, "Ready").get("status") == "True"]
    wanted = max(min(least, deployment["spec"].get("replicas", 1)), 1)
    return all(runs(pod, config_hash) for pod in alive) and len(answering) >= wanted


def _is_rolled_out(deployment: Manifest, inference_service: Manifest, config_hash: str) -> bool:
    # The generation in KServe's status is the Deployment's: only the hash proves that the pods run our last word.
    status = status_of(deployment)
    wanted, _ = _bounds(inference_service)
    counts = {deployment["spec"].get("replicas"), status.get("replicas"), status.get("updatedReplicas")}
    available = status.get("availableReplicas", 0) >= wanted
    return is_fresh(deployment) and carries(deployment, config_hash) and counts == {wanted} and available


def _refused(deployment: Manifest | None) -> Trouble | None:
    message = true_conditions(deployment).get("ReplicaFailure") if deployment else None
    if message is None:
        return None
    meaning = meaning_of_refusal(message)
    return Trouble(meaning.reason, quoted(message), meaning.remedy)


def _kserve_trouble(inference_service: Manifest) -> Trouble | None:
    model, ref = status_of(inference_service).get("modelStatus") or {}, ref_of(inference_service)
    # A failed load stays there after the recovery; the pods tell it better.
    if model.get("transitionStatus") == "InvalidSpec":
        failure = model.get("lastFailureInfo") or {}
        words = ": ".join(filter(None, (failure.get("reason"), failure.get("message"))))
        return Trouble(Reason.RUNTIME_REFUSED, f"{ref}: {quoted(words)}", _OTHER_RUNTIME)
    predictor = condition_of(inference_service, "PredictorReady")
    if predictor.get("status") == "False" and predictor.get("reason") == "ReconcileFailed":
        return Trouble(Reason.SERVING_FAILED, f"{ref}: {quoted(predictor.get('message', ''))}", _LET_KSERVE_WORK)
    return None


def _still_missing(inference_service: Manifest) -> str:
    """Return what KServe itself waits for, when the pods are ready."""
    conditions = status_of(inference_service).get("conditions") or ()
    unmet = [one for one in conditions if one["status"] != "True" and one["type"] not in _NO_PART_OF_READY]
    return "; ".join(
        quoted(": ".join(filter(None, (one["type"], one.get("reason"), one.get("message"))))) for one in unmet
    )


def _progress(deployment: Manifest | None, pods: Sequence[Manifest], replicas: int) -> Reason:
    if deployment is None or not pods:
        return Reason.MODEL_STARTING
    if replicas:
        return Reason.ROLLING_OUT
    running = any(status_of(pod).get("phase") == "Running" for pod in pods)
    return Reason.MODEL_LOADING if running else Reason.MODEL_STARTING

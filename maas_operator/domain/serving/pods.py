"""Why a model's pods do not serve: the cause that neither InferenceService nor Deployment tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from maas_operator.api.reasons import Reason
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import condition_of, status_of

from .inference_service import CONFIG_HASH

_IMAGE_REASONS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_CREATE_REASONS: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_LOADERS: Final = frozenset({"storage-initializer", "modelcar-init"})
_CRASHES: Final = 3
"""KServe's model container may start before its sidecar has the model: up to two restarts are no fault."""
_LAST_WORDS: Final = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of a pod: the reason for a condition, and where and what it is."""

    reason: Reason
    message: str


def find_trouble(pods: Iterable[Manifest], *, config_hash: str) -> Trouble | None:
    """Return the fault of the newest pod that has one; pods that run something else are on their way out."""
    current = [pod for pod in pods if runs(pod, config_hash) and "deletionTimestamp" not in pod["metadata"]]
    newest_first = sorted(current, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    return next((trouble for pod in newest_first if (trouble := _trouble(pod)) is not None), None)


def runs(pod: Manifest, config_hash: str) -> bool:
    """Tell whether a pod is of this configuration."""
    return (pod["metadata"].get("annotations") or {}).get(CONFIG_HASH) == config_hash


def _trouble(pod: Manifest) -> Trouble | None:
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Trouble(Reason.UNSCHEDULABLE, f"pod {_name(pod)}: {scheduled.get('message', '')}")
    return next(_container_troubles(pod), None)


def _container_troubles(pod: Manifest) -> Iterator[Trouble]:
    status = status_of(pod)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if not container.get("ready") and (found := _container_trouble(container)) is not None:
            reason, words = found
            yield Trouble(reason, f"pod {_name(pod)}, container {container['name']}: {words}")


def _container_trouble(container: Mapping[str, Any]) -> tuple[Reason, str] | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    words = ": ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
    if waiting.get("reason") in _IMAGE_REASONS:
        return Reason.IMAGE_PULL_FAILED, words
    if waiting.get("reason") in _CREATE_REASONS:
        return Reason.PODS_REFUSED, words
    return _exit_trouble(container, _last_exit(container))


def _exit_trouble(container: Mapping[str, Any], last_exit: Mapping[str, Any]) -> tuple[Reason, str] | None:
    if not last_exit.get("exitCode"):
        return None
    if last_exit.get("reason") == "OOMKilled":
        return Reason.OUT_OF_MEMORY, "killed for its memory"
    if container["name"] in _LOADERS:
        return Reason.MODEL_LOAD_FAILED, _words(last_exit)
    if container.get("restartCount", 0) >= _CRASHES:
        return Reason.CONTAINER_CRASHED, f"ended {container['restartCount']} times: {_words(last_exit)}"
    return None


def _last_exit(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how the container ended last; empty when it never did."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    return next((state["terminated"] for state in states if state.get("terminated")), {})


def _words(last_exit: Mapping[str, Any]) -> str:
    # A traceback says what is wrong in its last lines.
    message = str(last_exit.get("message") or "").strip()
    return message[-_LAST_WORDS:] or f"exit code {last_exit['exitCode']}"


def _name(pod: Manifest) -> str:
    return str(pod["metadata"]["name"])

"""Why a model's pods do not serve: the cause that neither InferenceService nor Deployment tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from maas_operator.api.reasons import Reason
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import condition_of, status_of

from .adapters import FETCHER
from .inference_service import CONFIG_HASH
from .meanings import Meaning, meaning_of_crash, meaning_of_load, meaning_of_refusal, meaning_of_waiting
from .origins import MODELCAR_INIT, NO_ORIGINS, Origins
from .pod import CONTAINER
from .words import quoted

_IMAGE_REASONS: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_CREATE_REASONS: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_MODELCARS: Final = frozenset({"modelcar", MODELCAR_INIT})
# A hardware profile of OpenShift AI may put the pods into a queue of Kueue, which holds them by a gate.
_GATED: Final = Meaning(Reason.UNSCHEDULABLE, "wait for room in its queue (see its Workload), or ask for less")
_CRASHES: Final = 3
"""KServe's model container may start before its sidecar has the model: up to two restarts are no fault."""
_SIGNALS: Final = frozenset({137, 143})
"""Exit codes of what was killed or asked to end from outside."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of a pod: the reason for a condition, where and what it is, and the remedy for a model server.

    `of_origin`: it is the fault of where the model comes from.
    """

    reason: Reason
    words: str
    remedy: str
    of_origin: bool = False

    @property
    def message(self) -> str:
        """Return all of it for a model's condition."""
        return "; ".join(filter(None, (self.words, self.remedy)))


def find_trouble(pods: Iterable[Manifest], *, config_hash: str, origins: Origins = NO_ORIGINS) -> Trouble | None:
    """Return the fault of the newest pod that has one; pods that run something else are on their way out."""
    newest_first = current_pods(pods, config_hash=config_hash)
    lost = _loss(newest_first[0]) if newest_first else None
    # An evicted pod lies about until somebody clears it away: it says nothing of those after it.
    living = [pod for pod in newest_first if status_of(pod).get("phase") != "Failed"]
    return lost or next((trouble for pod in living if (trouble := _trouble(pod, origins)) is not None), None)


def current_pods(pods: Iterable[Manifest], *, config_hash: str) -> Sequence[Manifest]:
    """Return the pods that run what they should and are not on their way out, the newest first."""
    current = [pod for pod in pods if runs(pod, config_hash) and "deletionTimestamp" not in pod["metadata"]]
    return sorted(current, key=_age, reverse=True)


def _age(pod: Manifest) -> tuple[str, str]:
    # By name as well: replicas are made in the same second, and the one that speaks must be the same each time.
    return str(pod["metadata"].get("creationTimestamp", "")), str(pod["metadata"]["name"])


def runs(pod: Manifest, config_hash: str) -> bool:
    """Tell whether a pod is of this configuration."""
    return (pod["metadata"].get("annotations") or {}).get(CONFIG_HASH) == config_hash


def _loss(pod: Manifest) -> Trouble | None:
    status = status_of(pod)
    if status.get("phase") == "Failed":
        words = quoted(": ".join(filter(None, (status.get("reason"), status.get("message"))))) or "it has failed"
        return _told(pod, Meaning(Reason.POD_LOST, "another pod takes its place as soon as a node has room"), words)
    containers = status.get("containerStatuses") or ()
    if condition_of(pod, "Ready").get("status") == "False" and containers and all(one["ready"] for one in containers):
        remedy = "see whether its node answers; after five minutes another pod takes its place"
        return _told(pod, Meaning(Reason.POD_LOST, remedy), "its containers are ready, and the pod is not")
    return None


def _trouble(pod: Manifest, origins: Origins) -> Trouble | None:
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "SchedulingGated":
        return _told(pod, _GATED, quoted(str(scheduled.get("message", ""))))
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        words = quoted(str(scheduled.get("message", "")))
        return _told(pod, meaning_of_waiting(words), words)
    return next(_container_troubles(pod, origins), None)


def _container_troubles(pod: Manifest, origins: Origins) -> Iterator[Trouble]:
    status = status_of(pod)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if not container.get("ready") and (found := _container_trouble(container, origins)) is not None:
            meaning, words = found
            yield _told(pod, meaning, words, container["name"])


def _told(pod: Manifest, meaning: Meaning, words: str, container: str = "") -> Trouble:
    where = f"pod {pod['metadata']['name']}" + (f", container {container}" if container else "")
    # Adapters come from elsewhere than the model.
    of_origin = meaning.of_origin and container != FETCHER
    return Trouble(meaning.reason, f"{where}: {words}", meaning.remedy, of_origin)


def _container_trouble(container: Mapping[str, Any], origins: Origins) -> tuple[Meaning, str] | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    words = quoted(": ".join(filter(None, (waiting.get("reason"), waiting.get("message")))))
    if waiting.get("reason") in _IMAGE_REASONS:
        return _meaning_of_pull(str(container["name"])), words
    if waiting.get("reason") in _CREATE_REASONS:
        return meaning_of_refusal(words), words
    last_exit = _last_exit(container)
    return _exit_trouble(container, last_exit, origins) if last_exit else None


def _meaning_of_pull(container: str) -> Meaning:
    if container in _MODELCARS:
        remedy = "correct the image in spec.model.source, or give its pull secret in spec.serving.imagePullSecrets"
    elif container == CONTAINER:
        remedy = "correct the image of the runtime, or give its pull secret in spec.serving.imagePullSecrets"
    else:
        remedy = "the image is one of KServe's configuration: correct it there"
    return Meaning(Reason.IMAGE_PULL_FAILED, remedy)


def _exit_trouble(
    container: Mapping[str, Any], last_exit: Mapping[str, Any], origins: Origins
) -> tuple[Meaning, str] | None:
    name, code, restarts = container["name"], last_exit.get("exitCode"), container.get("restartCount", 0)
    said = str(last_exit.get("message") or "")
    words = quoted(said, last=True) or f"exit code {code}"
    if last_exit.get("reason") == "OOMKilled":
        return _meaning_of_oom(name), "killed for its memory"
    if (origin := origins.get(name)) is not None:
        return (meaning_of_load(said, origin), words) if code else None
    if name == CONTAINER and code in _SIGNALS:
        remedy = "if it loads for longer than spec.serving.startupTimeout, raise that"
        found = f"killed ({code}), as what does not answer its health check is: {words}"
        return Meaning(Reason.PROBE_FAILED, remedy), found
    # Not even a server that ends without a fault serves.
    if restarts < _CRASHES:
        return None
    return meaning_of_crash(said), f"ended {restarts} times: {words}"


def _meaning_of_oom(container: str) -> Meaning:
    if container == CONTAINER:
        remedy = "raise spec.serving.resources.limits.memory, or lower spec.model.contextLength"
    else:
        remedy = "raise the memory limit of KServe's configuration, or use another kind of spec.model.source"
    return Meaning(Reason.OUT_OF_MEMORY, remedy)


def _last_exit(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how the container ended last; empty when it never did."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    return next((state["terminated"] for state in states if state.get("terminated")), {})

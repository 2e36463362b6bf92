"""What the words of others mean: the first pattern that is found gives the reason and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maas_operator.api.reasons import Reason

from .origins import Origin


@dataclass(frozen=True, slots=True)
class Meaning:
    """A reason for a condition, and what to do about it; `of_origin`: it is the fault of where files come from."""

    reason: Reason
    remedy: str
    of_origin: bool = False


_OfOrigin = tuple[re.Pattern[str], Reason, Callable[[Origin], str]]
_Table = tuple[tuple[re.Pattern[str], Meaning], ...]


def _said(pattern: str, reason: Reason, remedy: str) -> tuple[re.Pattern[str], Meaning]:
    return re.compile(pattern, re.IGNORECASE), Meaning(reason, remedy)


def _of_origin(pattern: str, reason: Reason, remedy: Callable[[Origin], str]) -> _OfOrigin:
    return re.compile(pattern, re.IGNORECASE), reason, remedy


# KServe's storage initializer up to 0.19 shows what its libraries raise, since 0.20 mostly words of its own.
_FETCHING: Final = (
    _of_origin(
        r"gatedrepo|gated repo|huggingface authentication failed",
        Reason.MODEL_ACCESS_DENIED,
        lambda origin: origin.account,
    ),
    _of_origin(
        r"repositorynotfound|repository not found|revisionnotfound|revision not found|huggingface resource",
        Reason.MODEL_NOT_FOUND,
        lambda origin: origin.repository,
    ),
    _of_origin(
        r"invalidaccesskeyid|signaturedoesnotmatch|invalid aws credentials|unable to locate credentials"
        r"|nocredentials|s3 authentication failed|expiredtoken|invalidtoken",
        Reason.MODEL_ACCESS_DENIED,
        lambda origin: origin.keys,
    ),
    # A bucket is looked for before what is in it.
    _of_origin(
        r"nosuchbucket|bucket does not exist|bucket '[^']*' does not exist|s3 resource '[^']*' not found"
        r"|\(404\) when calling the headbucket|s3 error \[404",
        Reason.MODEL_NOT_FOUND,
        lambda origin: origin.bucket,
    ),
    _of_origin(
        r"certificate[_ ]verify[_ ]failed|ssl validation failed|sslerror|ca bundle file",
        Reason.MODEL_LOAD_FAILED,
        lambda origin: origin.certificate,
    ),
    _of_origin(
        r"accessdenied|access denied|\(403\)|error \[403|forbidden",
        Reason.MODEL_ACCESS_DENIED,
        lambda origin: origin.access,
    ),
    _of_origin(
        r"401 client error|http authentication failed|unauthorized",
        Reason.MODEL_ACCESS_DENIED,
        lambda origin: origin.keys,
    ),
    _of_origin(
        r"no model found in|does not exist in bucket|nosuchkey|\(404\)|404 client error|resource (at )?'?[^']*'? ?not"
        r" found|http resource not found|cannot locate source uri|local path|/models does not exist",
        Reason.MODEL_NOT_FOUND,
        lambda origin: origin.path,
    ),
    _of_origin(
        r"could not connect|connect timeout|failed to connect|connection refused|max retries|name or service not known"
        r"|endpointconnection|timed? ?out",
        Reason.MODEL_LOAD_FAILED,
        lambda origin: origin.endpoint,
    ),
)

_LOADING: Final[_Table] = (
    _said(
        r"no space left on device",
        Reason.MODEL_LOAD_FAILED,
        "the node has too little ephemeral storage for the model: use a larger one, or an oci:// or pvc:// source",
    ),
    _said(
        r"cannot recognize storage type",
        Reason.MODEL_LOAD_FAILED,
        "the cluster's KServe does not load from this scheme: change spec.model.source; oci:// needs enableModelcar in"
        " KServe's configuration",
    ),
)

_CRASHING: Final[_Table] = (
    _said(
        r"cuda out of memory|outofmemoryerror|hip out of memory",
        Reason.OUT_OF_MEMORY,
        "lower spec.model.contextLength, or ask for more GPUs in spec.serving.resources.limits",
    ),
    _said(
        r"kv cache|max[_ ]model[_ ]len|max seq len",
        Reason.CONTAINER_CRASHED,
        "lower spec.model.contextLength, or raise the memory in spec.serving.resources.limits",
    ),
    _said(
        r"unrecognized arguments|error: argument",
        Reason.CONTAINER_CRASHED,
        "correct the arguments of the runtime profile or of spec.serving.args",
    ),
    _said(
        r"no such file or directory: '?/mnt/models|/mnt/models.{0,80}(not found|does not exist)|config\.json",
        Reason.CONTAINER_CRASHED,
        "see that spec.model.source holds a model in the format of Hugging Face, at its top",
    ),
)

_REFUSING: Final[_Table] = (
    _said(
        r"exceeded quota",
        Reason.PODS_REFUSED,
        "raise the ResourceQuota of the namespace, or lower spec.serving.resources or spec.serving.replicas",
    ),
    _said(
        r"security context constraint|violates podsecurity",
        Reason.PODS_REFUSED,
        "have the namespace's service account use a policy that admits the pod, restricted-v2 or one like it",
    ),
    _said(
        r"failed calling webhook",
        Reason.PODS_REFUSED,
        "bring that webhook back; it is tried again",
    ),
    _said(
        r"(maximum|minimum) (cpu|memory|[\w./-]+) usage|limitrange|must be less than or equal to",
        Reason.PODS_REFUSED,
        "change spec.serving.resources to fit the LimitRange of the namespace",
    ),
    _said(
        r"secret \S+ not found|in secret|configmap \S+ not found|serviceaccount \S+ not found",
        Reason.PODS_REFUSED,
        "create it in the namespace, with the keys that the model needs",
    ),
)


def meaning_of_load(words: str, origin: Origin) -> Meaning:
    """Return why files could not be fetched."""
    for pattern, reason, remedy in _FETCHING:
        if pattern.search(words):
            return Meaning(reason, remedy(origin), of_origin=True)
    otherwise = Meaning(Reason.MODEL_LOAD_FAILED, "correct spec.model.source, or the access to it")
    return _find(_LOADING, words) or otherwise


def meaning_of_crash(words: str) -> Meaning:
    """Return why a model server ended."""
    return _find(_CRASHING, words) or Meaning(Reason.CONTAINER_CRASHED, "act on its last words")


def meaning_of_refusal(words: str) -> Meaning:
    """Return why a pod, or a container of it, could not be made."""
    remedy = "change spec.serving, or lift what refuses the pods"
    return _find(_REFUSING, words) or Meaning(Reason.PODS_REFUSED, remedy)


def meaning_of_waiting(words: str) -> Meaning:
    """Return why the scheduler finds no node."""
    if re.search(r"persistentvolumeclaim|volume node affinity", words, re.IGNORECASE):
        remedy = "create or repair the PersistentVolumeClaim of spec.model.source; it must be usable from more nodes"
        return Meaning(Reason.VOLUME_NOT_READY, remedy)
    return Meaning(Reason.UNSCHEDULABLE, "add nodes, or change spec.serving.resources")


def _find(table: _Table, words: str) -> Meaning | None:
    return next((meaning for pattern, meaning in table if pattern.search(words)), None)

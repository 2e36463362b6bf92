"""What may go wrong, and how long things take: set at runtime, or by annotation for a demonstration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

FAULT_ANNOTATION: Final = "sandbox.maas-operator.io/fault"
"""On a ModelService or InferenceService: a `PodFault`. On the provider account's Secret: a `PortaFault`."""


class PodFault(StrEnum):
    """The ways in which the pods of a model do not come up."""

    IMAGE_PULL = "ImagePullBackOff"
    UNSCHEDULABLE = "Unschedulable"
    OOM_KILLED = "OOMKilled"
    CRASH_LOOP = "CrashLoopBackOff"
    CRASH_WITH_KEY = "CrashThatPrintsAKey"
    PROBE = "ProbeFailure"
    SECRET_MISSING = "SecretMissing"
    STORAGE_INITIALIZER = "StorageInitializer"
    STORAGE_DENIED = "StorageDenied"
    STORAGE_KEY = "StorageWrongKey"
    STORAGE_BUCKET = "StorageNoBucket"
    STORAGE_TLS = "StorageTLS"
    STORAGE_UNREACHABLE = "StorageUnreachable"
    STORAGE_GATED = "StorageGated"
    GATED_ADAPTER = "GatedAdapter"
    STORAGE_IMAGE = "StorageImagePull"
    STORAGE_MEMORY = "StorageOOMKilled"
    MODELCAR = "ModelcarInit"
    MODELCAR_IMAGE = "ModelcarImagePull"
    MODELCAR_CRASH = "ModelcarCrash"
    VOLUME_MISSING = "VolumeMissing"
    VOLUME_PENDING = "VolumePending"
    EVICTED = "Evicted"
    NODE_LOST = "NodeLost"
    QUOTA = "ReplicaFailure"
    POLICY = "PodRefusedByPolicy"
    NEVER_READY = "NeverReady"


class PortaFault(StrEnum):
    """The ways in which 3scale does not answer."""

    DOWN = "Down"
    FORBIDDEN = "Forbidden"


class MinIOFault(StrEnum):
    """The ways in which a MinIO refuses what Jobs ask of it."""

    ACCESS_DENIED = "AccessDenied"


@dataclass
class Faults:
    """What goes wrong now. `pods` by the name of InferenceService, StatefulSet or Job, `*` for all.

    `volumes`: what the provisioner says instead of making a volume. `buckets`: the same of buckets, reason first.
    """

    pods: dict[str, PodFault] = field(default_factory=dict)
    porta: PortaFault | None = None
    minio: MinIOFault | None = None
    volumes: str = ""
    buckets: str = ""
    kserve_down: bool = False
    """KServe's controller does nothing; what it has made runs on."""
    kserve: str = ""
    """What refuses KServe's Deployments, in its words."""
    keda: str = ""
    """Why KEDA can not read a metric, in its words."""
    metrics: str = ""
    """Why Kubernetes can not read CPU and memory of pods, in the words of its autoscalers."""

    def of_pods(self, *owners: Mapping[str, Any]) -> PodFault | None:
        """Return the fault of a model's pods, given its InferenceService and, if known, the ModelService."""
        for owner in owners:
            metadata = owner["metadata"]
            if annotated := (metadata.get("annotations") or {}).get(FAULT_ANNOTATION):
                return PodFault(annotated)
        return self.pods.get(owners[0]["metadata"]["name"]) or self.pods.get("*")

    def of_porta(self, secret: Mapping[str, Any]) -> PortaFault | None:
        """Return the fault of the tenant that a provider account's Secret points to."""
        annotated = (secret["metadata"].get("annotations") or {}).get(FAULT_ANNOTATION)
        return PortaFault(annotated) if annotated else self.porta


@dataclass
class Delays:
    """How long the originals take, in seconds; all zero for tests."""

    pod_start: float = 0.0
    porta: float = 0.0
    purge: float = 0.0
    route: float = 0.0

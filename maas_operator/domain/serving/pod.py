"""The parts of a pod that a ServingRuntime and an InferenceService emit."""

from __future__ import annotations

from typing import Final, Literal

from maas_operator.domain.emitted import Emitted

CONTAINER: Final = "kserve-container"
"""The container of the model server, by the name that KServe knows."""


class EnvVar(Emitted):
    """An environment variable; one without value is empty."""

    name: str
    value: str | None


class ContainerPort(Emitted):
    """A port that the container listens on."""

    name: str
    container_port: int
    protocol: Literal["TCP"] = "TCP"


class HttpGet(Emitted):
    """A call that a probe makes."""

    path: str
    port: int


class Probe(Emitted):
    """A check of the container."""

    http_get: HttpGet
    period_seconds: int
    timeout_seconds: int = 5
    failure_threshold: int


class Capabilities(Emitted):
    """Linux capabilities."""

    drop: tuple[str, ...]


class SeccompProfile(Emitted):
    """A filter of system calls."""

    type: Literal["RuntimeDefault"] = "RuntimeDefault"


class SecurityContext(Emitted):
    """What fits OpenShift's restricted-v2 and any namespace's user id."""

    allow_privilege_escalation: bool = False
    capabilities: Capabilities = Capabilities(drop=("ALL",))
    seccomp_profile: SeccompProfile = SeccompProfile()


class VolumeMount(Emitted):
    """Where a volume appears."""

    name: str
    mount_path: str
    read_only: Literal[True] | None = None


class EmptyDir(Emitted):
    """A volume in memory, which counts as memory of the pod."""

    medium: Literal["Memory"] = "Memory"
    size_limit: str


class KeyToPath(Emitted):
    """One value as a file."""

    key: str
    path: str


class ConfigMapVolume(Emitted):
    """Values of a ConfigMap as files."""

    name: str
    items: tuple[KeyToPath, ...]


class Volume(Emitted):
    """A volume of the pod, of one of these kinds."""

    name: str
    empty_dir: EmptyDir | None = None
    config_map: ConfigMapVolume | None = None


class ClaimReference(Emitted):
    """A PersistentVolumeClaim of the same namespace."""

    claim_name: str


class ClaimVolume(Emitted):
    """A volume that a claim stands for."""

    name: str
    persistent_volume_claim: ClaimReference


class Container(Emitted):
    """A container; when it fails, its last log lines become its termination message."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[EnvVar, ...]
    ports: tuple[ContainerPort, ...]
    startup_probe: Probe
    readiness_probe: Probe
    liveness_probe: Probe
    security_context: SecurityContext
    termination_message_policy: Literal["FallbackToLogsOnError"] = "FallbackToLogsOnError"
    volume_mounts: tuple[VolumeMount, ...]


class Toleration(Emitted):
    """Leave to run on nodes with this taint."""

    key: str | None
    operator: Literal["Exists", "Equal"] | None = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = "NoSchedule"
    toleration_seconds: int | None = None


class ResourceRequirements(Emitted):
    """What is set aside, and what is the most."""

    requests: dict[str, str] | None
    limits: dict[str, str] | None

"""The parts of the pods that run in a MinIO's namespace, where containers take values from Secrets."""

from __future__ import annotations

from typing import Final, Literal

from maas_operator.domain.emitted import Emitted
from maas_operator.domain.labels import annotations_of
from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.pod import ClaimVolume, ContainerPort, EnvVar, Probe, SecurityContext, VolumeMount


class SecretKey(Emitted):
    """A key of a Secret in the pod's namespace."""

    name: str
    key: str


class ValueFrom(Emitted):
    """Where a value comes from."""

    secret_key_ref: SecretKey


class SecretEnvVar(Emitted):
    """An environment variable whose value stands in a Secret."""

    name: str
    value_from: ValueFrom


def from_secret(name: str, secret: str, key: str) -> SecretEnvVar:
    """Return the variable that has the value of a Secret's key."""
    return SecretEnvVar(name=name, value_from=ValueFrom(secret_key_ref=SecretKey(name=secret, key=key)))


class Requests(Emitted):
    """What the scheduler sets aside."""

    requests: dict[str, str]


class DataMount(VolumeMount):
    """Where a folder of a volume appears: the volume's own root may hold a lost+found."""

    sub_path: str


class Container(Emitted):
    """A container that fits OpenShift's restricted-v2; when it fails, its last log lines become its last words."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    env: tuple[EnvVar | SecretEnvVar, ...]
    ports: tuple[ContainerPort, ...] | None = None
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    resources: Requests
    security_context: SecurityContext = SecurityContext()
    termination_message_policy: Literal["FallbackToLogsOnError"] = "FallbackToLogsOnError"
    volume_mounts: tuple[DataMount, ...] | None = None


class PodSecurity(Emitted):
    """A user other than root, as whom all programs of the image run: its own one would be root.

    OpenShift gives each namespace a user and a group of its own, and refuses all others.
    """

    run_as_non_root: Literal[True] = True
    run_as_user: int | None = None
    run_as_group: int | None = None
    fs_group: int | None = None
    fs_group_change_policy: Literal["OnRootMismatch"] | None = None


_OF_OPENSHIFT: Final = "openshift.io/sa.scc.uid-range"
"""Annotation by which OpenShift tells the users of a namespace."""
_USER: Final = 1000


def pod_security(namespace: Manifest | None) -> PodSecurity:
    """Return as whom the pods of a namespace run: as whom OpenShift says, elsewhere as a fixed user."""
    if namespace is not None and _OF_OPENSHIFT in annotations_of(namespace):
        return PodSecurity()
    return PodSecurity(run_as_user=_USER, run_as_group=_USER, fs_group=_USER, fs_group_change_policy="OnRootMismatch")


class PodSpec(Emitted):
    """A pod that has no business with the Kubernetes API."""

    automount_service_account_token: bool = False
    # A Service named `minio` would inject MINIO_PORT and others, which MinIO may take for its own.
    enable_service_links: bool = False
    restart_policy: Literal["Always", "Never"]
    security_context: PodSecurity
    containers: tuple[Container, ...]
    volumes: tuple[ClaimVolume, ...] | None = None


class PodMetadata(Emitted):
    """Labels and annotations of a pod."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None


class PodTemplate(Emitted):
    """What a StatefulSet or Job makes pods of."""

    metadata: PodMetadata
    spec: PodSpec

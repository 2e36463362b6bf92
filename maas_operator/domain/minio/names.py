"""What the objects of a platform's MinIO are called, and where it is reached."""

from __future__ import annotations

from typing import Final

from maas_operator.api.minio import MinIO
from maas_operator.domain.kinds import (
    NAMESPACE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
)
from maas_operator.domain.labels import GROUP
from maas_operator.domain.objects import Ref

NAME: Final = "minio"
PORT: Final = 9000
ROOT_USER: Final = "rootUser"
ROOT_PASSWORD: Final = "rootPassword"

INSTANCE: Final = f"{GROUP}/minio"
"""Label of the pods of a MinIO: the name of its platform."""


def place_ref(namespace: str) -> Ref:
    """Return the address of the Namespace."""
    return Ref(NAMESPACE, "", namespace)


def stateful_set_ref(namespace: str) -> Ref:
    """Return the address of the StatefulSet."""
    return Ref(STATEFUL_SET, namespace, NAME)


def claim_ref(namespace: str) -> Ref:
    """Return the address of the claim of the volume."""
    return Ref(PERSISTENT_VOLUME_CLAIM, namespace, NAME)


def service_ref(namespace: str) -> Ref:
    """Return the address of the Service."""
    return Ref(SERVICE, namespace, NAME)


def network_policy_ref(namespace: str) -> Ref:
    """Return the address of the NetworkPolicy."""
    return Ref(NETWORK_POLICY, namespace, NAME)


def root_ref(namespace: str) -> Ref:
    """Return the address of the Secret with the root credentials."""
    return Ref(SECRET, namespace, f"{NAME}-root")


def class_ref(name: str) -> Ref:
    """Return the address of a StorageClass."""
    return Ref(STORAGE_CLASS, "", name)


def endpoint(minio: MinIO) -> str:
    """Return where a MinIO is reached inside the cluster."""
    return f"http://{NAME}.{minio.namespace}.svc:{PORT}"

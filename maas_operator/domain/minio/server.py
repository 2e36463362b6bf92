"""The MinIO of a platform: one pod, one volume that outlives it, and nobody but models who can reach it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from pydantic import SecretStr

from maas_operator.api.minio import MinIO
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain import labels
from maas_operator.domain.emitted import Emitted, digest, manifest
from maas_operator.domain.kinds import NAMESPACE
from maas_operator.domain.objects import Manifest
from maas_operator.domain.people.secrets import secret
from maas_operator.domain.serving.inference_service import CONFIG_HASH
from maas_operator.domain.serving.network_policy import (
    ExpressionSelector,
    IngressRule,
    LabelSelector,
    NetworkPolicySpec,
    Peer,
    PolicyPort,
    Requirement,
)
from maas_operator.domain.serving.pod import ClaimReference, ClaimVolume, ContainerPort, EnvVar, HttpGet, Probe
from maas_operator.domain.serving.service import ServicePort, ServiceSpec

from . import names
from .pod import (
    Container,
    DataMount,
    PodMetadata,
    PodSecurity,
    PodSpec,
    PodTemplate,
    Requests,
    from_secret,
)

_VOLUME: Final = "data"


class StatefulSetSpec(Emitted):
    """The spec of a StatefulSet whose pod has a volume that is not its own."""

    replicas: int = 1
    # In order, a pod that never becomes ready, such as one of a wrong image, would never be replaced by a right one.
    pod_management_policy: Literal["Parallel"] = "Parallel"
    service_name: str
    selector: LabelSelector
    template: PodTemplate


class ClaimSpec(Emitted):
    """The spec of a claim of a volume for one node."""

    access_modes: tuple[Literal["ReadWriteOnce"], ...] = ("ReadWriteOnce",)
    resources: Requests
    storage_class_name: str | None


def retained_labels(namespace: str, namespace_uid: str) -> dict[str, str]:
    """Return the labels of what outlives the platform: the Namespace owns it."""
    owner = {"kind": NAMESPACE.name, "metadata": {"name": namespace, "namespace": namespace, "uid": namespace_uid}}
    return labels.owner_labels(owner)


def pod_labels(platform: ModelPlatform) -> dict[str, str]:
    """Return the labels of the pod."""
    return {"app.kubernetes.io/name": names.NAME, names.INSTANCE: platform.metadata.name}


def root_secret(minio: MinIO, namespace_uid: str, user: SecretStr, password: SecretStr) -> Manifest:
    """Build the root credentials."""
    ref = names.root_ref(minio.namespace)
    values = {names.ROOT_USER: user, names.ROOT_PASSWORD: password}
    return secret(ref, values, labels=retained_labels(minio.namespace, namespace_uid))


def claim(minio: MinIO, namespace_uid: str) -> Manifest:
    """Build the claim of the volume. It is no template of the StatefulSet, since those can not grow."""
    spec = ClaimSpec(resources=Requests(requests={"storage": minio.size}), storage_class_name=minio.storage_class_name)
    return manifest(names.claim_ref(minio.namespace), spec, labels=retained_labels(minio.namespace, namespace_uid))


def service(platform: ModelPlatform, minio: MinIO) -> Manifest:
    """Build the Service that models and Jobs call."""
    port = ServicePort(name="api", port=names.PORT, target_port=names.PORT)
    return manifest(names.service_ref(minio.namespace), ServiceSpec(selector=pod_labels(platform), ports=(port,)))


def network_policy(platform: ModelPlatform, minio: MinIO, users: Collection[str]) -> Manifest:
    """Build the NetworkPolicy: the namespaces of models with a bucket get in, and the Jobs beside the MinIO."""
    namespaces = tuple(sorted({minio.namespace, *users}))
    requirement = Requirement(key="kubernetes.io/metadata.name", values=namespaces)
    peer = Peer(namespace_selector=ExpressionSelector(match_expressions=(requirement,)))
    spec = NetworkPolicySpec(
        pod_selector=LabelSelector(match_labels=pod_labels(platform)),
        ingress=(IngressRule(from_=(peer,), ports=(PolicyPort(port=names.PORT),)),),
    )
    return manifest(names.network_policy_ref(minio.namespace), spec)


def stateful_set(platform: ModelPlatform, minio: MinIO, security: PodSecurity, root_uid: str) -> Manifest:
    """Build the StatefulSet. `root_uid`: of the Secret, since credentials that were lost come back as others."""
    pod = _pod(minio, security)
    hashed = {CONFIG_HASH: config_hash(minio, security, root_uid)}
    spec = StatefulSetSpec(
        service_name=names.NAME,
        selector=LabelSelector(match_labels=pod_labels(platform)),
        template=PodTemplate(metadata=PodMetadata(labels=pod_labels(platform), annotations=hashed), spec=pod),
    )
    return manifest(names.stateful_set_ref(minio.namespace), spec)


def config_hash(minio: MinIO, security: PodSecurity, root_uid: str) -> str:
    """Return the hash of what the pod runs."""
    return digest([_pod(minio, security).dump(), root_uid])[:16]


def _pod(minio: MinIO, security: PodSecurity) -> PodSpec:
    source = ClaimReference(claim_name=names.claim_ref(minio.namespace).name)
    return PodSpec(
        restart_policy="Always",
        security_context=security,
        containers=(_container(minio),),
        volumes=(ClaimVolume(name=_VOLUME, persistent_volume_claim=source),),
    )


def _container(minio: MinIO) -> Container:
    root = names.root_ref(minio.namespace).name
    return Container(
        name=names.NAME,
        image=minio.image,
        command=("minio",),
        args=("server", "/data"),
        env=(
            from_secret("MINIO_ROOT_USER", root, names.ROOT_USER),
            from_secret("MINIO_ROOT_PASSWORD", root, names.ROOT_PASSWORD),
            # No console, and no calls to the vendor.
            EnvVar(name="MINIO_BROWSER", value="off"),
            EnvVar(name="MINIO_UPDATE", value="off"),
        ),
        ports=(ContainerPort(name="api", container_port=names.PORT),),
        startup_probe=_probe("/minio/health/live", period=5, failures=60),
        readiness_probe=_probe("/minio/health/ready", period=10, failures=3),
        liveness_probe=_probe("/minio/health/live", period=15, failures=4),
        resources=Requests(requests={"cpu": "100m", "memory": "512Mi"}),
        volume_mounts=(DataMount(name=_VOLUME, mount_path="/data", sub_path=names.NAME),),
    )


def _probe(path: str, *, period: int, failures: int) -> Probe:
    get = HttpGet(path=path, port=names.PORT)
    return Probe(http_get=get, period_seconds=period, failure_threshold=failures)

"""StorageReady: whether the bucket of a ModelService can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.api.storage import DeletionPolicy, StorageBackend
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true
from maas_operator.domain.decision import World
from maas_operator.domain.farewell import refs_of
from maas_operator.domain.kinds import RETAINED
from maas_operator.domain.minio.bucket import MinIOBucket, keys_and_jobs
from maas_operator.domain.names import storage_secret_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.serving.origins import Origin

from .backend import Backend, Findings
from .bucket import Bucket, bucket_secret
from .existing import Existing
from .odf import ClaimedBucket

_SETTING: Final = {StorageBackend.MINIO: "minio", StorageBackend.ODF: "odf"}
"""The field of a ModelPlatform that offers a backend."""


def backend_of(service: ModelService, platform: ModelPlatform) -> type[Backend] | None:
    """Return the backend that a service asks for; None if it asks for none, or the platform does not offer it."""
    if service.spec.storage is None:
        return None
    offered: dict[StorageBackend, type[Backend]] = {StorageBackend.EXISTING: Existing}
    if platform.spec.storage.odf is not None:
        offered[StorageBackend.ODF] = ClaimedBucket
    if platform.spec.storage.minio is not None:
        offered[StorageBackend.MINIO] = MinIOBucket
    return offered.get(service.spec.storage.backend)


@dataclass(frozen=True, kw_only=True)
class BucketStorage:
    """The bucket of one ModelService, and how far that has come; without spec.storage there is nothing of it."""

    service: ModelService
    platform: ModelPlatform
    world: World
    found: Findings

    @cached_property
    def backend(self) -> Backend | None:
        """Return the backend; None if there is none."""
        type_ = backend_of(self.service, self.platform)
        if type_ is None:
            return None
        return type_(service=self.service, platform=self.platform, world=self.world, found=self.found)

    @cached_property
    def children(self) -> tuple[Manifest, ...]:
        """Return what the backend wants, and the Secret once it can be complete."""
        return (*self.backend.children, *self._secret) if self.backend is not None else ()

    @property
    def _secret(self) -> tuple[Manifest, ...]:
        backend = self.backend
        if backend is None or backend.bucket is None or backend.credentials is None:
            return ()
        return (bucket_secret(storage_secret_ref(self.service), backend.bucket, backend.credentials),)

    @property
    def bucket(self) -> Bucket | None:
        """Return the bucket once its Secret is there; it stays usable while that Secret stays."""
        ref = storage_secret_ref(self.service)
        written = self.world.children.get(ref) is not None or (self.found.has_secret and not self._secret)
        return self.backend.bucket if self.backend is not None and written else None

    @property
    def origin(self) -> Origin | None:
        """Return where a pod takes the model from, if that is in the bucket."""
        path, bucket = self.service.spec.model.source.bucket_path, self.bucket
        if self.backend is None or bucket is None or path is None:
            return None
        return self.backend.origin(bucket, path)

    def keep(self) -> frozenset[Ref]:
        """Return what stays although it is not written now: the Secret of a bucket, and all that holds data."""
        secret = frozenset({storage_secret_ref(self.service)} if self.service.spec.storage is not None else ())
        kept = self.backend.kept if self.backend is not None else keys_and_jobs(self.service, self.world)
        return (secret | kept) - set(map(ref_of, self.children)) | data_of(self.service, self.world)

    def conditions(self, failure: str) -> tuple[Condition, ...]:
        """Return StorageReady, none where no bucket is asked for; `failure`: why a pod can not have the model."""
        if self.service.spec.storage is None:
            return ()
        return (
            decide_condition(
                ConditionType.STORAGE_READY,
                (_not_offered, _refused, _problem, partial(_denied, failure)),
                self,
                otherwise=true(Reason.READY, "the bucket can be used"),
            ),
        )

    @property
    def status(self) -> Mapping[str, Any]:
        """Return what status.storage says; empty while nothing is known."""
        bucket = self.bucket
        if bucket is None:
            return {}
        return {"bucket": bucket.name, "endpoint": bucket.endpoint, "secretName": bucket.secret}


def data_of(service: ModelService, world: World) -> frozenset[Ref]:
    """Return the children of a service that hold data."""
    return frozenset(ref for ref in refs_of(service.status.children) | world.seen.keys() if ref.kind in RETAINED)


def retained(service: ModelService, world: World) -> frozenset[Ref]:
    """Return what outlives a service that is being deleted."""
    storage = service.spec.storage
    delete = storage is not None and storage.deletion_policy is DeletionPolicy.DELETE
    return frozenset() if delete else data_of(service, world)


def _not_offered(storage: BucketStorage) -> Verdict | None:
    wanted = storage.service.spec.storage
    if storage.backend is not None or wanted is None:
        return None
    return false(
        Reason.STORAGE_NOT_OFFERED,
        f"spec.storage.backend: ModelPlatform {storage.platform.metadata.name} does not offer {wanted.backend}: set its"
        f" spec.storage.{_SETTING[wanted.backend]}, or choose another backend",
    )


def _refused(storage: BucketStorage) -> Verdict | None:
    return refused(storage.world.children, map(ref_of, storage.children))


def _problem(storage: BucketStorage) -> Verdict | None:
    return storage.backend.problem if storage.backend is not None else None


def _denied(failure: str, storage: BucketStorage) -> Verdict | None:
    """Tell what the pod met: the operator itself calls no bucket."""
    return false(Reason.BUCKET_DENIED, failure) if failure and storage.origin is not None else None

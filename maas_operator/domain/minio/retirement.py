"""The end of a bucket's key: its service goes, or asks for no bucket of the MinIO any more.

The key is revoked in either case. The data goes with it only where the service itself goes and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from maas_operator.api.minio import MinIO
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.api.storage import DeletionPolicy, StorageBackend
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.decision import World
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.storage.backend import Findings

from . import names
from .bucket import bucket_name, down, key_ref, key_secret, keys_of
from .jobs import Course, Purpose, Task, jobs_of
from .pod import pod_security


def retired_keys(service: ModelService) -> tuple[Ref, ...]:
    """Return the keys of a service's buckets that it needs no more."""
    storage, leaving = service.spec.storage, service.metadata.deletion_timestamp is not None
    if not leaving and storage is not None and storage.backend is StorageBackend.MINIO:
        return ()
    return tuple(sorted(keys_of(service)))


@dataclass(frozen=True, kw_only=True)
class Retirement:
    """What is to be done about a key that is needed no more; nothing for a service that had none."""

    service: ModelService
    platform: ModelPlatform | None
    world: World
    found: Findings

    @cached_property
    def key(self) -> Ref | None:
        """Return the key; None if there is none, or it is revoked."""
        return next(iter(retired_keys(self.service)), None)

    @property
    def done(self) -> bool:
        """Tell whether nothing is left to be done."""
        return self.key is None or (self._course is not None and self._course.done)

    @property
    def children(self) -> tuple[Manifest, ...]:
        """Return the key, which the Job reads, and the Job, once none makes what it is to take away."""
        if self.key is None or self.done or not self._can_start:
            return ()
        written = self.world.children.get(self.key) is not None
        job = (self._course.job,) if self._course is not None and written else ()
        return (key_secret(self.service, self.key, self.found), *job)

    @property
    def keep(self) -> frozenset[Ref]:
        """Return what stays until it is done."""
        if self.key is None or self.done:
            return frozenset()
        jobs = jobs_of(self.world, self.service, Purpose.REVOKE, Purpose.ERASE)
        return frozenset({self.key} | (set() if self._can_start else set(jobs)))

    @property
    def verdict(self) -> Verdict | None:
        """Return what is waited for."""
        if self.key is None or self.done:
            return None
        if self._minio is None:
            return false(
                Reason.DELETION_BLOCKED,
                f"the key of the bucket, {self.key}, can not be revoked: no ModelPlatform of this model has a MinIO in"
                f" {self.key.namespace}: put its spec.storage.minio back, or give the bucket up with the annotation"
                " maas-operator.io/force-delete",
            )
        if (words := self._down) is not None:
            return false(Reason.DELETION_BLOCKED, f"the key of the bucket can not be revoked: {words}")
        course = self._course
        if course is None or not self._can_start:
            return false(Reason.DELETING, f"waiting for the Jobs of {self.key}")
        if course.failure:
            return false(Reason.DELETION_BLOCKED, f"{course.failure}; it is tried again")
        return false(Reason.DELETING, f"waiting for {ref_of(course.job)} {course.trouble}".rstrip())

    @property
    def _takes_data(self) -> bool:
        # Of a service that stays a key is retired only where its spec asks for no bucket here any more.
        storage = self.service.spec.storage
        of_minio = storage is not None and storage.backend is StorageBackend.MINIO
        return of_minio and storage is not None and storage.deletion_policy is DeletionPolicy.DELETE

    @property
    def _minio(self) -> MinIO | None:
        minio = self.platform.spec.storage.minio if self.platform else None
        return minio if minio is not None and self.key == key_ref(self.service, minio) else None

    @property
    def _down(self) -> str | None:
        return down(self.platform) if self.platform is not None else None

    @property
    def _can_start(self) -> bool:
        making = jobs_of(self.world, self.service, Purpose.PROVISION)
        return self._minio is not None and self._down is None and not making

    @cached_property
    def _course(self) -> Course | None:
        if self._minio is None or self.key is None:
            return None
        claim = self.found.objects.get(names.claim_ref(self._minio.namespace))
        task = Task(
            service=self.service,
            minio=self._minio,
            security=pod_security(self.found.objects.get(names.place_ref(self._minio.namespace))),
            purpose=Purpose.ERASE if self._takes_data else Purpose.REVOKE,
            key=self.key,
            bucket=bucket_name(self.service),
            quota=None,
            marks=(str(claim["metadata"]["uid"]),) if claim else (),
        )
        return Course(task=task, world=self.world, pods=self.found.pods, words=self.found.words)

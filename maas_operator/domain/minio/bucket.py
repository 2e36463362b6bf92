"""Backend MinIO: a bucket in the platform's MinIO, with a quota and a key that opens no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from pydantic import SecretStr

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.minio import MinIO
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.api.storage import StorageBackend
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.decision import World
from maas_operator.domain.farewell import refs_of
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.names import storage_secret_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.people.secrets import StoredSecret, secret
from maas_operator.domain.serving.resources import amount
from maas_operator.domain.storage.backend import Backend, Findings
from maas_operator.domain.storage.bucket import ACCESS_KEY, SECRET_KEY, Bucket

from . import names
from .jobs import Course, Purpose, Task, is_finished, jobs_of
from .pod import pod_security

REGION: Final = "us-east-1"
KEY_SUFFIX: Final = ".bucket"
_STILL_WORKS: Final = frozenset({Reason.VOLUME_SHRINKS, Reason.VOLUME_NOT_GROWN})
"""Reasons for which a platform's storage is not ready although its MinIO answers."""


def bucket_name(service: ModelService) -> str:
    """Return the name of bucket, policy and user. Data outlives its service: the hash is too long to be met by design.

    Who may choose the name of a namespace could otherwise choose one whose hash is that of a bucket left behind.
    """
    namespace, name = service.metadata.namespace, service.metadata.name
    return f"{name}-{hashlib.sha256(f'{namespace}/{name}'.encode()).hexdigest()[:16]}"


def key_ref(service: ModelService, minio: MinIO) -> Ref:
    """Return the Secret with the key, beside the MinIO, whose Jobs read it; the tenant's Secret is a copy."""
    # Neither part holds a dot, so that no two (namespace, name) share a name.
    return Ref(SECRET, minio.namespace, f"{service.metadata.namespace}.{service.metadata.name}{KEY_SUFFIX}")


def key_secret(service: ModelService, ref: Ref, found: Findings) -> Manifest:
    """Build the Secret with the key: what is stored stays."""
    stored = found.secrets.get(ref)
    password = (stored.get(SECRET_KEY) if stored else None) or found.fresh
    assert password is not None, "who reads what is stored brings a fresh one along"
    return secret(ref, {ACCESS_KEY: SecretStr(bucket_name(service)), SECRET_KEY: password})


def keys_of(service: ModelService) -> frozenset[Ref]:
    """Return the keys that a service has, by its inventory."""
    known = refs_of(service.status.children)
    return frozenset(ref for ref in known if ref.kind == SECRET and ref.name.endswith(KEY_SUFFIX))


def keys_and_jobs(service: ModelService, world: World) -> frozenset[Ref]:
    """Return what stays as it is while a service asks for a MinIO that its platform does not offer any more."""
    storage = service.spec.storage
    if storage is None or storage.backend is not StorageBackend.MINIO:
        return frozenset()
    return keys_of(service) | jobs_of(world, service, *Purpose).keys()


class MinIOBucket(Backend):
    """The bucket is made by a Job; the tenant's Secret appears when that has done its work."""

    @classmethod
    def needs(cls, service: ModelService, platform: ModelPlatform) -> Iterable[Ref]:
        """Return the key and the volume: with another one of either, the Job has its work to do again.

        And the namespace, which says as whom the Job runs.
        """
        minio = minio_of(platform)
        yield key_ref(service, minio)
        yield names.claim_ref(minio.namespace)
        yield names.place_ref(minio.namespace)

    @property
    def children(self) -> tuple[Manifest, ...]:
        """Return the key, and then the Job that makes it known."""
        if not self._may_work:
            return ()
        ref = key_ref(self.service, self._minio)
        job = (self._course.job,) if self.world.children.get(ref) is not None else ()
        return (key_secret(self.service, ref, self.found), *job)

    @property
    def kept(self) -> frozenset[Ref]:
        """Return what stays as it is while nothing can be done."""
        if not self._may_work:
            return keys_and_jobs(self.service, self.world)
        jobs = jobs_of(self.world, self.service, *Purpose)
        return frozenset({self.keys} | {ref for ref, job in jobs.items() if not is_finished(job)})

    @property
    def problem(self) -> Verdict | None:
        """Return what keeps the bucket from being made, or from being reached."""
        return self._down or self._failed or self._pending

    @property
    def bucket(self) -> Bucket:
        """Return the bucket, whose name and address are known before it is there."""
        return Bucket(
            name=bucket_name(self.service),
            endpoint=names.endpoint(self._minio),
            region=REGION,
            secret=storage_secret_ref(self.service).name,
        )

    @property
    def credentials(self) -> StoredSecret | None:
        """Return the key, once the MinIO knows it."""
        return self.found.secrets.get(self.keys) if self._course.done else None

    @property
    def renewal(self) -> str:
        """Return that the Job which makes all of it is to run again."""
        return f"delete {ref_of(self._course.job)}: it runs again, and makes what is missing of bucket, policy and user"

    @property
    def keys(self) -> Ref:
        """Return the Secret with the key."""
        return key_ref(self.service, self._minio)

    @property
    def _minio(self) -> MinIO:
        return minio_of(self.platform)

    @property
    def _may_work(self) -> bool:
        """Tell whether a Job can be made now: the MinIO answers, and no Job is taking away what this one would make."""
        leaving = jobs_of(self.world, self.service, Purpose.REVOKE, Purpose.ERASE)
        return down(self.platform) is None and all(map(is_finished, leaving.values()))

    @cached_property
    def _course(self) -> Course:
        quota = self.storage.quota
        task = Task(
            service=self.service,
            minio=self._minio,
            security=pod_security(self.found.objects.get(names.place_ref(self._minio.namespace))),
            purpose=Purpose.PROVISION,
            key=self.keys,
            bucket=bucket_name(self.service),
            quota=int(amount(quota)) if quota else None,
            marks=(_uid(self.found.objects.get(names.claim_ref(self._minio.namespace))), self._key_uid),
        )
        return Course(task=task, world=self.world, pods=self.found.pods, words=self.found.words)

    @property
    def _key_uid(self) -> str:
        stored = self.found.secrets.get(self.keys)
        return _uid(self.world.children.get(self.keys)) or (stored.uid if stored else "")

    @property
    def _down(self) -> Verdict | None:
        words = down(self.platform)
        return false(Reason.PLATFORM_NOT_READY, words) if words else None

    @property
    def _failed(self) -> Verdict | None:
        failure = self._course.failure
        return false(Reason.BUCKET_JOB_FAILED, failure) if failure and not self._course.done else None

    @property
    def _pending(self) -> Verdict | None:
        if self._course.done:
            return None
        trouble = self._course.trouble
        return false(Reason.BUCKET_PENDING, f"{ref_of(self._course.job)}: {trouble or 'has not ended yet'}")


def minio_of(platform: ModelPlatform) -> MinIO:
    """Return a platform's MinIO, which it must offer."""
    minio = platform.spec.storage.minio
    assert minio is not None, "a backend that is not offered is never asked"
    return minio


def down(platform: ModelPlatform) -> str | None:
    """Return why a platform's MinIO can not be used; None if it can."""
    found = next((one for one in platform.status.conditions if one.type == ConditionType.STORAGE_READY), None)
    if found is not None and (found.status is ConditionStatus.TRUE or found.reason in _STILL_WORKS):
        return None
    return f"ModelPlatform {platform.metadata.name}: {found.message if found else 'its MinIO is not checked yet'}"


def _uid(manifest: Manifest | None) -> str:
    return str((manifest or {}).get("metadata", {}).get("uid", ""))

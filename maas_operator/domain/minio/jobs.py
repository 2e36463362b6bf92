"""Jobs that make, revoke or erase one model's bucket. They run beside the MinIO, and hold nobody else's key.

A Job can not be changed: its name has the hash of what it does, and the number of the attempt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Final

from maas_operator.api.minio import MinIO
from maas_operator.api.model_service import ModelService
from maas_operator.domain.decision import ChildState, World
from maas_operator.domain.emitted import Emitted, digest, manifest
from maas_operator.domain.kinds import JOB
from maas_operator.domain.names import system_name
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import condition_of, status_of
from maas_operator.domain.serving.inference_service import CONFIG_HASH
from maas_operator.domain.serving.pod import EnvVar
from maas_operator.domain.serving.pods import find_trouble
from maas_operator.domain.serving.words import quoted
from maas_operator.domain.storage.bucket import ACCESS_KEY, SECRET_KEY

from . import names, scripts
from .pod import Container, PodMetadata, PodSecurity, PodSpec, PodTemplate, Requests, SecretEnvVar, from_secret

_ATTEMPTS: Final = 99
"""After so many the numbers begin anew: a pod's labels have no room for longer ones."""
_FIRST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(minutes=10)
JOB_NAME: Final = "job-name"
"""Label by which Kubernetes marks the pods of a Job."""


class Purpose(StrEnum):
    """What a Job does; a part of its name."""

    PROVISION = "make"
    REVOKE = "revoke"
    ERASE = "erase"


class JobSpec(Emitted):
    """The spec of a Job that runs once; the operator tries again by another Job."""

    backoff_limit: int = 0
    active_deadline_seconds: int
    template: PodTemplate


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be done in a MinIO for one service. `key`: the Secret of its key, beside the MinIO.

    `security`: as whom pods run there.
    `marks`: the uids of volume and key: if one of them is another, it is to be done again.
    """

    service: ModelService
    minio: MinIO
    security: PodSecurity
    purpose: Purpose
    key: Ref
    bucket: str
    quota: int | None
    marks: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """Return what the names of this task's Jobs begin with."""
        return f"{system_name(self.service)}-{self.purpose}-{self.hash[:6]}-"

    @cached_property
    def hash(self) -> str:
        """Return the hash of what is to be done."""
        return digest([self._pod.dump(), self.marks])[:16]

    def job(self, attempt: int) -> Manifest:
        """Build the Job of one attempt."""
        labels = {"app.kubernetes.io/name": "minio-bucket"}
        template = PodTemplate(
            metadata=PodMetadata(labels=labels, annotations={CONFIG_HASH: self.hash}), spec=self._pod
        )
        hours = 1 if self.purpose is Purpose.ERASE else 0
        deadline = int(timedelta(hours=hours, minutes=10).total_seconds())
        spec = JobSpec(active_deadline_seconds=deadline, template=template)
        return manifest(Ref(JOB, self.minio.namespace, f"{self.prefix}{attempt}"), spec)

    @property
    def _pod(self) -> PodSpec:
        container = Container(
            name="mc",
            image=self.minio.image,
            command=("sh", "-c"),
            args=(self._script,),
            env=(*self._secrets, *self._values),
            resources=Requests(requests={"cpu": "50m", "memory": "64Mi"}),
        )
        return PodSpec(restart_policy="Never", security_context=self.security, containers=(container,))

    @property
    def _script(self) -> str:
        if self.purpose is Purpose.PROVISION:
            return scripts.provision(has_quota=self.quota is not None)
        return scripts.revoke(with_data=self.purpose is Purpose.ERASE)

    @property
    def _secrets(self) -> tuple[SecretEnvVar, ...]:
        root = names.root_ref(self.minio.namespace).name
        return (
            from_secret("ROOT_USER", root, names.ROOT_USER),
            from_secret("ROOT_PASSWORD", root, names.ROOT_PASSWORD),
            from_secret("ACCESS_KEY", self.key.name, ACCESS_KEY),
            from_secret("SECRET_KEY", self.key.name, SECRET_KEY),
        )

    @property
    def _values(self) -> Iterable[EnvVar]:
        yield EnvVar(name="STORE_URL", value=names.endpoint(self.minio))
        yield EnvVar(name="BUCKET", value=self.bucket)
        # Its home is not writable: the user id is the namespace's, and has none.
        yield EnvVar(name="MC_CONFIG_DIR", value="/tmp/.mc")  # In the container.
        if self.purpose is Purpose.PROVISION:
            yield EnvVar(name="POLICY", value=policy(self.bucket))
        if self.quota is not None and self.purpose is Purpose.PROVISION:
            yield EnvVar(name="QUOTA", value=str(self.quota))


def policy(bucket: str) -> str:
    """Return what a bucket's key may do: everything with objects of this bucket, and nothing else."""
    arn = f"arn:aws:s3:::{bucket}"
    whole = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    objects = [
        "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    ]  # fmt: skip
    statements = [
        {"Effect": "Allow", "Action": whole, "Resource": [arn]},
        {"Effect": "Allow", "Action": objects, "Resource": [f"{arn}/*"]},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def is_finished(job: Manifest) -> bool:
    """Tell whether a Job has ended, well or not."""
    return is_complete(job) or failed_at(job) is not None


def is_complete(job: Manifest) -> bool:
    """Tell whether a Job has done its work."""
    return condition_of(job, "Complete").get("status") == "True"


def failed_at(job: Manifest) -> datetime | None:
    """Return when a Job failed; None if it did not."""
    failure = condition_of(job, "Failed")
    return datetime.fromisoformat(failure["lastTransitionTime"]) if failure.get("status") == "True" else None


def job_state(job: Manifest) -> ChildState:
    """Read a Job by its conditions."""
    if is_complete(job):
        return ChildState(ready=True)
    failure = condition_of(job, "Failed")
    failed = failure.get("status") == "True"
    return ChildState(ready=False, failed=failed, reason=str(failure.get("reason", "")) if failed else "Pending")


def jobs_of(world: World, service: ModelService, *purposes: Purpose) -> dict[Ref, Manifest]:
    """Return the service's Jobs for these purposes, as this pass knows them."""
    starts = tuple(f"{system_name(service)}-{purpose}-" for purpose in purposes)
    known = {**world.seen, **world.children.live}
    return {ref: job for ref, job in known.items() if ref.kind == JOB and ref.name.startswith(starts)}


@dataclass(frozen=True, kw_only=True)
class Course:
    """How far a task has come. `pods`: those of its Jobs; `words`: what was said last of Jobs that go on."""

    task: Task
    world: World
    pods: tuple[Manifest, ...]
    words: Mapping[Ref, str]

    @property
    def job(self) -> Manifest:
        """Return the Job that must be there now."""
        return self.task.job(self._attempt)

    @property
    def done(self) -> bool:
        """Tell whether the task is done."""
        return any(map(is_complete, self._jobs.values()))

    @property
    def failure(self) -> str:
        """Return why the last attempt failed, in the words of its pod; empty if it did not."""
        found = self._jobs.get(self._attempt)
        if found is None or failed_at(found) is None:
            return ""
        words = next((said for pod in self.pods if (said := _last_words(pod, found))), "")
        return f"{ref_of(found)}: {words or quoted(str(condition_of(found, 'Failed').get('message', '')))}"

    @property
    def trouble(self) -> str:
        """Return why the pod of the current attempt is not there, or does not run; empty if nothing is known."""
        found = find_trouble(self.pods, config_hash=self.task.hash)
        return found.words if found else quoted(self.words.get(ref_of(self.job), ""))

    @cached_property
    def _jobs(self) -> Mapping[int, Manifest]:
        known = jobs_of(self.world, self.task.service, self.task.purpose)
        numbers = {ref.name.removeprefix(self.task.prefix): job for ref, job in known.items()}
        return {int(number): job for number, job in numbers.items() if number.isdecimal()}

    @property
    def _attempt(self) -> int:
        number = max(self._jobs, default=0)
        failed = failed_at(self._jobs[number]) if number else None
        if number and (failed is None or self.world.now < failed + _wait(number)):
            return number
        return number % _ATTEMPTS + 1


def _wait(attempt: int) -> timedelta:
    return min(_FIRST_WAIT * int(2 ** min(attempt - 1, 10)), _LONGEST_WAIT)


def _last_words(pod: Manifest, job: Manifest) -> str:
    if (pod["metadata"].get("labels") or {}).get(JOB_NAME) != job["metadata"]["name"]:
        return ""
    states = (one.get("state") or {} for one in status_of(pod).get("containerStatuses") or ())
    return next(
        (quoted(str(one["terminated"].get("message") or ""), last=True) for one in states if one.get("terminated")), ""
    )

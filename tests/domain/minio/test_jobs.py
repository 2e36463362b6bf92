"""Jobs: their names, when the next attempt is made, and whose last words are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from maas_operator.api.minio import MinIO
from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import JOB
from maas_operator.domain.minio.bucket import bucket_name, key_ref
from maas_operator.domain.minio.jobs import Course, Purpose, Task, job_state
from maas_operator.domain.minio.pod import PodSecurity
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.serving.words import HIDDEN, LIMIT
from tests.domain.worlds import NOW, a_model_world, a_service, metadata, stamp
from tests.strategies import model_services

MINIO = MinIO(namespace="minio", size="1Gi")


def a_task(service: ModelService | None = None, **changed: Any) -> Task:
    service = service or a_service()
    known: dict[str, Any] = {"purpose": Purpose.PROVISION, "quota": None, "marks": ("volume", "key")}
    known |= {"security": PodSecurity()}
    return Task(
        service=service,
        minio=MINIO,
        key=key_ref(service, MINIO),
        bucket=bucket_name(service),
        **(known | changed),
    )


def ended(job: Manifest, type_: str, *, ago: timedelta = timedelta(0), message: str = "") -> Manifest:
    condition = {"type": type_, "status": "True", "reason": "BackoffLimitExceeded", "message": message}
    at = {"lastTransitionTime": stamp(NOW - ago)}
    known = metadata(job["metadata"]["name"], "minio")
    return job | {"metadata": known, "status": {"conditions": [condition | at]}}


def a_course(*jobs: Manifest, pods: tuple[Manifest, ...] = (), words: Mapping[Ref, str] | None = None) -> Course:
    world = a_model_world(seen={ref_of(job): job for job in jobs})
    return Course(task=a_task(), world=world, pods=pods, words=words or {})


def a_pod(job: Manifest, **state: Any) -> Manifest:
    labels = {"job-name": job["metadata"]["name"]}
    status = {"containerStatuses": [{"name": "mc", "state": state}]}
    return {"kind": "Pod", "metadata": metadata("pod", "minio", labels=labels), "status": status}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(model_services())
def test_names_fit_where_kubernetes_and_s3_put_them(service: ModelService) -> None:
    for purpose in Purpose:
        assert len(a_task(service, purpose=purpose).job(99)["metadata"]["name"]) <= 63
    assert 3 <= len(bucket_name(service)) <= 63


@pytest.mark.parametrize(
    "changed",
    [{"quota": 5}, {"marks": ("another", "key")}, {"marks": ("volume", "another")}, {"purpose": Purpose.ERASE}],
)
def test_something_else_to_do_is_another_job(changed: dict[str, Any]) -> None:
    assert a_task(**changed).prefix != a_task().prefix


def test_a_failed_job_is_tried_again_after_a_while_that_grows() -> None:
    first, second = a_task().job(1), a_task().job(2)
    assert a_course().job == first
    assert a_course(first).job == first
    assert a_course(ended(first, "Failed", ago=timedelta(seconds=29))).job == first
    assert a_course(ended(first, "Failed", ago=timedelta(seconds=30))).job == second
    assert a_course(ended(second, "Failed", ago=timedelta(seconds=59))).job == second
    late = a_task().job(50)
    assert a_course(ended(late, "Failed", ago=timedelta(minutes=9))).job == late
    last = a_task().job(99)
    assert a_course(ended(last, "Failed", ago=timedelta(minutes=10))).job == first


def test_a_job_of_another_task_proves_nothing() -> None:
    other = a_task(quota=7).job(1)
    assert not a_course(ended(other, "Complete")).done
    assert a_course(ended(a_task().job(1), "Complete")).done


def test_the_last_words_are_those_of_the_attempt_that_failed() -> None:
    before, now = ended(a_task().job(1), "Failed"), ended(a_task().job(2), "Failed", message="deadline exceeded")
    told = {"terminated": {"exitCode": 1, "message": "mc: <ERROR> Access Denied."}}
    assert "Access Denied" in a_course(now, pods=(a_pod(before, running={}), a_pod(now, **told))).failure
    silent = a_course(now, pods=(a_pod(before, **told), a_pod(now, terminated={"exitCode": 1})))
    assert silent.failure == f"{Ref(JOB, 'minio', now['metadata']['name'])}: deadline exceeded"
    assert a_course(a_task().job(1)).failure == ""


def test_the_last_words_are_on_one_line_and_without_what_looks_like_a_key() -> None:
    job = ended(a_task().job(1), "Failed", message="secret_key=swordfish was refused")
    told = {"terminated": {"exitCode": 1, "message": f"{'x ' * 900}\nmc: <ERROR> api_key=swordfish\n"}}
    spoken, silent = (a_course(job, pods=pods).failure for pods in ((a_pod(job, **told),), ()))
    assert "swordfish" not in spoken + silent
    assert spoken.endswith(f"x mc: <ERROR> api_key={HIDDEN}")
    assert silent.endswith(f"secret_key={HIDDEN} was refused")
    assert len(spoken) < LIMIT + 100


@pytest.mark.parametrize(("purpose", "seconds"), [("make", 600), ("revoke", 600), ("erase", 4200)])
def test_a_job_runs_once_and_not_for_ever(purpose: str, seconds: int) -> None:
    spec = a_task(purpose=Purpose(purpose)).job(1)["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, seconds)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_a_job_whose_pod_is_not_made_tells_what_was_said_of_it() -> None:
    job = a_task().job(1)
    said = {ref_of(job): "FailedCreate: exceeded quota\nsecret_key=swordfish", ref_of(a_task().job(2)): "another"}
    assert a_course(job, words=said).trouble == f"FailedCreate: exceeded quota secret_key={HIDDEN}"
    assert a_course(job).trouble == ""
    waiting = {"name": "mc", "ready": False, "state": {"waiting": {"reason": "ErrImagePull"}}}
    pod = {"metadata": job["spec"]["template"]["metadata"] | {"name": "a"}, "status": {"containerStatuses": [waiting]}}
    assert a_course(job, pods=(pod,), words=said).trouble == "pod a, container mc: ErrImagePull"


def test_a_job_says_how_it_does() -> None:
    job = a_task().job(1)
    assert job_state(job).reason == "Pending"
    assert job_state(ended(job, "Complete")).ready
    assert job_state(ended(job, "Failed")).failed


def test_two_services_of_one_name_have_buckets_of_their_own() -> None:
    here = a_service()
    there = replace_namespace(here, "other")
    assert bucket_name(here) != bucket_name(there)
    assert key_ref(here, MINIO) != key_ref(there, MINIO)
    assert replace(a_task(), service=there).prefix != a_task().prefix


def replace_namespace(service: ModelService, namespace: str) -> ModelService:
    moved = service.metadata.model_copy(update={"namespace": namespace})
    return service.model_copy(update={"metadata": moved})

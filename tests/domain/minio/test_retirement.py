"""The end of a bucket's key: which MinIO is asked, and that nothing is made and taken away at the same time."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.minio.bucket import MinIOBucket, key_ref
from maas_operator.domain.minio.jobs import Purpose
from maas_operator.domain.minio.retirement import Retirement
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.domain.storage.backend import Findings
from tests.domain.minio.test_jobs import MINIO, a_task, ended
from tests.domain.worlds import a_model_world, a_platform, a_service

STORAGE = {"backend": "MinIO", "deletionPolicy": "Delete"}
FRESH = Findings(fresh=SecretStr("fresh"))


def a_platform_with(namespace: str = "minio") -> ModelPlatform:
    answers = {"type": "StorageReady", "status": "True", "reason": "Ready", "message": "MinIO answers"}
    condition = answers | {"lastTransitionTime": "2026-01-01T10:00:00Z"}
    return a_platform(storage={"minio": {"namespace": namespace, "size": "1Gi"}}, status={"conditions": [condition]})


def with_a_key(**spec: Any) -> ModelService:
    """Return a service with a key in its inventory."""
    ref = key_ref(a_service(), MINIO)
    child = {
        "apiVersion": "v1",
        "kind": "Secret",
        "namespace": ref.namespace,
        "name": ref.name,
        "uid": "u",
        "ready": True,
    }
    return a_service(status={"children": [child]}, **spec)


def retired(service: ModelService, *jobs: Manifest, platform: ModelPlatform | None = None) -> Retirement:
    world = a_model_world(service, seen={ref_of(job): job for job in jobs})
    return Retirement(service=service, platform=platform or a_platform_with(), world=world, found=FRESH)


def test_a_key_is_revoked_in_the_minio_that_knows_it_and_in_no_other() -> None:
    here, elsewhere = retired(with_a_key()), retired(with_a_key(), platform=a_platform_with("elsewhere"))
    assert [child["metadata"]["namespace"] for child in here.children] == ["minio"]
    assert elsewhere.children == ()
    assert elsewhere.key in elsewhere.keep
    assert elsewhere.verdict is not None
    assert "no ModelPlatform of this model has a MinIO in minio" in elsewhere.verdict.message


def test_a_key_that_a_job_still_makes_is_revoked_after_that() -> None:
    making = retired(with_a_key(), a_task().job(1))
    assert making.children == ()
    assert making.key in making.keep
    assert making.verdict is not None
    assert making.verdict.message == f"waiting for the Jobs of {making.key}"


@pytest.mark.parametrize("purpose", [Purpose.REVOKE, Purpose.ERASE])
def test_a_bucket_is_made_after_the_job_that_takes_a_former_one_away(purpose: Purpose) -> None:
    job, service = a_task(purpose=purpose).job(1), a_service(storage=STORAGE)
    for known, waits in {"running": job, "ended": ended(job, "Complete")}.items():
        world = a_model_world(service, seen={ref_of(job): waits})
        bucket = MinIOBucket(service=service, platform=a_platform_with(), world=world, found=FRESH)
        assert bool(bucket.children) == (known == "ended")

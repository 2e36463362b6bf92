from __future__ import annotations

from typing import Any

from prometheus_client import generate_latest

from maas_operator.adapters.metrics import Metrics
from maas_operator.domain.kinds import BACKEND, MODEL_SERVICE
from maas_operator.domain.objects import Ref
from maas_operator.engine.applier import Applied
from maas_operator.engine.cache import Cache
from maas_operator.engine.engine import PassResult
from maas_operator.engine.queue import WorkQueue


def scraped(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def owner(status: str) -> dict[str, Any]:
    return {
        "apiVersion": MODEL_SERVICE.api_version,
        "kind": "ModelService",
        "metadata": {"name": "chat", "namespace": "llm", "uid": "u1", "resourceVersion": "1"},
        "status": {"conditions": [{"type": "Ready", "status": status}]},
    }


def test_what_the_engine_and_the_client_do_is_counted() -> None:
    metrics = Metrics()
    metrics.child_applied(Ref(BACKEND, "3scale", "chat"), Applied.CREATED)
    metrics.relisted(BACKEND, 2)
    metrics.child_applied(Ref(BACKEND, "3scale", "chat"), Applied.CORRECTED)
    metrics.child_applied(Ref(BACKEND, "3scale", "chat"), Applied.CORRECTED_IN_3SCALE)
    metrics.pass_ended(Ref(MODEL_SERVICE, "llm", "chat"), PassResult.DONE, 0.1, "")
    metrics.pass_ended(Ref(MODEL_SERVICE, "llm", "chat"), PassResult.RETRIED, 0.1, "Conflict")
    metrics.waited(40)
    metrics.became_ready(MODEL_SERVICE, 40)
    metrics.threescale_answered("put", 0, 1)
    metrics.request_ended("get", BACKEND, 404, 0.01)
    assert {
        'maas_operator_applies_total{kind="Backend",result="created"} 1.0',
        'maas_operator_watch_relists_total{kind="Backend"} 1.0',
        'maas_operator_cache_ghosts_total{kind="Backend"} 2.0',
        'maas_operator_reconcile_total{kind="ModelService",result="done"} 1.0',
        'maas_operator_reconcile_duration_seconds_count{kind="ModelService"} 2.0',
        'maas_operator_reconcile_errors_total{kind="ModelService",reason="Conflict"} 1.0',
        'maas_operator_retries_total{kind="ModelService"} 1.0',
        'maas_operator_drift_corrections_total{kind="Backend",where="kubernetes"} 1.0',
        'maas_operator_drift_corrections_total{kind="Backend",where="3scale"} 1.0',
        'maas_operator_queue_wait_seconds_bucket{le="60.0"} 1.0',
        'maas_operator_queue_wait_seconds_bucket{le="30.0"} 0.0',
        'maas_operator_spec_to_ready_seconds_count{kind="ModelService"} 1.0',
        'maas_operator_threescale_requests_total{code="0",verb="put"} 1.0',
        'maas_operator_threescale_request_duration_seconds_count{verb="put"} 1.0',
        'maas_operator_api_requests_total{code="404",kind="Backend",verb="get"} 1.0',
    } <= set(scraped(metrics))


def test_what_is_rare_is_shown_before_it_happens() -> None:
    assert {
        'maas_operator_reconcile_total{kind="ModelService",result="crashed"} 0.0',
        'maas_operator_drift_corrections_total{kind="InferenceService",where="kubernetes"} 0.0',
        'maas_operator_drift_corrections_total{kind="Product",where="3scale"} 0.0',
    } <= set(scraped(Metrics()))


async def test_objects_are_counted_by_kind() -> None:
    metrics, cache = Metrics(), Cache()
    metrics.expose(cache, WorkQueue())
    cache.put(owner("False"))
    assert 'maas_operator_resources{kind="ModelService"} 1.0' in scraped(metrics)
    assert 'maas_operator_resources{kind="ModelPlatform"} 0.0' in scraped(metrics)


async def test_a_condition_is_shown_until_its_owner_is_deleted() -> None:
    metrics, cache = Metrics(), Cache()
    metrics.expose(cache, WorkQueue())
    cache.put(owner("False"))
    labels = 'kind="ModelService",name="chat",namespace="llm",status="False",type="Ready"'
    line = f"maas_operator_resource_condition{{{labels}}} 1.0"
    assert line in scraped(metrics)
    cache.remove(owner("False"))
    assert not [found for found in scraped(metrics) if found.startswith("maas_operator_resource_condition{")]


async def test_the_queue_is_read_when_somebody_scrapes() -> None:
    metrics = Metrics()
    metrics.expose(Cache(), WorkQueue())
    assert "maas_operator_queue_depth 0.0" in scraped(metrics)

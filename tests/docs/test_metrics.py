"""The page on metrics names what is served, no more and no less."""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import dataclass

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from docs.generate import HERE
from maas_operator.adapters.metrics import Metrics
from maas_operator.domain.kinds import BACKEND, MODEL_SERVICE
from maas_operator.domain.objects import Ref
from maas_operator.engine import errors
from maas_operator.engine.applier import Applied
from maas_operator.engine.cache import Cache
from maas_operator.engine.controller import OwnerChanged
from maas_operator.engine.engine import PassResult
from maas_operator.engine.queue import WorkQueue

PAGE = (HERE / "metrics.md").read_text()
ROW = re.compile(r"^\| `(maas_operator_\w+)` \| (\w+) \|([\w, ]*)\|", re.MULTILINE)


@dataclass(frozen=True)
class Metric:
    name: str
    type: str
    labels: frozenset[str]


def after_everything_has_happened() -> Metrics:
    metrics, cache = Metrics(), Cache()
    metrics.expose(cache, WorkQueue())
    metadata = {"name": "chat", "namespace": "llm", "uid": "u1", "resourceVersion": "1"}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    cache.put({"apiVersion": MODEL_SERVICE.api_version, "kind": "ModelService", "metadata": metadata, "status": status})
    metrics.child_applied(Ref(BACKEND, "3scale", "chat"), Applied.CORRECTED)
    metrics.relisted(BACKEND, 1)
    metrics.waited(1)
    metrics.became_ready(MODEL_SERVICE, 1)
    metrics.pass_ended(Ref(MODEL_SERVICE, "llm", "chat"), PassResult.RETRIED, 1, "Conflict")
    metrics.request_ended("get", BACKEND, 404, 1)
    metrics.threescale_answered("get", 404, 1)
    return metrics


async def test_each_metric_is_on_the_page_with_its_type_and_labels() -> None:
    text = generate_latest(after_everything_has_happened().registry).decode()
    families = [one for one in text_string_to_metric_families(text) if not one.name.startswith("process_")]
    served = {
        Metric(
            name=family.name + "_total" * (family.type == "counter"),
            type=family.type,
            labels=frozenset().union(*(sample.labels for sample in family.samples)) - {"le"},
        )
        for family in families
    }
    rows = {Metric(name, type_, frozenset(re.findall(r"\w+", labels))) for name, type_, labels in ROW.findall(PAGE)}
    assert rows == served


async def test_expressions_on_the_page_speak_of_metrics_that_there_are() -> None:
    named = set(re.findall(r"maas_operator_\w+", PAGE))
    known = {name for name, _, _ in ROW.findall(PAGE)}
    assert {name.removesuffix("_bucket") for name in named} == known


async def test_what_an_object_or_a_pass_can_end_as_is_on_the_page() -> None:
    assert {f"`{one}`" for one in [*Applied, *PassResult]} <= set(re.findall(r"`\w+`", PAGE))


def test_the_reasons_of_errors_are_on_the_page() -> None:
    roots = {errors.OperatorError, errors.ApiError, errors.ThreescaleError}
    tree = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.OperatorError)}
    types = {one.__name__ for one in (tree | {OwnerChanged, TimeoutError}) - roots} | {errors.INTERNAL_ERROR}
    section = PAGE.partition("## Errors")[2].partition("## Alerts")[0]
    assert set(re.findall(r"`([A-Z]\w+)`", section)) == types


async def test_prometheus_has_nothing_to_say_against_the_page_that_is_served() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: apt-get install prometheus")
    page = generate_latest(after_everything_has_happened().registry)
    checked = await asyncio.create_subprocess_exec(
        "promtool", "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await checked.communicate(page)
    assert (checked.returncode, said.decode()) == (0, "")

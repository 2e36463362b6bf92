"""The sample is valid and says what the README promises."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from maas_operator.api.base import API_VERSION
from maas_operator.api.model import Task
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.parse import parse
from maas_operator.api.plans import Metric
from tests.api import server

SAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "samples").glob("*.yaml"))


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the objects of our kinds."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document["apiVersion"] == API_VERSION]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_accepted_without_unknown_fields(path: Path) -> None:
    assert documents(path)
    for document in documents(path):
        parse(document)
        assert server.problems(document) == []
        assert server.unknown_fields(document) == []


def test_the_first_sample_is_the_published_model_on_cpu() -> None:
    (path,) = (path for path in SAMPLES if path.name == "llama-32-1b-instruct-cpu.yaml")
    platform, service = map(parse, documents(path))
    assert isinstance(platform, ModelPlatform)
    assert isinstance(service, ModelService)
    assert service.spec.platform_ref.name == platform.metadata.name
    assert service.spec.model.tasks == (Task.CHAT, Task.COMPLETIONS, Task.TOKENIZE)
    (plan,) = service.spec.plans
    assert plan.published
    assert [limit.metric for limit in plan.limits] == [Metric.REQUESTS]
    assert [developer.name for developer in service.spec.developers] == ["dev1"]

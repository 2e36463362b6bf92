"""The generated document: valid OpenAPI 3.0 for any valid spec, with examples that run and texts that stay texts."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt
from openapi_spec_validator import OpenAPIV30SpecValidator

from maas_operator.api.model import Task
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.domain.documents.generated import generated
from maas_operator.domain.documents.markdown import escaped
from maas_operator.domain.documents.own import LIMIT, as_text, own
from maas_operator.domain.gateway.mapping_rules import mapping_rules
from maas_operator.domain.gateway.responses import GATEWAY_RESPONSE
from tests.domain.children import PLATFORM, SOURCE, a_service
from tests.strategies import model_platforms, model_services

ROOT = Path(__file__).parents[3]
URL = "https://tiny.example.com"
SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "llama-32-1b-instruct-cpu.openapi.json"
ALL = {"name": "org/tiny:1", "source": SOURCE, "tasks": [task.value for task in Task]}
HOSTILE = [
    "[click](https://evil.example.com)",
    "![x](https://evil.example.com/a.png)",
    "https://evil.example.com",
    "www.evil.example.com me@evil.example.com",
    "# Heading",
    "| a | b |",
    "`` ` code",
    "&lt;img src=x&gt;",
    "- item",
    "1. item",
    "***",
    "\\[a](b)",
]

many = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def faults(document: dict[str, Any]) -> list[str]:
    return [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()]


def fenced(document: dict[str, Any], language: str) -> list[str]:
    texts = [document["info"]["description"]]
    texts += [operation["description"] for item in document["paths"].values() for operation in item.values()]
    return [code for text in texts for code in re.findall(rf"```{language}\n(.*?)\n```", text, re.DOTALL)]


@many
@given(service=model_services(), platform=model_platforms())
def test_any_valid_spec_has_a_valid_document_of_a_bounded_size(service: ModelService, platform: ModelPlatform) -> None:
    text = as_text(generated(service, platform, URL))
    document = json.loads(text)
    assert faults(document) == []
    assert len(text.encode()) <= LIMIT
    assert own(text, URL) == document


def test_the_open_paths_are_told_and_no_others() -> None:
    service = a_service(model=ALL)
    rules = {rule.pattern.rstrip("$") for rule in mapping_rules(service.spec.model.tasks)}
    assert generated(service, PLATFORM, URL)["paths"].keys() == rules
    only_chat = generated(a_service(model={"source": SOURCE, "tasks": ["Chat"]}), PLATFORM, URL)
    assert set(only_chat["paths"]) == {"/v1/chat/completions", "/v1/models", "/health", "/version"}
    assert "EmbeddingRequest" not in only_chat["components"]["schemas"]


def test_aliases_are_told_wherever_ids_are() -> None:
    service = a_service(model={"source": SOURCE, "aliases": ["older", "old"]})
    document = generated(service, PLATFORM, URL)
    assert document["components"]["schemas"]["Model"]["enum"] == ["tiny", "old", "older"]
    assert "| Other names of the model | `old`, `older` |" in document["info"]["description"]
    assert "Other names" not in generated(a_service(), PLATFORM, URL)["info"]["description"]


def test_errors_are_those_of_the_gateway_word_by_word() -> None:
    responses = generated(a_service(), PLATFORM, URL)["components"]["responses"]
    limit = responses["LimitReached"]["content"]["application/json"]["example"]
    assert limit == json.loads(GATEWAY_RESPONSE.error_limits_exceeded)
    examples = responses["KeyRefused"]["content"]["application/json"]["examples"]
    assert examples["missing"]["value"] == json.loads(GATEWAY_RESPONSE.error_auth_missing)


def test_examples_are_runnable_with_the_true_url_and_id_and_without_a_key() -> None:
    document = generated(a_service(model=ALL), PLATFORM, URL)
    shells, programs = fenced(document, "bash"), fenced(document, "python")
    for code in shells:
        assert subprocess.run(["bash", "-n"], input=code, text=True, check=False).returncode == 0, code
    for code in programs:
        ast.parse(code)
    assert all(URL in code for code in (*shells, *programs))
    assert len([code for code in shells if "org/tiny:1" in code]) == 6
    assert all("$OPENAI_API_KEY" in code for code in shells if code.startswith("curl"))
    assert all('os.environ["OPENAI_API_KEY"]' in code for code in programs)


def test_adapters_are_further_model_ids() -> None:
    model = ALL | {"adapters": [{"name": "legal", "path": "legal"}, {"name": "medical", "uri": "hf://org/medical"}]}
    document = generated(a_service(model=model), PLATFORM, URL)
    assert document["components"]["schemas"]["Model"]["enum"] == ["org/tiny:1", "legal", "medical"]
    assert "| Adapters | `legal`, `medical` |" in document["info"]["description"]


def test_published_plans_are_told_with_limits_and_terms() -> None:
    limits = [
        {"metric": "TotalTokens", "period": "Day", "value": 100000},
        {"metric": "Requests", "period": "Eternity", "value": 5},
    ]
    plans = [
        {
            "name": "gold",
            "displayName": "Gold",
            "limits": limits,
            "approvalRequired": True,
            "trialDays": 14,
            "pricing": {"monthlyFee": "20.00", "perMillionTokens": {"prompt": "0.20", "completion": "0.60"}},
        },
        {"name": "secret", "published": False},
    ]
    description = generated(a_service(plans=plans), PLATFORM, URL)["info"]["description"]
    prices = "20.00 EUR each month; 0.20 EUR for a million prompt tokens, 0.60 for completion tokens"
    limits_and_prices = f"| Gold | 5 requests in all; 100,000 tokens each day | {prices} | 14 days of trial; each sub"
    assert limits_and_prices in description
    assert "secret" not in description
    hidden = generated(a_service(plans=plans[1:], description="A model"), PLATFORM, URL)["info"]["description"]
    assert "none is open to everybody" in hidden


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_becomes_no_link_image_html_or_heading(text: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(escaped(text))
    assert re.fullmatch(r"<p>[^<>]*</p>\n", html), html
    # What makes links of bare addresses looks for these.
    assert not re.search(r"://|www\.\w|@\w", escaped(text).replace("\\", ""))


@pytest.mark.parametrize("text", [text for text in HOSTILE if not set(text) & set("{}<>")])
def test_hostile_texts_are_escaped_where_markdown_is_read(text: str) -> None:
    service = a_service(displayName=text, description=text, plans=[{"name": "standard", "displayName": text}])
    document = generated(service, PLATFORM, URL)
    assert document["info"]["title"] == text
    assert document["info"]["description"].count(escaped(text)) == 2
    assert text not in document["info"]["description"].replace(escaped(text), "")


def test_the_samples_document_is_as_reviewed() -> None:
    sample = ROOT / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml"
    documents = {document["kind"]: document for document in yaml.safe_load_all(sample.read_text())}
    service = ModelService.model_validate(documents["ModelService"])
    platform = ModelPlatform.model_validate(documents["ModelPlatform"])
    assert generated(service, platform, "https://llama.apps.example.com") == json.loads(SNAPSHOT.read_text())

"""The manifest is one that 3scale accepts, and says what the policy really does."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema_rs import Draft7Validator, ValidationError

from tests.gateway_policy.conftest import CONFIGURATIONS
from tests.gateway_policy.tools import POLICY

MANIFEST = json.loads((POLICY / "apicast-policy.json").read_text())
SCHEMA = MANIFEST["configuration"]
SETTINGS = (POLICY / "maas_llm_config.lua").read_text()


def test_3scale_accepts_it() -> None:
    assert MANIFEST["$schema"] == "http://apicast.io/policy-v1/schema#manifest#"
    assert {"name", "version", "summary", "configuration"} <= MANIFEST.keys()
    assert len(MANIFEST["summary"]) <= 75
    assert re.fullmatch(r"\d+(\.\d+){0,2}", MANIFEST["version"])
    assert "uniqueItems" not in json.dumps(MANIFEST)


def test_the_module_names_the_same_version() -> None:
    init = (POLICY / "init.lua").read_text()
    assert f'.new("{MANIFEST["name"]}", "{MANIFEST["version"]}")' in init


def test_file_names_fit_into_a_secret_and_no_module_is_shadowed() -> None:
    names = {path.name for path in POLICY.iterdir()}
    assert {"init.lua", "apicast-policy.json"} <= names
    assert all(re.fullmatch(r"maas_llm_[a-z]+\.lua", name) for name in names - {"init.lua", "apicast-policy.json"})
    assert sum(path.stat().st_size for path in POLICY.iterdir()) < 200_000


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_configurations_of_the_tests_are_valid(configuration: dict[str, Any]) -> None:
    Draft7Validator(SCHEMA).validate(configuration)


@pytest.mark.parametrize(
    "configuration",
    [
        {"metric": {}},
        {"metrics": {"prompt": ""}},
        {"limited_metrics": "total_tokens"},
        {"inference_paths": [1]},
        {"report": {"retries": -1}},
        {"report": {"timeout_ms": 0.5}},
        {"continuous_usage": "yes"},
    ],
    ids=json.dumps,
)
def test_a_wrong_configuration_is_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Draft7Validator(SCHEMA).validate(configuration)


@pytest.mark.parametrize("name", ["inference_paths", "stream_options_paths"])
def test_default_paths_are_those_of_the_module(name: str) -> None:
    found = re.search(rf"local {name.upper()} = {{(.*?)}}", SETTINGS, re.DOTALL)
    assert found
    assert re.findall(r'"(.*?)"', found[1]) == SCHEMA["properties"][name]["default"]


def test_other_defaults_are_those_of_the_module() -> None:
    metrics, report = SCHEMA["properties"]["metrics"]["properties"], SCHEMA["properties"]["report"]["properties"]
    for field, schema in metrics.items():
        assert f'{field} = "{schema["default"]}"' in SETTINGS
    defaults = f"TIMEOUT_MS, RETRIES = {report['timeout_ms']['default']}, {report['retries']['default']}"
    assert defaults in SETTINGS

"""`sandbox demo`, for real."""

import os
import re
from pathlib import Path

import pytest

from maas_operator.sandbox.view import STAGES
from tests.sandbox.commands import ended, started

README = Path(__file__).parents[2] / "README.md"


def shown() -> list[str]:
    """Return patterns for the lines that the README shows of it; times and ids differ."""
    lines = re.findall(r"^(?: *[\d.]+ s )?(✓ .*)$", README.read_text(), re.MULTILINE)
    assert lines
    return [re.sub(r"\d+", r"\\d+", re.escape(line)) for line in lines]


async def test_the_demo_shows_each_stage_and_leaves_nothing(tmp_path: Path) -> None:
    code, output = await ended(await started(tmp_path, "demo"))
    assert code == 0, output
    for stage in STAGES:
        assert f"✓ {stage}" in output
    for child in ("InferenceService", "Product", "ProxyConfigPromote", "ModelSubscription", "ApplicationAuth"):
        assert f"✓ {child} " in output
    assert "Secret llm-hosting/llama-32-1b-instruct-cpu-dev1-key: MODEL, OPENAI_API_KEY, OPENAI_BASE_URL\n" in output
    assert "nothing of ours is left" in output
    assert [line for line in shown() if not re.search(line, output)] == []
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif("KUBEBUILDER_ASSETS" not in os.environ, reason="KUBEBUILDER_ASSETS is not set")
async def test_the_demo_works_on_a_real_api_server_that_is_older_than_some_kinds(tmp_path: Path) -> None:
    code, output = await ended(await started(tmp_path, "demo", embedded=False))
    assert code == 0, output
    assert "nothing of ours is left" in output


async def test_a_demo_that_fails_says_so_and_shows_the_log(tmp_path: Path) -> None:
    # The gateways alone keep the old configuration for longer than that.
    code, output = await ended(await started(tmp_path, "demo", "--timeout=1"))
    assert code == 1, output
    assert "Not ready after 1 s" in output
    assert "The end of the operator's log:" in output

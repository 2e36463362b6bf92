"""The page on alerts and the alerts are the same."""

from __future__ import annotations

import re

import pytest

from docs.generate import HERE
from tests.monitoring.rules import ALERTS

PAGE = (HERE / "alerts.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_every_alert_has_its_section_in_order() -> None:
    assert list(SECTIONS) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_section_tells_severity_meaning_cause_and_remedy(name: str) -> None:
    rule, section = ALERTS[name], SECTIONS[name]
    assert section.strip().startswith(f"*{rule['labels']['severity']}, after {rule.get('for', '0m')}.*")
    assert re.findall(r"^- \*\*(\w+)\*\*:", section, re.MULTILINE) == ["Meaning", "Cause", "Remedy"]

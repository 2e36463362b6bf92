"""Each alert fires when it should, not a minute earlier, and not when it should not: by promtool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.cases import CASES, Case
from tests.monitoring.rules import ALERTS, GROUPS, needs_promtool, promtool, written


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.alert}" for number, case in enumerate(CASES)])
def test_an_alert_fires_when_it_should_and_not_before(case: Case, tmp_path: Path) -> None:
    rule = ALERTS[case.alert]
    expected = {
        "exp_labels": dict(case.labels) | rule["labels"],
        "exp_annotations": rule["annotations"] | {"summary": case.summary},
    }
    checks = [_check(case.alert, case.fires - 1), _check(case.alert, case.fires, expected)]
    assert _objections(tmp_path, case.series, checks) == ""


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.alert}" for number, case in enumerate(CASES)])
def test_an_alert_keeps_quiet_when_all_is_well_or_somebody_elses_matter(case: Case, tmp_path: Path) -> None:
    checks = [_check(case.alert, minute) for minute in range(0, 180)]
    assert _objections(tmp_path, case.quiet, checks) == ""


@needs_promtool
def test_the_rules_are_what_prometheus_takes(tmp_path: Path) -> None:
    assert promtool("check", "rules", "--lint-fatal", written(tmp_path, "rules.yaml", {"groups": GROUPS})) == ""


@needs_promtool
def test_an_alert_that_does_not_fire_is_noticed(tmp_path: Path) -> None:
    case = CASES[0]
    assert "FAILED" in _objections(tmp_path, case.series, [_check(case.alert, case.fires)])


def test_every_alert_has_a_case() -> None:
    assert {case.alert for case in CASES} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    assert "{{" not in rule["annotations"]["description"]


def _check(alert: str, minute: int, *expected: dict[str, Any]) -> dict[str, Any]:
    return {"alertname": alert, "eval_time": f"{minute}m", "exp_alerts": list(expected)}


def _objections(folder: Path, series: Any, checks: list[dict[str, Any]]) -> str:
    written(folder, "rules.yaml", {"groups": GROUPS})
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": checks}
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    return promtool("test", "rules", written(folder, "test.yaml", content))

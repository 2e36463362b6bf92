"""The dashboards ask for what there is, in PromQL, and explain what they show."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from docs.generate import HERE
from tests.monitoring.known import busy_world
from tests.monitoring.rules import MONITORING, needs_promtool, promtool, written

FILES = sorted((MONITORING / "dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
EACH = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
# What Grafana puts in for its variables.
_VARIABLES = {r"\$__rate_interval": "5m", r"\$\w+": ".*"}


def panels(dashboard: dict[str, Any], *, rows: bool = False) -> list[dict[str, Any]]:
    return [one for one in dashboard["panels"] if rows or one["type"] != "row"]


def values(dashboard: dict[str, Any]) -> list[str]:
    """Return what the variables are looked up by, as expressions."""
    found = [one["definition"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    return [re.sub(r"label_values\((.*), (\w+)\)", r"sum by (\2) (\1)", one) for one in found]


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """Return every query of panels and variables, with values for variables."""
    found = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]] + values(dashboard)
    for pattern, value in _VARIABLES.items():
        found = [re.sub(pattern, value, one) for one in found]
    return found


@needs_promtool
@EACH
def test_every_query_is_promql(dashboard: dict[str, Any], tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": one} for number, one in enumerate(expressions(dashboard))]
    assert promtool("check", "rules", written(tmp_path, "r.yaml", {"groups": [{"name": "a", "rules": rules}]})) == ""


@needs_promtool
@EACH
async def test_every_query_finds_something_when_much_goes_on(dashboard: dict[str, Any], tmp_path: Path) -> None:
    inputs = [{"series": series, "values": "0+1x60"} for series in busy_world()]
    asked = expressions(dashboard)
    checks = [{"expr": one, "eval_time": "1h", "exp_samples": []} for one in asked]
    content = {"rule_files": [], "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": checks}]}
    told = promtool("test", "rules", written(tmp_path, "test.yaml", content))
    # Nothing is expected, so that promtool tells of each query that finds something, and of each that fails.
    assert " err: " not in told
    assert told.count("got:") - told.count("got: nil") == len(asked)


@EACH
def test_every_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_source(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${datasource}"}


@EACH
def test_no_panel_hides_another(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in panels(dashboard, rows=True)]
    assert len(ids) == len(set(ids))
    for one, other in combinations([panel["gridPos"] for panel in panels(dashboard, rows=True)], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


@EACH
def test_every_variable_is_used(dashboard: dict[str, Any]) -> None:
    text = json.dumps(dashboard)
    for variable in dashboard["templating"]["list"]:
        assert re.search(rf"\$\{{?{variable['name']}\b", text), variable["name"]


def test_the_page_tells_every_row_of_each_dashboard() -> None:
    page = (HERE / "monitoring.md").read_text()
    for dashboard in DASHBOARDS.values():
        section = page.partition(f"### {dashboard['title']}\n")[2].partition("\n#")[0]
        told = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
        rows = [panel["title"] for panel in panels(dashboard, rows=True) if panel["type"] == "row"]
        assert told == rows, dashboard["title"]

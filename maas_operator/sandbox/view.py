"""What the sandbox shows on a terminal, and as plain lines where there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from maas_operator.api.reasons import ConditionType
from maas_operator.domain.objects import Manifest

STAGES: Final = (
    ConditionType.PLATFORM_READY,
    ConditionType.MODEL_READY,
    ConditionType.GATEWAY_READY,
    ConditionType.PROMOTED,
    ConditionType.LIVE,
    ConditionType.DEVELOPERS_READY,
    ConditionType.READY,
)
"""The conditions of a ModelService in the order in which they become true."""
_GREEN, _YELLOW, _DIM = "green", "yellow", "dim"


class StageView:
    """The stages of one ModelService, redrawn as they change: `with StageView(console) as view`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console) if console.is_terminal and not os.environ.get("CI") else None
        self._begin = time.monotonic()
        self._conditions: dict[str, Manifest] = {}
        self._since: dict[str, float] = {}

    def __enter__(self) -> StageView:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, service: Manifest) -> None:
        """Show the stages as an object's status tells them."""
        for condition in _stages(service):
            type_, old = condition["type"], self._conditions.get(condition["type"], {})
            if (old.get("status"), old.get("reason")) != (condition["status"], condition["reason"]):
                self._since[type_] = time.monotonic() - self._begin
                if not self._live:
                    self._console.print(_line(self._since[type_], condition), soft_wrap=True)
            self._conditions[type_] = condition
        if self._live:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for title in ("", "Stage", "Reason", "Since", "What it says"):
            table.add_column(title, no_wrap=title != "What it says", justify="right" if title == "Since" else "left")
        for stage in STAGES:
            condition = self._conditions.get(stage, {})
            since = f"{self._since[stage]:.1f} s" if stage in self._since else ""
            reason, message = condition.get("reason", ""), Text(condition.get("message", ""), _DIM)
            table.add_row(_lamp(condition), stage.value, reason, since, message)
        return table


def tree(service: Manifest, subscriptions: Mapping[str, Manifest]) -> Tree:
    """Return the children of a ModelService with their states, and theirs of its subscriptions, by name."""
    root = Tree(_label(service["kind"], service["metadata"], ready=_is_ready(service)))
    for child in service["status"].get("children", ()):
        branch = root.add(_child_label(child))
        subscription = subscriptions.get(child["name"]) if child["kind"] == "ModelSubscription" else None
        for grandchild in (subscription or {}).get("status", {}).get("children", ()):
            branch.add(_child_label(grandchild))
    return root


def columns(table: Manifest) -> str:
    """Return a table of the API server as kubectl prints it."""
    shown = [i for i, column in enumerate(table["columnDefinitions"]) if not column["priority"]]
    titles = [column["name"].upper() for column in table["columnDefinitions"]]
    rows = [[str(row[i]) for i in shown] for row in (titles, *(row["cells"] for row in table["rows"]))]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def problems(service: Manifest) -> Iterable[Text]:
    """Yield the stages that are not done, in their own words."""
    stages = _stages(service)
    if not stages:
        yield Text("the operator has not said anything yet")
    for condition in stages:
        if condition["status"] != "True":
            text = f"{condition['type']} is {condition['status']}: {condition['reason']}: {condition['message']}"
            yield Text.assemble(_lamp(condition), " ", text)


def _stages(service: Manifest) -> list[Manifest]:
    conditions = {one["type"]: one for one in service.get("status", {}).get("conditions", ())}
    return [conditions[stage] for stage in STAGES if stage in conditions]


def _line(since: float, condition: Manifest) -> Text:
    words = f"{condition['type']:<16} {condition['reason']:<20} {condition['message']}"
    return Text.assemble(f"{since:5.1f} s ", _lamp(condition), " ", words)


def _lamp(condition: Mapping[str, Any]) -> Text:
    return _sign(condition.get("status") == "True") if condition else Text("·", _DIM)


def _sign(good: bool) -> Text:
    return Text("✓", _GREEN) if good else Text("…", _YELLOW)


def _child_label(child: Manifest) -> Text:
    return _label(child["kind"], child, ready=child.get("ready", False), reason=child.get("reason", ""))


def _label(kind: str, address: Manifest, *, ready: bool, reason: str = "") -> Text:
    name = f" {address['namespace']}/{address['name']}"
    return Text.assemble(_sign(ready), " ", (kind, "bold"), name, (f"  {reason}" if reason else "", _YELLOW))


def _is_ready(manifest: Manifest) -> bool:
    conditions = manifest.get("status", {}).get("conditions", ())
    return any(one["type"] == ConditionType.READY and one["status"] == "True" for one in conditions)

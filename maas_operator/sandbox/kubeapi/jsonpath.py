"""The small part of JSONPath that printer columns and selectable fields use."""

from __future__ import annotations

import re
from typing import Any, Final

_STEP: Final = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)|\[['"](?P<quoted>[^'"]+)['"]\]|\[(?P<index>-?\d+)\]|(?P<all>\[\*\])"""
    r"""|\[\?\(@\.(?P<field>[^=!)\s]+)\s*(?P<op>==|!=)\s*['"]?(?P<value>[^'")]*)['"]?\)\]"""
)


def find(value: Any, path: str) -> list[Any]:
    """Everything a path leads to; nothing if the path is not understood."""
    found = [value]
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return []
        found = [entry for origin in found for entry in _follow(origin, step)]
        position = step.end()
    return found


def _follow(value: Any, step: re.Match[str]) -> list[Any]:
    name = step["quoted"] or (step["name"] and re.sub(r"\\(.)", r"\1", step["name"]))
    if name:
        return [value[name]] if isinstance(value, dict) and name in value else []
    if step["all"]:
        return list(value.values()) if isinstance(value, dict) else list(value or ())
    if not isinstance(value, list):
        return []
    if step["index"]:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    return [item for item in value if _matches(item, step)]


def _matches(item: Any, step: re.Match[str]) -> bool:
    found = find(item, "." + step["field"])
    return bool(found) and (str(found[0]) == step["value"]) is (step["op"] == "==")

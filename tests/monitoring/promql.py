"""What an expression asks for: metrics, and labels of theirs. That it is PromQL at all, promtool checks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_MATCHERS = re.compile(r"\{([^}]*)\}")
_LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_DURATION = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_NAME = re.compile(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])")
_WORDS = frozenset({"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left", "group_right"})


@dataclass(frozen=True, slots=True)
class Query:
    """The metrics of an expression, and all labels that it names."""

    metrics: frozenset[str]
    labels: frozenset[str]


def read(expression: str) -> Query:
    """Tell what an expression asks for."""
    text = _STRING.sub('""', expression)
    labels = {name for lists in _LABEL_LISTS.findall(text) for name in re.findall(r"\w+", lists)}
    labels |= {name for matchers in _MATCHERS.findall(text) for name in re.findall(r"(\w+)\s*[=!]", matchers)}
    bare = _DURATION.sub(" ", _LABEL_LISTS.sub(" ", _MATCHERS.sub(" ", text)))
    return Query(frozenset(_NAME.findall(bare)) - _WORDS, frozenset(labels))

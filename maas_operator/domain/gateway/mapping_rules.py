"""Mapping rules: the paths that are open, and what a call of each counts as. All others answer 404."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from maas_operator.api.model import Task
from maas_operator.domain.emitted import Emitted

from .metrics import CATALOG

INFERENCE_PATHS: Final = {
    Task.CHAT: {"/v1/chat/completions": "chat_completions"},
    Task.COMPLETIONS: {"/v1/completions": "completions"},
    Task.RESPONSES: {"/v1/responses": "responses"},
    Task.EMBEDDINGS: {"/v1/embeddings": "embeddings"},
    Task.TOKENIZE: {"/tokenize": "tokenize", "/detokenize": "detokenize"},
}
"""The paths of each task, with the method that counts them."""

CATALOG_PATHS: Final = ("/v1/models", "/health", "/version")


class MappingRule(Emitted):
    """One open path, and the metric that counts its calls."""

    http_method: Literal["GET", "POST"]
    pattern: str
    metric_method_ref: str
    increment: int = 1


def mapping_rules(tasks: Collection[Task]) -> tuple[MappingRule, ...]:
    """Return the rules for a model's tasks, in an order of our own: 3scale recreates those that follow a change."""
    catalog = [_rule("GET", path, CATALOG) for path in CATALOG_PATHS]
    inference = [
        _rule("POST", path, method)
        for task, paths in INFERENCE_PATHS.items()
        if task in tasks
        for path, method in paths.items()
    ]
    return (*catalog, *inference)


def _rule(http_method: Literal["GET", "POST"], path: str, metric: str) -> MappingRule:
    # Without the dollar a rule opens every path that begins like it.
    return MappingRule(http_method=http_method, pattern=f"{path}$", metric_method_ref=metric)

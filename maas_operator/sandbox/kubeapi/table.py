"""Tables: lists as `kubectl get` shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .jsonpath import find
from .resources import NAME, Column, Object, Resource


def table(resource: Resource, objects: Sequence[Object], metadata: Object, *, include: str = "Metadata") -> Object:
    """A `Table` of objects; `include` says how much of each object its row carries."""
    columns = _columns(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_row(columns, object_, include) for object_ in objects],
    }


def _columns(resource: Resource) -> tuple[Column, ...]:
    return (NAME, *resource.columns) if resource.is_custom else resource.columns


def _definition(column: Column) -> Object:
    # The clients know ages as text: only the server's own clock can tell them.
    type_ = "string" if column.type == "date" and column.cell else column.type
    return {
        "name": column.name,
        "type": type_,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(columns: Sequence[Column], object_: Object, include: str) -> Object:
    row: Object = {"cells": [_cell(column, object_) for column in columns]}
    if include == "Object":
        row["object"] = object_
    elif include == "Metadata":
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        row["object"] = {**partial, "metadata": object_["metadata"]}
    return row


def _cell(column: Column, object_: Object) -> Any:
    if column.cell is not None:
        value = column.cell(object_)
    else:
        found = find(object_, column.path)
        value = found[0] if found else None
    if column.type == "date":
        return _age(value)
    if column.type == "string" and value is not None and not isinstance(value, str):
        return json.dumps(value)
    return value


def _age(text: Any) -> str:
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return "<unknown>" if text is None else "<invalid>"
    return human_duration(age)


def human_duration(age: timedelta) -> str:
    """A duration as kubectl writes it: `45s`, `3m20s`, `5h`, `12d`."""
    seconds = int(age.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y"

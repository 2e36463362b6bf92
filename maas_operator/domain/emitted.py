"""The base of the typed specs that builders emit: a field that the target kind does not have is a type error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from .objects import Manifest, Ref


class Emitted(BaseModel):
    """A frozen part of an object that we write."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=False, frozen=True, extra="forbid"
    )

    def dump(self) -> Manifest:
        """Return the JSON form with the API's field names; fields that are None are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class LocalReference(Emitted):
    """An object of the same namespace, by name."""

    name: str


def manifest(
    ref: Ref,
    spec: Emitted,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the object at `ref`. The engine adds the labels that make it ours."""
    metadata: Manifest = {"name": ref.name, "namespace": ref.namespace}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": metadata, "spec": spec.dump()}


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()

"""Kubernetes objects as the domain sees them: manifests, references to them, and what the API said of a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from .kinds import Kind, kind_of

Manifest: TypeAlias = dict[str, Any]
"""One object as JSON, as the API serves it. Treated as immutable: copy before you change one."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The address of one object; `namespace` is empty for cluster-scoped kinds."""

    kind: Kind
    namespace: str
    name: str

    def __hash__(self) -> int:
        # The kind's own hash would be of five fields: a tenth of what a pass costs.
        return hash((self.kind.name, self.namespace, self.name))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    """Return a manifest's address; KeyError when its kind is not in the table."""
    metadata = manifest["metadata"]
    kind = kind_of(manifest["apiVersion"], manifest["kind"])
    return Ref(kind, metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])


class RefusalReason(StrEnum):
    """Why the API, or we ourselves, refused to write a child. Each is also a condition reason."""

    CONFLICT = "Conflict"
    FORBIDDEN = "Forbidden"
    REJECTED = "Rejected"
    WEBHOOK_UNAVAILABLE = "WebhookUnavailable"
    DEPENDENCY_MISSING = "DependencyMissing"
    NAMESPACE_MISSING = "NamespaceMissing"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    CONTENDED = "Contended"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A child that could not be written, in words that name the object and the remedy."""

    reason: RefusalReason
    message: str


@dataclass(frozen=True, slots=True)
class Children:
    """What this pass knows of the owner's children: those written so far, and those that were refused."""

    live: Mapping[Ref, Manifest]
    refused: Mapping[Ref, Refusal]

    def get(self, ref: Ref) -> Manifest | None:
        """Return the child as the API answered it in this pass; None while it is not written."""
        return self.live.get(ref)


NO_CHILDREN = Children({}, {})

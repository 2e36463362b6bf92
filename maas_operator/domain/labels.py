"""The labels and the finalizer by which our children are known: the only proof of ownership (design rule 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .objects import Manifest

GROUP: Final = "maas-operator.io"
FINALIZER: Final = f"{GROUP}/finalizer"

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
PART_OF: Final = "app.kubernetes.io/part-of"
OPERATOR: Final = "maas-operator"

OWNER_KIND: Final = f"{GROUP}/owner-kind"
OWNER_NAMESPACE: Final = f"{GROUP}/owner-namespace"
OWNER_NAME: Final = f"{GROUP}/owner-name"
OWNER_UID: Final = f"{GROUP}/owner-uid"
ACCOUNT: Final = f"{GROUP}/account"
"""The account, on what the subscriptions of one namespace share."""


def owner_labels(owner: Manifest) -> dict[str, str]:
    """Return the labels that every child of this owner carries."""
    metadata = owner["metadata"]
    return {
        MANAGED_BY: OPERATOR,
        PART_OF: OPERATOR,
        OWNER_KIND: owner["kind"],
        OWNER_NAMESPACE: metadata.get("namespace", ""),
        OWNER_NAME: metadata["name"],
        OWNER_UID: metadata["uid"],
    }


def labels_of(manifest: Manifest) -> Mapping[str, str]:
    """Return the labels of an object; empty if it has none."""
    return manifest["metadata"].get("labels") or {}


def is_owned_by(manifest: Manifest, owner_uid: str) -> bool:
    """Tell whether an object is ours and this owner's."""
    labels = labels_of(manifest)
    return labels.get(MANAGED_BY) == OPERATOR and labels.get(OWNER_UID) == owner_uid

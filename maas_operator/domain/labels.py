"""The labels and the finalizer by which our children are known: the only proof of ownership (design rule 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .kinds import INFERENCE_SERVICE, RETAINED
from .objects import Manifest, ref_of

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

CORRECTED_AT: Final = f"{GROUP}/corrected-at"
"""An annotation: when a Product or Backend was last found to be edited in 3scale. Its change makes the 3scale-operator
write everything anew."""
FORCE_DELETE: Final = f"{GROUP}/force-delete"
"""An annotation of users on objects of our kinds: `true` lets one under deletion go, whatever is left of it."""
ACCEPTED: Final = f"{GROUP}/accepted"
"""An annotation: the id of the application that was accepted. Its change makes the 3scale-operator look again."""


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


def annotations_of(manifest: Manifest) -> Mapping[str, str]:
    """Return the annotations of an object; empty if it has none."""
    return manifest["metadata"].get("annotations") or {}


def owner_uid_of(manifest: Manifest) -> str | None:
    """Return the uid of the owner for whom we made an object; None for an object that we did not make."""
    labels = labels_of(manifest)
    makers = {reference["kind"] for reference in manifest["metadata"].get("ownerReferences") or ()}
    # KServe copies the labels of an InferenceService to the Service and Deployment that it makes of it.
    if labels.get(MANAGED_BY) != OPERATOR or INFERENCE_SERVICE.name in makers:
        return None
    return labels.get(OWNER_UID)


def is_owned_by(manifest: Manifest, owner_uid: str) -> bool:
    """Tell whether an object is ours and this owner's."""
    return owner_uid_of(manifest) == owner_uid


def is_left_behind(manifest: Manifest, labels: Mapping[str, str]) -> bool:
    """Tell whether an object holds data of an owner that is gone, and of whom these are the labels of the successor.

    Two owners of one name are never there at the same time: another uid proves that the former is gone.
    """
    found = labels_of(manifest)
    same = all(found.get(name) == labels.get(name) for name in (MANAGED_BY, OWNER_KIND, OWNER_NAMESPACE, OWNER_NAME))
    return ref_of(manifest).kind in RETAINED and same and OWNER_UID in found


def is_controlled_by(manifest: Manifest, uid: str) -> bool:
    """Tell whether an object was made of the object with this uid."""
    references = manifest["metadata"].get("ownerReferences") or ()
    return any(reference.get("controller") and reference["uid"] == uid for reference in references)

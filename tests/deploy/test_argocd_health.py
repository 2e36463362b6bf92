"""What Argo CD shows for each state of our objects."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import NEEDS_A_PERSON
from tests.deploy.kustomizations import DEPLOY, built
from tests.deploy.lua import HEALTH, health

KINDS = ("ModelService", "ModelSubscription", "ModelPlatform")
UNSEEN = "the operator has not seen this generation yet"


def an_object(
    ready: str = "",
    reason: str = "",
    *,
    reconciling: bool = False,
    stalled: bool = False,
    seen: int = 3,
    policy: str = "",
) -> dict[str, Any]:
    """Return an object in its third generation, as the operator writes its status."""
    told = {"Ready": ready, "Reconciling": str(reconciling), "Stalled": str(stalled)}
    conditions = [
        {"type": type_, "status": status, "reason": reason, "message": f"{type_} says {reason}"}
        for type_, status in told.items()
    ]
    return {
        "kind": "ModelService",
        "metadata": {"name": "llama", "generation": 3},
        "spec": {"managementPolicy": policy} if policy else {},
        "status": {"observedGeneration": seen, "conditions": conditions} if ready else {},
    }


# What it is, the object, what Argo CD shows, and whose message.
CASES = [
    ("just created", {"metadata": {"generation": 1}}, "Progressing", UNSEEN),
    ("created, with a status that has no conditions", an_object(), "Progressing", UNSEEN),
    ("edited, and not seen yet", an_object("True", "Ready", seen=2), "Progressing", UNSEEN),
    ("edited after it stalled", an_object("False", "Rejected", stalled=True, seen=2), "Progressing", UNSEEN),
    ("ready", an_object("True", "Ready"), "Healthy", "Ready says Ready"),
    ("loading", an_object("False", "ModelLoading", reconciling=True), "Progressing", "Ready says ModelLoading"),
    ("unschedulable", an_object("False", "Unschedulable", reconciling=True), "Progressing", "Ready says Unschedulable"),
    ("stalled", an_object("False", "RuntimeMissing", stalled=True), "Degraded", "Stalled says RuntimeMissing"),
    ("stopped", an_object("False", "Stopped"), "Suspended", "Ready says Stopped"),
    ("not approved", an_object("False", "PromotionNotApproved"), "Suspended", "Ready says PromotionNotApproved"),
    ("unapproved", an_object("False", "ApprovalPending", reconciling=True), "Suspended", "Ready says ApprovalPending"),
    ("suspended", an_object("False", "Suspended", reconciling=True), "Suspended", "Ready says Suspended"),
    ("paused", an_object("Unknown", "Paused", policy="Paused"), "Suspended", "Reconciling says Paused"),
    ("observed", an_object("True", "Observing", policy="Observe"), "Suspended", "Reconciling says Observing"),
    ("active, and says so", an_object("True", "Ready", policy="Active"), "Healthy", "Ready says Ready"),
]


@pytest.mark.parametrize(
    ("manifest", "status", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_argo_cd_shows(manifest: dict[str, Any], status: str, message: str) -> None:
    assert health(manifest) == (status, message)


@pytest.mark.parametrize("reason", sorted(NEEDS_A_PERSON))
def test_what_needs_a_person_is_degraded(reason: Reason) -> None:
    assert health(an_object("False", reason, stalled=True))[0] == "Degraded"


def test_text_of_others_in_a_message_arrives_as_it_is() -> None:
    manifest = an_object("True", 'quotes " and ]] and\nlines, ü')
    assert health(manifest) == ("Healthy", 'Ready says quotes " and ]] and\nlines, ü')


def test_each_of_our_kinds_has_the_check() -> None:
    objects = {one["kind"]: one for one in built(DEPLOY / "argocd")}
    checks = {f"resource.customizations.health.maas-operator.io_{kind}": HEALTH.read_text() for kind in KINDS}
    assert objects["ConfigMap"]["data"] == checks
    assert objects["ConfigMap"]["metadata"]["name"] == "argocd-cm"

"""Which objects are ours."""

from typing import Any

from maas_operator.domain.labels import is_controlled_by, is_owned_by, owner_labels

OWNER = {"kind": "ModelService", "metadata": {"name": "tiny", "namespace": "llm", "uid": "u1"}}


def an_object(*makers: str, **labels: str) -> dict[str, Any]:
    references = [{"kind": maker, "uid": "x", "controller": True} for maker in makers]
    return {"metadata": {"labels": owner_labels(OWNER) | labels, "ownerReferences": references}}


def test_our_labels_and_the_owners_uid_make_an_object_ours() -> None:
    assert is_owned_by(an_object("ModelService"), "u1")
    assert not is_owned_by(an_object("ModelService"), "u2")
    assert not is_owned_by(an_object(**{"app.kubernetes.io/managed-by": "Helm"}), "u1")
    assert not is_owned_by({"metadata": {}}, "u1")


def test_an_object_stays_ours_when_a_tenant_of_3scale_takes_control() -> None:
    assert is_owned_by(an_object("Tenant"), "u1")


def test_what_kserve_makes_of_our_inference_service_is_not_ours_although_it_has_its_labels() -> None:
    assert not is_owned_by(an_object("InferenceService"), "u1")


def test_what_was_made_of_an_object_is_known_by_its_uid() -> None:
    assert is_controlled_by(an_object("InferenceService"), "x")
    assert not is_controlled_by(an_object("InferenceService"), "y")
    assert not is_controlled_by({"metadata": {"ownerReferences": [{"uid": "x"}]}}, "x")
    assert not is_controlled_by({"metadata": {}}, "x")

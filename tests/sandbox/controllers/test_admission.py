"""Namespaces take no more pods than Pod Security, OpenShift's restricted-v2 and a kubelet would."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.sandbox.controllers.minio.admission import ENFORCE, UID_RANGE, refusal, would_be_root

PLAIN: dict[str, Any] = {"metadata": {"name": "minio"}}
RESTRICTED: dict[str, Any] = {"metadata": {"name": "minio", "labels": {ENFORCE: "restricted"}}}
OPENSHIFT: dict[str, Any] = {"metadata": {"name": "minio", "annotations": {UID_RANGE: "1000680000/10000"}}}
GOOD = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def a_pod(of_pod: dict[str, Any], **container: Any) -> dict[str, Any]:
    containers = [{"name": "minio", "securityContext": {**GOOD, **container}}]
    return {"metadata": {"name": "minio-0"}, "spec": {"securityContext": of_pod, "containers": containers}}


@pytest.mark.parametrize(
    ("pod", "namespace", "words"),
    [
        (a_pod({}), PLAIN, ""),
        (a_pod({"runAsNonRoot": True}), RESTRICTED, ""),
        (a_pod({}, runAsNonRoot=True), RESTRICTED, ""),
        (a_pod({}), RESTRICTED, "runAsNonRoot != true"),
        (a_pod({"runAsNonRoot": True}, capabilities=None), RESTRICTED, "unrestricted capabilities"),
        (a_pod({"runAsNonRoot": True}, seccompProfile=None), RESTRICTED, "seccompProfile"),
        (a_pod({"runAsNonRoot": True}, allowPrivilegeEscalation=None), RESTRICTED, "allowPrivilegeEscalation"),
        (a_pod({}), OPENSHIFT, ""),
        (a_pod({"runAsUser": 1000680001, "fsGroup": 1000680000}), OPENSHIFT, ""),
        (a_pod({"runAsUser": 1000}), OPENSHIFT, "runAsUser: Invalid value: 1000: must be in the ranges"),
        (a_pod({"fsGroup": 1000}), OPENSHIFT, "fsGroup: Invalid value: 1000: must be in the ranges"),
    ],
)
def test_a_pod_is_taken_or_refused_in_the_words_of_the_original(
    pod: dict[str, Any], namespace: dict[str, Any], words: str
) -> None:
    said = refusal(pod, namespace)
    assert (words in said) if words else said == ""


@pytest.mark.parametrize(
    ("of_pod", "namespace", "refused"),
    [
        ({"runAsNonRoot": True}, PLAIN, True),
        ({"runAsNonRoot": True, "runAsUser": 1000}, PLAIN, False),
        ({"runAsNonRoot": True}, OPENSHIFT, False),
        ({}, PLAIN, False),
    ],
)
def test_an_image_without_a_user_is_not_started_against_its_promise(
    of_pod: dict[str, Any], namespace: dict[str, Any], refused: bool
) -> None:
    assert would_be_root(a_pod(of_pod), namespace) == refused

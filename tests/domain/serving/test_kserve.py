"""What a cluster tells of its KServe."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.inference_service import deployment_mode
from maas_operator.domain.serving.kserve import CONFIGURATIONS, DEFINITION, Distribution, KServe, Release, marked_schema
from tests.upstream import CRDS, needs_crds

LOGGER = "spec.predictor.logger"
FIELDS = {
    "0.14.1": ["spec.predictor.model.storageUri", f"{LOGGER}.url"],
    "0.15.0": ["spec.predictor.model.storageUri", f"{LOGGER}.url"],
    "0.15.1": [f"{LOGGER}.metadataAnnotations", "status.deploymentMode"],
    "0.16.0": [f"{LOGGER}.metadataAnnotations", f"{LOGGER}.storage", "spec.predictor.storageUris"],
    "0.17.0": [f"{LOGGER}.metadataAnnotations", "spec.predictor.storageUris", f"{LOGGER}.batchSize"],
    "0.20.0": [
        f"{LOGGER}.metadataAnnotations",
        "spec.predictor.storageUris",
        f"{LOGGER}.batchSize",
        "spec.predictor.storageContainerName",
    ],
    "ODH 2.29": ["spec.predictor.model.storageUri", "status.deploymentMode"],
    "ODH 2.30": [f"{LOGGER}.metadataAnnotations", "spec.predictor.autoScaling.metrics"],
    "ODH 3.3": [f"{LOGGER}.metadataAnnotations", "status.servingRuntimeName"],
    "ODH 3.4": [f"{LOGGER}.metadataAnnotations", "spec.predictor.storageUris", f"{LOGGER}.batchSize"],
    "ODH 3.5": [
        f"{LOGGER}.metadataAnnotations",
        "spec.predictor.storageUris",
        f"{LOGGER}.batchSize",
        "spec.predictor.storageContainerName",
    ],
}
"""Fields of the full schemas, as those releases have them."""

RELEASES = {
    "0.14.1": Release.TOO_OLD,
    "0.15.0": Release.TOO_OLD,
    "0.15.1": Release.V0_15,
    "0.16.0": Release.V0_16,
    "0.17.0": Release.V0_17,
    "0.20.0": Release.V0_20,
    "ODH 2.29": Release.TOO_OLD,
    "ODH 2.30": Release.V0_15,
    "ODH 3.3": Release.V0_15,
    "ODH 3.4": Release.V0_17,
    "ODH 3.5": Release.V0_20,
}


def a_definition(*fields: str) -> Manifest:
    """Return the CRD of InferenceServices with these fields."""
    schema: dict[str, Any] = {"type": "object"}
    for field in (*fields, "spec.predictor.model.args"):
        node = schema
        for name in field.split("."):
            node = node.setdefault("properties", {}).setdefault(name, {"type": "object", "description": "words"})
    return of_schema(schema)


def of_schema(schema: Manifest) -> Manifest:
    old = {"name": "v1alpha2", "served": False}
    version = {"name": "v1beta1", "served": True, "schema": {"openAPIV3Schema": schema}}
    return {"metadata": {"name": DEFINITION.name, "resourceVersion": "1"}, "spec": {"versions": [old, version]}}


def a_minimal_definition() -> Manifest:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return of_schema({"type": "object", "properties": {"spec": anything, "status": anything}})


def a_configuration(namespace: str = "kserve", **sections: Any) -> Manifest:
    data = {name: section if isinstance(section, str) else json.dumps(section) for name, section in sections.items()}
    return {"metadata": {"name": CONFIGURATIONS[0].name, "namespace": namespace}, "data": data}


@pytest.mark.parametrize("version", FIELDS)
def test_a_release_is_told_by_what_its_schema_has(version: str) -> None:
    assert KServe(a_definition(*FIELDS[version])).release is RELEASES[version]


@pytest.mark.parametrize("version", FIELDS)
def test_the_marks_alone_tell_the_same(version: str) -> None:
    definition = a_definition(*FIELDS[version])
    (_, full) = definition["spec"]["versions"]
    marks = marked_schema(full)
    assert "words" not in str(marks)
    assert KServe(of_schema(marks["openAPIV3Schema"])).release is RELEASES[version]


def test_the_minimal_flavour_tells_nothing_and_is_not_too_old() -> None:
    assert KServe(a_minimal_definition()).release is None
    (_, version) = a_minimal_definition()["spec"]["versions"]
    assert marked_schema(version) == {"openAPIV3Schema": {}}
    assert marked_schema({"name": "v1beta1"}) == {"openAPIV3Schema": {}}


@needs_crds
@pytest.mark.parametrize(("flavour", "release"), [("full", Release.V0_20), ("minimal", None)])
def test_the_real_definitions_are_told(flavour: str, release: Release | None) -> None:
    path = CRDS / "kserve" / flavour / "serving.kserve.io_inferenceservices.yaml"
    definition = yaml.load(path.read_text(), yaml.CSafeLoader)
    assert KServe(definition).release is release
    (version,) = definition["spec"]["versions"]
    assert len(json.dumps(marked_schema(version))) < 600


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("kserve/storage-initializer:v0.15.2", Release.V0_15),
        ("kserve/storage-initializer:v0.16.0", Release.V0_16),
        ("registry.example.com:5000/kserve/storage-initializer:v0.18.1-rc0", Release.V0_17),
        ("kserve/storage-initializer:v0.20.0", Release.V0_20),
        ("kserve/storage-initializer:v0.14.0", None),
        ("kserve/storage-initializer:latest", None),
        ("quay.io/opendatahub/kserve-storage-initializer@sha256:0123", None),
        (None, None),
    ],
)
def test_beside_the_minimal_flavour_the_image_of_the_initializer_tells(
    image: str | None, release: Release | None
) -> None:
    configuration = a_configuration(storageInitializer={"image": image} if image else {})
    assert KServe(a_minimal_definition(), configuration).release is release


def test_a_schema_is_believed_before_an_image() -> None:
    configuration = a_configuration(storageInitializer={"image": "kserve/storage-initializer:v0.20.0"})
    assert KServe(a_definition(*FIELDS["0.16.0"]), configuration).release is Release.V0_16


@pytest.mark.parametrize(
    ("namespace", "distribution"),
    [
        ("redhat-ods-applications", Distribution.OPENSHIFT_AI),
        ("opendatahub", Distribution.OPEN_DATA_HUB),
        ("kserve", Distribution.KSERVE),
        ("elsewhere", None),
    ],
)
def test_who_brings_it_is_told_by_where_its_configuration_is(namespace: str, distribution: Distribution | None) -> None:
    assert KServe(a_definition(), a_configuration(namespace)).distribution is distribution


def test_its_configuration_is_shown_as_far_as_it_is_known() -> None:
    configuration = a_configuration(
        "redhat-ods-applications",
        deploy={"defaultDeploymentMode": "RawDeployment"},
        service={"serviceClusterIPNone": False},
        storageInitializer={"enableModelcar": True},
    )
    assert KServe(a_definition(*FIELDS["ODH 3.3"]), configuration).capabilities == {
        "kserveVersion": "0.15",
        "distribution": "OpenShiftAI",
        "deploymentMode": "RawDeployment",
        "headless": False,
        "modelcar": True,
    }
    assert KServe(a_minimal_definition()).capabilities == {}


@pytest.mark.parametrize(("namespace", "headless"), [("kserve", False), ("opendatahub", True)])
def test_what_a_configuration_does_not_say_is_what_its_builder_takes_for_granted(
    namespace: str, headless: bool
) -> None:
    assert KServe(a_definition(), a_configuration(namespace)).capabilities["headless"] is headless


@pytest.mark.parametrize("broken", ["{", "[]", '"canary"'])
def test_a_configuration_that_is_broken_or_strange_is_not_shown(broken: str) -> None:
    configuration = a_configuration(deploy=broken, service=broken, storageInitializer=broken)
    assert KServe(a_minimal_definition(), configuration).capabilities.keys() == {"distribution", "headless", "modelcar"}
    strange = a_configuration(deploy={"defaultDeploymentMode": "canary" * 100}, service={"serviceClusterIPNone": "no"})
    assert "canary" not in str(KServe(a_minimal_definition(), strange).capabilities)


@pytest.mark.parametrize(
    ("told", "release", "word"),
    [
        (None, None, "RawDeployment"),
        (None, Release.V0_15, "RawDeployment"),
        (None, Release.V0_16, "Standard"),
        (None, Release.V0_17, "Standard"),
        (None, Release.V0_20, "Standard"),
        ("RawDeployment", Release.V0_20, "RawDeployment"),
        ("Standard", Release.V0_15, "Standard"),
        ("Standard", None, "Standard"),
    ],
)
def test_a_plain_deployment_is_called_as_kserve_has_called_it_or_as_its_release_does(
    told: str | None, release: Release | None, word: str
) -> None:
    assert deployment_mode(told, release) == word

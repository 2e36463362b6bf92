"""What the installed KServe is, from its CRD and its configuration: neither tells a version, both bear its marks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from maas_operator.domain.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, INFERENCE_SERVICE
from maas_operator.domain.objects import Manifest, Ref

DEFINITION: Final = Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{INFERENCE_SERVICE.plural}.{INFERENCE_SERVICE.group}")


class Distribution(StrEnum):
    """Who brings KServe; each keeps its configuration in a namespace of its own."""

    OPENSHIFT_AI = "OpenShiftAI"
    KSERVE = "KServe"
    OPEN_DATA_HUB = "OpenDataHub"


# In the order of looking: names with `redhat-` can not be taken by users of OpenShift.
_NAMESPACES: Final = {
    "redhat-ods-applications": Distribution.OPENSHIFT_AI,
    "kserve": Distribution.KSERVE,
    "opendatahub": Distribution.OPEN_DATA_HUB,
}
CONFIGURATIONS: Final = tuple(Ref(CONFIG_MAP, namespace, "inferenceservice-config") for namespace in _NAMESPACES)
"""Where KServe's configuration may be."""


class Release(StrEnum):
    """Releases of KServe that a cluster can be told apart by."""

    TOO_OLD = "older than 0.15.1"
    V0_15 = "0.15"
    V0_16 = "0.16"
    V0_17 = "0.17 to 0.19"
    V0_20 = "0.20 or later"


TOO_OLD_MESSAGE: Final = (
    "the InferenceServices of this cluster are those of a KServe older than 0.15.1, or of an Open Data Hub older than"
    " 2.30: upgrade KServe or OpenShift AI; models that run are left as they are"
)

# Newest first: what each release added to the schema of an InferenceService, and all later ones kept.
_MARKS: Final = {
    Release.V0_20: ("spec", "predictor", "storageContainerName"),
    Release.V0_17: ("spec", "predictor", "logger", "batchSize"),
    Release.V0_16: ("spec", "predictor", "storageUris"),
    # Open Data Hub has it since 2.30, and 3.0 to 3.3 have none of the marks above.
    Release.V0_15: ("spec", "predictor", "logger", "metadataAnnotations"),
}
# The minimal flavour of the CRDs says nothing of what is in a spec.
_SAYS_SOMETHING: Final = ("spec", "predictor", "model")

_TAG: Final = re.compile(r":v?0\.(\d{1,3})\.(\d{1,3})(-\w+)?$")
_MODES: Final = frozenset({"RawDeployment", "Serverless", "Standard", "Knative", "ModelMesh"})


def marked_schema(version: Manifest) -> Manifest:
    """Return the schema of a version of the CRD with no more than what tells the release: 2 MB become 500 bytes."""
    schema: Manifest = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    kept: Manifest = {}
    for path in (*_MARKS.values(), _SAYS_SOMETHING):
        if _has(schema, path):
            node = kept
            for name in path:
                node = node.setdefault("properties", {}).setdefault(name, {})
    return {"openAPIV3Schema": kept}


@dataclass(frozen=True, slots=True)
class KServe:
    """KServe's CRD and its configuration as they are in the cluster; None for what is not there."""

    definition: Manifest | None = None
    configuration: Manifest | None = None

    @property
    def release(self) -> Release | None:
        """Return the release; None if nothing tells it, as with the minimal flavour and an image by digest."""
        return self._told_by_schema() or self._told_by_image()

    @property
    def capabilities(self) -> dict[str, Any]:
        """Return what the status of a platform shows of it."""
        known = {
            "kserveVersion": self.release,
            "distribution": self.distribution,
            "deploymentMode": self._default_mode,
            "headless": self._headless,
            "modelcar": self._modelcar,
        }
        return {name: value for name, value in known.items() if value is not None}

    @property
    def distribution(self) -> Distribution | None:
        """Return who brought it; None if its configuration is at none of the usual places."""
        if self.configuration is None:
            return None
        return _NAMESPACES.get(self.configuration["metadata"]["namespace"])

    def _told_by_schema(self) -> Release | None:
        versions = (self.definition or {}).get("spec", {}).get("versions", ())
        version: Manifest = next((one for one in versions if one["name"] == INFERENCE_SERVICE.version), {})
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        if not _has(schema, _SAYS_SOMETHING):
            return None
        return next((release for release, path in _MARKS.items() if _has(schema, path)), Release.TOO_OLD)

    def _told_by_image(self) -> Release | None:
        found = _TAG.search(str(self._section("storageInitializer").get("image", "")))
        if found is None:
            return None
        minor, patch = int(found[1]), int(found[2])
        # The image may be an older one of the platform's choice: that proves no older KServe.
        if (minor, patch) < (15, 1):
            return None
        return {15: Release.V0_15, 16: Release.V0_16}.get(minor, Release.V0_17 if minor < 20 else Release.V0_20)

    @property
    def _default_mode(self) -> str | None:
        mode = self._section("deploy").get("defaultDeploymentMode")
        return mode if mode in _MODES else None

    @property
    def _headless(self) -> bool | None:
        if self.configuration is None:
            return None
        # Red Hat's builds take the absent field for true, the original for false.
        stated = self._section("service").get("serviceClusterIPNone", self.distribution is not Distribution.KSERVE)
        return stated is True

    @property
    def _modelcar(self) -> bool | None:
        return None if self.configuration is None else self._section("storageInitializer").get("enableModelcar") is True

    def _section(self, name: str) -> Mapping[str, Any]:
        try:
            section = json.loads(((self.configuration or {}).get("data") or {}).get(name, "{}"))
        except ValueError:
            return {}
        return section if isinstance(section, dict) else {}


def _has(schema: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    node: Mapping[str, Any] | None = schema
    for name in path:
        node = (node.get("properties") or {}).get(name) if node is not None else None
    return node is not None

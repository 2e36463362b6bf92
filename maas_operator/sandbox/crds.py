"""The resource types of KServe, KEDA, 3scale and OpenShift with its storage: small ones of our own, or real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from maas_operator.domain.kinds import (
    ACTIVE_DOC,
    API_MANAGER,
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    CLUSTER_SERVING_RUNTIME,
    CUSTOM_POLICY_DEFINITION,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    INFERENCE_SERVICE,
    OBJECT_BUCKET_CLAIM,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    ROUTE,
    SCALED_OBJECT,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.objects import Manifest

from .control_plane import without_new_words

_READY: Final = {"Ready": ".status.conditions[?(@.type=='Ready')].status"}
_SYNCED: Final = {"Synced": ".status.conditions[?(@.type=='Synced')].status"}
_COLUMNS: Final[dict[Kind, dict[str, str]]] = {
    SERVING_RUNTIME: {},
    CLUSTER_SERVING_RUNTIME: {},
    INFERENCE_SERVICE: {"URL": ".status.url", **_READY},
    BACKEND: _SYNCED,
    PRODUCT: _SYNCED,
    PROXY_CONFIG_PROMOTE: _READY,
    ACTIVE_DOC: _READY,
    DEVELOPER_ACCOUNT: _READY,
    DEVELOPER_USER: _READY,
    APPLICATION: _READY,
    APPLICATION_AUTH: _READY,
    CUSTOM_POLICY_DEFINITION: _READY,
    API_MANAGER: {"Available": ".status.conditions[?(@.type=='Available')].status"},
    SCALED_OBJECT: _READY,
    ROUTE: {"Host": ".spec.host"},
    OBJECT_BUCKET_CLAIM: {"Phase": ".status.phase"},
}
_REQUIRED: Final[dict[Kind, list[str]]] = {
    SERVING_RUNTIME: ["containers"],
    CLUSTER_SERVING_RUNTIME: ["containers"],
    INFERENCE_SERVICE: ["predictor"],
    BACKEND: ["name", "privateBaseURL"],
    PRODUCT: ["name"],
    PROXY_CONFIG_PROMOTE: ["productCRName"],
    ACTIVE_DOC: ["activeDocOpenAPIRef", "name"],
    DEVELOPER_ACCOUNT: ["orgName"],
    DEVELOPER_USER: ["developerAccountRef", "email", "passwordCredentialsRef", "username"],
    APPLICATION: ["accountCR", "applicationPlanName", "description", "name", "productCR"],
    APPLICATION_AUTH: ["applicationCRName", "authSecretRef"],
    CUSTOM_POLICY_DEFINITION: ["name", "schema", "version"],
    API_MANAGER: ["wildcardDomain"],
    SCALED_OBJECT: ["scaleTargetRef", "triggers"],
    ROUTE: ["host", "to"],
    OBJECT_BUCKET_CLAIM: ["storageClassName"],
}
_SHORT_NAMES: Final = {INFERENCE_SERVICE: ["isvc"], OBJECT_BUCKET_CLAIM: ["obc", "obcs"]}
# Megabytes of schemas: by libyaml, where PyYAML has it, they take a fifth of the time.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FOLDERS: Final = {
    "serving.kserve.io": "kserve/minimal",
    "capabilities.3scale.net": "3scale-operator",
    "apps.3scale.net": "3scale-operator",
    "keda.sh": "keda",
    "route.openshift.io": "openshift-route",
    "objectbucket.io": "object-bucket",
}


def third_party_crds(folder: Path | None = None, *, old_server: bool = False) -> list[Manifest]:
    """Return the CustomResourceDefinitions of the kinds around us, in the order of the resource table.

    With `folder` (KServe's minimal flavour, and the others' files in it) the real ones.
    `old_server` leaves out what a server without CEL does not understand.
    """
    # An old server refuses the enum with null of the real Route.
    if folder is None:
        return [_permissive(kind) for kind in _COLUMNS]
    return [_permissive(kind) if old_server and kind == ROUTE else _real(folder, kind, old_server) for kind in _COLUMNS]


def _permissive(kind: Kind) -> Manifest:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties = {"spec": {**anything, "required": _REQUIRED[kind]}, "status": anything}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": "string", "jsonPath": path} for name, path in _COLUMNS[kind].items()
        ],
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": _SHORT_NAMES.get(kind, []),
            },
            "versions": [version],
        },
    }


def _real(folder: Path, kind: Kind, old_server: bool) -> Manifest:
    suffix = "_crd" if kind == OBJECT_BUCKET_CLAIM else ""
    path = folder / _FOLDERS[kind.group] / f"{kind.group}_{kind.plural}{suffix}.yaml"
    manifest = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    manifest.pop("status", None)
    return without_new_words(manifest)[0] if old_server else dict(manifest)

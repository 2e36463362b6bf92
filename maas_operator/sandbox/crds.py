"""The resource types of KServe, 3scale and OpenShift: small permissive ones of our own, or the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from maas_operator.domain.kinds import (
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    INFERENCE_SERVICE,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    ROUTE,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.objects import Manifest

_COLUMNS: Final[dict[Kind, dict[str, str]]] = {
    SERVING_RUNTIME: {},
    INFERENCE_SERVICE: {
        "URL": ".status.url",
        "Ready": ".status.conditions[?(@.type=='Ready')].status",
    },
    BACKEND: {"Synced": ".status.conditions[?(@.type=='Synced')].status"},
    PRODUCT: {"Synced": ".status.conditions[?(@.type=='Synced')].status"},
    PROXY_CONFIG_PROMOTE: {"Ready": ".status.conditions[?(@.type=='Ready')].status"},
    DEVELOPER_ACCOUNT: {"Ready": ".status.conditions[?(@.type=='Ready')].status"},
    DEVELOPER_USER: {"Ready": ".status.conditions[?(@.type=='Ready')].status"},
    APPLICATION: {"Ready": ".status.conditions[?(@.type=='Ready')].status"},
    APPLICATION_AUTH: {"Ready": ".status.conditions[?(@.type=='Ready')].status"},
    ROUTE: {"Host": ".spec.host"},
}
_FOLDERS: Final = {
    "serving.kserve.io": "kserve/minimal",
    "capabilities.3scale.net": "3scale-operator",
    "route.openshift.io": "openshift-route",
}
# A server of 2020 knows neither rules in CEL nor selectable fields, and refuses the enum with null of the real Route.
_TOO_NEW: Final = frozenset({"x-kubernetes-validations", "selectableFields"})


def third_party_crds(folder: Path | None = None, *, old_server: bool = False) -> list[Manifest]:
    """Return the CustomResourceDefinitions of the kinds around us, in the order of the resource table.

    With `folder` (KServe's minimal flavour, the 3scale-operator's and OpenShift's files in it) the real ones.
    `old_server` leaves out what a server without CEL does not understand.
    """
    if folder is None:
        return [_permissive(kind) for kind in _COLUMNS]
    return [_permissive(kind) if old_server and kind == ROUTE else _real(folder, kind, old_server) for kind in _COLUMNS]


def _permissive(kind: Kind) -> Manifest:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": "string", "jsonPath": path} for name, path in _COLUMNS[kind].items()
        ],
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
            },
            "versions": [version],
        },
    }


def _real(folder: Path, kind: Kind, old_server: bool) -> Manifest:
    path = folder / _FOLDERS[kind.group] / f"{kind.group}_{kind.plural}.yaml"
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    manifest.pop("status", None)
    return dict(_without_news(manifest) if old_server else manifest)


def _without_news(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_news(item) for key, item in value.items() if key not in _TOO_NEW}
    return [_without_news(item) for item in value] if isinstance(value, list) else value

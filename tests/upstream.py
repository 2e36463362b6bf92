"""The verdict of the real CRDs of KServe and 3scale on an object that we write: errors and unknown fields."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

CRDS = Path(__file__).parents[2] / "shared" / "upstream-crds"
FILES = {
    "InferenceService": "kserve/full/serving.kserve.io_inferenceservices.yaml",
    "ServingRuntime": "kserve/full/serving.kserve.io_servingruntimes.yaml",
    "Backend": "3scale-operator/capabilities.3scale.net_backends.yaml",
    "Product": "3scale-operator/capabilities.3scale.net_products.yaml",
    "ProxyConfigPromote": "3scale-operator/capabilities.3scale.net_proxyconfigpromotes.yaml",
    "ActiveDoc": "3scale-operator/capabilities.3scale.net_activedocs.yaml",
    "CustomPolicyDefinition": "3scale-operator/capabilities.3scale.net_custompolicydefinitions.yaml",
    "ObjectBucketClaim": "object-bucket/objectbucket.io_objectbucketclaims_crd.yaml",
    "APIManager": "3scale-operator/apps.3scale.net_apimanagers.yaml",
}
# Of what the operator is delivered with.
DELIVERED = {
    "Application": "argo-cd/application-crd.yaml",
    "AppProject": "argo-cd/appproject-crd.yaml",
    "ServiceMonitor": "prometheus-operator/monitoring.coreos.com_servicemonitors.yaml",
    "PodMonitor": "prometheus-operator/monitoring.coreos.com_podmonitors.yaml",
    "PrometheusRule": "prometheus-operator/monitoring.coreos.com_prometheusrules.yaml",
}

needs_crds = pytest.mark.skipif(not CRDS.is_dir(), reason="the upstream CRDs are not beside this checkout")


def objections(manifest: Mapping[str, Any]) -> list[str]:
    """Return what a server with the real CRDs and strict field validation says against an object."""
    schema = _schema(manifest["kind"], manifest["apiVersion"])
    errors = [f"{error.instance_path}: {error.message}" for error in _validator(manifest).iter_errors(manifest)]
    return errors + [
        f"{path}: unknown field" for path in unknown_fields(manifest["spec"], schema["properties"]["spec"])
    ]


def unknown_fields(value: Any, schema: Mapping[str, Any], path: str = "spec") -> Iterator[str]:
    """Yield the paths of fields that a server would drop."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(item, schema["items"], f"{path}[{index}]")
    if isinstance(value, dict):
        others = schema.get("additionalProperties")
        for name, item in value.items():
            known = schema.get("properties", {}).get(name, others)
            if known is None:
                yield f"{path}.{name}"
            else:
                yield from unknown_fields(item, known, f"{path}.{name}")


def definition(path: Path) -> dict[str, Any]:
    """Return a real CRD. A flag inside of a pattern is Go's: without it the pattern only takes less."""
    return dict(yaml.load(path.read_text().replace("^(?i)", "^"), yaml.CSafeLoader))


@cache
def _schema(kind: str, api_version: str) -> dict[str, Any]:
    crd = definition(CRDS / (FILES | DELIVERED)[kind])
    group, version = api_version.split("/")
    assert crd["spec"]["group"] == group
    (schema,) = (entry["schema"]["openAPIV3Schema"] for entry in crd["spec"]["versions"] if entry["name"] == version)
    return dict(schema)


_validators: dict[str, jsonschema_rs.Draft7Validator] = {}


def _validator(manifest: Mapping[str, Any]) -> jsonschema_rs.Draft7Validator:
    kind = manifest["kind"]
    if kind not in _validators:
        _validators[kind] = jsonschema_rs.Draft7Validator(_schema(kind, manifest["apiVersion"]))
    return _validators[kind]

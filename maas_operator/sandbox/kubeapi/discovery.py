"""What the server tells about itself: groups, resources, versions, OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .resources import Object, Registry, Resource

VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.0+maas-sandbox", "platform": "embedded/python"}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_OPERATIONS = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
_QUERY = ("fieldValidation", "dryRun", "fieldManager")


def core_versions() -> Object:
    """The answer of `/api`."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> Object:
    """The answer of `/apis`."""
    names = dict.fromkeys(resource.group for resource in registry if resource.group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(registry, name) for name in names]}


def group(registry: Registry, name: str) -> Object:
    """The answer of `/apis/<group>`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)}


def _group(registry: Registry, name: str) -> Object:
    found = dict.fromkeys(resource.version for resource in registry if resource.group == name)
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": versions, "preferredVersion": versions[0] if versions else None}


def resource_list(registry: Registry, api_version: str) -> Object:
    """The answer of `/api/v1` and `/apis/<group>/<version>`."""
    served = [entry for resource in _of(registry, api_version) for entry in _entries(resource)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": served}


def _of(registry: Registry, api_version: str) -> list[Resource]:
    return [resource for resource in registry if resource.api_version == api_version]


def _entries(resource: Resource) -> Iterable[Object]:
    entry = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    optional = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    yield {**entry, **{name: value for name, value in optional.items() if value}}
    sub = {**entry, "singularName": "", "verbs": ["get", "patch", "update"]}
    if resource.has_status:
        yield {**sub, "name": f"{resource.plural}/status"}
    if resource.scale:
        autoscaling = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        yield {**sub, "name": f"{resource.plural}/scale", **autoscaling}


def openapi_index(registry: Registry) -> Object:
    """The answer of `/openapi/v3`: where the document of each group version is."""
    versions = dict.fromkeys(resource.api_version for resource in registry)
    paths = [f"apis/{version}" if "/" in version else f"api/{version}" for version in versions]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def openapi(registry: Registry, api_version: str) -> Object:
    """The OpenAPI v3 document of one group version, as far as kubectl reads it."""
    resources = _of(registry, api_version)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": {path: item for resource in resources for path, item in _paths(resource).items()},
        "components": {"schemas": {_schema_name(resource): _schema(resource) for resource in resources}},
    }


def _paths(resource: Resource) -> Object:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.api_version}"
    home = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    collection, item = f"{home}/{resource.plural}", f"{home}/{resource.plural}/{{name}}"
    paths = {
        collection: {"get": _operation(resource, "list"), "post": _operation(resource, "post")},
        item: {method: _operation(resource, action) for method, action in _OPERATIONS.items()},
    }
    if resource.namespaced:
        paths[f"{root}/{resource.plural}"] = {"get": _operation(resource, "list")}
    return paths


def _operation(resource: Resource, action: str) -> Object:
    reference = {"$ref": f"#/components/schemas/{_schema_name(resource)}"}
    return {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _identity(resource),
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _QUERY],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
    }


def _identity(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _schema_name(resource: Resource) -> str:
    reversed_group = ".".join(reversed((resource.group or "core").split(".")))
    return f"{reversed_group}.{resource.version}.{resource.kind}"


def _schema(resource: Resource) -> dict[str, Any]:
    return {**resource.schema.structural, "x-kubernetes-group-version-kind": [_identity(resource)]}

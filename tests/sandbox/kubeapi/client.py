"""A bare HTTP client of a Kubernetes API, and the kind that the tests make up for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """Code and body of an answer, with short ways to what tests ask most."""

    code: int
    body: Body

    @property
    def version(self) -> str:
        """The resourceVersion."""
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def generation(self) -> int:
        """The generation."""
        return int(self.body["metadata"]["generation"])

    @property
    def uid(self) -> str:
        """The uid."""
        return str(self.body["metadata"]["uid"])

    @property
    def spec(self) -> Body:
        """The spec."""
        return dict(self.body["spec"])

    @property
    def refusal(self) -> tuple[int, str]:
        """Code and reason of a Status."""
        assert self.body["kind"] == "Status", self.body
        return self.code, self.body.get("reason", "")

    @property
    def fields(self) -> list[str]:
        """The fields that a refusal names, each once."""
        return sorted({cause["field"] for cause in self.body["details"]["causes"]})

    def owned_by(self, manager: str) -> Body:
        """The fieldsV1 of a manager; empty if it owns nothing."""
        entries = self.body["metadata"].get("managedFields", [])
        return next((dict(entry["fieldsV1"]) for entry in entries if entry["manager"] == manager), {})


class Client:
    """Requests to one server."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __call__(self, method: str, path: str, body: Any = None, type_: str = JSON, **query: str) -> Answer:
        """Send one request."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": type_, "User-Agent": "probe/1"}
        async with self._session.request(method, self._url + path, data=data, headers=headers, params=query) as reply:
            text = await reply.text()
            return Answer(reply.status, json.loads(text) if text.startswith("{") else {"kind": "Text", "text": text})

    async def get(self, path: str, **query: str) -> Answer:
        """Read."""
        return await self("GET", path, **query)

    async def create(self, path: str, body: Body, **query: str) -> Answer:
        """Create."""
        return await self("POST", path, body, **query)

    async def replace(self, path: str, body: Body, **query: str) -> Answer:
        """Update."""
        return await self("PUT", path, body, **query)

    async def merge(self, path: str, body: Body, **query: str) -> Answer:
        """Merge-patch."""
        return await self("PATCH", path, body, MERGE, **query)

    async def apply(self, path: str, body: Body, manager: str, **query: str) -> Answer:
        """Apply; `path` is the object's."""
        return await self("PATCH", path, body, APPLY, fieldManager=manager, **query)

    async def delete(self, path: str, body: Body | None = None, **query: str) -> Answer:
        """Delete."""
        return await self("DELETE", path, body, **query)

    @asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[Body]]:
        """Watch; yields the lines."""
        async with self._session.get(self._url + path, params={"watch": "1", **query}) as reply:
            assert reply.status == 200, await reply.text()
            yield (json.loads(line) async for line in reply.content)


def widget(name: str, spec: Mapping[str, Any] | None = None, **metadata: Any) -> Body:
    """A Widget; without a spec there is none."""
    body: Body = {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": name, **metadata}}
    return body if spec is None else {**body, "spec": dict(spec)}


def config_map(name: str, data: Mapping[str, str] | None = None, **metadata: Any) -> Body:
    """A ConfigMap; without data there is none."""
    body: Body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return body if data is None else {**body, "data": dict(data)}


_TEXT = {"type": "string"}
_PARTS = {
    "type": "array",
    "maxItems": 3,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": _TEXT, "value": _TEXT, "enabled": {"type": "boolean", "default": True}},
    },
}
_REMOVABLE = {
    "type": "object",
    "properties": {
        "kept": _TEXT,
        "options": {"type": "object", "default": {}, "additionalProperties": _TEXT},
        "names": {"type": "array", "x-kubernetes-list-type": "set", "default": [], "items": _TEXT},
        "target": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": _TEXT, "b": _TEXT}},
    },
}
_SPEC = {
    "type": "object",
    "description": "what is wanted",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how big"},
        "replicas": {"type": "integer", "default": 1},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "note": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
        "nested": {"type": "object", "properties": {"a": _TEXT, "b": _TEXT}},
        "parts": _PARTS,
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        "plain": {"type": "array", "items": _TEXT},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "maybe": {"type": "string", "nullable": True},
        "removable": _REMOVABLE,
        "when": {"type": "string", "format": "date-time"},
    },
}
_CONDITIONS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {"type": "object", "required": ["type"], "properties": {"type": _TEXT, "status": _TEXT, "reason": _TEXT}},
}
_STATUS = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "message": _TEXT, "conditions": _CONDITIONS},
}
WIDGETS: Body = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.io"},
    "spec": {
        "group": "example.io",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [
                    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}}},
            }
        ],
    },
}

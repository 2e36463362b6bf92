"""A user's own document is hostile input: what it must not reach, and how each refusal names place and remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maas_operator.domain.documents.own import DEPTH, LIMIT, Unfit, as_text, own

URL = "https://tiny.example.com"
FIT: dict[str, Any] = {"openapi": "3.0.3", "info": {"title": "Mine", "version": "1"}, "paths": {}}
EVIL = [{"url": "https://evil.example.com"}]


def written(text: str) -> dict[str, Any]:
    document = own(text, URL)
    assert not isinstance(document, Unfit), document.message
    return json.loads(as_text(document))


def objection(document: Any) -> str:
    found = own(document if isinstance(document, str) else json.dumps(document), URL)
    assert isinstance(found, Unfit), found
    return found.message


def at_path(item: Any) -> dict[str, Any]:
    return FIT | {"paths": {"/v1/models": item}}


def scheme(**fields: Any) -> dict[str, Any]:
    return FIT | {"components": {"securitySchemes": {"key": fields}}}


def test_a_document_in_json_has_our_servers_and_no_others() -> None:
    assert written(json.dumps(FIT | {"servers": EVIL})) == FIT | {"servers": [{"url": URL}]}


def test_yaml_is_read_as_json_has_it() -> None:
    text = """
        openapi: 3.0.3
        info: {title: Mine, version: 2026-01-01}
        x-released: 2026-01-01
        paths:
          /v1/models: {get: {responses: {200: {description: ok}}}}
    """
    document = written(text)
    assert document["info"]["version"] == document["x-released"] == "2026-01-01"
    assert list(document["paths"]["/v1/models"]["get"]["responses"]) == ["200"]


def test_what_surrounds_schemas_is_free_where_it_can_not_lead_away() -> None:
    operation = {"responses": {"200": {"description": "ok"}}, "x-note": 1}
    schemas = {"A": {"properties": {"servers": {"type": "string"}, "$ref": {"type": "string"}}}}
    document = at_path({"get": operation, "x-note": 1}) | {"components": {"schemas": schemas}}
    document["paths"]["x-note"] = 1
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "Bearer"}}
    assert written(json.dumps(document)) == document | {"servers": [{"url": URL}]}


@pytest.mark.parametrize(
    ("document", "place", "remedy"),
    [
        (at_path({"servers": EVIL}), '$.paths["/v1/models"].servers', "public URL"),
        (at_path({"get": {"servers": EVIL}}), '$.paths["/v1/models"].get.servers', "public URL"),
        (at_path({"$ref": "#/components/schemas/A"}), '$.paths["/v1/models"]["$ref"]', "write it out"),
        (at_path({"get": {"$ref": "#/components/schemas/A"}}), '$.paths["/v1/models"].get["$ref"]', "write it out"),
        (at_path({"allOf": [{"servers": EVIL}]}), '$.paths["/v1/models"].allOf', "remove it"),
        (at_path({"get": {"allOf": [{"servers": EVIL}]}}), '$.paths["/v1/models"].get.allOf', "remove it"),
        (at_path({"get": {"callbacks": {}}}), '$.paths["/v1/models"].get.callbacks', "remove it"),
        (at_path({"get": {"responses": {"200": {"$ref": "https://evil.example.com/a"}}}}), '["$ref"]', "#/components/"),
        (at_path({"get": {"responses": {"200": {"$ref": "other.yaml#/a"}}}}), '["$ref"]', "#/components/"),
        (at_path({"get": {"responses": [{"$ref": "#/x-evil"}]}}), ".responses[0]", "#/components/"),
        (at_path(None), '$.paths["/v1/models"]', "an object is wanted"),
        (FIT | {"paths": {"evil": {}}}, "$.paths.evil", "begins with a slash"),
        (FIT | {"paths": []}, "$.paths", "an object is wanted"),
        (FIT | {"webhooks": {}}, "$.webhooks", "remove it"),
        (FIT | {"components": {"callbacks": {}}}, "$.components.callbacks", "remove it"),
        (FIT | {"components": {"$ref": "#/components/schemas/A"}}, '$.components["$ref"]', "write it out"),
        (scheme(type="oauth2", flows={}), "$.components.securitySchemes.key", "scheme: bearer"),
        (scheme(type="openIdConnect", openIdConnectUrl="https://evil"), "securitySchemes.key", "scheme: bearer"),
        (scheme(type="apiKey", name="key", **{"in": "query"}), "securitySchemes.key", "scheme: bearer"),
        (scheme(type="http", scheme="bearer", flows={}), "securitySchemes.key.flows", "remove it"),
        (FIT | {"openapi": "3.1.0"}, "$.openapi", "convert it"),
        ({"swagger": "2.0", "host": "evil.example.com"}, "$.swagger", "convert it"),
        ({"info": {}}, "$.openapi", "add openapi: 3.0.3"),
        (FIT | {"info": {"title": "x" * 201, "version": "1"}}, "$.info.title", "shorten it"),
        (FIT | {"info": {"title": "x"}}, "$.info.version", "add it"),
        (FIT | {"info": None}, "$.info", "add it"),
        ([], "$", "an object is wanted"),
        ("", "$", "an object is wanted"),
    ],
)
def test_a_refusal_names_the_place_and_the_remedy(document: Any, place: str, remedy: str) -> None:
    message = objection(document)
    assert place in message
    assert remedy in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [1]\nb: *a", "YAML alias *a"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "YAML alias"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 40_000, "nested"),
        ('{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1), "nested"),
        ("a: !!python/object/apply:os.system [id]", "neither JSON nor YAML"),
        ("a: !!binary aGk=", "put it in quotes"),
        ("a: .nan", "put it in quotes"),
        ("true: 1", "put it in quotes"),
        ("a: [", "neither JSON nor YAML: line 2"),
        ("\x00", "neither JSON nor YAML"),
        ("a: " + "9" * 5000, "neither JSON nor YAML"),
        ("x" * (LIMIT + 1), "256 KiB"),
        (json.dumps(FIT | {"x-a": "\ud800"}), "surrogate"),
        (json.dumps(FIT | {"x-a": "é" * 200_000}), "KiB"),
    ],
)  # fmt: skip
def test_what_is_no_document_or_would_grow_is_refused(text: str, words: str) -> None:
    assert words in objection(text)


def test_a_document_that_grows_beyond_the_limit_as_json_is_refused() -> None:
    text = 'openapi: 3.0.3\ninfo: {title: a, version: "1"}\npaths: {}\nx-a: [' + "1e5," * 60_000 + "]"
    assert len(text) < LIMIT
    assert "is the most" in objection(text)

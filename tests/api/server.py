"""The API server's verdict without a server: the generated schemas, list types and CEL rules, each by a library."""

from typing import Any

from maas_operator.api.crd import DEFINITIONS
from maas_operator.sandbox.kubeapi.schema import KindSchema

SCHEMAS = {
    definition.model.__name__: KindSchema(definition.as_manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    for definition in DEFINITIONS
}


def problems(document: dict[str, Any], old: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Return path and text of each error that a server reports for a create, or for an update of the old document."""
    schema = SCHEMAS[document["kind"]]
    before = schema.sanitize(old)[0] if old is not None else None
    return [(cause.field, cause.message) for cause in schema.problems(schema.sanitize(document)[0], before)]


def unknown_fields(document: dict[str, Any]) -> list[str]:
    """Return the paths that a server warns of and drops."""
    return SCHEMAS[document["kind"]].sanitize(document)[1]

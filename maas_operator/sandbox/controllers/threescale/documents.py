"""The documents of a tenant's developer portal, with porta's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from .catalogue import Catalogue, check_system_name
from .errors import TAKEN, invalid, not_found

_LONGEST: Final = 255
_LONGEST_DESCRIPTION: Final = 65_535
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


@dataclass
class Document:
    """One document; `product_id` None where it belongs to no product."""

    id: int
    system_name: str
    name: str
    description: str
    body: str
    published: bool
    skip_validations: bool
    product_id: int | None


@dataclass
class Documents:
    """The documents by id; `ids` are the tenant's. Those of a product go with it."""

    catalogue: Catalogue
    ids: Iterator[int]
    _all: dict[int, Document] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Document]:
        for number, document in list(self._all.items()):
            if document.product_id is not None and document.product_id not in self.catalogue.products:
                del self._all[number]
            else:
                yield document

    def find(self, number: int) -> Document:
        """Return a document; 404 if there is none."""
        found = next((one for one in self if one.id == number), None)
        if found is None:
            raise not_found()
        return found

    def create(self, system_name: str, **attributes: Any) -> Document:
        """Create a document; 422 for a name that is taken, or a text that porta does not take."""
        check_system_name(system_name)
        if any(one.system_name == system_name for one in self):
            raise invalid(system_name=TAKEN)
        document = Document(next(self.ids), system_name, **attributes)
        _check(document, self.catalogue)
        self._all[document.id] = document
        return document

    def update(self, document: Document, **attributes: Any) -> None:
        """Change a document; its system name stays for ever."""
        changed = Document(**{**vars(document), **attributes})
        _check(changed, self.catalogue)
        self._all[document.id] = changed

    def delete(self, number: int) -> None:
        """Delete a document; 404 if there is none."""
        del self._all[self.find(number).id]


def _check(document: Document, catalogue: Catalogue) -> None:
    if not document.name or len(document.name) > _LONGEST:
        raise invalid(name="can't be blank" if not document.name else "is too long (maximum is 255 characters)")
    if len(document.description) > _LONGEST_DESCRIPTION:
        raise invalid(description="is too long (maximum is 65535 characters)")
    if document.product_id is not None and document.product_id not in catalogue.products:
        raise invalid(service="not found")
    try:
        body = json.loads(document.body)
    except ValueError:
        raise invalid(body="Invalid JSON") from None
    for server in body.get("servers") or ():
        parts = urlsplit(server["url"])
        if server["url"] and (parts.scheme not in {"https", "http", "wss", "ws"} or not parts.hostname):
            raise invalid(base_path="is invalid", body="has an invalid basePath")
        if len(server["url"]) > _LONGEST or parts.hostname == "localhost":
            raise invalid(base_path="is invalid")
    if not document.skip_validations and (fault := fault_of(body)):
        raise invalid(body=fault)


def fault_of(body: Mapping[str, Any]) -> str:
    """Return the first fault that a schema of OpenAPI 3.0 finds in a document, as far as we look; empty if none."""
    if not re.fullmatch(r"3\.\d+(\..+)?", str(body.get("openapi", ""))):
        return "JSON Schema is not valid: unknown version"
    info = body.get("info")
    if not isinstance(info, dict) or not all(isinstance(info.get(key), str) for key in ("title", "version")):
        return "object at `/info` is missing required properties: title, version"
    if not isinstance(body.get("paths"), dict):
        return "object at root is missing required properties: paths"
    for path, item in body["paths"].items():
        for method in _METHODS & item.keys():
            if not item[method].get("responses"):
                return f"object at `/paths/{path}/{method}` is missing required properties: responses"
    return ""

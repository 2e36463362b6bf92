"""A user's own document: hostile input, which must not lead the keys of developers anywhere but to the gateway.

The portal's page sends a key to the servers that a document names: at its root, in a path or in an operation. It also
follows references and merges `allOf` at any place. So what surrounds schemas is held to the fields of OpenAPI 3.0.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import yaml

from .schemas import Json

LIMIT: Final = 256 * 1024
"""Bytes of a document. A Secret holds 1 MiB and 3scale's column 4 GiB; but YAML of this size takes a second to read."""
DEPTH: Final = 64
TITLE_LIMIT: Final = 200

_VERSION: Final = re.compile(r"3\.0\.[0-9]+")
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_ROOT: Final = frozenset({"openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs"})
_PATH_ITEM: Final = _METHODS | {"summary", "description", "parameters"}
_OPERATION: Final = frozenset(
    {
        "tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses",
        "deprecated", "security",
    }
)  # fmt: skip
_COMPONENTS: Final = frozenset(
    {"schemas", "responses", "parameters", "examples", "requestBodies", "headers", "securitySchemes", "links"}
)
_REMEDIES: Final = {
    "servers": "keys are sent to the public URL of the model only: remove it",
    "$ref": "only what stands below schemas, parameters, requestBody and responses may be a reference: write it out",
    "callbacks": "the gateway calls nobody back: remove it",
    "webhooks": "the gateway calls nobody back, and OpenAPI 3.0 does not know it: remove it",
}
_WORD: Final = re.compile(r"[A-Za-z_][-\w]{0,60}", re.ASCII)

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a document can not be published: where in it, and what to do."""

    message: str


class _Unfit(Exception):
    """The same, on its way up."""

    def __init__(self, path: Path, words: str) -> None:
        super().__init__(f"{_written(path)}: {words}")


class _Loader(yaml.CSafeLoader):
    """YAML as JSON: what looks like a date is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
    for first, entries in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


# The document is looked at in each pass, and hardly ever another one.
@lru_cache(maxsize=32)
def own(text: str, url: str) -> Json | Unfit:
    """Return a user's document with our servers, or why it is unfit. It is shared: nobody may change it."""
    if (size := len(text.encode(errors="replace"))) > LIMIT:
        return Unfit(_too_big(size))
    try:
        document = _plain(_parsed(text), ())
        _check(document)
    except _Unfit as error:
        return Unfit(str(error))
    document |= {"servers": [{"url": url}]}
    try:
        size = len(as_text(document).encode())
    except UnicodeEncodeError:
        return Unfit("it has half of a surrogate pair, which is no character: remove it")
    return Unfit(_too_big(size)) if size > LIMIT else document


def as_text(document: Json) -> str:
    """Return the JSON that is published, the same for the same document."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _too_big(size: int) -> str:
    return f"it has {size} bytes, and {LIMIT} (256 KiB) is the most: leave examples or paths out"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise _Unfit((), _TOO_DEEP) from None
    except ValueError:
        return _from_yaml(text)


_TOO_DEEP: Final = f"it is nested more than {DEPTH} levels deep: flatten it by references to #/components/schemas"


def _from_yaml(text: str) -> Any:
    try:
        _foresee(text)
        return yaml.load(text, Loader=_Loader)  # a loader of safe types only
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise _Unfit((), f"it is neither JSON nor YAML: {line}{error.problem}: correct it") from None
    except (yaml.YAMLError, ValueError) as error:
        raise _Unfit((), f"it is neither JSON nor YAML ({type(error).__name__}): correct it") from None


def _foresee(text: str) -> None:
    """Refuse what would grow when it is built: aliases repeat their anchors, and those of others in these."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _Unfit((), f"it has the YAML alias *{event.anchor}: write it out, or refer to #/components/schemas")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise _Unfit((), _TOO_DEEP)


def _plain(value: Any, path: Path) -> Any:
    """Return a value as JSON has it, and refuse what it does not have."""
    if len(path) > DEPTH:
        raise _Unfit((), _TOO_DEEP)
    if isinstance(value, dict):
        return {_key(key, path): _plain(item, (*path, _key(key, path))) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise _Unfit(path, f"JSON has no {type(value).__name__} like this: put it in quotes")


def _key(key: Any, path: Path) -> str:
    # 200: in a list of responses is a number to YAML.
    if isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool)):
        return str(key)
    raise _Unfit(path, "a key is no text: put it in quotes")


def _check(document: Any) -> None:
    _check_version(_map(document, ()))
    root = _members(document, (), _ROOT)
    info = _map(root.get("info"), ("info",))
    for name in ("title", "version"):
        _check_label(info.get(name), ("info", name))
    for path, item in _map(root.get("paths"), ("paths",)).items():
        if not path.startswith(("/", "x-")):
            raise _Unfit(("paths", path), "a path begins with a slash: correct it")
        if path.startswith("/"):
            _check_path(item, ("paths", path))
    components = _members(root.get("components", {}), ("components",), _COMPONENTS)
    schemes = ("components", "securitySchemes")
    for name, scheme in _map(components.get("securitySchemes", {}), schemes).items():
        _check_scheme(scheme, (*schemes, name))
    _check_references(root, ())


def _check_version(root: Json) -> None:
    version = str(root.get("openapi", ""))
    if _VERSION.fullmatch(version):
        return
    if "swagger" in root:
        raise _Unfit(("swagger",), "this is Swagger 2, and OpenAPI 3.0 is wanted: convert it")
    words = "convert it, since 3scale takes no newer one" if version else "add openapi: 3.0.3"
    raise _Unfit(("openapi",), f"OpenAPI 3.0 is wanted: {words}")


def _check_label(value: Any, path: Path) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _Unfit(path, "a text is wanted: add it")
    if len(value) > TITLE_LIMIT:
        raise _Unfit(path, f"{TITLE_LIMIT} characters are the most: shorten it")


def _check_path(value: Any, path: Path) -> None:
    item = _members(value, path, _PATH_ITEM)
    for method in _METHODS & item.keys():
        _members(item[method], (*path, method), _OPERATION)


def _check_scheme(value: Any, path: Path) -> None:
    scheme = _map(value, path)
    if scheme.get("type") != "http" or str(scheme.get("scheme", "")).lower() != "bearer":
        raise _Unfit(path, "the gateway takes keys as `type: http, scheme: bearer` and in no other way: change it")
    _members(scheme, path, {"type", "scheme", "description", "bearerFormat"})


def _check_references(value: Any, path: Path) -> None:
    for where, item in _items(value):
        target = item.get("$ref") if isinstance(item, dict) else None
        if isinstance(target, str) and not target.startswith("#/components/"):
            raise _Unfit((*path, where, "$ref"), "only references to #/components/ are followed: write it out there")
        _check_references(item, (*path, where))


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _members(value: Any, path: Path, known: Collection[str]) -> Json:
    """Return an object that has no other fields than these and extensions."""
    found = _map(value, path)
    for name in found:
        if name not in known and not name.startswith("x-"):
            raise _Unfit((*path, name), _REMEDIES.get(name, "OpenAPI 3.0 does not know this field here: remove it"))
    return found


def _map(value: Any, path: Path) -> Json:
    if not isinstance(value, Mapping):
        raise _Unfit(path, "an object is wanted here: add it" if value is None else "an object is wanted here")
    return dict(value)


def _written(path: Path) -> str:
    """Return a path as in JSONPath; what is no word in it, in quotes."""
    steps = [f".{step}" if isinstance(step, str) and _WORD.fullmatch(step) else f"[{_short(step)}]" for step in path]
    return f"${''.join(steps)}"


def _short(step: str | int) -> str:
    return json.dumps(step[:60] if isinstance(step, str) else step)

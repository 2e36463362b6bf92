"""The kinds that are served: built in or defined by a CustomResourceDefinition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import Cause, no_such_resource
from .schema import KindSchema

Object = dict[str, Any]
"""One API object. Objects in the store are never changed in place."""


@dataclass(frozen=True)
class Column:
    """One printer column: a JSONPath into the object, or a function for what a path can not say."""

    name: str
    type: str
    path: str = ""
    priority: int = 0
    format: str = ""
    description: str = ""
    cell: Callable[[Object], Any] | None = None


NAME = Column("Name", "string", ".metadata.name", format="name")
AGE = Column("Age", "date", ".metadata.creationTimestamp")


@dataclass(frozen=True)
class Scale:
    """Where the scale subresource finds its numbers."""

    spec_replicas: str
    status_replicas: str
    selector: str = ""


def _keep(new: Object, _old: Object | None) -> Object:
    return new


def _accept(_new: Object, _old: Object | None) -> list[Cause]:
    return []


@dataclass(frozen=True)
class Resource:
    """One version of one kind, with everything that decides how requests for it are answered."""

    group: str
    version: str
    kind: str
    plural: str
    schema: KindSchema
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    scale: Scale | None = None
    columns: tuple[Column, ...] = ()
    is_custom: bool = False
    has_generation: bool = False
    selectable: Mapping[str, str] = field(default_factory=dict)
    """Field selectors beyond name and namespace: what the client writes, and the path that is read."""
    names: str = "subdomain"
    """The rule for object names: subdomain, label, service or path."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Top-level fields that this version calls otherwise than the stored object does."""
    prepare: Callable[[Object, Object | None], Object] = _keep
    """Fill in what the API server itself writes; gets the new and the old object."""
    check: Callable[[Object, Object | None], list[Cause]] = _accept
    """Rules of a built-in kind beyond its schema."""

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version of the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage(self) -> str:
        """The key under which all versions of this kind are kept together."""
        return f"{self.plural}.{self.group}"

    def present(self, stored: Object) -> Object:
        """A stored object as this version serves it."""
        if stored["apiVersion"] == self.api_version:
            return stored
        shown = {self.renamed.get(name, name): value for name, value in stored.items()}
        return {**shown, "apiVersion": self.api_version}


@dataclass(frozen=True)
class AliasedResource(Resource):
    """A kind that is stored under another group: `events.k8s.io` serves the core group's events."""

    stored_as: str = ""
    stored_version: str = ""

    @property
    def storage(self) -> str:
        """The key of the kind that it is stored as."""
        return self.stored_as


def store_form(resource: Resource, given: Object) -> Object:
    """The stored form of an object that came in through a renaming version."""
    if not isinstance(resource, AliasedResource):
        return given
    back = {ours: stored for stored, ours in resource.renamed.items()}
    return {**{back.get(name, name): value for name, value in given.items()}, "apiVersion": resource.stored_version}


class Registry:
    """All served kinds, by the ways in which clients ask for them."""

    def __init__(self, resources: Iterator[Resource]) -> None:
        self._by_plural: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self._by_plural[resource.group, resource.version, resource.plural] = resource

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_plural.values())

    def find(self, group: str, version: str, plural: str) -> Resource:
        """The resource at a URL; 404 if none is served there."""
        try:
            return self._by_plural[group, version, plural]
        except KeyError:
            raise no_such_resource() from None

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a manifest or owner reference, by group and kind; any version of the group will do."""
        group = api_version.rpartition("/")[0]
        candidates = [r for r in self if r.group == group and r.kind == kind]
        return next((r for r in candidates if r.api_version == api_version), candidates[0] if candidates else None)

    def of_storage(self, storage: str) -> Resource | None:
        """One of the resources that are kept under a storage key."""
        return next((resource for resource in self if resource.storage == storage), None)

    def define(self, definition: Object) -> None:
        """Serve what a CustomResourceDefinition defines, instead of what an earlier version of it defined."""
        self.forget(definition)
        for resource in custom_resources(definition):
            self._by_plural[resource.group, resource.version, resource.plural] = resource

    def forget(self, definition: Object) -> None:
        """Stop serving what a CustomResourceDefinition defined."""
        group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
        self._by_plural = {
            key: resource for key, resource in self._by_plural.items() if (key[0], key[2]) != (group, plural)
        }


def custom_resources(definition: Object) -> Iterator[Resource]:
    """One resource per served version of a CustomResourceDefinition."""
    spec = definition["spec"]
    names = spec["names"]
    base = Resource(
        group=spec["group"],
        version="",
        kind=names["kind"],
        plural=names["plural"],
        schema=_UNKNOWN,
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular", names["kind"].lower()),
        short_names=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        is_custom=True,
        has_generation=True,
    )
    for version in spec["versions"]:
        if version.get("served"):
            yield _custom_version(base, version)


def _custom_version(base: Resource, version: Mapping[str, Any]) -> Resource:
    subresources = version.get("subresources", {})
    columns = tuple(_custom_column(column) for column in version.get("additionalPrinterColumns", ()))
    return replace(
        base,
        version=version["name"],
        schema=KindSchema(version["schema"]["openAPIV3Schema"]),
        has_status="status" in subresources,
        scale=_custom_scale(subresources.get("scale")),
        columns=columns or (AGE,),
        selectable={
            (path := entry["jsonPath"].removeprefix(".")): path for entry in version.get("selectableFields", ())
        },
    )


def _custom_column(column: Mapping[str, Any]) -> Column:
    return Column(
        column["name"],
        column["type"],
        column["jsonPath"],
        column.get("priority", 0),
        column.get("format", ""),
        column.get("description", ""),
    )


def _custom_scale(paths: Mapping[str, str] | None) -> Scale | None:
    if paths is None:
        return None
    return Scale(paths["specReplicasPath"], paths["statusReplicasPath"], paths.get("labelSelectorPath", ""))


_UNKNOWN = KindSchema({"x-kubernetes-preserve-unknown-fields": True})

"""Who owns which field: `managedFields`, server-side apply, its conflicts and its removals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import ApiError, Cause
from .fieldsets import EMPTY, FieldSet, Path, Schema, all_paths, decode, encode, leaves, merge, readable, remove
from .resources import Object, Resource

SERVER_METADATA = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "managedFields",
    "selfLink",
    "generateName",
)
"""Metadata that the server itself writes: no client can change it once the object exists, and nobody owns it."""


class Operation(StrEnum):
    """How a manager came by its fields."""

    APPLY = "Apply"
    UPDATE = "Update"


@dataclass(frozen=True, slots=True)
class Writer:
    """One line of `managedFields`. Appliers have one line over all versions, updaters one per version."""

    name: str
    operation: Operation
    subresource: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a writer owns, in which version it wrote, and when it last changed that."""

    fields: FieldSet
    api_version: str
    time: str


Claims = Mapping[Writer, Claim]


def read_claims(object_: Object) -> dict[Writer, Claim]:
    """The claims in an object's `managedFields`."""
    claims = {}
    for entry in object_["metadata"].get("managedFields") or ():
        if "operation" not in entry:
            continue  # `[{}]` is how a client asks to forget all owners
        operation = Operation(entry["operation"])
        version = entry["apiVersion"] if operation is Operation.UPDATE else ""
        writer = Writer(entry["manager"], operation, entry.get("subresource", ""), version)
        claims[writer] = Claim(decode(entry["fieldsV1"]), entry["apiVersion"], entry["time"])
    return claims


def write_claims(claims: Claims) -> list[dict[str, Any]]:
    """The `managedFields` of an object with these claims, in the server's order: a no-op must not reorder them."""
    ordered = sorted(claims.items(), key=lambda item: (item[0].operation, item[1].time, item[0].name))
    return [_entry(writer, claim) for writer, claim in ordered if claim.fields]


def _entry(writer: Writer, claim: Claim) -> dict[str, Any]:
    entry = {
        "manager": writer.name,
        "operation": writer.operation.value,
        "apiVersion": claim.api_version,
        "time": claim.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encode(claim.fields),
    }
    return {**entry, "subresource": writer.subresource} if writer.subresource else entry


def ownable(resource: Resource, object_: Object, subresource: str) -> Object:
    """The part of an object that a request to a subresource can own."""
    if subresource == "status":
        return {"status": object_["status"]} if "status" in object_ else {}
    metadata = {name: value for name, value in object_["metadata"].items() if name not in SERVER_METADATA}
    dropped = {"apiVersion", "kind", "metadata"} | ({"status"} if resource.has_status else set())
    owned = {name: value for name, value in object_.items() if name not in dropped}
    return {**owned, "metadata": metadata} if metadata else owned


@dataclass(frozen=True)
class Request:
    """A write, as far as ownership is concerned."""

    resource: Resource
    writer: Writer
    time: str
    force: bool = False

    @property
    def schema(self) -> Schema:
        """The schema by which the fields are told apart."""
        return self.resource.schema.structural

    def paths(self, object_: Object) -> dict[Path, Any]:
        """Everything in an object that this request can touch."""
        found = all_paths(ownable(self.resource, object_, self.writer.subresource), self.schema)
        found.pop(("f:metadata",), None)
        return found


def update_claims(request: Request, old: Object | None, new: Object, claims: Claims) -> dict[Writer, Claim]:
    """The claims after a create, update or patch: the writer owns what it changed, the others lose it."""
    before = request.paths(old) if old is not None else {}
    after = request.paths(new)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    removed = frozenset(before.keys() - after.keys())
    kept = _without(claims, changed | removed, request.writer)
    mine = claims.get(request.writer)
    fields = ((mine.fields if mine else EMPTY) | changed) - removed
    return _claimed(request, kept, mine, fields)


def apply(request: Request, live: Object, intent: Object, claims: Claims) -> tuple[Object, dict[Writer, Claim]]:
    """The object and the claims after a server-side apply; 409 if it would change others' fields without force."""
    wanted = ownable(request.resource, intent, request.writer.subresource)
    fields = frozenset(leaves(wanted, request.schema))
    merged = _pruned(request, merge(live, wanted, request.schema), fields, claims)
    before, after = request.paths(live), request.paths(merged)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    others = {writer: claim for writer, claim in claims.items() if writer != request.writer}
    # Two may own a field as long as they agree on its value.
    disputed = {writer: claim.fields & changed for writer, claim in others.items() if claim.fields & changed}
    if disputed and not request.force:
        raise _conflict(disputed, claims)
    kept = _without(claims, changed | (before.keys() - after.keys()), request.writer)
    return merged, _claimed(request, kept, claims.get(request.writer), fields)


def _pruned(request: Request, merged: Object, fields: FieldSet, claims: Claims) -> Object:
    """`merged` without what the writer applied before, applies no more, and nobody else owns."""
    mine = claims.get(request.writer)
    if mine is None:
        return merged
    others = [claim.fields for writer, claim in claims.items() if writer != request.writer]
    owned = fields.union(*others)
    # What was applied as empty and has content now is a container: it goes only with all its content.
    containers = {path[:depth] for path in owned for depth in range(1, len(path))}
    pruned: Object = remove(merged, mine.fields - owned - containers, request.schema)
    return pruned


def _without(claims: Claims, taken: Iterable[Path], except_for: Writer) -> dict[Writer, Claim]:
    lost = frozenset(taken)
    kept = {}
    for writer, claim in claims.items():
        if writer == except_for or not claim.fields & lost:
            kept[writer] = claim
        elif claim.fields - lost:
            kept[writer] = Claim(claim.fields - lost, claim.api_version, claim.time)
    return kept


def _claimed(request: Request, kept: dict[Writer, Claim], mine: Claim | None, fields: FieldSet) -> dict[Writer, Claim]:
    claim = Claim(fields, request.resource.api_version, request.time)
    # The time tells when the set last changed, not the value: an apply without news must leave no trace.
    if mine is not None and (mine.fields, mine.api_version) == (claim.fields, claim.api_version):
        claim = mine
    claims = {writer: other for writer, other in kept.items() if writer != request.writer}
    return {**claims, request.writer: claim} if fields else claims


def _conflict(disputed: Mapping[Writer, FieldSet], claims: Claims) -> ApiError:
    causes = []
    lines = []
    for writer, paths in sorted(disputed.items(), key=lambda pair: pair[0].name):
        who = _described(writer, claims[writer])
        fields = [readable(path) for path in sorted(paths)]
        causes += [Cause("FieldManagerConflict", f"conflict with {who}", field) for field in fields]
        lines += [f"conflicts with {who}:", *(f"- {field}" for field in fields)]
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", text, {"causes": [cause.to_json() for cause in causes]})


def _described(writer: Writer, claim: Claim) -> str:
    within = f' with subresource "{writer.subresource}"' if writer.subresource else ""
    using = f" using {claim.api_version}" if writer.operation is Operation.UPDATE else ""
    return f'"{writer.name}"{within}{using}'

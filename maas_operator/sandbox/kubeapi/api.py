"""The verbs of the API over the store: what a request may do, and what becomes of the object."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from . import errors
from .apply import (
    SERVER_METADATA,
    Claims,
    Operation,
    Request,
    Writer,
    apply,
    read_claims,
    update_claims,
    write_claims,
)
from .builtin import builtin_resources
from .errors import Cause
from .fieldsets import misfit
from .garbage import Collector
from .metadata import Predicate, field_selector, finalizer_problems, generated_name, label_selector, metadata_problems
from .patch import PatchType, patched
from .resources import Object, Registry, Resource, store_form
from .scale import scale_of, with_scale
from .schema import misread_metadata
from .store import Event, Key, Store


class FieldValidation(StrEnum):
    """What becomes of unknown fields."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"


@dataclass(frozen=True)
class WriteOptions:
    """The options of a write."""

    manager: str = "unknown"
    dry_run: bool = False
    validation: FieldValidation = FieldValidation.WARN
    force: bool = False
    warn: Callable[[str], None] = field(default=lambda _text: None)


@dataclass(frozen=True)
class DeleteOptions:
    """The options of a delete; empty preconditions hold always."""

    uid: str = ""
    resource_version: str = ""
    propagation: str = "Background"
    dry_run: bool = False


@dataclass(frozen=True)
class Listing:
    """A list as of one version; `rest` says how to go on, `remaining` how much is left."""

    objects: list[Object]
    version: int
    rest: str = ""
    remaining: int = 0


_PLAIN = WriteOptions()
_DELETE = DeleteOptions()


def utc_now() -> datetime:
    """The time of the machine."""
    return datetime.now(UTC)


class Api:
    """The verbs, all synchronous.

    When one returns, its consequences (garbage collection, the end of a namespace) have happened too. Objects that
    come out belong to the store: do not change them.
    """

    def __init__(self, *, history: int = 20_000, clock: Callable[[], datetime] = utc_now) -> None:
        self.store = Store(history=history)
        self.registry = Registry(builtin_resources())
        self._clock = clock
        self._collector = Collector(self.store, self.registry, self.delete, self._strip, self.now)
        self.store.subscribe(self._follow_definitions)
        for name in ("default", "kube-system"):
            self.create(self.registry.find("", "v1", "namespaces"), "", {"metadata": {"name": name}})

    def now(self) -> str:
        """The time as the API writes it."""
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    # --- reading ---------------------------------------------------------------------------------------------------

    def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Object:
        """One object; 404 if it is not there."""
        found = self._stored(resource, namespace, name)
        return scale_of(resource, found) if subresource == "scale" else found

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        token: str = "",
    ) -> Listing:
        """The objects that the selectors choose, ordered by namespace and name."""
        chosen = self.selector(resource, labels, fields)
        objects = [found for found in self.store.objects(resource.storage, namespace) if chosen(found)]
        version = self.store.version
        if token:
            version, after = _read_token(token)
            # The pages are of different moments. That is harmless while the history reaches back to the first one:
            # a watch from its version tells what changed between them. Raises 410 when it does not.
            self.store.since(version)
            objects = [found for found in objects if _position(found) > after]
        page = objects[:limit] if limit else objects
        remaining = len(objects) - len(page)
        rest = _token(version, page[-1]) if remaining else ""
        return Listing([resource.present(found) for found in page], version, rest, remaining)

    def selector(self, resource: Resource, labels: str, fields: str) -> Predicate:
        """A predicate over stored objects for both selectors."""
        if not labels and not fields:
            return lambda _object: True
        by_label, by_field = label_selector(labels), field_selector(resource, fields)
        return lambda object_: by_label(object_) and by_field(object_)

    # --- writing ---------------------------------------------------------------------------------------------------

    def create(
        self, resource: Resource, namespace: str, body: Object, options: WriteOptions = _PLAIN, *, name: str = ""
    ) -> Object:
        """Create an object; 409 if one of that name exists."""
        new = self._received(resource, namespace, name, body)
        return self._create(resource, namespace, new, {}, options, Operation.UPDATE)

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        options: WriteOptions = _PLAIN,
        subresource: str = "",
    ) -> Object:
        """Replace an object, or the part of it that the subresource stands for."""
        old = self._stored(resource, namespace, name)
        if subresource == "scale":
            return self._rescale(resource, old, body, options)
        new = self._received(resource, namespace, name, body)
        # An update takes a foreign uid for a failed precondition; a patch, further down, for a change of a fixed field.
        _check_preconditions(resource, old, new["metadata"].get("uid", ""), "")
        # Built-in kinds may be replaced blindly.
        if resource.is_custom and not new["metadata"].get("resourceVersion"):
            message = "Invalid value: 0x0: must be specified for an update"
            raise errors.invalid(resource, name, [Cause("FieldValueInvalid", message, "metadata.resourceVersion")])
        return self._replace(resource, old, new, options, subresource)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        type_: PatchType,
        body: Any,
        options: WriteOptions = _PLAIN,
        subresource: str = "",
    ) -> Object:
        """Patch an object by any patch but an apply."""
        old = self._stored(resource, namespace, name)
        if subresource == "scale":
            return self._rescale(resource, old, patched(resource, scale_of(resource, old), type_, body), options)
        new = self._received(resource, namespace, name, patched(resource, old, type_, body))
        return self._replace(resource, old, new, options, subresource)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        options: WriteOptions = _PLAIN,
        subresource: str = "",
    ) -> Object:
        """Server-side apply: create the object, or make the fields that this manager owns be what it says."""
        intent = self._received(resource, namespace, name, body)
        if intent["metadata"].get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        self._check_typed(resource, intent, options)
        if self.store.get(Key(resource.storage, namespace, name)) is None:
            return self._apply_new(resource, namespace, intent, options, subresource)
        old = self._stored(resource, namespace, name)
        request = self._request(resource, options, Operation.APPLY, subresource)
        merged, claims = apply(request, old, intent, read_claims(old))
        # These are not fields to own but what the writer believes of the object.
        wanted = {part: intent["metadata"][part] for part in ("uid", "resourceVersion") if part in intent["metadata"]}
        merged = {**merged, "metadata": {**merged["metadata"], **wanted}}
        return self._replace(resource, old, merged, options, subresource, claims)

    def _check_typed(self, resource: Resource, intent: Object, options: WriteOptions) -> None:
        """Refuse what can not be taken apart into fields; the API server calls that its own fault, a 500."""
        unknown = resource.schema.sanitize(intent)[1]
        self._unknown_fields(unknown, options)
        wrong = misfit(intent, resource.schema.structural)
        if unknown:
            wrong = f".{unknown[0]}: field not declared in schema"
        if wrong:
            raise errors.internal(f"failed to create typed patch object: {wrong}")

    def _apply_new(
        self, resource: Resource, namespace: str, intent: Object, options: WriteOptions, subresource: str
    ) -> Object:
        name = intent["metadata"]["name"]
        if subresource:
            raise errors.not_found(resource, name)
        if uid := intent["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(resource, name, why)
        request = self._request(resource, options, Operation.APPLY, "")
        _, claims = apply(request, {"metadata": {}}, intent, {})
        return self._create(resource, namespace, intent, claims, options, Operation.APPLY)

    def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = _DELETE
    ) -> tuple[Object, bool]:
        """Delete an object; say what is left of it, and whether it is gone already."""
        old = self._stored(resource, namespace, name)
        _check_preconditions(resource, old, options.uid, options.resource_version)
        if options.dry_run:
            return old, True
        key = Key(resource.storage, namespace, name)
        # Deleting an object that waits for its finalizers is no news: it must not get a new version.
        doomed = self._collector.doomed(resource, old, options.propagation)
        last = self._write(resource, key, doomed) if doomed != old else old
        gone = self.store.get(key) is None
        self._collector.settle()
        return last, gone

    # --- inside ----------------------------------------------------------------------------------------------------

    def _stored(self, resource: Resource, namespace: str, name: str) -> Object:
        found = self.store.get(Key(resource.storage, namespace, name))
        if found is None:
            raise errors.not_found(resource, name)
        return resource.present(found)

    def _received(self, resource: Resource, namespace: str, name: str, body: Any) -> Object:
        """The object of a body, with name and namespace of the URL; 400 where they contradict each other."""
        if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
            raise errors.bad_request("the body is not an object with metadata")
        if resource.is_custom and not body.get("kind"):
            raise errors.bad_request("Object 'Kind' is missing")
        given = body.get("apiVersion", resource.api_version), body.get("kind", resource.kind)
        if given != (resource.api_version, resource.kind):
            raise errors.bad_request(
                f"the API version or kind in the data ({', '.join(map(str, given))}) does not match the expected "
                f"({resource.api_version}, {resource.kind})"
            )
        metadata = dict(body.get("metadata") or {})
        if misread := misread_metadata(metadata):
            raise errors.bad_request(f"{resource.kind} can not be read: {misread}")
        if name and metadata.get("name", name) != name:
            text = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            raise errors.bad_request(text)
        if namespace and metadata.get("namespace", namespace) != namespace:
            text = "the namespace of the provided object does not match the namespace sent on the request"
            raise errors.bad_request(text)
        metadata |= {part: given for part, given in (("name", name), ("namespace", namespace)) if given}
        return {"apiVersion": resource.api_version, "kind": resource.kind, **body, "metadata": metadata}

    def _request(self, resource: Resource, options: WriteOptions, operation: Operation, subresource: str) -> Request:
        version = resource.api_version if operation is Operation.UPDATE else ""
        writer = Writer(options.manager, operation, subresource, version)
        return Request(resource, writer, self.now(), options.force)

    def _unknown_fields(self, unknown: Sequence[str], options: WriteOptions) -> None:
        told = [f'unknown field "{path}"' for path in unknown]
        if told and options.validation is FieldValidation.STRICT:
            raise errors.bad_request("strict decoding error: " + ", ".join(told))
        if options.validation is FieldValidation.WARN:
            for text in told:
                options.warn(text)

    def _sane(self, resource: Resource, given: Object, options: WriteOptions, *, keep_nulls: bool = False) -> Object:
        sane, unknown = resource.schema.sanitize(given, keep_nulls=keep_nulls)
        self._unknown_fields(unknown, options)
        if not resource.is_custom:
            # They pass through Go structs, which know no null.
            sane = _without_nulls(sane)
        # Metadata is a Go struct on the server: what is empty there is not written.
        return {**sane, "metadata": {name: value for name, value in sane["metadata"].items() if value or value == 0}}

    def _create(
        self,
        resource: Resource,
        namespace: str,
        given: Object,
        claims: Claims,
        options: WriteOptions,
        operation: Operation,
    ) -> Object:
        name = given["metadata"].get("name") or _generated(resource, given)
        key = Key(resource.storage, namespace, name)
        if self.store.get(key) is not None:
            raise errors.already_exists(resource, name)
        self._collector.check_room(resource, namespace, name)
        new = self._sane(resource, given, options)
        new = self._born(resource, new, name)
        self._validate(resource, new, None)
        if operation is Operation.UPDATE:
            # Who creates owns the defaults as well; who applies only what it named.
            request = self._request(resource, options, operation, "")
            claims = update_claims(request, None, new, {})
        new = _with_claims(new, claims)
        if options.dry_run:
            return new
        written = self._write(resource, key, new)
        self._collector.settle()
        return written

    def _born(self, resource: Resource, given: Object, name: str) -> Object:
        server_side = ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion", "selfLink")
        metadata = {part: value for part, value in given["metadata"].items() if part not in server_side}
        metadata |= {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": self.now()}
        if resource.has_generation:
            metadata["generation"] = 1
        new = {part: value for part, value in given.items() if part != "status" or not resource.has_status}
        return resource.prepare({**new, "metadata": metadata}, None)

    def _replace(
        self,
        resource: Resource,
        old: Object,
        given: Object,
        options: WriteOptions,
        subresource: str,
        claims: Claims | None = None,
    ) -> Object:
        metadata = given["metadata"]
        if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            message = f'Invalid value: "{metadata["uid"]}": field is immutable'
            cause = Cause("FieldValueInvalid", message, "metadata.uid")
            raise errors.invalid(resource, old["metadata"]["name"], [cause])
        _check_preconditions(resource, old, "", metadata.get("resourceVersion", ""))
        new = _scoped(resource, old, self._sane(resource, given, options, keep_nulls=claims is not None), subresource)
        if not subresource:
            new = resource.prepare(new, old)
        new = _with_generation(resource, old, new)
        if _same(old, new) and (claims is None or write_claims(claims) == old["metadata"].get("managedFields", [])):
            return old
        self._validate(resource, new, old)
        if claims is None:
            base = _base_claims(old, given)
            request = self._request(resource, options, Operation.UPDATE, subresource)
            claims = update_claims(request, old, new, base)
        return self._commit(resource, old, _with_claims(new, claims), options)

    def _commit(self, resource: Resource, old: Object, new: Object, options: WriteOptions) -> Object:
        if options.dry_run:
            return new
        key = Key(resource.storage, old["metadata"].get("namespace", ""), old["metadata"]["name"])
        written = self._write(resource, key, new)
        self._collector.settle()
        return written

    def _write(self, resource: Resource, key: Key, new: Object) -> Object:
        """Put an object into the store, or take it out if nothing holds it any more."""
        stored = store_form(resource, new)
        write = self.store.remove if self._collector.may_go(resource, stored) else self.store.put
        return resource.present(write(key, stored))

    def _validate(self, resource: Resource, new: Object, old: Object | None) -> None:
        causes = metadata_problems(resource, new) + (finalizer_problems(new, old) if old is not None else [])
        misread = resource.schema.problems(new, old)
        # A value of the wrong type in a built-in kind never gets as far as validation.
        if misread and not resource.is_custom:
            raise errors.bad_request(f"{resource.kind} can not be read: {misread[0].field}: {misread[0].message}")
        causes = causes or misread or resource.check(new, old)
        if causes:
            raise errors.invalid(resource, new["metadata"]["name"], causes)

    def _rescale(self, resource: Resource, old: Object, scale: Object, options: WriteOptions) -> Object:
        # The object is stored already: what is unknown in it was told when it came.
        new = with_scale(resource, old, scale)
        written = self._replace(resource, old, new, replace(options, validation=FieldValidation.IGNORE), "")
        return scale_of(resource, written)

    def _strip(self, resource: Resource, object_: Object, changed: Mapping[str, Any]) -> None:
        """Write metadata on behalf of the garbage collector."""
        metadata = {part: value for part, value in {**object_["metadata"], **changed}.items() if value != []}
        new = {**object_, "metadata": metadata}
        self._commit(resource, object_, new, _PLAIN)

    def _follow_definitions(self, event: Event) -> None:
        if event.key.storage != "customresourcedefinitions.apiextensions.k8s.io":
            return
        if event.type == "DELETED":
            self.registry.forget(event.object)
        elif event.previous is None or event.previous["spec"] != event.object["spec"]:
            self.registry.define(event.object)


def _generated(resource: Resource, given: Object) -> str:
    base = given["metadata"].get("generateName")
    if not base:
        cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
        raise errors.invalid(resource, "", [cause])
    return generated_name(base)


def _check_preconditions(resource: Resource, old: Object, uid: str, version: str) -> None:
    name, found = old["metadata"]["name"], old["metadata"]
    if uid and uid != found["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found['uid']}"
        raise errors.conflict(resource, name, why)
    if version and version != found["resourceVersion"]:
        raise errors.stale(resource, name)


def _scoped(resource: Resource, old: Object, given: Object, subresource: str) -> Object:
    """What a request may change: status and metadata-with-the-rest are kept apart."""
    if subresource == "status":
        # Metadata too: newer servers do not let a status write change labels or finalizers.
        rest = {name: value for name, value in old.items() if name != "status"}
        return {**rest, "status": given["status"]} if "status" in given else rest
    fixed = {part: old["metadata"][part] for part in SERVER_METADATA if part in old["metadata"]}
    metadata = {part: value for part, value in given["metadata"].items() if part not in SERVER_METADATA}
    new = {**given, "metadata": {**fixed, **metadata}}
    if resource.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new


def _with_generation(resource: Resource, old: Object, new: Object) -> Object:
    if not resource.has_generation or _content(resource, old) == _content(resource, new):
        return new
    generation = old["metadata"].get("generation", 0) + 1
    return {**new, "metadata": {**new["metadata"], "generation": generation}}


def _content(resource: Resource, object_: Object) -> Object:
    ignored = {"apiVersion", "kind", "metadata"} | ({"status"} if resource.has_status else set())
    return {name: value for name, value in object_.items() if name not in ignored}


def _same(old: Object, new: Object) -> bool:
    # To be written through another version of the kind is no change.
    return {**old, "apiVersion": ""} == {**new, "apiVersion": ""}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _with_claims(object_: Object, claims: Claims) -> Object:
    entries = write_claims(claims)
    metadata = {name: value for name, value in object_["metadata"].items() if name != "managedFields"}
    return {**object_, "metadata": {**metadata, "managedFields": entries} if entries else metadata}


def _base_claims(old: Object, given: Object) -> Claims:
    """The claims to go on from: the stored ones, unless the writer sent others (to migrate or to clear them)."""
    sent = given["metadata"].get("managedFields")
    return read_claims(given if sent else old)


def _position(object_: Object) -> tuple[str, str]:
    return object_["metadata"].get("namespace", ""), object_["metadata"]["name"]


def _token(version: int, last: Object) -> str:
    return json.dumps([version, *_position(last)])


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(token)
    except ValueError:
        raise errors.bad_request("continue key is not valid") from None
    return int(version), (namespace, name)

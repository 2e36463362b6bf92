"""What follows from a deletion: finalizers, dependents, the content of namespaces, the objects of a removed CRD."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import errors
from .errors import Cause
from .resources import Object, Registry, Resource
from .store import Event, EventType, Key, Store, owner_uids

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_NAMESPACES = "namespaces."
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_POLICY_FINALIZERS = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


Delete = Callable[[Resource, str, str], Any]
"""Delete one object in the background, by namespace and name."""
Rewrite = Callable[[Resource, Object, Mapping[str, Any]], None]


class Collector:
    """Does at once, after each write, what the control plane's controllers do a little later."""

    def __init__(
        self, store: Store, registry: Registry, delete: Delete, rewrite: Rewrite, now: Callable[[], str]
    ) -> None:
        self._store = store
        self._registry = registry
        self._delete = delete
        self._rewrite = rewrite
        self._now = now
        # In order, and each key once: the end of a big namespace must not look at it again for every object.
        self._pending: dict[Key, None] = {}
        self._is_settling = False
        store.subscribe(self._notice)

    def check_room(self, resource: Resource, namespace: str, name: str) -> None:
        """Refuse a new object in a missing or ending namespace, or of a kind whose CRD is going."""
        if resource.is_custom and _is_deleted(self._store.get(Key(_DEFINITIONS, "", resource.storage))):
            raise errors.method_not_allowed("create not allowed while custom resource definition is terminating")
        if not resource.namespaced:
            return
        home = self._store.get(Key(_NAMESPACES, "", namespace))
        if home is None:
            raise errors.not_found(self._registry.find("", "v1", "namespaces"), namespace)
        if _is_deleted(home):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            raise errors.forbidden(resource, name, why, [cause])

    def doomed(self, resource: Resource, old: Object, propagation: str) -> Object:
        """An object after a request to delete it: marked, with the finalizers that the way of deletion needs."""
        metadata = dict(old["metadata"])
        kept = [name for name in metadata.get("finalizers") or () if name not in _POLICY_FINALIZERS.values()]
        if propagation in _POLICY_FINALIZERS:
            kept.append(_POLICY_FINALIZERS[propagation])
        if resource.storage == _DEFINITIONS and _CRD_CLEANUP not in kept and not _is_deleted(old):
            kept.append(_CRD_CLEANUP)
        metadata.pop("finalizers", None)
        if kept:
            metadata["finalizers"] = kept
        if not _is_deleted(old):
            metadata |= {"deletionTimestamp": self._now(), "deletionGracePeriodSeconds": 0}
            if "generation" in metadata:
                metadata["generation"] += 1
        if resource.storage == _NAMESPACES:
            return {**old, "metadata": metadata, "status": {**old.get("status", {}), "phase": "Terminating"}}
        return {**old, "metadata": metadata}

    def may_go(self, resource: Resource, object_: Object) -> bool:
        """True for an object that is marked as deleted and that nothing holds any more."""
        if not _is_deleted(object_) or object_["metadata"].get("finalizers"):
            return False
        # A namespace is held by what is in it.
        return resource.storage != _NAMESPACES or not any(self._store.keys(object_["metadata"]["name"]))

    def settle(self) -> None:
        """Follow up on everything that was written since; writes made meanwhile are followed up too."""
        # Following up deletes and writes, which settle again: the outermost call does all of it.
        if self._is_settling:
            return
        self._is_settling = True
        try:
            while self._pending:
                key = next(iter(self._pending))
                del self._pending[key]
                self._follow_up(key)
        finally:
            self._is_settling = False

    def _notice(self, event: Event) -> None:
        if event.type is EventType.DELETED:
            self._pending.update(dict.fromkeys(self._touched_by_removal(event)))
        elif owner_uids(event.object) or _is_deleted(event.object):
            self._pending[event.key] = None

    def _touched_by_removal(self, event: Event) -> Iterator[Key]:
        metadata = event.object["metadata"]
        yield from self._store.dependents(metadata["uid"])
        for reference in metadata.get("ownerReferences") or ():
            owner = self._owner_key(reference, event.key.namespace)
            if owner is not None:
                yield owner
        if event.key.namespace:
            yield Key(_NAMESPACES, "", event.key.namespace)
        yield Key(_DEFINITIONS, "", event.key.storage)

    def _follow_up(self, key: Key) -> None:
        object_, resource = self._store.get(key), self._registry.of_storage(key.storage)
        if object_ is None or resource is None:
            return
        if _is_deleted(object_):
            self._finish(resource, key, object_)
        elif owner_uids(object_):
            self._judge_dependent(resource, key, object_)

    def _finish(self, resource: Resource, key: Key, object_: Object) -> None:
        """Bring a deletion forward: let the content go first, then the finalizer that waits for it."""
        finalizers = object_["metadata"].get("finalizers") or ()
        if resource.storage == _NAMESPACES:
            self._end_namespace(resource, key, object_)
        elif _CRD_CLEANUP in finalizers:
            self._end_definition(resource, object_)
        elif ORPHAN in finalizers:
            self._orphan_dependents(object_)
            self._release(resource, object_, ORPHAN)
        elif FOREGROUND in finalizers:
            self._end_foreground(resource, object_)

    def _end_namespace(self, resource: Resource, key: Key, namespace: Object) -> None:
        for content in list(self._store.keys(key.name)):
            self._delete_key(content)
        current = self._store.get(key)
        if current is not None and self.may_go(resource, current):
            self._store.remove(key, {**current, "spec": {}})

    def _end_definition(self, resource: Resource, definition: Object) -> None:
        storage = definition["metadata"]["name"]
        for object_ in self._store.objects(storage):
            self._delete_key(_key(storage, object_))
        if not self._store.objects(storage):
            self._release(resource, definition, _CRD_CLEANUP)

    def _end_foreground(self, resource: Resource, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for key in self._store.dependents(uid):
            self._delete_key(key)
        if not any(self._blocks(key, uid) for key in self._store.dependents(uid)):
            self._release(resource, owner, FOREGROUND)

    def _blocks(self, key: Key, uid: str) -> bool:
        dependent = self._store.get(key)
        references = dependent["metadata"].get("ownerReferences", ()) if dependent else ()
        return any(reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in references)

    def _orphan_dependents(self, owner: Object) -> None:
        for key in self._store.dependents(owner["metadata"]["uid"]):
            dependent, resource = self._store.get(key), self._registry.of_storage(key.storage)
            if dependent is not None and resource is not None:
                self._drop_references(resource, dependent, {owner["metadata"]["uid"]})

    def _judge_dependent(self, resource: Resource, key: Key, object_: Object) -> None:
        """Delete an object whose owners are all gone; forget the owners that are gone if others are left."""
        references = object_["metadata"]["ownerReferences"]
        gone = {reference["uid"] for reference in references if self._is_gone(reference, key.namespace)}
        if len(gone) == len({reference["uid"] for reference in references}):
            self._delete_key(key)
        elif gone:
            self._drop_references(resource, object_, gone)

    def _is_gone(self, reference: Mapping[str, Any], namespace: str) -> bool:
        key = self._owner_key(reference, namespace)
        if key is None:
            # A kind that is not served: nothing is known of its objects, so nothing is deleted.
            return False
        owner = self._store.get(key)
        return owner is None or owner["metadata"]["uid"] != reference["uid"]

    def _owner_key(self, reference: Mapping[str, Any], namespace: str) -> Key | None:
        resource = self._registry.of_kind(reference["apiVersion"], reference["kind"])
        if resource is None:
            return None
        return Key(resource.storage, namespace if resource.namespaced else "", reference["name"])

    def _drop_references(self, resource: Resource, object_: Object, uids: set[str]) -> None:
        references = object_["metadata"].get("ownerReferences") or ()
        kept = [reference for reference in references if reference["uid"] not in uids]
        self._rewrite(resource, object_, {"ownerReferences": kept})

    def _release(self, resource: Resource, object_: Object, finalizer: str) -> None:
        current = self._store.get(_key(resource.storage, object_))
        if current is not None:
            kept = [name for name in current["metadata"].get("finalizers") or () if name != finalizer]
            self._rewrite(resource, current, {"finalizers": kept})

    def _delete_key(self, key: Key) -> None:
        resource, object_ = self._registry.of_storage(key.storage), self._store.get(key)
        if resource is not None and object_ is not None and not _is_deleted(object_):
            self._delete(resource, key.namespace, key.name)


def _is_deleted(object_: Object | None) -> bool:
    return object_ is not None and bool(object_["metadata"].get("deletionTimestamp"))


def _key(storage: str, object_: Object) -> Key:
    return Key(storage, object_["metadata"].get("namespace", ""), object_["metadata"]["name"])

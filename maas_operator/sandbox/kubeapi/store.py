"""The store: objects by key, one version counter, a bounded history, and subscribers told at once.

It knows nothing of schemas or rules. Objects in it are immutable: a write replaces the whole object, sharing what did
not change, so events and lists need no copies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from .errors import expired
from .resources import Object


class Key(NamedTuple):
    """Where an object is kept; cluster-scoped kinds have an empty namespace."""

    storage: str
    namespace: str
    name: str


class EventType(StrEnum):
    """What happened to an object, in the words of a watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Event:
    """One change. A deleted object comes in its last state, with the version of its deletion."""

    version: int
    type: EventType
    key: Key
    object: Object
    previous: Object | None


Subscriber = Callable[[Event], None]


def owner_uids(object_: Object) -> list[str]:
    """The uids of an object's owners."""
    return [reference["uid"] for reference in object_["metadata"].get("ownerReferences") or ()]


class Store:
    """All objects, and what happened to them lately."""

    def __init__(self, *, history: int = 20_000) -> None:
        # Zero means "any version" to clients, so nothing may have it.
        self.version = 1
        self._compacted = 1
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._dependents: dict[str, set[Key]] = {}
        self._history: deque[Event] = deque(maxlen=history)
        self._subscribers: list[Subscriber] = []

    def get(self, key: Key) -> Object | None:
        """The object at a key, or None."""
        return self._objects.get(key.storage, {}).get((key.namespace, key.name))

    def objects(self, storage: str, namespace: str = "") -> list[Object]:
        """All objects of a storage, ordered by namespace and name."""
        kept = self._objects.get(storage, {})
        return [kept[key] for key in sorted(kept) if not namespace or key[0] == namespace]

    def keys(self, namespace: str) -> Iterator[Key]:
        """The keys of everything in a namespace."""
        for storage, kept in self._objects.items():
            for within, name in list(kept):
                if within == namespace:
                    yield Key(storage, within, name)

    def dependents(self, uid: str) -> list[Key]:
        """The keys of the objects that name this uid as an owner."""
        return sorted(self._dependents.get(uid, ()))

    def put(self, key: Key, object_: Object) -> Object:
        """Store an object under the next version; the stored object carries that version."""
        previous = self.get(key)
        stored = self._stamped(object_)
        self._objects.setdefault(key.storage, {})[key.namespace, key.name] = stored
        if previous is not None:
            self._unlink(key, previous)
        for uid in owner_uids(stored):
            self._dependents.setdefault(uid, set()).add(key)
        self._tell(EventType.MODIFIED if previous else EventType.ADDED, key, stored, previous)
        return stored

    def remove(self, key: Key, last: Object) -> Object:
        """Take an object out; `last` is the state in which it goes."""
        previous = self._objects[key.storage].pop((key.namespace, key.name))
        self._unlink(key, previous)
        # The last event is newer than the object's last write, or a watch from that write on would miss it.
        gone = self._stamped(last)
        self._tell(EventType.DELETED, key, gone, previous)
        return gone

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every later event, within the write that makes it; return how to stop that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def since(self, version: int) -> list[Event]:
        """The events after a version; 410 Expired if some of them are forgotten."""
        oldest = self._history[0].version - 1 if self._history else self.version
        if version < max(self._compacted, oldest):
            raise expired(f"too old resource version: {version} ({max(self._compacted, oldest)})")
        return [event for event in self._history if event.version > version]

    def compact(self) -> None:
        """Forget all history: only watches from the current version on can start."""
        self._history.clear()
        self._compacted = self.version

    def _stamped(self, object_: Object) -> Object:
        self.version += 1
        return {**object_, "metadata": {**object_["metadata"], "resourceVersion": str(self.version)}}

    def _unlink(self, key: Key, object_: Object) -> None:
        for uid in owner_uids(object_):
            linked = self._dependents.get(uid, set())
            linked.discard(key)
            if not linked:
                self._dependents.pop(uid, None)

    def _tell(self, type_: EventType, key: Key, object_: Object, previous: Object | None) -> None:
        event = Event(self.version, type_, key, object_, previous)
        self._history.append(event)
        # A subscriber may end its subscription, or another's, while it is told.
        for subscriber in tuple(self._subscribers):
            subscriber(event)

"""Watches: the changes that one client asked for, as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from .api import Api
from .errors import ApiError, bad_request
from .metadata import Predicate
from .resources import Object, Resource
from .store import Event, EventType


@dataclass(frozen=True)
class WatchOptions:
    """What a client asked for."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""
    version: str = ""
    timeout: float = 1800.0
    bookmarks: bool = False
    initial_events: bool = False


Message = tuple[str, Object]
"""The type and object of one line of a watch."""

_CLOSING_SECONDS = 1.0
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


class Watch:
    """One watch. It takes note of changes from the moment it is made."""

    def __init__(self, api: Api, resource: Resource, options: WatchOptions, *, bookmark_interval: float = 30.0) -> None:
        self._api = api
        self._resource = resource
        self._options = options
        self._bookmark_interval = bookmark_interval
        self._chosen: Predicate = api.selector(resource, options.labels, options.fields)
        # No await between these: nothing can happen after the start that the queue does not see.
        self._initial = self._start()
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._stop = api.store.subscribe(self._queue.put_nowait)

    def close(self) -> None:
        """Take no more notes."""
        self._stop()

    async def messages(self) -> AsyncIterator[Message]:
        """The lines of the watch until its time is over or its kind is no longer served."""
        for message in self._initial:
            yield message
        loop = asyncio.get_running_loop()
        end = loop.time() + self._options.timeout
        while (left := end - loop.time()) > 0:
            event = await self._next(min(left, self._bookmark_interval))
            if event is None:
                if self._options.bookmarks:
                    yield "BOOKMARK", self._bookmark()
            elif self._ends_with(event):
                # Clients that follow definitions have time to stop first, as they have on the real server.
                end = min(end, loop.time() + _CLOSING_SECONDS)
            else:
                for message in self._seen(event):
                    yield message

    async def _next(self, patience: float) -> Event | None:
        """The next change, or None if there was none for so long."""
        try:
            async with asyncio.timeout(patience):
                return await self._queue.get()
        except TimeoutError:
            return None

    def _start(self) -> list[Message]:
        """What the client gets at once: everything there is, or what it missed."""
        version = self._options.version
        if self._options.initial_events:
            initial = self._everything()
            return [*initial, ("BOOKMARK", self._bookmark(end_of_list=True))]
        if version in ("", "0"):
            return self._everything()
        if not version.isdigit():
            raise bad_request(f'Invalid value: "{version}": resourceVersion must be a number')
        try:
            missed = self._api.store.since(int(version))
        except ApiError as error:
            return [("ERROR", error.status())]
        return [message for event in missed for message in self._seen(event)]

    def _everything(self) -> list[Message]:
        listing = self._api.list(
            self._resource, self._options.namespace, labels=self._options.labels, fields=self._options.fields
        )
        return [("ADDED", object_) for object_ in listing.objects]

    def _seen(self, event: Event) -> Iterator[Message]:
        """A change as this watch sees it: objects come and go as they start and cease to match its selectors."""
        if event.key.storage != self._resource.storage:
            return
        if self._options.namespace and event.key.namespace != self._options.namespace:
            return
        is_in = event.type is not EventType.DELETED and self._chosen(event.object)
        was_in = event.previous is not None and self._chosen(event.previous)
        shown = self._resource.present(event.object)
        if is_in:
            yield (EventType.MODIFIED if was_in else EventType.ADDED).value, shown
        elif was_in:
            yield EventType.DELETED.value, shown

    def _ends_with(self, event: Event) -> bool:
        return event.key.storage == _DEFINITIONS and (
            event.type is EventType.DELETED and event.key.name == self._resource.storage
        )

    def _bookmark(self, *, end_of_list: bool = False) -> Object:
        metadata: Object = {"resourceVersion": str(self._api.store.version)}
        if end_of_list:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}

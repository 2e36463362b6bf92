"""kopf as the source of events, and nothing else: it lists and watches, and each object goes to one callback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import kopf

# kopf knows what it watches and tells it nowhere else. The version is pinned, and a test holds this import.
from kopf._cogs.structs.references import Insights

from maas_operator.adapters.kubernetes.access import Access, NoAccess, login
from maas_operator.adapters.watches import SELECTORS, WATCHED
from maas_operator.domain.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from maas_operator.domain.labels import GROUP
from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.kserve import DEFINITION, marked_schema
from maas_operator.engine.errors import OperatorError

Seen: TypeAlias = Callable[[Manifest, Kind, str | None], None]
"""Told of each object: type None means listed, else ADDED, MODIFIED or DELETED."""

OUTAGE_BACKOFFS: Final = (1, 1, 2, 3, *(5,) * 120)
"""The pauses of a watch while a server answers by errors: a watch that gives up takes the process along."""

NOTICE_SECONDS: Final = 10.0
"""How long kopf may take to begin to watch a new kind, before we hold that it has missed it."""
TURN_SECONDS: Final = 1.0
"""How often kopf's loop shows that it turns."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Spares kopf the copies of each object by which it would tell handlers what has changed: we have none."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


class EventsLost(OperatorError):
    """The watches are incomplete or have ended; only a new process begins them all anew."""


class KopfEvents:
    """kopf in a thread and a loop of its own, because at its end it cancels every task that shares its loop."""

    def __init__(self, access: Access, seen: Seen, *, notice_seconds: float = NOTICE_SECONDS) -> None:
        self._access = access
        self._seen = seen
        self._notice_seconds = notice_seconds
        self._stop = threading.Event()
        self._missed: Kind | None = None
        self._insights: Insights | None = None
        self._checks: dict[str, asyncio.TimerHandle] = {}
        self._turned_at: float | None = None

    @property
    def still_seconds(self) -> float:
        """Tell for how long kopf's loop has not turned; 0 before it began."""
        return 0.0 if self._turned_at is None else time.monotonic() - self._turned_at

    async def run(self) -> None:
        """Feed the callback, in the caller's loop, until cancelled; EventsLost if that ends by itself."""
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(None, asyncio.run, self._operate(loop))
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._stop.set()
            with contextlib.suppress(Exception):
                # However kopf ends when it is told to end, it is no news.
                await thread
            raise
        except Exception as error:
            raise EventsLost(f"the watches ended: {type(error).__name__}: {error}") from None
        missed = f"the new type {self._missed} is not watched" if self._missed else "the watches ended"
        raise EventsLost(missed)

    async def _operate(self, caller: asyncio.AbstractEventLoop) -> None:
        self._insights = Insights()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._report)
        self._turn(loop)
        try:
            await kopf.operator(
                registry=self._registry(caller),
                settings=settings(),
                insights=self._insights,
                stop_flag=self._stop,
                clusterwide=True,
                standalone=True,
            )
        finally:
            # kopf waits for the flag in one more thread, which must not outlive it.
            self._stop.set()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turned_at = time.monotonic()
        loop.call_later(TURN_SECONDS, self._turn, loop)

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self._stop.is_set():
            loop.default_exception_handler(context)

    def _registry(self, caller: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def log_in(**_: Any) -> kopf.ConnectionInfo:
            try:
                return await login(self._access)
            except NoAccess as error:
                raise kopf.PermanentError(str(error)) from None

        kopf.on.login(registry=registry)(log_in)
        for kind in WATCHED:
            watch = kopf.on.event(
                group=kind.group, version=kind.version, plural=kind.plural, registry=registry, id="seen"
            )
            watch(self._handler(kind, caller))
        return registry

    def _handler(self, kind: Kind, caller: asyncio.AbstractEventLoop) -> Callable[..., Any]:
        async def handle(event: kopf.RawEvent, **_: Any) -> None:
            manifest: Manifest = dict(event["object"])
            if kind == CUSTOM_RESOURCE_DEFINITION:
                manifest = _without_schemas(manifest)
                self._check_later(manifest, event["type"])
            caller.call_soon_threadsafe(self._seen, manifest, kind, event["type"])

        return handle

    def _check_later(self, definition: Manifest, type_: str | None) -> None:
        """Have kopf's watches compared with a CRD: kopf itself passes over one that appeared while it was cut off."""
        name = definition["metadata"]["name"]
        if (pending := self._checks.pop(name, None)) is not None:
            pending.cancel()
        kind = _served_kind(definition)
        if kind is not None and type_ != "DELETED":
            loop = asyncio.get_running_loop()
            self._checks[name] = loop.call_later(self._notice_seconds, self._check, kind)

    def _check(self, kind: Kind) -> None:
        assert self._insights is not None
        watched = {(resource.group, resource.version, resource.plural) for resource in self._insights.watched_resources}
        if (kind.group, kind.version, kind.plural) not in watched:
            self._missed = kind
            self._stop.set()


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings: no writes of its own, bounded waits, watches filtered by the server."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False
    # kopf takes its finalizer off every object for which it has no handler of deletions: so ours must not be it.
    result.persistence.finalizer = f"{GROUP}/kopf"
    result.persistence.diffbase_storage = _NoDiffs()
    result.watching.connect_timeout = 10
    result.watching.reconnect_backoff = 1.0
    result.watching.chunk_size = 500
    result.networking.request_timeout = 30
    result.networking.connect_timeout = 10
    result.networking.error_backoffs = OUTAGE_BACKOFFS
    result.queueing.exit_timeout = 5
    result.process.ultimate_exiting_timeout = 25
    for kind, selector in SELECTORS.items():
        result.watching.label_selectors[kind.group, kind.version, kind.plural] = selector
    return result


def _without_schemas(definition: Manifest) -> Manifest:
    """Return what we need of a CRD: all schemas of a cluster, and their copies in annotations, fill 100 MB."""
    metadata, spec = definition["metadata"], definition["spec"]
    tells_release = metadata["name"] == DEFINITION.name
    versions = [
        {"name": one["name"], "served": one["served"], **({"schema": marked_schema(one)} if tells_release else {})}
        for one in spec["versions"]
    ]
    return definition | {
        "metadata": {key: value for key, value in metadata.items() if key not in {"annotations", "managedFields"}},
        "spec": {"group": spec["group"], "names": spec["names"], "versions": versions},
    }


def _served_kind(definition: Manifest) -> Kind | None:
    """Return the watched kind that a CRD provides now; None while it is not established."""
    conditions = definition.get("status", {}).get("conditions") or ()
    if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        return None
    spec = definition["spec"]
    served = {(spec["group"], v["name"], spec["names"]["plural"]) for v in spec["versions"] if v["served"]}
    return next((kind for kind in WATCHED if (kind.group, kind.version, kind.plural) in served), None)

"""kopf as the source of events, and nothing else: it lists and watches, and each object goes to one callback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import kopf

# kopf tells nowhere else what it watches, nor has it another way to make it look at types anew. The version is pinned,
# and a test holds these imports.
from kopf._cogs.structs.references import Insights
from kopf._core.reactor.observation import process_discovered_resource_event

from maas_operator.adapters.kubernetes.access import Access, NoAccess, login
from maas_operator.adapters.watches import SELECTORS, WATCHED
from maas_operator.domain.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from maas_operator.domain.labels import GROUP
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import true_conditions
from maas_operator.domain.serving.kserve import DEFINITION, marked_schema
from maas_operator.engine.errors import OperatorError

logger = logging.getLogger(__name__)

Seen: TypeAlias = Callable[[Manifest, Kind, str | None], None]
"""Told of each object: type None means listed, else ADDED, MODIFIED or DELETED."""

OUTAGE_BACKOFFS: Final = (1, 1, 2, 3, *(5,) * 120)
"""The pauses of a watch while a server answers by errors: a watch that gives up takes the process along."""

NOTICE_SECONDS: Final = 5.0
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
    """The watches have ended; only a new process begins them all anew."""


class _Types:
    """Has kopf look again at a type that it does not watch, however it came to miss it.

    It looks when it is told of a CRD: too soon, if the server does not list the new type yet; and not at all, if that
    happened while it was cut off.
    """

    def __init__(self, registry: kopf.OperatorRegistry, options: kopf.OperatorSettings, notice_seconds: float) -> None:
        self.insights = Insights()
        self._registry = registry
        self._options = options
        self._notice_seconds = notice_seconds
        self._checks: dict[str, asyncio.TimerHandle | asyncio.Task[None]] = {}

    def told(self, definition: Manifest, type_: str | None) -> None:
        """Take in what the watch of CRDs says of one."""
        name = definition["metadata"]["name"]
        if (pending := self._checks.pop(name, None)) is not None:
            pending.cancel()
        kind = _served_kind(definition)
        if kind is not None and type_ != "DELETED":
            self._check_later(definition, kind)

    def _check_later(self, definition: Manifest, kind: Kind) -> None:
        check = asyncio.get_running_loop().call_later(self._notice_seconds, self._check, definition, kind)
        self._checks[definition["metadata"]["name"]] = check

    def _check(self, definition: Manifest, kind: Kind) -> None:
        watched = {(resource.group, resource.version, resource.plural) for resource in self.insights.watched_resources}
        if (kind.group, kind.version, kind.plural) not in watched:
            look = asyncio.get_running_loop().create_task(self._look_again(definition, kind))
            self._checks[definition["metadata"]["name"]] = look

    async def _look_again(self, definition: Manifest, kind: Kind) -> None:
        logger.info("%s is there and not watched yet: its group is looked at again", kind)
        try:
            await process_discovered_resource_event(
                raw_event=cast(kopf.RawEvent, {"type": "MODIFIED", "object": definition}),
                settings=self._options,
                registry=self._registry,
                insights=self.insights,
            )
        except Exception as error:
            logger.warning("the types of %s can not be listed: %s", kind.group, error)
        self._check_later(definition, kind)


class KopfEvents:
    """kopf in a thread and a loop of its own, because at its end it cancels every task that shares its loop."""

    def __init__(self, access: Access, seen: Seen, *, notice_seconds: float = NOTICE_SECONDS) -> None:
        self._access = access
        self._seen = seen
        self._notice_seconds = notice_seconds
        self._stop = threading.Event()
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
        raise EventsLost("the watches ended")

    async def _operate(self, caller: asyncio.AbstractEventLoop) -> None:
        registry, options = kopf.OperatorRegistry(), settings()
        types = _Types(registry, options, self._notice_seconds)
        self._register(registry, caller, types)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._report)
        self._turn(loop)
        try:
            await kopf.operator(
                registry=registry,
                settings=options,
                insights=types.insights,
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

    def _register(self, registry: kopf.OperatorRegistry, caller: asyncio.AbstractEventLoop, types: _Types) -> None:
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
            watch(self._handler(kind, caller, types))

    def _handler(self, kind: Kind, caller: asyncio.AbstractEventLoop, types: _Types) -> Callable[..., Any]:
        async def handle(event: kopf.RawEvent, **_: Any) -> None:
            manifest: Manifest = dict(event["object"])
            if kind == CUSTOM_RESOURCE_DEFINITION:
                manifest = _without_schemas(manifest)
                types.told(manifest, event["type"])
            caller.call_soon_threadsafe(self._seen, manifest, kind, event["type"])

        return handle


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings: no writes of its own, bounded waits, watches filtered by the server."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False
    # kopf takes its finalizer off every object for which it has no handler of deletions: so ours must not be it.
    result.persistence.finalizer = f"{GROUP}/kopf"
    result.persistence.diffbase_storage = _NoDiffs()
    result.watching.connect_timeout = 10
    result.watching.reconnect_backoff = 1.0
    # Of each object the last event is kept until its worker ends: that, and what a list brings at once, is what a start
    # takes most memory for.
    result.watching.chunk_size = 100
    result.queueing.idle_timeout = 0.5
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
    if "Established" not in true_conditions(definition):
        return None
    spec = definition["spec"]
    served = {(spec["group"], v["name"], spec["names"]["plural"]) for v in spec["versions"] if v["served"]}
    return next((kind for kind in WATCHED if (kind.group, kind.version, kind.plural) in served), None)

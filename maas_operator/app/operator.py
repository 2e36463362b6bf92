"""The operator as one process: client, cache, engine, watches and HTTP server put together."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from maas_operator import __version__
from maas_operator.adapters import http
from maas_operator.adapters.first_lists import caught_up, live_lists
from maas_operator.adapters.kopf_events import KopfEvents
from maas_operator.adapters.kubernetes.access import connect
from maas_operator.adapters.metrics import Metrics
from maas_operator.adapters.secret_watch import SecretWatches
from maas_operator.app.election import Lead
from maas_operator.app.probes import Probes
from maas_operator.app.settings import Settings
from maas_operator.domain import model_platform, model_service, model_subscription
from maas_operator.domain.kinds import MODEL_PLATFORM, MODEL_SERVICE, MODEL_SUBSCRIPTION, Kind
from maas_operator.domain.objects import Manifest
from maas_operator.engine.cache import Cache
from maas_operator.engine.controller import Behaviour
from maas_operator.engine.engine import Engine
from maas_operator.engine.errors import OperatorError
from maas_operator.engine.gather import Gatherer
from maas_operator.engine.inquiries import Inquiries
from maas_operator.engine.lookup import Lookup
from maas_operator.engine.triggers import references

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> int:
    """Run the operator until SIGTERM or SIGINT; return the exit code of the process. Raises NoAccess at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await Operator(settings).run()
    except asyncio.CancelledError:
        logger.info("stopped")
        return 0
    except BaseExceptionGroup as failures:
        for error in _leaves(failures):
            if isinstance(error, OperatorError):
                logger.critical("%s", error)
            else:
                logger.critical("a fault of the operator", exc_info=error)
    return 1


class Operator:
    """One operator; `ready` is set when its first lists are complete, and then `http_port` is known too."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lead = Lead(settings.election)
        self.ready = asyncio.Event()
        self.http_port = 0

    async def run(self) -> None:
        """Run until cancelled, or until something happens after which only a new process helps."""
        metrics = Metrics()
        access, lead = self._settings.access, self._lead
        async with (
            connect(
                access, on_request=metrics.request_ended, may_write=lead.may_write, identity=lead.identity
            ) as cluster,
            self._settings.threescale(lead.may_write, metrics.threescale_answered) as threescale,
        ):
            cache = Cache(references)
            inquiries = Inquiries(threescale, Lookup(cache, cluster), now)
            gatherer = Gatherer(cache=cache, cluster=cluster, inquiries=inquiries, now=now)
            engine = Engine(cluster, cache, behaviours(gatherer), metrics, now=now)
            metrics.expose(cache, engine.queue, lead.may_write)

            def seen(manifest: Manifest, kind: Kind, type_: str | None) -> None:
                engine.notify(manifest, deleted=type_ == "DELETED", listed=type_ is None)
                if kind == MODEL_PLATFORM:
                    secrets.platform_seen(manifest, type_)

            secrets = SecretWatches(cluster, seen)
            events = KopfEvents(access, seen)
            probes = Probes(
                queue=engine.queue,
                cache=cache,
                still_seconds=lambda: events.still_seconds,
                listed=self.ready.is_set,
                stands_by=lambda: lead.stands_by,
            )
            async with self._serve_http(metrics, probes), lead.held(cluster, now), asyncio.TaskGroup() as group:
                lists = await live_lists(cluster)
                group.create_task(events.run())
                group.create_task(secrets.run())
                await caught_up(cluster, cache, lists)
                self.ready.set()
                logger.info("ready")
                await engine.run()

    @asynccontextmanager
    async def _serve_http(self, metrics: Metrics, probes: Probes) -> AsyncIterator[None]:
        host, port = self._settings.http_host, self._settings.http_port
        async with http.serve(
            metrics.registry, host=host, port=port, healthy=probes.healthy, ready=probes.ready
        ) as self.http_port:
            logger.info("maas-operator %s starts; metrics and probes on port %d", __version__, self.http_port)
            yield


def behaviours(gatherer: Gatherer) -> list[Behaviour[Any]]:
    """Return what the engine does for each of our kinds."""
    return [
        Behaviour(MODEL_SERVICE, gatherer.model_service, model_service.decide, withdraw=gatherer.inquiries.withdraw),
        Behaviour(
            MODEL_SUBSCRIPTION, gatherer.model_subscription, model_subscription.decide, gatherer.inquiries.accept
        ),
        Behaviour(MODEL_PLATFORM, gatherer.model_platform, model_platform.decide),
    ]


def now() -> datetime:
    """Return the time as statuses show it."""
    return datetime.now(UTC)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error

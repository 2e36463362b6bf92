"""What the operator counts, for Prometheus. Labels hold kinds, names and results; never uids, messages or URLs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from maas_operator import __version__
from maas_operator.domain.kinds import BACKEND, TABLE, Kind, Use
from maas_operator.domain.objects import Ref
from maas_operator.domain.observed import status_of
from maas_operator.engine.applier import Applied
from maas_operator.engine.cache import Cache
from maas_operator.engine.engine import PassResult
from maas_operator.engine.fence import WriteSeconds, always
from maas_operator.engine.queue import WorkQueue
from maas_operator.engine.triggers import OWN_KINDS

_PREFIX = "maas_operator"
_CORRECTED: Final = {Applied.CORRECTED: "kubernetes", Applied.CORRECTED_IN_3SCALE: "3scale"}
_PASS_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_WAIT_BUCKETS: Final = (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300)
_READY_BUCKETS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_API_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
_THREESCALE_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)

# Of each counter and histogram a second series, which says since when it counts: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The engine's observer and the client's; `registry` is what is served."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info(f"{_PREFIX}_build", "The version that runs.", registry=self.registry).info({"version": __version__})
        self._passes = self._counter("reconcile", "Passes by how they ended.", "kind", "result")
        self._pass_seconds = self._histogram(
            "reconcile_duration_seconds", "Duration of passes.", "kind", buckets=_PASS_BUCKETS
        )
        self._errors = self._counter("reconcile_errors", "Passes that failed, by error.", "kind", "reason")
        self._retries = self._counter("retries", "Repetitions that failed passes asked for.", "kind")
        self._ready_seconds = self._histogram(
            "spec_to_ready_seconds", "From a new spec until Ready is True for it.", "kind", buckets=_READY_BUCKETS
        )
        self._wait_seconds = self._histogram(
            "queue_wait_seconds", "How long owners were due before a worker took them.", buckets=_WAIT_BUCKETS
        )
        self._applies = self._counter("applies", "Children by what became of them.", "kind", "result")
        self._corrections = self._counter(
            "drift_corrections", "Children put back after somebody edited them.", "kind", "where"
        )
        self._relists = self._counter("watch_relists", "Fresh lists of a watched kind.", "kind")
        self._ghosts = self._counter("cache_ghosts", "Deletions that no watch told of.", "kind")
        self._requests = self._counter(
            "api_requests", "Requests to the Kubernetes API; code 0: no answer.", "verb", "kind", "code"
        )
        self._request_seconds = self._histogram(
            "api_request_duration_seconds", "Duration of those requests.", "verb", buckets=_API_BUCKETS
        )
        self._calls = self._counter(
            "threescale_requests", "Requests to 3scale's Admin API; code 0: no answer.", "verb", "code"
        )
        self._call_seconds = self._histogram(
            "threescale_request_duration_seconds", "Duration of those requests.", "verb", buckets=_THREESCALE_BUCKETS
        )
        self._begin_with_zeros()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, labels, registry=self.registry, buckets=buckets)

    def _begin_with_zeros(self) -> None:
        """Show what is rare before it happens first: nobody can see the increase of a series that begins at 1."""
        for kind in OWN_KINDS:
            self._retries.labels(kind.name)
            for result in PassResult:
                self._passes.labels(kind.name, result)
        for kind in (kind for kind, use in TABLE.items() if Use.WRITE in use):
            for where in _CORRECTED.values() if kind.group == BACKEND.group else ("kubernetes",):
                self._corrections.labels(kind.name, where)

    def expose(self, cache: Cache, queue: WorkQueue[Ref], may_write: WriteSeconds = always) -> None:
        """Read the state of cache, queue and lead whenever somebody scrapes."""
        self.registry.register(_Conditions(cache))
        objects = Gauge(f"{_PREFIX}_resources", "Objects of our kinds.", ["kind"], registry=self.registry)
        for kind in OWN_KINDS:
            objects.labels(kind.name).set_function(partial(_count, cache, kind))
        gauges = {
            "leader": ("1 if this process may write, 0 if it stands by.", lambda: may_write() > 0),
            "queue_depth": ("Owners that are due and wait for a worker.", lambda: queue.depth),
            "queue_oldest_wait_seconds": ("How long the oldest of them waits.", lambda: queue.longest_wait_seconds),
            "queue_longest_running_seconds": ("Age of the oldest pass.", lambda: queue.longest_running_seconds),
            "queue_longest_unsuccessful_seconds": (
                "Time since the last success of the owner that has been without one for longest.",
                lambda: queue.longest_unsuccessful_seconds,
            ),
        }
        for name, (text, read) in gauges.items():
            Gauge(f"{_PREFIX}_{name}", text, registry=self.registry).set_function(read)

    def child_applied(self, ref: Ref, applied: Applied) -> None:
        """Count what became of a child."""
        self._applies.labels(ref.kind.name, applied).inc()
        if applied in _CORRECTED:
            self._corrections.labels(ref.kind.name, _CORRECTED[applied]).inc()

    def relisted(self, kind: Kind, ghosts: int) -> None:
        """Count a fresh list and the ghosts that it found."""
        self._relists.labels(kind.name).inc()
        self._ghosts.labels(kind.name).inc(ghosts)

    def waited(self, seconds: float) -> None:
        """Count how long an owner was due."""
        self._wait_seconds.observe(seconds)

    def became_ready(self, kind: Kind, seconds: float) -> None:
        """Count how long a new spec took."""
        self._ready_seconds.labels(kind.name).observe(seconds)

    def pass_ended(self, key: Ref, result: PassResult, seconds: float, error: str) -> None:
        """Count a pass, its duration and its error."""
        self._passes.labels(key.kind.name, result).inc()
        self._pass_seconds.labels(key.kind.name).observe(seconds)
        if error:
            self._errors.labels(key.kind.name, error).inc()
            self._retries.labels(key.kind.name).inc()

    def request_ended(self, verb: str, kind: Kind, code: int, seconds: float) -> None:
        """Count a request to the Kubernetes API."""
        self._requests.labels(verb, kind.name, str(code)).inc()
        self._request_seconds.labels(verb).observe(seconds)

    def threescale_answered(self, verb: str, code: int, seconds: float) -> None:
        """Count a request to 3scale's Admin API."""
        self._calls.labels(verb, str(code)).inc()
        self._call_seconds.labels(verb).observe(seconds)


class _Conditions(Collector):
    """The conditions of all owners as the cache has them: one that is deleted leaves no series behind."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [_family()]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = _family()
        for owner in (owner for kind in OWN_KINDS for owner in self._cache.of_kind(kind)):
            metadata = owner["metadata"]
            for condition in status_of(owner).get("conditions") or ():
                labels = [owner["kind"], metadata.get("namespace", ""), metadata["name"]]
                family.add_metric([*labels, condition["type"], condition["status"]], 1)
        return [family]


def _count(cache: Cache, kind: Kind) -> int:
    return len(cache.of_kind(kind))


def _family() -> GaugeMetricFamily:
    labels = ["kind", "namespace", "name", "type", "status"]
    return GaugeMetricFamily(f"{_PREFIX}_resource_condition", "1 for the status that a condition has.", labels=labels)

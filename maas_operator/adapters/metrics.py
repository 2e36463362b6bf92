"""What the operator counts, for Prometheus. Labels hold kinds, names and results; never uids, messages or URLs."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from maas_operator import __version__
from maas_operator.domain.kinds import Kind
from maas_operator.domain.objects import Ref
from maas_operator.engine.applier import Applied
from maas_operator.engine.cache import Cache
from maas_operator.engine.engine import PassResult
from maas_operator.engine.fence import WriteSeconds, always
from maas_operator.engine.queue import WorkQueue
from maas_operator.engine.triggers import OWN_KINDS

_PREFIX = "maas_operator"


class Metrics:
    """The engine's observer and the client's; `registry` is what is served."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info(f"{_PREFIX}_build", "The version that runs.", registry=registry).info({"version": __version__})
        self._passes = Counter(
            f"{_PREFIX}_reconcile", "Passes by how they ended.", ["kind", "result"], registry=registry
        )
        self._pass_seconds = Histogram(
            f"{_PREFIX}_reconcile_duration_seconds", "Duration of passes.", ["kind"], registry=registry
        )
        self._applies = Counter(
            f"{_PREFIX}_applies", "Children by what became of them.", ["kind", "result"], registry=registry
        )
        self._relists = Counter(
            f"{_PREFIX}_watch_relists", "Fresh lists of a watched kind.", ["kind"], registry=registry
        )
        self._ghosts = Counter(
            f"{_PREFIX}_cache_ghosts", "Deletions that no watch told of.", ["kind"], registry=registry
        )
        self._requests = Counter(
            f"{_PREFIX}_api_requests", "Requests to the Kubernetes API; code 0: no answer.",
            ["verb", "kind", "code"], registry=registry,
        )  # fmt: skip
        self._request_seconds = Histogram(
            f"{_PREFIX}_api_request_duration_seconds", "Duration of those requests.", ["verb"], registry=registry
        )

    def expose(self, cache: Cache, queue: WorkQueue[Ref], may_write: WriteSeconds = always) -> None:
        """Read the state of cache, queue and lead whenever somebody scrapes."""
        self.registry.register(_Conditions(cache))
        gauges = {
            "leader": ("1 if this process may write, 0 if it stands by.", lambda: may_write() > 0),
            "queue_depth": ("Owners that are due and wait for a worker.", lambda: queue.depth),
            "queue_wait_seconds": ("How long the oldest of them waits.", lambda: queue.longest_wait_seconds),
            "queue_longest_running_seconds": ("Age of the oldest pass.", lambda: queue.longest_running_seconds),
        }
        for name, (text, read) in gauges.items():
            Gauge(f"{_PREFIX}_{name}", text, registry=self.registry).set_function(read)

    def child_applied(self, kind: Kind, applied: Applied) -> None:
        """Count what became of a child."""
        self._applies.labels(kind.name, applied).inc()

    def relisted(self, kind: Kind, ghosts: int) -> None:
        """Count a fresh list and the ghosts that it found."""
        self._relists.labels(kind.name).inc()
        self._ghosts.labels(kind.name).inc(ghosts)

    def pass_ended(self, key: Ref, result: PassResult, seconds: float) -> None:
        """Count a pass and its duration."""
        self._passes.labels(key.kind.name, result).inc()
        self._pass_seconds.labels(key.kind.name).observe(seconds)

    def request_ended(self, verb: str, kind: Kind, code: int, seconds: float) -> None:
        """Count a request to the Kubernetes API."""
        self._requests.labels(verb, kind.name, str(code)).inc()
        self._request_seconds.labels(verb).observe(seconds)


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
            for condition in owner.get("status", {}).get("conditions", ()):
                labels = [owner["kind"], metadata.get("namespace", ""), metadata["name"]]
                family.add_metric([*labels, condition["type"], condition["status"]], 1)
        return [family]


def _family() -> GaugeMetricFamily:
    labels = ["kind", "namespace", "name", "type", "status"]
    return GaugeMetricFamily(f"{_PREFIX}_resource_condition", "1 for the status that a condition has.", labels=labels)

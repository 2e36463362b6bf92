"""KServe is looked at in the cache; its configuration is asked for once in a while, at the places where it may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.kserve import CONFIGURATIONS, DEFINITION, Distribution
from maas_operator.engine.cache import Cache
from maas_operator.engine.kserve import KServeLookup
from maas_operator.engine.lookup import Lookup
from maas_operator.sandbox.kubeapi.faults import Call, Moment
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": DEFINITION.name, "resourceVersion": "1"},
    "spec": {"versions": []},
}


class Bench:
    def __init__(self, *known: Manifest) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.calls: list[Call] = []
        api = KubeApi()
        self.cluster, self.cache = InProcessCluster(api), Cache()
        for one in known:
            self.cache.put(one)
        self.kserve = KServeLookup(Lookup(self.cache, self.cluster), lambda: self.now)
        api.faults.add(self._count)

    async def _count(self, call: Call) -> None:
        if call.moment is Moment.BEFORE:
            self.calls.append(call)


async def test_without_its_crd_nothing_is_known_of_it() -> None:
    found = await Bench().kserve.find()
    assert (found.definition, found.configuration, found.release) == (None, None, None)


async def test_its_configuration_is_found_where_it_is_and_asked_for_once_an_hour() -> None:
    bench = Bench(CRD)
    assert (await bench.kserve.find()).configuration is None
    for name in ("opendatahub", "default"):
        await bench.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    place = {"name": CONFIGURATIONS[0].name, "namespace": "opendatahub"}
    await bench.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": {}})
    assert (await bench.kserve.find()).configuration is None
    bench.now += timedelta(hours=1)
    assert (await bench.kserve.find()).distribution is Distribution.OPEN_DATA_HUB
    bench.calls.clear()
    assert (await bench.kserve.find()).distribution is Distribution.OPEN_DATA_HUB
    assert bench.calls == []


async def test_another_crd_has_it_asked_for_at_once() -> None:
    bench = Bench(CRD)
    await bench.kserve.find()
    bench.cache.put({**CRD, "metadata": {"name": DEFINITION.name, "resourceVersion": "2"}})
    bench.calls.clear()
    await bench.kserve.find()
    assert len(bench.calls) == len(CONFIGURATIONS)

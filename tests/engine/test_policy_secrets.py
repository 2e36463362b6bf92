"""The Secrets that configurations of policies are in: what a pass is given of them and of their copies."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from maas_operator.domain import model_platform
from maas_operator.domain.kinds import API_MANAGER, MODEL_PLATFORM, PRODUCT, SECRET, Kind
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cache import Cache
from maas_operator.engine.cluster import Cluster
from maas_operator.engine.errors import NotFound
from maas_operator.engine.gather import Gatherer
from maas_operator.engine.inquiries import Inquiries
from maas_operator.engine.lookup import Lookup
from maas_operator.engine.triggers import references
from tests.domain import worlds
from tests.engine.test_inquiries import Threescale

CONFIGURATION = {"check_type": "whitelist", "ips": ["10.0.0.0/8"]}
POLICIES = [{"name": "ip_check", "position": "BeforeAuth", "configurationSecretRef": {"name": "ip-list"}}]


def a_secret(name: str, **metadata: Any) -> Manifest:
    data = {"configuration": b64encode(json.dumps(CONFIGURATION).encode()).decode()}
    known = {"name": name, "namespace": "3scale", "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": known | metadata, "data": data}


@dataclass
class Objects:
    """A cluster that has what it is given, and counts what it is asked for."""

    objects: dict[Ref, Manifest] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def get(self, ref: Ref) -> Manifest:
        self.asked.append(f"get {ref}")
        if ref not in self.objects:
            raise NotFound(f"{ref} not found")
        return self.objects[ref]

    async def list(self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None) -> list[Manifest]:
        self.asked.append(f"list {kind}")
        return [one for ref, one in self.objects.items() if ref.kind == kind]

    async def apply(self, *_: Any, **__: Any) -> Manifest:
        raise AssertionError("nobody writes here")

    async def delete(self, *_: Any, **__: Any) -> None:
        raise AssertionError("nobody deletes here")


class Bench:
    """A gatherer over a cluster and a cache that know the same."""

    def __init__(self) -> None:
        self.cluster, self.cache = Objects(), Cache(references)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        cluster: Cluster = self.cluster
        inquiries = Inquiries(Threescale(), Lookup(self.cache, cluster), lambda: now)
        self.gatherer = Gatherer(cache=self.cache, cluster=cluster, inquiries=inquiries, now=lambda: now)
        self.platform = worlds.a_platform(gateway={"policies": POLICIES}).dump()
        self.put(self.platform)

    def put(self, *manifests: Manifest, cached: bool = True) -> None:
        self.cluster.objects |= {ref_of(one): one for one in manifests}
        for one in manifests if cached else ():
            self.cache.put(one)

    async def of_platform(self) -> model_platform.ModelPlatformWorld:
        self.cluster.asked.clear()
        return await self.gatherer.model_platform(self.platform)

    async def copy(self) -> Manifest:
        """Return the copy as it is when the platform's pass has written it."""
        world = await self.of_platform()
        (made,) = world.policies.children()
        labels = {"labels": owner_labels(self.platform), "uid": "uid-copy", "resourceVersion": "9"}
        return made | {"metadata": made["metadata"] | labels}


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_secret_that_is_not_watched_yet_is_read(bench: Bench) -> None:
    assert (await bench.of_platform()).policies.secrets == {}
    bench.put(a_secret("ip-list"), cached=False)
    world = await bench.of_platform()
    assert world.policies.secrets["ip-list"].version == "uid-ip-list/7"
    assert "get Secret 3scale/ip-list" in bench.cluster.asked


async def test_the_copy_of_another_owner_is_none(bench: Bench) -> None:
    bench.put(a_secret("ip-list"))
    copy = await bench.copy()
    for labels, there in (({}, False), (owner_labels(bench.platform), True)):
        bench.put(copy | {"metadata": copy["metadata"] | {"labels": labels}}, cached=False)
        service = worlds.a_service().dump()
        world = await bench.gatherer.model_service(service)
        assert (world.copied == {ref_of(copy)}) is there
        assert world.policy_secrets.keys() == {"ip-list"}


async def test_without_a_platform_there_is_nothing_to_read(bench: Bench) -> None:
    service = worlds.a_service(platformRef={"name": "other"}).dump()
    world = await bench.gatherer.model_service(service)
    assert (world.policy_secrets, world.installation, world.copied) == ({}, None, frozenset())


async def test_the_installation_is_looked_at_for_what_it_mounts(bench: Bench) -> None:
    installation = {
        "apiVersion": API_MANAGER.api_version,
        "kind": API_MANAGER.name,
        "metadata": {"name": "apimanager", "namespace": "3scale", "uid": "uid-a", "resourceVersion": "1"},
        "spec": {},
    }
    bench.put(installation)
    assert (await bench.of_platform()).policies.installation == installation
    assert (await bench.gatherer.model_service(worlds.a_service().dump())).installation == installation


def a_product(*secrets: str) -> Manifest:
    policies = [{"name": "ip_check", "version": "builtin", "configurationRef": {"name": name}} for name in secrets]
    metadata = {"name": "llm.tiny", "namespace": "3scale", "uid": "uid-p", "resourceVersion": "1"}
    spec = {"policies": [*policies, {"name": "apicast", "version": "builtin", "configurationRef": {}}]}
    return {"apiVersion": PRODUCT.api_version, "kind": PRODUCT.name, "metadata": metadata, "spec": spec}


async def test_products_are_listed_only_while_a_copy_may_have_to_go(bench: Bench) -> None:
    bench.put(a_secret("ip-list"))
    copy = await bench.copy()
    bench.put(copy, a_product(copy["metadata"]["name"]))
    assert (await bench.of_platform()).copies_in_use == frozenset()
    assert "list Product" not in bench.cluster.asked
    bench.put(a_secret("ip-list", resourceVersion="8"))
    assert (await bench.of_platform()).copies_in_use == {ref_of(copy)}
    bench.put(a_product(), cached=False)
    assert (await bench.of_platform()).copies_in_use == frozenset()
    assert "list Product" in bench.cluster.asked


async def test_a_copy_that_only_the_status_knows_is_not_forgotten(bench: Bench) -> None:
    old = Ref(SECRET, "3scale", "ip-list.maas-0123456789abcdef")
    entry = {"apiVersion": "v1", "kind": "Secret", "namespace": "3scale", "name": old.name}
    others = [{**entry, "name": "maas-llm-metering-1.0.0"}, {**entry, "kind": "CustomPolicyDefinition"}]
    bench.platform = {**bench.platform, "status": {**bench.platform["status"], "children": [entry, *others]}}
    bench.put(a_product(old.name, "somebody-elses"))
    assert (await bench.of_platform()).copies_in_use == {old}


def test_a_change_of_the_secret_or_of_its_copy_wakes_the_models(bench: Bench) -> None:
    copy = {"apiVersion": "v1", "kind": "Secret", "namespace": "3scale", "name": "ip-list.maas-0123456789abcdef"}
    account = {**copy, "kind": "Product", "name": "other"}
    status = {"children": [copy, account]}
    named = set(references(bench.platform | {"status": status}))
    assert {Ref(SECRET, "3scale", "ip-list"), Ref(SECRET, "3scale", str(copy["name"]))} <= named
    assert not [ref for ref in named if isinstance(ref, Ref) and ref.kind == PRODUCT]
    assert MODEL_PLATFORM not in {ref.kind for ref in named if isinstance(ref, Ref)}

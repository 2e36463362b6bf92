"""kopf, the watches of Secrets and the first lists against a server: what is told, and what if it goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import kopf
import pytest
import pytest_asyncio
from kopf._core.reactor import observation

from maas_operator.adapters import kopf_events, secret_watch
from maas_operator.adapters.first_lists import caught_up, live_lists
from maas_operator.adapters.kopf_events import KopfEvents, settings
from maas_operator.adapters.kubernetes import client
from maas_operator.adapters.kubernetes.access import Access, connect, login
from maas_operator.adapters.kubernetes.client import KubernetesCluster
from maas_operator.adapters.secret_watch import SecretWatches
from maas_operator.domain.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    INFERENCE_SERVICE,
    NAMESPACE,
    SECRET,
    SERVICE,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.labels import FINALIZER, MANAGED_BY, OPERATOR
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.serving.kserve import KServe, Release
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import NotFound
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call, Verb
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi

Event = tuple[str | None, Ref]


class Told:
    """What a callback was told, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.cache = Cache()
        self._more = asyncio.Event()

    def __call__(self, manifest: Manifest, kind: Kind, type_: str | None) -> None:
        assert ref_of(manifest).kind == kind
        self.events.append((type_, ref_of(manifest)))
        if type_ == "DELETED":
            self.cache.remove(manifest)
        else:
            self.cache.put(manifest)
        self._more.set()

    async def until(self, wanted: Event) -> None:
        await self._wait(lambda: wanted in self.events)

    async def about(self, ref: Ref) -> None:
        await self._wait(lambda: self.cache.get(ref) is not None)

    async def _wait(self, satisfied: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not satisfied():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(coroutine: Awaitable[None]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_awaited(coroutine))
        yield
        task.cancel()


async def _awaited(coroutine: Awaitable[None]) -> None:
    await coroutine


@pytest_asyncio.fixture
async def namespace(cluster: KubernetesCluster) -> str:
    name = f"n{uuid4().hex[:8]}"
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def service(namespace: str, name: str, **labels: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def ours(namespace: str, name: str) -> Manifest:
    return service(namespace, name, **{MANAGED_BY: OPERATOR})


def definition(kind: Kind) -> Manifest:
    schema: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": kind.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": kind.plural, "singular": kind.name.lower(), "kind": kind.name, "listKind": f"{kind.name}List"}
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITION.name,
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {"group": kind.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


async def eventually(call: Callable[[], Awaitable[Manifest]]) -> Manifest:
    """A new type is served a moment after its CRD."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(NotFound):
                return await call()
            await asyncio.sleep(0.1)


async def test_kopf_tells_what_is_there_and_what_changes(
    access: Access, cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    there = ref_of(await cluster.apply(ours(namespace, "there")))
    async with running(KopfEvents(access, told).run()):
        await told.until((None, there))
        added = await cluster.apply(ours(namespace, "new"))
        await told.until(("ADDED", ref_of(added)))
        await cluster.delete(ref_of(added), uid=added["metadata"]["uid"])
        await told.until(("DELETED", ref_of(added)))


async def test_what_lost_the_label_by_which_it_is_watched_is_known_again_when_it_has_that_again(
    access: Access, cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    async with running(KopfEvents(access, told).run()):
        mine = ref_of(await cluster.apply(ours(namespace, "mine")))
        await told.about(mine)
        await cluster.apply(service(namespace, "mine"))
        await told.until(("DELETED", mine))
        assert told.cache.get(mine) is None
        await cluster.apply(ours(namespace, "mine"))
        await told.about(mine)


async def test_that_the_loop_of_kopf_stands_still_is_seen_from_outside(
    embedded: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, unblock = Told(), threading.Event()
    monkeypatch.setattr(kopf_events, "TURN_SECONDS", 0.05)

    async def blocking(access: Access) -> kopf.ConnectionInfo:
        assert unblock.wait(20)
        return await login(access)

    monkeypatch.setattr(kopf_events, "login", blocking)
    events = KopfEvents(embedded, told)
    assert events.still_seconds == 0
    async with asyncio.timeout(20), running(events.run()):
        while events.still_seconds < 0.5:
            await asyncio.sleep(0.05)
        unblock.set()
        while events.still_seconds > 0.2:
            await asyncio.sleep(0.05)


async def test_of_a_crowded_kind_only_ours_is_told(access: Access, cluster: KubernetesCluster, namespace: str) -> None:
    told = Told()
    await cluster.apply(service(namespace, "foreign"))
    last = ref_of(await cluster.apply(ours(namespace, "ours")))
    async with running(KopfEvents(access, told).run()):
        await told.until((None, last))
    assert Ref(SERVICE, namespace, "foreign") not in [ref for _, ref in told.events]


async def test_kopf_writes_nothing_and_leaves_our_finalizer_alone(
    access: Access, cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    held = ours(namespace, "held")
    held["metadata"]["finalizers"] = [FINALIZER]
    async with running(KopfEvents(access, told).run()):
        await told.until((None, Ref(NAMESPACE, "", namespace)))
        applied = await cluster.apply(held)
        await told.about(ref_of(applied))
    # At its end kopf first finishes what it has begun.
    assert await cluster.get(ref_of(held)) == applied
    held["metadata"]["finalizers"] = []
    await cluster.apply(held)


async def test_a_type_whose_crd_comes_later_is_watched_from_then_on(
    access: Access, cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    runtime = {
        "apiVersion": SERVING_RUNTIME.api_version,
        "kind": SERVING_RUNTIME.name,
        "metadata": {"name": "r", "namespace": namespace},
    }
    async with running(KopfEvents(access, told).run()):
        await told.until((None, Ref(NAMESPACE, "", namespace)))
        created = await cluster.apply(definition(SERVING_RUNTIME))
        made = await eventually(lambda: cluster.apply(runtime))
        await told.about(ref_of(made))
    assert "openAPIV3Schema" not in str(told.cache.get(ref_of(created))), "all schemas together fill the memory"
    await cluster.delete(ref_of(created), uid=created["metadata"]["uid"])


async def test_of_kserves_own_crd_what_tells_its_release_is_kept(
    access: Access, cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    crd = definition(INFERENCE_SERVICE)
    fields = {"model": {"type": "object"}, "logger": {"type": "object", "properties": {"url": {"type": "string"}}}}
    spec = {"type": "object", "properties": {"predictor": {"type": "object", "properties": fields}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    async with running(KopfEvents(access, told).run()):
        await told.until((None, Ref(NAMESPACE, "", namespace)))
        created = await cluster.apply(crd)
        await told.about(ref_of(created))
    assert KServe(told.cache.get(ref_of(created))).release is Release.TOO_OLD
    assert "url" not in str(told.cache.get(ref_of(created)))
    await cluster.delete(ref_of(created), uid=created["metadata"]["uid"])


async def test_a_type_that_kopf_has_missed_is_watched_all_the_same(
    access: Access, cluster: KubernetesCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looks_too_soon(**_: Any) -> None:
        """Find nothing, as of a server that does not list the new type yet."""

    monkeypatch.setattr(observation, "process_discovered_resource_event", looks_too_soon)
    told = Told()
    runtime = {
        "apiVersion": SERVING_RUNTIME.api_version,
        "kind": SERVING_RUNTIME.name,
        "metadata": {"name": "r", "namespace": namespace},
    }
    async with running(KopfEvents(access, told, notice_seconds=0.2).run()):
        await told.until((None, Ref(NAMESPACE, "", namespace)))
        created = await cluster.apply(definition(SERVING_RUNTIME))
        made = await eventually(lambda: cluster.apply(runtime))
        await told.about(ref_of(made))
    await cluster.delete(ref_of(created), uid=created["metadata"]["uid"])


async def test_the_cache_has_caught_up_when_it_knows_all_that_was_there(
    access: Access, cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    applied = [await cluster.apply(ours(namespace, f"s{number}")) for number in range(20)]
    lists = await live_lists(cluster)
    gone, *rest = applied
    await cluster.delete(ref_of(gone), uid=gone["metadata"]["uid"])
    async with running(KopfEvents(access, told).run()), asyncio.timeout(20):
        await caught_up(cluster, told.cache, lists)
        assert all(told.cache.get(ref_of(one)) is not None for one in rest)


def platform(namespace: str, account: str = "account") -> Manifest:
    threescale = {"namespace": namespace, "providerAccountSecretRef": {"name": account}}
    return {"metadata": {"name": "default"}, "spec": {"threescale": threescale}}


def secret(namespace: str, name: str, **labels: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {"token": "dG9rZW4="},
    }


async def test_of_the_secrets_in_3scales_namespace_only_ours_and_the_account_are_told(
    cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    watches = SecretWatches(cluster, told)
    watches.platform_seen(platform(namespace), None)
    account = ref_of(await cluster.apply(secret(namespace, "account")))
    async with running(watches.run()):
        await told.until((None, account))
        await cluster.apply(secret(namespace, "system-database"))
        mine = await cluster.apply(secret(namespace, "mine", **{MANAGED_BY: OPERATOR}))
        await told.until(("ADDED", ref_of(mine)))
        await cluster.delete(ref_of(mine), uid=mine["metadata"]["uid"])
        await told.until(("DELETED", ref_of(mine)))
    assert {ref.name for _, ref in told.events} == {"account", "mine"}


async def test_a_secret_that_a_policy_is_configured_by_is_told_too(cluster: KubernetesCluster, namespace: str) -> None:
    told = Told()
    watches = SecretWatches(cluster, told)
    policies = [{"name": "mine", "configurationSecretRef": {"name": "ip-list"}}, {"name": "other"}]
    spec = platform(namespace)["spec"] | {"gateway": {"policies": policies}}
    watches.platform_seen({"metadata": {"name": "default"}, "spec": spec}, None)
    source = ref_of(await cluster.apply(secret(namespace, "ip-list")))
    async with running(watches.run()):
        await told.until((None, source))


async def test_another_account_is_watched_as_soon_as_the_platform_names_it(
    cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    watches = SecretWatches(cluster, told)
    first = ref_of(await cluster.apply(secret(namespace, "first")))
    second = ref_of(await cluster.apply(secret(namespace, "second")))
    async with running(watches.run()):
        watches.platform_seen(platform(namespace, "first"), None)
        await told.until((None, first))
        watches.platform_seen(platform(namespace, "second"), "MODIFIED")
        await told.until((None, second))
        await cluster.apply(secret(namespace, "first", touched="yes"))
        await cluster.apply(secret(namespace, "second", touched="yes"))
        await told.until(("MODIFIED", second))
        watches.platform_seen(platform(namespace, "second"), "DELETED")
    assert ("MODIFIED", first) not in told.events
    assert {ref.kind for _, ref in told.events} == {SECRET}


async def test_a_secret_that_goes_while_no_platform_names_it_is_told_as_deleted_when_one_does_again(
    cluster: KubernetesCluster, namespace: str
) -> None:
    told = Told()
    watches = SecretWatches(cluster, told)
    first = await cluster.apply(secret(namespace, "first"))
    second = ref_of(await cluster.apply(secret(namespace, "second")))
    async with running(watches.run()):
        watches.platform_seen(platform(namespace, "first"), None)
        await told.until((None, ref_of(first)))
        watches.platform_seen(platform(namespace, "second"), "MODIFIED")
        await told.until((None, second))
        await cluster.delete(ref_of(first), uid=first["metadata"]["uid"])
        watches.platform_seen(platform(namespace, "first"), "MODIFIED")
        await told.until(("DELETED", ref_of(first)))


async def test_of_a_secret_nothing_is_remembered_that_it_says(cluster: KubernetesCluster, namespace: str) -> None:
    told = Told()
    content = secret(namespace, "account")
    content["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "czNjcmV0"}
    account = ref_of(await cluster.apply(content))
    watches = SecretWatches(cluster, told)
    async with running(watches.run()):
        watches.platform_seen(platform(namespace), None)
        await told.until((None, account))
    kept = json.dumps([*watches._known.values()])
    assert account.name in kept
    assert "czNjcmV0" not in kept
    assert content["data"]["token"] not in kept


def test_a_server_that_answers_by_errors_for_minutes_ends_no_watch() -> None:
    backoffs = settings().networking.error_backoffs
    assert isinstance(backoffs, tuple)
    assert sum(backoffs) >= 600
    assert max(backoffs) <= 5, "so that it goes on soon after"


@asynccontextmanager
async def watching_secrets(folder: Path, told: Told, fault: Callable[[Call], Awaitable[None]]) -> AsyncIterator[Ref]:
    """Watch the account's Secret, which is there, on a server with a fault; yield its address."""
    async with KubeApi() as api, connect(Access(kubeconfig=api.write_kubeconfig(folder / "kubeconfig"))) as cluster:
        account = ref_of(await cluster.apply(secret("default", "account")))
        api.faults.add(fault)
        watches = SecretWatches(cluster, told)
        watches.platform_seen(platform("default"), None)
        async with running(watches.run()):
            yield account


async def test_secrets_that_may_not_be_watched_any_more_are_not_believed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WATCH_SECONDS", 1)
    denied = False

    async def deny(call: Call) -> None:
        if denied and call.kind == "Secret" and call.verb in (Verb.LIST, Verb.WATCH):
            raise ApiError(403, "Forbidden", "no")

    told = Told()
    async with watching_secrets(tmp_path, told, deny) as account:
        await told.about(account)
        denied = True
        await told.until(("DELETED", account))
    assert told.cache.get(account) is None


async def test_a_missing_permission_on_secrets_is_logged_once_and_cured_when_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(secret_watch, "FORBIDDEN_SECONDS", 0.0)
    denials = iter([True] * 5)

    async def deny(call: Call) -> None:
        if call.kind == "Secret" and call.verb == Verb.LIST and next(denials, False):
            raise ApiError(403, "Forbidden", "no")

    told = Told()
    async with watching_secrets(tmp_path, told, deny) as account:
        await told.until((None, account))
    messages = {record.getMessage() for record in caplog.records if record.name == secret_watch.__name__}
    assert messages == {
        "Secrets are not watched: secrets in default: Forbidden."
        " Bind the role maas-operator-threescale-secrets in default"
    }

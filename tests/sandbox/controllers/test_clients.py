"""Both clients give the same answers; over HTTP the stand-ins work against the embedded and the real API."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from maas_operator.domain.kinds import APPLICATION, APPLICATION_AUTH, INFERENCE_SERVICE, NAMESPACE, POD, SECRET, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import Conflict, KindNotServed, NotFound, Rejected, Unavailable
from maas_operator.sandbox.control_plane import ControlPlane
from maas_operator.sandbox.controllers.client import ChangeType, Client
from maas_operator.sandbox.controllers.clients import HttpClient, InformedClient, InProcessClient
from maas_operator.sandbox.controllers.conditions import is_true
from maas_operator.sandbox.controllers.kserve.settings import AUTOSCALER_CLASS
from maas_operator.sandbox.controllers.runner import Backoff
from maas_operator.sandbox.controllers.surroundings import surroundings
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.kubeapi import KubeApi
from tests.sandbox.controllers.objects import (
    ADMIN_URL,
    GATEWAY,
    MODELS,
    PASSWORD,
    TOKEN,
    USER_KEY,
    account,
    application,
    application_auth,
    backend,
    product,
    promotion,
    provider_secret,
    runtime,
    secret,
    service,
    user,
)

CONFIG = secret("config", "default", key="value")
CONFIG_REF = ref_of(CONFIG)


async def prepare(client: Client) -> None:
    for name in (MODELS, GATEWAY):
        await client.create({"apiVersion": "v1", "kind": NAMESPACE.name, "metadata": {"name": name}})
    for crd in third_party_crds():
        await client.create(crd)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KubeApi]:
    async with KubeApi() as api:
        yield api


@pytest_asyncio.fixture
async def embedded(server: KubeApi) -> AsyncIterator[HttpClient]:
    async with HttpClient(server.url) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def real(control_plane: ControlPlane) -> AsyncIterator[HttpClient]:
    async with HttpClient(control_plane.url, token=control_plane.token, tls=control_plane.tls()) as client:
        yield client


@pytest.fixture(params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest) -> Client:
    if request.param == "in process":
        return InProcessClient(KubeApi())
    found: HttpClient = request.getfixturevalue("embedded")
    return found


async def test_what_is_created_is_read_listed_and_deleted(client: Client) -> None:
    created = await client.create(CONFIG)
    assert await client.get(CONFIG_REF) == created
    (listed,) = await client.list(SECRET, namespace="default")
    assert listed == created
    assert await client.list(SECRET, labels={"a": "b"}) == []
    await client.delete(CONFIG_REF, uid=created["metadata"]["uid"])
    with pytest.raises(NotFound):
        await client.get(CONFIG_REF)


async def test_a_stale_write_is_a_conflict(client: Client) -> None:
    old = await client.create(CONFIG)
    await client.merge_patch(CONFIG_REF, {"metadata": {"annotations": {"a": "b"}}})
    with pytest.raises(Conflict):
        await client.replace({**old, "data": {}})
    with pytest.raises(Conflict):
        await client.create(CONFIG)


async def test_a_type_that_is_not_served_is_told_apart_from_a_missing_object(client: Client) -> None:
    with pytest.raises(KindNotServed):
        await client.get(Ref(INFERENCE_SERVICE, MODELS, "llama"))


async def test_the_status_is_a_subresource(client: Client) -> None:
    await prepare(client)
    created = await client.create(service())
    written = await client.replace({**created, "spec": {"predictor": {}}, "status": {"url": "x"}}, subresource="status")
    assert (written["spec"], written["status"]) == (created["spec"], {"url": "x"})
    patched = await client.merge_patch(ref_of(created), {"status": {"url": "y"}}, subresource="status")
    assert patched["status"] == {"url": "y"}


async def test_an_object_without_required_fields_is_rejected(client: Client) -> None:
    await prepare(client)
    with pytest.raises(Rejected):
        await client.apply({**service(), "spec": {}})


async def test_a_watch_tells_what_is_there_and_what_changes(client: Client) -> None:
    await client.create(CONFIG)
    seen = []
    async with asyncio.timeout(10), aclosing(client.watch(SECRET)) as changes:
        async for change in changes:
            seen.append((change.type, change.object["metadata"].get("annotations")))
            if change.type is ChangeType.ADDED:
                await client.merge_patch(CONFIG_REF, {"metadata": {"annotations": {"a": "b"}}})
            if change.type is ChangeType.MODIFIED:
                await client.delete(CONFIG_REF, uid=change.object["metadata"]["uid"])
            if change.type is ChangeType.DELETED:
                break
    assert seen == [
        (ChangeType.ADDED, None),
        (ChangeType.MODIFIED, {"a": "b"}),
        (ChangeType.DELETED, {"a": "b"}),
    ]


async def test_an_informed_client_lists_what_its_watch_has_told_and_live_what_nobody_watches(
    embedded: HttpClient, server: KubeApi
) -> None:
    async with asyncio.timeout(10), InformedClient(server.url) as informed:
        assert await informed.list(SECRET) == []
        for name in ("config", "other", "third"):
            await embedded.create(secret(name, "default", key="value"))
        first, second, _ = await informed.list(SECRET)
        await embedded.merge_patch(ref_of(first), {"metadata": {"labels": {"a": "b"}}})
        async with aclosing(informed.watch(SECRET)) as changes:
            labelled, *_ = [await anext(changes) for _ in range(3)]
            await embedded.delete(ref_of(second), uid=second["metadata"]["uid"])
            await embedded.create(secret("late", "default", key="value"))
            assert [one["metadata"]["name"] for one in await informed.list(SECRET)] == ["config", "other", "third"]
            assert await informed.list(SECRET, namespace="default", labels={"a": "b"}) == [labelled.object]
            assert await informed.list(SECRET, namespace="elsewhere") == []
            assert (await anext(changes)).type is ChangeType.DELETED
            assert [one["metadata"]["name"] for one in await informed.list(SECRET)] == ["config", "third"]
        assert [one["metadata"]["name"] for one in await informed.list(SECRET)] == ["config", "late", "third"]


async def test_a_server_that_is_away_is_unavailable() -> None:
    async with HttpClient("http://127.0.0.1:1") as client:
        with pytest.raises(Unavailable):
            await client.get(CONFIG_REF)


async def until(client: Client, kind: Kind, name: str, condition: str) -> Manifest:
    """Watch until an object has a condition, or for an Application its id."""
    async with aclosing(client.watch(kind)) as changes:
        async for change in changes:
            found = change.object
            if found["metadata"]["name"] == name and is_true(found, condition):
                return found
    raise AssertionError(f"the watch of {kind} ended")


async def bring_up(client: Client, stand_ins: Client | None = None) -> list[str]:
    """Run the stand-ins by watches while the sample comes up; return the violations."""
    await prepare(client)
    around = surroundings(stand_ins or client, namespace=GATEWAY, backoff=Backoff(longest=0.5))
    tenant = around.porta.add_tenant(ADMIN_URL, TOKEN)
    running = asyncio.ensure_future(around.runner.run(reconnect_seconds=0.1))
    model = service()
    # KServe would make an autoscaler of a version that an old server does not have.
    model["metadata"]["annotations"][AUTOSCALER_CLASS] = "none"
    try:
        for manifest in (provider_secret(), secret("dev1-password", password=PASSWORD), runtime(), model):
            await client.apply(manifest)
        for manifest in (backend(), product(), promotion(), user(), account(), application()):
            await client.apply(manifest)
        await until(client, APPLICATION, "dev1-llama", "Ready")
        await client.apply(secret("dev1-llama-key", UserKey=USER_KEY))
        await client.apply(application_auth())
        await until(client, APPLICATION_AUTH, "dev1-llama-1", "Ready")
        await until(client, INFERENCE_SERVICE, "llama", "Ready")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [a.user_key for a in tenant.people.applications.values()] == [USER_KEY]
    assert len(await client.list(POD, namespace=MODELS)) == 1
    return [str(violation) for violation in around.violations]


async def test_the_sample_comes_up_by_watches(client: Client) -> None:
    async with asyncio.timeout(30):
        assert await bring_up(client) == []


@pytest.mark.skipif("KUBEBUILDER_ASSETS" not in os.environ, reason="KUBEBUILDER_ASSETS is not set")
@pytest.mark.asyncio(loop_scope="session")
async def test_the_sample_comes_up_on_a_real_api_server(real: HttpClient) -> None:
    async with asyncio.timeout(60):
        assert await bring_up(real) == []


async def test_the_sample_comes_up_on_what_watches_have_told(embedded: HttpClient, server: KubeApi) -> None:
    async with asyncio.timeout(30), InformedClient(server.url) as informed:
        assert await bring_up(embedded, informed) == []


UPSTREAM = Path(__file__).parents[4] / "shared" / "upstream-crds"


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="the upstream CRDs are not beside this checkout")
async def test_what_the_stand_ins_write_is_valid_against_the_real_definitions() -> None:
    client = InProcessClient(KubeApi())
    for name in (MODELS, GATEWAY):
        await client.create({"apiVersion": "v1", "kind": NAMESPACE.name, "metadata": {"name": name}})
    for crd in third_party_crds(UPSTREAM):
        await client.create(crd)
    around = surroundings(client, namespace=GATEWAY)
    around.porta.add_tenant(ADMIN_URL, TOKEN)
    for manifest in (provider_secret(), secret("dev1-password", password=PASSWORD), runtime(), service()):
        await client.apply(manifest)
    for manifest in (backend(), product(), promotion(), user(), account(), application()):
        await client.apply(manifest)
    await around.runner.settle()
    await client.apply(secret("dev1-llama-key", UserKey=USER_KEY))
    await client.apply(application_auth())
    await around.runner.settle()
    for manifest in (service(), product(), promotion(), account(), application_auth()):
        live = await client.get(ref_of(manifest))
        assert is_true(live, "Synced") or is_true(live, "Ready")

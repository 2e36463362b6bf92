"""The operator in this process: that each of its parts is there and is given the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from logging import LogRecord
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from maas_operator import __version__
from maas_operator.adapters.kubernetes.access import Access, connect
from maas_operator.adapters.kubernetes.client import TRY_SECONDS
from maas_operator.adapters.threescale.client import AdminApi, CallObserver
from maas_operator.app import probes
from maas_operator.app.election import Election, Lead
from maas_operator.app.operator import Operator, now, run
from maas_operator.app.settings import Settings
from maas_operator.domain.kinds import (
    LEASE,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    NAMESPACE,
    POD,
    SECRET,
    Kind,
)
from maas_operator.domain.lease import Terms, claimed, new_lease, released
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine import relist
from maas_operator.engine.errors import NotFound, NotLeading
from maas_operator.engine.fence import WriteSeconds
from maas_operator.engine.threescale import Tenant, Threescale
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi, write_kubeconfig

PLATFORM = Ref(MODEL_PLATFORM, "", "default")
TENANT = Tenant("https://3scale-admin.example.com", SecretStr("token-of-3scale"))
TERMS = Terms(lease=timedelta(seconds=4), renew=timedelta(seconds=3), retry=timedelta(seconds=0.25))
ELECTION = Election(terms=TERMS, namespace="default", identity="this-one")
LEASE_REF = Ref(LEASE, "default", "maas-operator")
LIMIT_SECONDS = 30.0
"""Longer than any wait here takes, and shorter than the minute after which a pass looks again by itself."""


def object_of(ref: Ref, **content: Any) -> Manifest:
    place = {"namespace": ref.namespace} if ref.namespace else {}
    metadata = {"name": ref.name, **place}
    return {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": metadata, **content}


def platform(name: str = PLATFORM.name) -> Manifest:
    return object_of(Ref(MODEL_PLATFORM, "", name), spec={"threescale": {"namespace": "3scale"}})


def settings(kubeconfig: Path, election: Election | None) -> Settings:
    return Settings(access=Access(kubeconfig=kubeconfig), election=election, http_host="127.0.0.1", http_port=0)


class Process:
    """One operator, and what it looks like from outside."""

    def __init__(self, api: KubeApi, settings: Settings) -> None:
        self.api = InProcessCluster(api)
        self.admin_apis: list[AdminApi] = []
        self.operator = Operator(replace(settings, threescale=self._threescale))

    def _threescale(self, may_write: WriteSeconds, on_call: CallObserver) -> AbstractAsyncContextManager[Threescale]:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"backend_apis": []}))
        self.admin_apis.append(AdminApi(may_write, on_call, transport=transport))
        return self.admin_apis[0]

    async def answer(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.operator.http_port}/{path}"
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            return response.status, await response.text()

    async def metrics(self) -> list[str]:
        return (await self.answer("metrics"))[1].splitlines()

    async def find(self, ref: Ref) -> Manifest:
        try:
            return await self.api.get(ref)
        except NotFound:
            return {}

    async def delete(self, ref: Ref) -> None:
        await self.api.delete(ref, uid=(await self.api.get(ref))["metadata"]["uid"])

    async def threescale_ready(self) -> Manifest:
        conditions = (await self.find(PLATFORM)).get("status", {}).get("conditions", ())
        return next((one for one in conditions if one["type"] == "ThreescaleReady"), {})

    async def tells(self, reason: str) -> None:
        """Return when the platform says so of 3scale, and its own words wake it no more."""

        async def told() -> bool:
            return (await self.threescale_ready()).get("reason") == reason

        await until(told)
        before: list[str] = []
        while (passes := [one for one in await self.metrics() if "_reconcile_total{" in one]) != before:
            before = passes
            await asyncio.sleep(0.2)

    async def holder(self) -> str | None:
        return (await self.find(LEASE_REF)).get("spec", {}).get("holderIdentity")


async def until(wanted: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await wanted():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(api: KubeApi, folder: Path, *, election: Election | None = None) -> AsyncIterator[Process]:
    """Run an operator meanwhile; when this begins it serves its port."""
    process = Process(api, settings(api.write_kubeconfig(folder / "kubeconfig"), election))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process.operator.run())

        async def serves() -> bool:
            return process.operator.http_port != 0

        await until(serves)
        yield process
        task.cancel()


async def test_what_an_owner_waits_for_wakes_it(api: KubeApi, tmp_path: Path) -> None:
    async with running(api, tmp_path) as process:
        await process.api.apply(platform())
        await process.tells("NamespaceMissing")
        await process.api.apply(object_of(Ref(NAMESPACE, "", "3scale")))
        await process.tells("ProviderSecretMissing")
        # An object of another kind that has the platform's name changes nothing for it.
        homonym = Ref(MODEL_SERVICE, "default", PLATFORM.name)
        model = {"name": "m", "source": {"uri": "oci://registry.example.com/model:1"}}
        await process.api.apply(object_of(homonym, spec={"platformRef": {"name": "another"}, "model": model}))

        async def is_seen() -> bool:
            return 'maas_operator_resources{kind="ModelService"} 1.0' in await process.metrics()

        await until(is_seen)
        account = {"adminURL": TENANT.admin_url, "token": TENANT.token.get_secret_value()}
        name = (await process.find(PLATFORM))["spec"]["threescale"]["providerAccountSecretRef"]["name"]
        await process.api.apply(object_of(Ref(SECRET, "3scale", name), stringData=account))
        await process.tells("Ready")
        since = datetime.fromisoformat((await process.threescale_ready())["lastTransitionTime"])
        assert abs(since - datetime.now(UTC)) < timedelta(minutes=1)
        counted = {line.rpartition(" ")[0] for line in await process.metrics() if not line.endswith(" 0.0")}
        assert counted >= {
            "maas_operator_leader",
            'maas_operator_reconcile_total{kind="ModelPlatform",result="done"}',
            'maas_operator_api_requests_total{code="200",kind="ModelPlatform",verb="apply"}',
            'maas_operator_threescale_requests_total{code="200",verb="get"}',
        }


async def test_it_is_not_ready_before_its_cache_knows_what_there_was(api: KubeApi, tmp_path: Path) -> None:
    await InProcessCluster(api).apply(platform())
    lists, later, told = 0, asyncio.Event(), asyncio.Event()

    async def hold(call: Call) -> None:
        nonlocal lists
        if (call.kind, call.verb, call.moment) == (MODEL_PLATFORM.name, Verb.LIST, Moment.BEFORE):
            lists += 1
            if lists > 1:
                # The first one is the operator's own; the watches come after it.
                later.set()
                await told.wait()

    api.faults.add(hold)
    async with running(api, tmp_path) as process:
        await asyncio.wait_for(later.wait(), LIMIT_SECONDS)
        assert await process.answer("readyz") == (503, "the watches have not told yet what there is\n")
        told.set()
        await asyncio.wait_for(process.operator.ready.wait(), LIMIT_SECONDS)
        assert await process.answer("readyz") == (200, "ok\n")


async def test_what_goes_is_missed_even_if_that_is_while_the_api_server_is_away(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relist, "DELAY_SECONDS", 0.0)
    namespace = Ref(NAMESPACE, "", "3scale")
    async with running(api, tmp_path) as process:
        await process.api.apply(platform())
        await process.tells("NamespaceMissing")
        await process.api.apply(object_of(namespace))
        await process.tells("ProviderSecretMissing")
        await process.delete(namespace)
        await process.tells("NamespaceMissing")
        await process.api.apply(object_of(namespace))
        await process.tells("ProviderSecretMissing")
        await api.stop()
        await process.delete(namespace)
        # No watch can go on where it was.
        api.api.store.compact()
        await api.start(urlsplit(api.url).port or 0)
        await process.tells("NamespaceMissing")


async def test_a_pass_or_watches_that_stand_still_fail_its_health(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def hold(call: Call) -> None:
        if call.kind == MODEL_PLATFORM.name and call.writes:
            begun.set()
            await over.wait()

    async with running(api, tmp_path) as process:
        await asyncio.wait_for(process.operator.ready.wait(), LIMIT_SECONDS)
        assert await process.answer("healthz") == (200, "ok\n")
        with monkeypatch.context() as patch:
            patch.setattr(probes, "STILL_SECONDS", 0.0)
            assert "the watches have stood still" in (await process.answer("healthz"))[1]
        await process.api.apply(platform())
        remove = api.faults.add(hold)
        await asyncio.wait_for(begun.wait(), LIMIT_SECONDS)
        monkeypatch.setattr(probes, "PASS_SECONDS", 0.0)
        assert "a pass has been running" in (await process.answer("healthz"))[1]
        remove()
        over.set()


async def test_a_standby_is_ready_and_may_write_nothing_until_it_leads(api: KubeApi, tmp_path: Path) -> None:
    cluster = InProcessCluster(api)
    other = claimed({}, "another", Terms(), datetime.now(UTC))
    await cluster.apply(new_lease(LEASE_REF, other), manager="another")
    await cluster.apply(platform(), manager="user")
    kinds_written = []

    async def note(call: Call) -> None:
        if call.writes and call.kind != LEASE.name:
            kinds_written.append(call.kind)

    api.faults.add(note)
    async with running(api, tmp_path, election=ELECTION) as process:
        (admin_api,) = process.admin_apis

        async def is_ready() -> bool:
            return (await process.answer("readyz"))[0] == 200

        async def leads() -> bool:
            return "maas_operator_leader 1.0" in await process.metrics()

        await until(is_ready)
        assert not process.operator.ready.is_set()
        assert "maas_operator_leader 0.0" in await process.metrics()
        with pytest.raises(NotLeading):
            await admin_api.accept(TENANT, 1, 2)
        assert kinds_written == []
        await cluster.apply(new_lease(LEASE_REF, released(other, datetime.now(UTC))), manager="another")
        await until(leads)
        assert await process.holder() == ELECTION.identity
        await admin_api.accept(TENANT, 1, 2)
        await asyncio.wait_for(process.operator.ready.wait(), LIMIT_SECONDS)
    assert await process.holder() == ""


async def test_a_leader_gives_a_write_no_more_time_than_it_may_lead(api: KubeApi, tmp_path: Path) -> None:
    begun, again, never = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def swallow(call: Call) -> None:
        if call.kind == MODEL_PLATFORM.name and call.writes:
            if begun.is_set():
                again.set()
                return
            begun.set()
            await never.wait()

    async with running(api, tmp_path, election=ELECTION) as process:
        await asyncio.wait_for(process.operator.ready.wait(), LIMIT_SECONDS)
        await process.api.apply(platform())
        api.faults.add(swallow)
        await asyncio.wait_for(begun.wait(), LIMIT_SECONDS)
        await asyncio.wait_for(again.wait(), TRY_SECONDS - TERMS.lease.total_seconds())
        assert await process.holder() == ELECTION.identity


async def last_words(kubeconfig: Path, caplog: pytest.LogCaptureFixture) -> list[LogRecord]:
    """Run an operator that takes part in an election until it ends by itself, and return what it dies of."""
    assert await asyncio.wait_for(run(settings(kubeconfig, ELECTION)), LIMIT_SECONDS) == 1
    return [record for record in caplog.records if record.levelname == "CRITICAL"]


@pytest.mark.parametrize(("kind", "words"), [(LEASE, "Lease default/maas-operator"), (POD, "pods")])
async def test_a_permission_that_it_lacks_is_its_last_word(
    kind: Kind, words: str, api: KubeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def deny(call: Call) -> None:
        if call.kind == kind.name:
            raise ApiError(403, "Forbidden", "this account may not")

    api.faults.add(deny)
    (said,) = await last_words(api.write_kubeconfig(tmp_path / "kubeconfig"), caplog)
    assert said.message == f"{words}: Forbidden: this account may not"


async def test_a_leader_whose_lease_somebody_takes_ends(
    api: KubeApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    taken = new_lease(LEASE_REF, claimed({}, "another", Terms(), datetime.now(UTC)))

    async def take(call: Call) -> None:
        if (call.kind, call.verb, call.moment) == (POD.name, Verb.LIST, Moment.BEFORE):
            remove()
            await InProcessCluster(api).apply(taken, manager="another")

    remove = api.faults.add(take)
    (said,) = await last_words(api.write_kubeconfig(tmp_path / "kubeconfig"), caplog)
    assert said.message == "Lease default/maas-operator was taken by another"


async def test_of_a_fault_that_nobody_thought_of_the_place_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agents = set()

    async def answer(request: web.Request) -> web.Response:
        agents.add(request.headers["User-Agent"])
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        (said,) = await last_words(write_kubeconfig(tmp_path / "kubeconfig", str(server.make_url(""))), caplog)
    assert said.message == "a fault of the operator"
    assert said.exc_info is not None
    assert said.exc_info[0] is KeyError
    assert agents == {f"maas-operator/{__version__} (this-one)"}


async def test_who_holds_the_lead_lets_it_go_at_the_end(api: KubeApi, tmp_path: Path) -> None:
    lead, process = Lead(ELECTION), InProcessCluster(api)
    async with connect(Access(kubeconfig=api.write_kubeconfig(tmp_path / "kubeconfig"))) as cluster:
        assert lead.may_write() < 0
        async with asyncio.timeout(LIMIT_SECONDS), lead.held(cluster, now):
            assert 0 < lead.may_write() <= TERMS.renew.total_seconds()
            assert (await process.get(LEASE_REF))["spec"]["holderIdentity"] == ELECTION.identity
        assert lead.may_write() < 0
    assert (await process.get(LEASE_REF))["spec"]["holderIdentity"] == ""

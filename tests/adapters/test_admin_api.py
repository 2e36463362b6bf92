"""The client of 3scale's Admin API against the stand-in of 3scale, over real HTTP."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import SecretStr

from maas_operator.adapters.threescale import answers, client
from maas_operator.adapters.threescale.client import AdminApi
from maas_operator.domain.gateway.remote import RemoteApplication, RemoteBackend, RemoteMetric, RemoteRule
from maas_operator.engine.errors import (
    NotLeading,
    RemoteNotFound,
    RemoteRefused,
    RemoteUnavailable,
    ThreescaleError,
    TokenRefused,
)
from maas_operator.engine.threescale import Tenant
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.faults import Faults, PortaFault
from maas_operator.sandbox.controllers.threescale import admin_api, admin_http
from maas_operator.sandbox.controllers.threescale.catalogue import Product, Rule
from maas_operator.sandbox.controllers.threescale.people import Application
from maas_operator.sandbox.controllers.threescale.porta import Porta
from maas_operator.sandbox.controllers.threescale.porta import Tenant as PortaTenant
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi

TOKEN = "canary-of-the-tenant"
METRICS = {"hits": "Hits", "total_tokens": "Tokens"}


@dataclass
class Stage:
    """A tenant of 3scale, how our client knows it, and what can go wrong."""

    porta: PortaTenant
    tenant: Tenant
    faults: Faults
    api: AdminApi

    def product(self, system_name: str = "tiny-1a2b3c") -> Product:
        catalogue = self.porta.catalogue
        product = catalogue.create_product(name=system_name, system_name=system_name)
        for name, friendly_name in METRICS.items():
            catalogue.put_metric(product, name, friendly_name=friendly_name)
        catalogue.put_metric(product, "chat", friendly_name="Chat", parent="hits")
        return product

    def application(self, product: Product, *, approval: bool = False, name: str = "one") -> Application:
        people = self.porta.people
        plan = product.plans.get("basic") or self.porta.catalogue.put_plan(product, "basic", approval_required=approval)
        account = next(iter(people.accounts.values()), None) or people.sign_up(
            org_name="Us", username="dev1", email="dev1@example.com", password="long-enough-canary"
        )
        return people.create_application(account.id, product, plan, name=name, description="An application")


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    porta, faults = Porta(), Faults()
    api = admin_api.AdminApi(porta, faults, InProcessClient(KubeApi()), "3scale")
    async with admin_http.serve(api) as port, AdminApi() as ours:
        url = f"http://127.0.0.1:{port}"
        yield Stage(porta.add_tenant(url, TOKEN), Tenant(url, SecretStr(TOKEN)), faults, ours)


async def test_names_are_found_wherever_they_are_in_the_lists(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    for number in range(5):
        stage.product(f"model-{number}")
        stage.porta.catalogue.create_backend(name="x", system_name=f"back-{number}", endpoint="http://x.example.com")
    found = [await stage.api.product_id(stage.tenant, f"model-{number}") for number in range(6)]
    assert found == [getattr(stage.porta.catalogue.find_product(f"model-{number}"), "id", None) for number in range(6)]
    assert None not in found[:5]
    assert [await stage.api.has_backend(stage.tenant, f"back-{number}") for number in range(6)] == [True] * 5 + [False]


async def test_a_list_that_3scale_does_not_page_is_read_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    product = stage.product()
    for number in range(4):
        stage.porta.catalogue.put_plan(product, f"plan-{number}")
    assert len(await stage.api.plans(stage.tenant, product.id)) == 4


async def test_a_product_is_read_with_all_that_belongs_to_it(stage: Stage) -> None:
    catalogue, product = stage.porta.catalogue, stage.product()
    backend = catalogue.create_backend(name="Back", system_name="back", endpoint="http://back.example.com:8080")
    catalogue.set_usages(product, {backend.id: "/"})
    catalogue.update_proxy(product, {"credentials_location": "authorization", "error_status_auth_failed": 401})
    rules = [Rule("GET", "/v1/models$", "hits", 1), Rule("POST", "/v1/chat/completions$", "chat", 2, True)]
    catalogue.set_rules(product, rules)
    plan = catalogue.put_plan(product, "basic", name="Basic", published=True, trial_days=7, month_fee="9.90")
    catalogue.set_limits(plan, {("hits", 0, "minute"): 60, ("hits", backend.id, "day"): 5})
    remote = await stage.api.product(stage.tenant, product.id)
    assert remote.metrics.keys() == {"hits", "total_tokens", "chat"}
    chat = RemoteMetric(friendly_name="Chat", unit="hit", description="", is_method=True)
    assert (remote.metrics["chat"], remote.metrics["hits"].is_method) == (chat, False)
    assert remote.usages == {backend.id: "/"}
    assert remote.rules == tuple(RemoteRule(r.http_method, r.pattern, r.metric, r.increment, r.last) for r in rules)
    assert [policy["name"] for policy in remote.policies] == ["apicast"]
    assert (
        remote.settings.items()
        >= {
            "credentials_location": "authorization",
            "error_status_auth_failed": "401",
            "backend_version": "1",
            "deployment_option": "hosted",
        }.items()
    )
    basic = remote.plans["basic"]
    assert (basic.name, basic.published, basic.trial_days) == ("Basic", True, 7)
    assert (basic.month_fee, basic.setup_fee, basic.approval_required) == (Decimal("9.9"), 0, False)
    of_backend = str(backend.metrics["hits"].id)
    assert remote.limits == {"basic": {("hits", "minute"): 60, (of_backend, "day"): 5}}


async def test_a_product_is_read_with_what_its_gateways_load(stage: Stage) -> None:
    catalogue, product = stage.porta.catalogue, stage.product()
    backend = catalogue.create_backend(name="Back", system_name="back", endpoint="http://back.example.com:8080")
    catalogue.set_rules(backend, [Rule("GET", "/of-the-backend", "hits", 1)])
    rules = [Rule("GET", "/v1/models$", "hits", 1), Rule("POST", "/v1/chat/completions$", "chat", 2, True)]
    catalogue.set_rules(product, rules)
    assert (await stage.api.product(stage.tenant, product.id)).staging is None
    catalogue.set_usages(product, {backend.id: "/"})
    catalogue.update_proxy(product, {"credentials_location": "query"})
    catalogue.promote(product, 1)
    off = {"name": "cors", "version": "builtin", "enabled": False, "configuration": {}}
    catalogue.set_policies(product, [off, *product.policies])
    catalogue.set_rules(product, rules[1:])
    catalogue.deploy(product)
    remote = await stage.api.product(stage.tenant, product.id)
    assert remote.staging is not None
    assert remote.production is not None
    assert (remote.staging.version, remote.production.version) == (3, 1)
    told = tuple(RemoteRule(r.http_method, r.pattern, r.metric, r.increment, r.last) for r in rules)
    assert (remote.staging.rules, remote.production.rules) == (told[1:], told)
    assert remote.staging.policies == ({"name": "apicast", "version": "builtin", "configuration": {}},)
    assert remote.production.settings["credentials_location"] == "query"
    assert remote.production.target == "http://back.example.com:8080"


async def test_a_backend_is_read(stage: Stage) -> None:
    catalogue = stage.porta.catalogue
    backend = catalogue.create_backend(name="Back", system_name="back", endpoint="http://back.example.com:8080")
    found = await stage.api.backend(stage.tenant, backend.id)
    assert found == RemoteBackend(name="Back", description="", endpoint="http://back.example.com:8080")


async def test_the_applications_of_one_product_come_without_their_keys(stage: Stage) -> None:
    product = stage.product()
    mine = stage.application(product)
    stage.application(stage.product("another"))
    found = await stage.api.applications(stage.tenant, product.id)
    expected = RemoteApplication(id=mine.id, account_id=mine.account_id, plan_id=mine.plan.id, state="live")
    assert found == [expected]
    assert mine.user_key not in repr(found)


async def test_a_waiting_application_is_accepted(stage: Stage) -> None:
    application = stage.application(stage.product(), approval=True)
    await stage.api.accept(stage.tenant, application.account_id, application.id)
    assert application.state == "live"


async def test_accepting_again_changes_nothing(stage: Stage) -> None:
    application = stage.application(stage.product())
    await stage.api.accept(stage.tenant, application.account_id, application.id)
    assert application.state == "live"


async def test_who_does_not_lead_changes_nothing_in_3scale(stage: Stage) -> None:
    product = stage.product()
    application = stage.application(product, approval=True)
    async with AdminApi(lambda: 0.0) as standby:
        assert len(await standby.applications(stage.tenant, product.id)) == 1
        with pytest.raises(NotLeading, match="accept is not written"):
            await standby.accept(stage.tenant, application.account_id, application.id)
    assert application.state == "pending"


async def test_a_suspended_application_is_not_accepted(stage: Stage) -> None:
    application = stage.application(stage.product())
    application.state = "suspended"
    with pytest.raises(RemoteRefused, match="cannot transition"):
        await stage.api.accept(stage.tenant, application.account_id, application.id)


async def test_an_application_of_another_account_is_not_found(stage: Stage) -> None:
    application = stage.application(stage.product(), approval=True)
    with pytest.raises(RemoteNotFound, match=r"404.*Not found"):
        await stage.api.accept(stage.tenant, application.account_id + 1, application.id)
    assert application.state == "pending"


CALLS: dict[str, Callable[[Stage, Tenant], Awaitable[object]]] = {
    "check": lambda stage, tenant: stage.api.check(tenant),
    "product_id": lambda stage, tenant: stage.api.product_id(tenant, "x"),
    "has_backend": lambda stage, tenant: stage.api.has_backend(tenant, "x"),
    "product": lambda stage, tenant: stage.api.product(tenant, 1),
    "backend": lambda stage, tenant: stage.api.backend(tenant, 1),
    "plans": lambda stage, tenant: stage.api.plans(tenant, 1),
    "applications": lambda stage, tenant: stage.api.applications(tenant, 1),
    "accept": lambda stage, tenant: stage.api.accept(tenant, 1, 1),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_wrong_token_is_refused_in_3scales_words_and_never_shown(
    stage: Stage, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TokenRefused, match=r"403.*Access denied") as caught:
        await CALLS[call](stage, Tenant(stage.tenant.admin_url, SecretStr("a-wrong-canary")))
    assert "canary" not in caplog.text + repr(caught.value) + repr(stage.tenant)


@pytest.mark.parametrize("call", CALLS)
async def test_a_3scale_that_is_down_is_unavailable(stage: Stage, call: str) -> None:
    stage.faults.porta = PortaFault.DOWN
    with pytest.raises(RemoteUnavailable, match=r"no answer from 3scale at http://127\.0\.0\.1"):
        await CALLS[call](stage, stage.tenant)


async def test_a_host_that_does_not_listen_is_named(stage: Stage) -> None:
    with pytest.raises(RemoteUnavailable, match=r"http://127\.0\.0\.1:1: .*"):
        await stage.api.check(Tenant("http://127.0.0.1:1", SecretStr(TOKEN)))


# --- those who are not 3scale ----------------------------------------------------------------------------------------


@asynccontextmanager
async def somebody(handle: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[Tenant]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Tenant(f"http://127.0.0.1:{runner.addresses[0][1]}", SecretStr(TOKEN))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("code", "body", "error", "words"),
    [
        (200, "<html>canary</html>", RemoteRefused, "no Admin API"),
        (200, "{}", RemoteRefused, "no Admin API"),
        (200, '{"services": [{"service": {"id": 1}}]}', RemoteRefused, "no Admin API"),
        (302, "", RemoteRefused, "302"),
        (409, "", RemoteRefused, "409"),
        (422, '{"errors": {"name": ["is too long"]}}', RemoteRefused, "name is too long"),
        (422, '["canary"]', RemoteRefused, "422"),
        (401, '{"error": "who?"}', TokenRefused, "who?"),
        (404, "<html>canary</html>", RemoteNotFound, "404"),
        (429, "", RemoteUnavailable, "429"),
        (503, "<html>canary</html>", RemoteUnavailable, "503"),
    ],
)
async def test_an_answer_is_an_error_of_ours_without_its_body(
    code: int, body: str, error: type[ThreescaleError], words: str
) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=code, text=body, headers={"Location": "/elsewhere"} if code == 302 else None)

    async with somebody(handle) as tenant, AdminApi() as api:
        with pytest.raises(error, match=words) as caught:
            await api.product_id(tenant, "x")
        assert type(caught.value) is error
        assert "canary" not in str(caught.value)


async def test_each_request_is_observed_with_the_code_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    forever = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        if "active_docs" not in request.path:
            return web.json_response({"backend_apis": []})
        if request.method == "DELETE":
            return web.Response(status=403)
        await forever.wait()
        return web.Response()

    def observe(verb: str, code: int, seconds: float) -> None:
        assert seconds >= 0
        seen.append((verb, code))

    async with somebody(handle) as tenant, AdminApi(on_call=observe) as api:
        await api.check(tenant)
        with pytest.raises(TokenRefused):
            await api.delete_document(tenant, 1)
        monkeypatch.setattr(client, "CALL_SECONDS", 0.05)
        with pytest.raises(RemoteUnavailable):
            await api.documents(tenant)
        forever.set()
    assert seen == [("get", 200), ("delete", 403), ("get", 0)]


@pytest.mark.parametrize("host", ["\u2000.com", "exa\tmple.com"])
async def test_a_host_that_can_not_be_one_is_refused_and_named(host: str) -> None:
    async with AdminApi() as api:
        with pytest.raises(RemoteRefused, match="is not the URL of a host"):
            await api.check(Tenant(f"https://{host}", SecretStr(TOKEN)))


async def test_the_token_is_sent_as_a_password_and_never_in_a_url() -> None:
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"backend_apis": []})

    async with somebody(handle) as tenant, AdminApi() as api:
        await api.check(tenant)
    assert TOKEN not in str(seen[0].url)
    assert seen[0].headers["Authorization"].startswith("Basic ")


async def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS", 0.05)
    forever = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        await forever.wait()
        return web.Response()

    async with somebody(handle) as tenant, AdminApi() as api:
        with pytest.raises(RemoteUnavailable, match="takes too long"):
            await api.check(tenant)
        forever.set()


# --- certificates ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for 127.0.0.1 that vouches for itself, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate to test with")
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "certificate.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(made)]
    subprocess.run([openssl, *words.split(), *files], check=True, capture_output=True)
    return made


@pytest.fixture
def authority(certificate: Path) -> str:
    return certificate.read_text()


@asynccontextmanager
async def over_tls(certificate: Path) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"backend_apis": []})

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_authority_of_the_platform_is_trusted(certificate: Path, authority: str) -> None:
    async with over_tls(certificate) as url, AdminApi() as api:
        await api.check(Tenant(url, SecretStr(TOKEN), authority))


async def test_a_certificate_of_nobody_that_we_know_is_told(certificate: Path) -> None:
    async with over_tls(certificate) as url, AdminApi() as api:
        with pytest.raises(RemoteUnavailable, match="certificate is not trusted"):
            await api.check(Tenant(url, SecretStr(TOKEN)))


async def test_an_authority_that_is_no_certificate_is_told() -> None:
    async with AdminApi() as api:
        with pytest.raises(RemoteRefused, match="PEM"):
            await api.check(Tenant("https://127.0.0.1:1", SecretStr(TOKEN), "not a certificate"))


async def test_the_endpoint_is_the_one_in_production_without_the_usual_port(stage: Stage) -> None:
    product = stage.product()
    endpoint = await stage.api.endpoint(stage.tenant, product.id)
    assert re.fullmatch(r"https://tiny-1a2b3c-127-apicast-production\.0\.0\.1", endpoint)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("https://a.example.com:443", "https://a.example.com"),
        ("http://a.example.com:80", "http://a.example.com"),
        ("https://a.example.com", "https://a.example.com"),
        ("https://a.example.com:8443", "https://a.example.com:8443"),
        ("http://a.example.com:443", "http://a.example.com:443"),
    ],
)
def test_a_port_is_left_out_where_it_is_the_usual_one(told: str, read: str) -> None:
    assert answers.endpoint(told) == read


@pytest.mark.parametrize("told", ["", "ftp://a.example.com", "https://", "https://a.example.com:x"])
async def test_what_is_no_public_url_is_no_answer_of_3scale(stage: Stage, told: str) -> None:
    product = stage.product()
    product.proxy["endpoint"] = told
    with pytest.raises(RemoteRefused, match="no Admin API"):
        await stage.api.endpoint(stage.tenant, product.id)


async def test_a_subscription_sees_its_application_and_no_key_gets_out(stage: Stage) -> None:
    application = stage.application(stage.product())
    stage.porta.people.set_user_key(application, "our-canary-key")
    ids = application.account_id, application.id
    ours = await stage.api.access(stage.tenant, *ids, SecretStr("our-canary-key"))
    assert (ours.plan_id, ours.state, ours.has_key) == (application.plan.id, "live", True)
    assert "canary" not in repr(ours)
    assert not (await stage.api.access(stage.tenant, *ids, SecretStr("another-kéy"))).has_key
    with pytest.raises(RemoteNotFound):
        await stage.api.access(stage.tenant, application.account_id, 4711, SecretStr("our-canary-key"))


def test_a_product_without_keys_has_none_to_compare() -> None:
    entry = {"plan_id": 1, "state": "live"}
    assert answers.access(entry, SecretStr("ours")).has_key


async def test_a_user_is_there_with_its_account_or_not_at_all(stage: Stage) -> None:
    application = stage.application(stage.product())
    account = stage.porta.people.accounts[application.account_id]
    (user,) = account.users
    assert await stage.api.has_user(stage.tenant, account.id, user)
    assert not await stage.api.has_user(stage.tenant, account.id, 4711)
    assert not await stage.api.has_user(stage.tenant, 4711, user)

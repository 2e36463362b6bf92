"""The calls of `engine.threescale.Threescale` over HTTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeAlias, TypeVar

import httpx
from pydantic import SecretStr

from maas_operator import __version__
from maas_operator.domain.gateway.remote import (
    RemoteApplication,
    RemoteBackend,
    RemoteDocument,
    RemotePlan,
    RemoteProduct,
)
from maas_operator.domain.people.remote import RemoteAccess
from maas_operator.engine.errors import NotLeading, RemoteNotFound, RemoteRefused, RemoteUnavailable
from maas_operator.engine.fence import WriteSeconds, always
from maas_operator.engine.threescale import Tenant

from . import answers
from .answers import Json

PAGE_SIZE: Final = 500
"""The most that porta gives at once."""
CONNECT_SECONDS: Final = 5.0
CALL_SECONDS: Final = 20.0
"""One request from beginning to end; well below the time-out of a pass."""
CONNECTIONS: Final = 8

CallObserver: TypeAlias = Callable[[str, int, float], None]
"""Told of each request: verb, HTTP status (0 = no answer), seconds."""

Read = TypeVar("Read")


def ignore_call(verb: str, code: int, seconds: float) -> None:
    """Observe nothing."""


class AdminApi:
    """A `Threescale` on real Admin APIs: `async with AdminApi() as threescale`.

    `transport` takes the place of the network, for a 3scale that is not on one.
    """

    def __init__(
        self,
        may_write: WriteSeconds = always,
        on_call: CallObserver = ignore_call,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._may_write = may_write
        self._on_call = on_call
        self._transport = transport
        # By authority: making a TLS context costs more than a call.
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def __aenter__(self) -> AdminApi:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def check(self, tenant: Tenant) -> None:
        """Make the cheapest call that proves the token."""
        await self._page(tenant, "backend_apis", {"page": 1, "per_page": 1})

    async def product_id(self, tenant: Tenant, system_name: str) -> int | None:
        """Return the id of the product of this system name; porta can not be asked for one."""
        found = await self._list(tenant, "services", "services", "service")
        return _read("services", lambda: next((one["id"] for one in found if one["system_name"] == system_name), None))

    async def has_backend(self, tenant: Tenant, system_name: str) -> bool:
        """Tell whether there is a backend of this system name."""
        found = await self._list(tenant, "backend_apis", "backend_apis", "backend_api")
        return _read("backend_apis", lambda: any(entry["system_name"] == system_name for entry in found))

    async def product(self, tenant: Tenant, product_id: int) -> RemoteProduct:
        """Read all of a product, part by part: porta has no call for the whole."""
        path = f"services/{product_id}"
        plans = await self._plans(tenant, product_id)
        parts = answers.Parts(
            service=await self._get(tenant, path),
            proxy=await self._get(tenant, f"{path}/proxy"),
            usages=await self._get(tenant, f"{path}/backend_usages"),
            policies=await self._get(tenant, f"{path}/proxy/policies"),
            metrics=await self._list(tenant, f"{path}/metrics", "metrics", "metric"),
            rules=await self._list(tenant, f"{path}/proxy/mapping_rules", "mapping_rules", "mapping_rule"),
            plans=plans,
            limits={
                plan["id"]: await self._list(tenant, f"application_plans/{plan['id']}/limits", "limits", "limit")
                for plan in plans
            },
            staging=await self._latest(tenant, f"{path}/proxy/configs/sandbox"),
            production=await self._latest(tenant, f"{path}/proxy/configs/production"),
        )
        return _read(path, lambda: answers.product(parts))

    async def endpoint(self, tenant: Tenant, product_id: int) -> str:
        """Return a product's public base URL in production, without a slash at its end."""
        path = f"services/{product_id}/proxy"
        found = await self._get(tenant, path)
        return _read(path, lambda: answers.endpoint(found["proxy"]["endpoint"]))

    async def backend(self, tenant: Tenant, backend_id: int) -> RemoteBackend:
        """Read a backend."""
        path = f"backend_apis/{backend_id}"
        found = await self._get(tenant, path)
        return _read(path, lambda: answers.backend(found["backend_api"]))

    async def plans(self, tenant: Tenant, product_id: int) -> list[RemotePlan]:
        """Read the plans of a product."""
        found = await self._plans(tenant, product_id)
        return _read("application_plans", lambda: [answers.plan(entry) for entry in found])

    async def applications(self, tenant: Tenant, product_id: int) -> list[RemoteApplication]:
        """Read the applications of a product, whoever made them."""
        found = await self._list(tenant, "applications", "applications", "application", service_id=product_id)
        return _read("applications", lambda: [answers.application(entry) for entry in found])

    async def access(self, tenant: Tenant, account_id: int, application_id: int, key: SecretStr) -> RemoteAccess:
        """Read an application; whether it has this key is found out here: no key gets out."""
        path = f"accounts/{account_id}/applications/{application_id}"
        found = await self._get(tenant, path)
        return _read(path, lambda: answers.access(found["application"], key))

    async def has_user(self, tenant: Tenant, account_id: int, user_id: int) -> bool:
        """Tell whether an account is there and has this user."""
        try:
            await self._get(tenant, f"accounts/{account_id}/users/{user_id}")
        except RemoteNotFound:
            return False
        return True

    async def documents(self, tenant: Tenant) -> list[RemoteDocument]:
        """Read all documents; porta pages them as little as it finds one by its name."""
        found = await self._get(tenant, "active_docs")
        return _read("active_docs", lambda: [answers.document(entry["api_doc"]) for entry in found["api_docs"]])

    async def document(self, tenant: Tenant, document_id: int) -> RemoteDocument:
        """Read a document."""
        path = f"active_docs/{document_id}"
        found = await self._get(tenant, path)
        return _read(path, lambda: answers.document(found["api_doc"]))

    async def delete_document(self, tenant: Tenant, document_id: int) -> None:
        """Delete a document."""
        await self._call("DELETE", tenant, f"active_docs/{document_id}")

    async def accept(self, tenant: Tenant, account_id: int, application_id: int) -> None:
        """Accept an application; nothing happens to one that is accepted already."""
        path = f"accounts/{account_id}/applications/{application_id}"
        try:
            await self._call("PUT", tenant, f"{path}/accept")
        except RemoteRefused:
            # Porta refuses it to one that is live, as after a crash between the call and its trace.
            found = await self._get(tenant, path)
            if _read(path, lambda: answers.application(found["application"])).state != "live":
                raise

    async def _latest(self, tenant: Tenant, path: str) -> Any:
        """Read the newest configuration; None while nothing was deployed."""
        try:
            return await self._get(tenant, f"{path}/latest")
        except RemoteNotFound:
            return None

    async def _plans(self, tenant: Tenant, product_id: int) -> list[Json]:
        return await self._list(tenant, f"services/{product_id}/application_plans", "plans", "application_plan")

    async def _list(self, tenant: Tenant, path: str, many: str, one: str, **query: int) -> list[Json]:
        """Read all pages. Lists that porta does not page come again and again: the first id tells."""
        entries: dict[int, Json] = {}
        page = 1
        while True:
            body = await self._page(tenant, path, query | {"page": page, "per_page": PAGE_SIZE})
            found = _read(path, partial(_unwrapped, body, many, one))
            new = {entry["id"]: entry for entry in found if entry["id"] not in entries}
            entries |= new
            if len(found) < PAGE_SIZE or not new:
                return list(entries.values())
            page += 1

    async def _page(self, tenant: Tenant, path: str, query: dict[str, int]) -> Any:
        return await self._call("GET", tenant, path, query)

    async def _get(self, tenant: Tenant, path: str) -> Any:
        return await self._call("GET", tenant, path, {})

    async def _call(self, method: str, tenant: Tenant, path: str, query: dict[str, int] | None = None) -> Any:
        client = self._client(tenant.authority)
        # Basic, and never a parameter: URLs end up in the logs of routers.
        credentials = httpx.BasicAuth("", tenant.token.get_secret_value())
        url = f"{tenant.admin_url}/admin/api/{path}.json"
        seconds = CALL_SECONDS if method == "GET" else min(CALL_SECONDS, self._may_write())
        if seconds <= 0:
            raise NotLeading(f"{path} is not written: this process does not lead any more")
        observed = partial(self._observe, method.lower(), asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(seconds):
                answer = await client.request(method, url, params=query or None, auth=credentials)
        except (httpx.HTTPError, TimeoutError) as error:
            observed(0)
            raise RemoteUnavailable(f"no answer from 3scale at {tenant.admin_url}: {_cause(error)}") from None
        except httpx.InvalidURL:
            raise RemoteRefused(f"{tenant.admin_url!r} is not the URL of a host: correct it in the account") from None
        observed(answer.status_code)
        if not answer.is_success:
            raise answers.error_of(path, answer)
        # A deletion is answered by nothing.
        return _read(path, answer.json) if answer.content else None

    def _observe(self, verb: str, started: float, code: int) -> None:
        self._on_call(verb, code, asyncio.get_running_loop().time() - started)

    def _client(self, authority: str) -> httpx.AsyncClient:
        if authority not in self._clients:
            self._clients[authority] = httpx.AsyncClient(
                verify=_trust(authority),
                transport=self._transport,
                timeout=httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=CONNECTIONS),
                headers={"Accept": "application/json", "User-Agent": f"maas-operator/{__version__}"},
                follow_redirects=False,
            )
        return self._clients[authority]


def _unwrapped(body: Any, many: str, one: str) -> list[Json]:
    return [entry[one] for entry in body[many]]


def _trust(authority: str) -> ssl.SSLContext:
    """Return a TLS context that trusts this authority alone, or else whom the system trusts."""
    if not authority:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise RemoteRefused("the certificate authority for 3scale is no certificate in PEM form") from None


def _cause(error: Exception) -> str:
    """Name what went wrong below HTTP, in the system's words: about certificates and names they tell the remedy."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "it takes too long"
    root: BaseException = error
    while (below := root.__cause__ or root.__context__) is not None:
        root = below
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {root.verify_message}"
    words = root.strerror if isinstance(root, OSError) and root.strerror else type(root).__name__
    return str(words)


def _read(path: str, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except (KeyError, TypeError, ValueError, ArithmeticError):
        # Not chained: the answer may hold keys.
        raise answers.not_an_admin_api(path) from None

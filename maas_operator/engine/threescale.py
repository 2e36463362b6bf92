"""The seam to 3scale's Admin API: the calls that the engine makes, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pydantic import SecretStr

from maas_operator.domain.gateway.remote import (
    RemoteApplication,
    RemoteBackend,
    RemoteDocument,
    RemotePlan,
    RemoteProduct,
)
from maas_operator.domain.people.remote import RemoteAccess

REGULARLY: Final = timedelta(seconds=500)
"""How long an answer holds: a little less than a resync takes, so that each resync finds it time to ask."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A provider account: where its Admin API is, and its token.

    `authority`: the certificates (PEM) that may vouch for it; the system's if empty.
    """

    admin_url: str
    token: SecretStr
    authority: str = ""


class Threescale(Protocol):
    """3scale. Each call raises a `ThreescaleError` of `engine.errors`; none retries."""

    async def check(self, tenant: Tenant) -> None:
        """Make the cheapest call that proves the token."""

    async def product_id(self, tenant: Tenant, system_name: str) -> int | None:
        """Return the id of the product of this system name; None if there is none."""

    async def has_backend(self, tenant: Tenant, system_name: str) -> bool:
        """Tell whether there is a backend of this system name."""

    async def product(self, tenant: Tenant, product_id: int) -> RemoteProduct:
        """Read all of a product."""

    async def endpoint(self, tenant: Tenant, product_id: int) -> str:
        """Return a product's public base URL in production, without a slash at its end."""

    async def backend(self, tenant: Tenant, backend_id: int) -> RemoteBackend:
        """Read a backend."""

    async def plans(self, tenant: Tenant, product_id: int) -> list[RemotePlan]:
        """Read the plans of a product."""

    async def applications(self, tenant: Tenant, product_id: int) -> list[RemoteApplication]:
        """Read the applications of a product, whoever made them."""

    async def access(self, tenant: Tenant, account_id: int, application_id: int, key: SecretStr) -> RemoteAccess:
        """Read an application; whether it has this key is found out where the answer is: no key gets out."""

    async def has_user(self, tenant: Tenant, account_id: int, user_id: int) -> bool:
        """Tell whether an account is there and has this user."""

    async def documents(self, tenant: Tenant) -> list[RemoteDocument]:
        """Read all documents of the developer portal, with their texts: not to be asked for regularly."""

    async def document(self, tenant: Tenant, document_id: int) -> RemoteDocument:
        """Read a document."""

    async def delete_document(self, tenant: Tenant, document_id: int) -> None:
        """Delete a document."""

    async def accept(self, tenant: Tenant, account_id: int, application_id: int) -> None:
        """Accept an application; nothing happens to one that is accepted already."""

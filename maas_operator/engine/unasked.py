"""3scale for a plan: it is not asked, since a plan must be the same wherever it is made."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from maas_operator.domain.gateway.remote import (
    RemoteApplication,
    RemoteBackend,
    RemoteDocument,
    RemotePlan,
    RemoteProduct,
)
from maas_operator.domain.people.remote import RemoteAccess

from .errors import RemoteUnavailable
from .threescale import Tenant

_SILENCE: Final = "3scale is not asked"


class Unasked:
    """3scale, which is not asked: no name is taken, and nobody but our Applications uses a plan."""

    async def check(self, tenant: Tenant) -> None:
        """Take the token for good."""

    async def product_id(self, tenant: Tenant, system_name: str) -> int | None:
        """Take the name for free."""
        return None

    async def has_backend(self, tenant: Tenant, system_name: str) -> bool:
        """Take the name for free."""
        return False

    async def product(self, tenant: Tenant, product_id: int) -> RemoteProduct:
        """Tell nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def endpoint(self, tenant: Tenant, product_id: int) -> str:
        """Tell nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def backend(self, tenant: Tenant, backend_id: int) -> RemoteBackend:
        """Tell nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def plans(self, tenant: Tenant, product_id: int) -> list[RemotePlan]:
        """Tell of none."""
        return []

    async def applications(self, tenant: Tenant, product_id: int) -> list[RemoteApplication]:
        """Tell of none."""
        return []

    async def access(self, tenant: Tenant, account_id: int, application_id: int, key: SecretStr) -> RemoteAccess:
        """Tell nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def has_user(self, tenant: Tenant, account_id: int, user_id: int) -> bool:
        """Tell nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def documents(self, tenant: Tenant) -> list[RemoteDocument]:
        """Tell of none."""
        return []

    async def document(self, tenant: Tenant, document_id: int) -> RemoteDocument:
        """Tell nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def delete_document(self, tenant: Tenant, document_id: int) -> None:
        """Delete nothing."""
        raise RemoteUnavailable(_SILENCE)

    async def accept(self, tenant: Tenant, account_id: int, application_id: int) -> None:
        """Accept nothing."""
        raise RemoteUnavailable(_SILENCE)

"""Looks for secrets where they must not be: an invariant to be checked whenever a scenario has settled."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from maas_operator.domain.kinds import EVENT, SECRET, TABLE
from maas_operator.domain.objects import Manifest, ref_of
from maas_operator.engine.errors import KindNotServed

from .client import Client
from .threescale.porta import Porta
from .violations import Rule, Violations


async def audit_secrets(client: Client, porta: Porta, violations: Violations, *, threescale_namespace: str) -> None:
    """Write down each object that shows a token, password or key of 3scale, or holds the token elsewhere."""
    tokens = {tenant.token for tenant in porta}
    secrets = tokens | set(_credentials(porta))
    for kind in (*TABLE, EVENT):
        try:
            objects = await client.list(kind)
        except KindNotServed:
            continue
        for manifest in objects:
            forbidden = secrets
            if kind is SECRET:
                forbidden = set() if manifest["metadata"]["namespace"] == threescale_namespace else tokens
            if any(secret in _text(manifest) for secret in forbidden):
                violations.add(Rule.SECRET_EXPOSED, ref_of(manifest), "holds a secret that it must not hold")


def _credentials(porta: Porta) -> Iterable[str]:
    for tenant in porta:
        for application in tenant.people.applications.values():
            yield from (application.user_key, *application.keys)
        for account in tenant.people.accounts.values():
            yield from (user.password for user in account.users.values())


def _text(manifest: Manifest) -> str:
    values = (manifest.get("data") or {}).values() if manifest["kind"] == SECRET.name else ()
    decoded = [base64.b64decode(value).decode(errors="replace") for value in values]
    return json.dumps(manifest) + "\n".join(decoded)

"""What every reconciler of the 3scale-operator does: find the provider account, connect, write as Go structs are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from maas_operator.domain.kinds import EVENT, SECRET
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from ..client import Client
from ..conditions import Clock, condition, merged_conditions, write_status
from ..faults import Delays, Faults, PortaFault
from ..runner import Retry
from ..violations import Violations
from .errors import PortaError, SpecError, SyncError, Unreachable, Waiting
from .porta import Porta, Tenant

DEFAULT_SECRET: Final = "threescale-provider-account"
REMOTE_ERRORS: Final = (PortaError, Unreachable, SyncError, SpecError, Waiting)
"""What ends in a status; everything else ends in the 3scale-operator's log only."""


class NoProvider(Retry):
    """No usable provider account; `missing` if the Secret that is named does not exist."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True)
class ProviderAccount:
    """The credentials of a tenant."""

    admin_url: str
    token: str = field(repr=False)
    fault: PortaFault | None


@dataclass
class Context:
    """What the reconcilers share."""

    client: Client
    porta: Porta
    faults: Faults
    delays: Delays
    clock: Clock
    violations: Violations
    _first_seen: dict[tuple[str, int], datetime] = field(default_factory=dict)

    def seconds_to_wait(self, manifest: Manifest) -> float:
        """Return how long a slow 3scale still takes before this generation of an object is acted on."""
        metadata = manifest["metadata"]
        first = self._first_seen.setdefault((metadata["uid"], metadata["generation"]), self.clock())
        return (first + timedelta(seconds=self.delays.porta) - self.clock()).total_seconds()

    async def provider(self, manifest: Manifest) -> ProviderAccount:
        """Look the provider account up as the original does; NoProvider if that fails: it tells nobody."""
        named = ((manifest.get("spec") or {}).get("providerAccountRef") or {}).get("name")
        namespace, name = manifest["metadata"]["namespace"], named or DEFAULT_SECRET
        secret = await self.secret(namespace, name)
        if secret is None:
            if named:
                raise NoProvider(f'secrets "{name}" not found', missing=True)
            raise NoProvider("LookupProviderAccount: no provider account found")
        data = secret_data(secret)
        for key in ("adminURL", "token"):
            if not data.get(key):
                raise NoProvider(f"Secret field '{key}' is required in secret '{name}'")
        return ProviderAccount(data["adminURL"], data["token"], self.faults.of_porta(secret))

    def connect(self, account: ProviderAccount, path: str) -> Tenant:
        """Return the tenant, or raise as its first call fails."""
        return self.porta.connect(account.admin_url, account.token, fault=account.fault, path=f"/admin/api/{path}.json")

    @asynccontextmanager
    async def deleting(self, manifest: Manifest, what: str) -> AsyncIterator[None]:
        """Tell by an Event, as the original does for some kinds, why an object can not be deleted."""
        try:
            yield
        except Retry as error:
            await self._tell(manifest, f"Failed to delete {what}", str(error))
            raise

    async def _tell(self, manifest: Manifest, reason: str, note: str) -> None:
        metadata = manifest["metadata"]
        # The original counts repetitions; here the first one stands for all.
        digest = hashlib.sha256(f"{metadata['uid']}/{note}".encode()).hexdigest()[:16]
        regarding = {key: metadata[key] for key in ("name", "namespace", "uid")}
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": f"{metadata['name']}.{digest}", "namespace": metadata["namespace"]},
            "eventTime": self.clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": "Warning",
            "reason": reason,
            "action": reason,
            "note": note[:1024],
            "reportingController": "3scale.net/3scale-operator",
            "reportingInstance": "3scale-operator",
            "regarding": {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **regarding},
        }
        if await self.find(ref_of(event)) is None:
            await self.client.create(event)

    async def secret(self, namespace: str, name: str) -> Manifest | None:
        """Return a Secret, or None."""
        return await self.find(Ref(SECRET, namespace, name))

    async def find(self, ref: Ref) -> Manifest | None:
        """Return an object, or None."""
        try:
            return await self.client.get(ref)
        except NotFound:
            return None

    async def write_status(
        self,
        manifest: Manifest,
        fields: Mapping[str, Any],
        conditions: Iterable[Mapping[str, Any]],
        *,
        fresh: bool = False,
    ) -> None:
        """Write a status: known fields stay unless it is to be `fresh`, those that are None do not count."""
        old = {} if fresh else (manifest.get("status") or {})
        new = {key: value for key, value in fields.items() if value is not None}
        merged = merged_conditions(manifest, conditions, self.clock())
        await write_status(self.client, manifest, {**old, **new, "conditions": merged})


def status_conditions(error: Exception | None, **flags: bool) -> list[dict[str, Any]]:
    """Return conditions; those that are true with an error carry its text, as does Ready when it is false."""
    text = str(error) if error else ""
    return [condition(name, on, message=text if on else "") for name, on in flags.items()]


def retry_unless_invalid(error: Exception | None) -> None:
    """Raise Retry for an error that the original tries again: all but an invalid spec."""
    if error is None or is_invalid(error):
        return
    raise Retry(str(error)) from error


def is_invalid(error: Exception | None) -> bool:
    """Tell whether the resource itself is at fault: no retry."""
    return isinstance(error, SpecError) and not error.orphan


def is_orphan(error: Exception | None) -> bool:
    """Tell whether something that the resource refers to is missing."""
    return isinstance(error, SpecError) and error.orphan


def secret_data(secret: Manifest) -> dict[str, str]:
    """Return a Secret's values as text."""
    return {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}


def status_id(manifest: Manifest | None, key: str) -> int | None:
    """Return an id from an object's status."""
    return ((manifest or {}).get("status") or {}).get(key)


def annotation(manifest: Manifest, key: str) -> str | None:
    """Return an annotation's value, or None."""
    return (manifest["metadata"].get("annotations") or {}).get(key)


def with_finalizer(manifest: Manifest, finalizer: str) -> Manifest:
    """Return the object with the finalizer: the same object if it has it."""
    finalizers = manifest["metadata"].get("finalizers") or []
    if finalizer in finalizers:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "finalizers": [*finalizers, finalizer]}}


def without_finalizer(manifest: Manifest, finalizer: str) -> Manifest:
    """Return the object without the finalizer; those of others stay."""
    finalizers = [f for f in manifest["metadata"].get("finalizers") or [] if f != finalizer]
    return {**manifest, "metadata": {**manifest["metadata"], "finalizers": finalizers}}


def with_id_annotation(manifest: Manifest, key: str, value: int | None) -> Manifest:
    """Return the object with its remote id as an annotation, from which the original recovers a lost status."""
    if value is None or annotation(manifest, key) == str(value):
        return manifest
    annotations = {**(manifest["metadata"].get("annotations") or {}), key: str(value)}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


def with_owner(manifest: Manifest, owner: Manifest) -> Manifest:
    """Return the object with a controller ownerReference; unchanged if it has a controller already."""
    references = manifest["metadata"].get("ownerReferences") or []
    if any(reference.get("controller") for reference in references):
        return manifest
    reference = {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [*references, reference]}}

"""Secrets: reading them without letting their values reach a log, and building them complete."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Manifest, Ref


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A Secret as it was read: its values, masked, the time of its creation, and what tells this version of it."""

    values: Mapping[str, SecretStr]
    created_at: datetime | None = None
    version: str = ""

    @property
    def uid(self) -> str:
        """Return the Secret's uid."""
        return self.version.partition("/")[0]

    def get(self, key: str) -> SecretStr | None:
        """Return a value; None when the key is missing or empty."""
        value = self.values.get(key)
        return value if value and value.get_secret_value() else None


def read_secret(manifest: Manifest) -> StoredSecret:
    """Decode a Secret's data; a value that is not base64 or not UTF-8 counts as missing."""
    metadata = manifest["metadata"]
    created = metadata.get("creationTimestamp")
    return StoredSecret(
        values={key: SecretStr(_decode(value)) for key, value in (manifest.get("data") or {}).items()},
        created_at=datetime.fromisoformat(created) if created else None,
        version=f"{metadata.get('uid', '')}/{metadata.get('resourceVersion', '')}",
    )


def keys_of(manifest: Manifest) -> frozenset[str]:
    """Return the keys of a Secret that have a value, without looking at the values."""
    return frozenset(key for key, value in (manifest.get("data") or {}).items() if value)


def secret(ref: Ref, values: Mapping[str, SecretStr], *, labels: Mapping[str, str] | None = None) -> Manifest:
    """Build an Opaque Secret. Its values are in `data`: keys of `stringData` would stay behind when dropped."""
    metadata: Manifest = {"name": ref.name, "namespace": ref.namespace}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": metadata | ({"labels": dict(labels)} if labels else {}),
        "type": "Opaque",
        "data": {key: b64encode(value.get_secret_value().encode()).decode() for key, value in values.items()},
    }


def fingerprint(value: SecretStr, *, length: int = 8) -> str:
    """Return a short hash that names a value without telling it; only for values of 128 random bits or more."""
    return hashlib.sha256(value.get_secret_value().encode()).hexdigest()[:length]


def _decode(value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        return ""

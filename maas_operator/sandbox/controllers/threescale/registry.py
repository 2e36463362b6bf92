"""The registry of a tenant's custom policies: what its portal offers. Gateways load policies without asking it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .catalogue import Catalogue
from .errors import PortaError, invalid

_SCHEMAS: Final = frozenset({"http://apicast.io/policy-v1/schema", "http://apicast.io/policy-v1.1/schema"})
_LONGEST_SUMMARY: Final = 75


@dataclass
class Registry:
    """The policies by name and version; `ids` are the tenant's. Refuses what porta refuses."""

    catalogue: Catalogue
    ids: Iterator[int]
    policies: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def put(self, name: str, version: str, schema: Mapping[str, Any]) -> int:
        """Create or change a policy and return its id; 422 for a schema that is not right, or a policy in use."""
        key = (name, version)
        if self.policies.get(key) != schema:
            _check(version, schema)
            if key in self.policies and self._is_in_use(name, version):
                raise PortaError(422, {"errors": {"base": ["Policy cannot be changed because it is in use"]}})
            self.policies[key] = schema
        return self._numbers.setdefault(key, next(self.ids))

    def _is_in_use(self, name: str, version: str) -> bool:
        chains = (product.policies for product in self.catalogue.products.values())
        return any((policy["name"], policy["version"]) == (name, version) for chain in chains for policy in chain)


def _check(version: str, schema: Mapping[str, Any]) -> None:
    if schema.get("$schema", "").rstrip("#").removesuffix("#manifest") not in _SCHEMAS:
        raise invalid(schema="unsupported schema")
    if schema["version"] != version or version == "builtin":
        raise invalid(version="must be equal to the version of the schema, and not builtin")
    if len(schema["summary"]) > _LONGEST_SUMMARY:
        raise invalid(schema="summary is too long (maximum is 75 characters)")

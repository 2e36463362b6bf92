"""The policy with which gateways count tokens, as objects: a Secret with its files, and its entry in 3scale's registry.

Each version has objects of its own. What Products use is never edited: the gateways would load it half.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field, JsonValue, SecretStr

from maas_operator.api.model_platform import ModelPlatform, TokenPolicyMode
from maas_operator.domain.decision import ChildState
from maas_operator.domain.emitted import Emitted, LocalReference, manifest
from maas_operator.domain.kinds import CUSTOM_POLICY_DEFINITION, SECRET
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import is_fresh, status_of, true_conditions
from maas_operator.domain.people.secrets import secret

NAME: Final = "maas-llm-metering"
"""The policy's name in chains, in the registry, and of its folder in the gateways."""

_MANIFEST: Final = "apicast-policy.json"
_WATCHED: Final = {"apimanager.apps.3scale.net/watched-by": "apimanager"}
"""With this label the 3scale-operator rolls the gateways when the files change."""


@dataclass(frozen=True, slots=True)
class PolicyPackage:
    """The policy's files, by their flat names."""

    files: Mapping[str, str]

    @property
    def schema(self) -> Mapping[str, Any]:
        """Return the policy's own description of itself."""
        schema: Mapping[str, Any] = json.loads(self.files[_MANIFEST])
        return schema

    @property
    def version(self) -> str:
        """Return the version, which the gateways compare with the folder's name as text."""
        return str(self.schema["version"])


class PolicySchema(Emitted):
    """The policy's schema as the registry wants it."""

    name: str
    version: str
    summary: str
    schema_uri: str = Field(serialization_alias="$schema")
    description: tuple[str, ...]
    configuration: dict[str, JsonValue]


class CustomPolicyDefinitionSpec(Emitted):
    """The spec of a CustomPolicyDefinition."""

    name: str
    version: str
    policy_schema: PolicySchema = Field(serialization_alias="schema")
    provider_account_ref: LocalReference


def wanted_version(platform: ModelPlatform, package: PolicyPackage, *, leaving: bool) -> str | None:
    """Return the version that a platform must have; None if it wants none, or is about to go."""
    managed = platform.spec.gateway.token_policy.mode is TokenPolicyMode.MANAGED
    return package.version if managed and not leaving else None


def object_name(version: str) -> str:
    """Return the name of a version's Secret and definition."""
    return f"{NAME}-{version}"


def version_of(name: str) -> str | None:
    """Return the version whose Secret or definition has this name; None for another name."""
    return name.removeprefix(f"{NAME}-") if name.startswith(f"{NAME}-") else None


def secret_ref(version: str, namespace: str) -> Ref:
    """Return the address of a version's Secret."""
    return Ref(SECRET, namespace, object_name(version))


def definition_ref(version: str, namespace: str) -> Ref:
    """Return the address of a version's definition."""
    return Ref(CUSTOM_POLICY_DEFINITION, namespace, object_name(version))


def policy_secret(package: PolicyPackage, platform: ModelPlatform) -> Manifest:
    """Build the Secret that the gateways mount. There is nothing secret in it: the APIManager takes no other kind."""
    ref = secret_ref(package.version, platform.spec.threescale.namespace)
    return secret(ref, {name: SecretStr(text) for name, text in package.files.items()}, labels=_WATCHED)


def definition(package: PolicyPackage, platform: ModelPlatform) -> Manifest:
    """Build the definition, by which 3scale's admin portal knows the policy."""
    schema, threescale = package.schema, platform.spec.threescale
    spec = CustomPolicyDefinitionSpec(
        name=NAME,
        version=package.version,
        policy_schema=PolicySchema(
            name=schema["name"],
            version=schema["version"],
            summary=schema["summary"],
            schema_uri=schema["$schema"],
            description=tuple(schema["description"]),
            configuration=schema["configuration"],
        ),
        provider_account_ref=LocalReference(name=threescale.provider_account_secret_ref.name),
    )
    return manifest(definition_ref(package.version, threescale.namespace), spec)


def definition_state(manifest: Manifest) -> ChildState:
    """Read a CustomPolicyDefinition."""
    true = true_conditions(manifest)
    if not is_fresh(manifest):
        return ChildState(ready=False, reason="Pending")
    for reason in ("Invalid", "Failed"):
        if reason in true:
            return ChildState(ready=False, failed=True, reason=reason, message=true[reason])
    registered = "Ready" in true and bool(status_of(manifest).get("policyID"))
    return ChildState(ready=True) if registered else ChildState(ready=False, reason="Pending")

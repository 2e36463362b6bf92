"""The policies of one platform: whether they can stand in the chains, and as what they do.

A configuration that is secret is copied before it is used, into a Secret that is named by the version that was read. So
its change is a change of every Product, which tells when 3scale has it; and 3scale never reads what was not checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from maas_operator.api.model_platform import BUILTIN, ModelPlatform, PlatformPolicy, Position
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, true
from maas_operator.domain.emitted import LocalReference, digest
from maas_operator.domain.gateway.policies import Policy
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.metering import mounts
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.people.secrets import StoredSecret, secret

from .admission import ADMITTED, Admitted, objection

KEY: Final = "configuration"
"""The key of a Secret under which the 3scale-operator looks for a configuration."""

_COPY: Final = re.compile(r".+\.maas-[0-9a-f]{16}")
_TOLD: Final = 3
"""So many mistakes of one configuration are told at once."""


@dataclass(frozen=True, kw_only=True)
class PlatformPolicies:
    """The policies of `spec.gateway.policies`.

    `secrets`: those that configurations are in, by name, as far as they exist. `installation`: the APIManager, or None.
    """

    platform: ModelPlatform
    secrets: Mapping[str, StoredSecret]
    installation: Manifest | None

    @cached_property
    def condition(self) -> Condition:
        """Return PoliciesReady."""
        return decide_condition(
            ConditionType.POLICIES_READY,
            _JUDGES,
            self,
            otherwise=true(Reason.READY, f"{len(self.entries) or 'no'} policies besides the operator's own"),
        )

    @property
    def problem(self) -> str | None:
        """Return why no chain can be written; None when one can."""
        return None if self.condition.reason is Reason.READY else self.condition.message

    def at(self, position: Position) -> tuple[Policy, ...]:
        """Return the links at a position."""
        return tuple(self._link(policy) for policy in self.entries if policy.position is position)

    @cached_property
    def copies(self) -> Mapping[Ref, SecretStr]:
        """Return where the links find their configurations; nothing while any policy can not stand in a chain."""
        found = {} if self.problem else self._configurations
        return {self._copy_ref(name, stored): stored.values[KEY] for name, stored in found.items()}

    def children(self) -> Iterable[Manifest]:
        """Return the copies."""
        return (secret(ref, {KEY: configuration}) for ref, configuration in self.copies.items())

    @property
    def entries(self) -> tuple[PlatformPolicy, ...]:
        """Return the policies, in order."""
        return self.platform.spec.gateway.policies

    @property
    def _configurations(self) -> dict[str, StoredSecret]:
        found = {name: self.secrets.get(name) for name in secret_names(self.platform)}
        return {name: stored for name, stored in found.items() if stored is not None and stored.get(KEY) is not None}

    def _link(self, policy: PlatformPolicy) -> Policy:
        source = policy.configuration_secret_ref
        if source is None:
            return Policy(name=policy.name, version=policy.version, configuration=policy.configuration or {})
        stored = self._configurations.get(source.name)
        name = self._copy_ref(source.name, stored).name if stored else source.name
        return Policy(
            name=policy.name, version=policy.version, configuration={}, configuration_ref=LocalReference(name=name)
        )

    def _copy_ref(self, name: str, stored: StoredSecret) -> Ref:
        # Not by its content: whoever can guess that could prove the guess by the name.
        version = digest([self.platform.metadata.uid, name, stored.version])[:16]
        return Ref(SECRET, self.platform.spec.threescale.namespace, f"{name[:200].rstrip('.-')}.maas-{version}")


def secret_names(platform: ModelPlatform) -> tuple[str, ...]:
    """Return the Secrets that configurations are in."""
    refs = (policy.configuration_secret_ref for policy in platform.spec.gateway.policies)
    return tuple(dict.fromkeys(ref.name for ref in refs if ref is not None))


def is_copy(name: str) -> bool:
    """Tell whether a Secret of ours is the copy of a configuration, by its name."""
    return _COPY.fullmatch(name) is not None


def referred_to(product: Manifest) -> Iterable[str]:
    """Return the Secrets that a Product's chain refers to."""
    for policy in product["spec"].get("policies") or ():
        name = (policy.get("configurationRef") or {}).get("name")
        if name:
            yield name


def parse_configuration(text: SecretStr | None) -> dict[str, Any] | None:
    """Return a configuration that is in a Secret; None if it is not a JSON object."""
    try:
        value = json.loads(text.get_secret_value() if text else "", parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


Judge = Callable[[PlatformPolicies, PlatformPolicy], str | None]
"""Returns what is wrong with one policy, beginning with the field; None if nothing is."""


def _first(reason: Reason, judge: Judge) -> Callable[[PlatformPolicies], Verdict | None]:
    """Return the verdict on the first policy with which something is wrong."""

    def verdict(subject: PlatformPolicies) -> Verdict | None:
        found = (
            f"spec.gateway.policies[{index}].{words}"
            for index, policy in enumerate(subject.entries)
            if (words := judge(subject, policy)) is not None
        )
        message = next(found, None)
        return None if message is None else false(reason, message)

    return verdict


def _refused(subject: PlatformPolicies, policy: PlatformPolicy) -> str | None:
    return objection(policy)


def _not_mounted(subject: PlatformPolicies, policy: PlatformPolicy) -> str | None:
    """Say which gateways lack a policy of the platform's own; other installations are not ours to look into."""
    if policy.version == BUILTIN or subject.installation is None:
        return None
    missing = [
        f"spec.apicast.{environment}.customPolicies"
        for environment in mounts.ENVIRONMENTS
        if not mounts.has(subject.installation, environment, policy.name, policy.version)
    ]
    if not missing:
        return None
    installation = ref_of(subject.installation)
    return f"name: add {policy.name} {policy.version} to {' and '.join(missing)} of {installation}"


def _secret_missing(subject: PlatformPolicies, policy: PlatformPolicy) -> str | None:
    source = policy.configuration_secret_ref
    if source is None:
        return None
    where = f"{subject.platform.spec.threescale.namespace}/{source.name}"
    stored = subject.secrets.get(source.name)
    if stored is None:
        return f"configurationSecretRef: Secret {where} does not exist: create it with the key {KEY}"
    if stored.get(KEY) is None:
        return f"configurationSecretRef: Secret {where} lacks the key {KEY}"
    return None


def _invalid(subject: PlatformPolicies, policy: PlatformPolicy) -> str | None:
    mistakes = _mistakes(_admitted(policy), policy.configuration or {}, secret=False)
    return f"configuration{mistakes}" if mistakes and policy.configuration_secret_ref is None else None


def _secret_invalid(subject: PlatformPolicies, policy: PlatformPolicy) -> str | None:
    source = policy.configuration_secret_ref
    if source is None:
        return None
    where = f"configurationSecretRef: Secret {subject.platform.spec.threescale.namespace}/{source.name}, key {KEY}"
    configuration = parse_configuration(subject.secrets[source.name].get(KEY))
    if configuration is None:
        return f"{where}: want a JSON object"
    mistakes = _mistakes(_admitted(policy), configuration, secret=True)
    return f"{where}: {mistakes.removeprefix('.')}" if mistakes else None


def _admitted(policy: PlatformPolicy) -> Admitted | None:
    return ADMITTED.get(policy.name) if policy.version == BUILTIN else None


def _mistakes(admitted: Admitted | None, configuration: Mapping[str, Any], *, secret: bool) -> str:
    """Return what is wrong with a configuration; empty if nothing is, or if nobody knows.

    No value is told; of a secret one, not even the names of fields that the policy does not have.
    """
    if admitted is None:
        return ""
    try:
        admitted.model.model_validate(configuration)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False, include_context=False)[:_TOLD]
        note = f" ({admitted.note})" if admitted.note else ""
        return "; ".join(_in_words(entry, secret=secret) for entry in entries) + note
    return ""


def _in_words(entry: Mapping[str, Any], *, secret: bool) -> str:
    unknown = entry["type"] == "extra_forbidden"
    location = entry["loc"][:-1] if unknown and secret else entry["loc"]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    words = "the policy has no such field" if unknown else entry["msg"].removeprefix("Value error, ")
    return f"{path}: {words}"


_JUDGES: Final = (
    _first(Reason.POLICY_REFUSED, _refused),
    _first(Reason.POLICY_NOT_MOUNTED, _not_mounted),
    _first(Reason.POLICY_INVALID, _invalid),
    _first(Reason.POLICY_SECRET_MISSING, _secret_missing),
    _first(Reason.POLICY_INVALID, _secret_invalid),
)

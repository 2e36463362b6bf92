"""TokenPolicyReady: which version of the metering policy Products may use, and what becomes of the others.

A new version is mounted and registered beside the old one. Products switch when it is usable, and the old one goes when
no gateway can need it any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true
from maas_operator.domain.decision import Patch, World
from maas_operator.domain.objects import Manifest, Ref, ref_of

from . import mounts
from .package import (
    NAME,
    PolicyPackage,
    definition,
    definition_ref,
    definition_state,
    policy_secret,
    secret_ref,
    wanted_version,
)

ROLLOUT_POLL: Final = timedelta(seconds=10)
USE_POLL: Final = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Metering:
    """The metering policy of one platform.

    `leaving`: the platform is being deleted, and nobody needs it any more.
    `found`: the APIManager of the 3scale namespace, or None. `gateways`: its Deployments, as far as they are there.
    `in_use`: the versions that some gateway may need; known only while there is a version to drop.
    """

    platform: ModelPlatform
    world: World
    package: PolicyPackage
    leaving: bool
    found: Manifest | None
    gateways: tuple[Manifest, ...]
    in_use: frozenset[str]

    @property
    def installation(self) -> Manifest | None:
        """Return the APIManager as it is after what this pass did to it."""
        return self.world.children.get(ref_of(self.found)) or self.found if self.found else None

    @property
    def wanted(self) -> str | None:
        """Return the version that comes with this operator; None if the platform is to have none."""
        return wanted_version(self.platform, self.package, leaving=self.leaving)

    @property
    def before(self) -> str | None:
        """Return the version that Products used at last."""
        return self.platform.status.token_policy_version if self.wanted else None

    @property
    def version(self) -> str | None:
        """Return the version that Products use; the one before stays theirs while none is usable."""
        return self.wanted if self.condition.reason is Reason.READY else self.before

    @property
    def stale(self) -> frozenset[str]:
        """Return the other versions that can not go yet: mounted, or needed by a gateway."""
        needed = self.in_use | mounts.mounted_versions(self.installation) | ({self.version} if self.version else set())
        return needed - {self.wanted}

    @cached_property
    def condition(self) -> Condition:
        """Return TokenPolicyReady."""
        newest = self._judge(self.wanted)
        old = self._judge(self.before) if self.before not in (None, self.wanted) else newest
        if newest.status is ConditionStatus.TRUE or old.status is not ConditionStatus.TRUE:
            return newest
        message = f"{NAME} {self.before} counts tokens; {self.wanted} is not ready: {newest.message}"
        return decide_condition(newest.type, (), self, otherwise=true(Reason.TOKEN_POLICY_OUTDATED, message))

    def children(self) -> Iterable[Manifest]:
        """Return what must be there of the wanted version."""
        if self.wanted:
            yield policy_secret(self.package, self.platform)
            yield definition(self.package, self.platform)

    def keep(self) -> frozenset[Ref]:
        """Return what stays of other versions: no text of theirs is known any more."""
        refs = (secret_ref, definition_ref)
        return frozenset(ref(version, self._namespace) for version in self.stale for ref in refs)

    def patches(self) -> Iterable[Patch]:
        """Return the change to the APIManager, where it is allowed. The Secret comes first: 3scale stops without."""
        if self.installation is None or not self.platform.spec.gateway.token_policy.patch_api_manager:
            return
        add = self.wanted if self.wanted and self.world.children.get(secret_ref(self.wanted, self._namespace)) else None
        drop = mounts.mounted_versions(self.installation) - self.in_use - {self.wanted, self.version}
        change = mounts.patch(self.installation, add=add, drop=drop)
        if change is not None and ref_of(self.installation) not in self.world.children.refused:
            yield change

    @property
    def wake_after(self) -> timedelta | None:
        """Return when to look again at what no event tells of; None when there is no such thing."""
        if self.condition.reason is Reason.TOKEN_POLICY_ROLLING_OUT:
            return ROLLOUT_POLL
        return USE_POLL if self.in_use - {self.wanted} else None

    @property
    def blocked(self) -> str | None:
        """Return what must be undone by somebody before a platform that leaves can go; None when nothing must."""
        if not self.leaving or not self.stale:
            return None
        if self.installation is None or not mounts.mounted_versions(self.installation):
            return f"a product's policy chain names {NAME} {', '.join(sorted(self.stale))}"
        ref, lines = ref_of(self.installation), ", ".join(map(mounts.line, sorted(self.stale)))
        refusal = self.world.children.refused.get(ref)
        return refusal.message if refusal else f"{ref}: take out of both lists of customPolicies: {lines}"

    @property
    def _namespace(self) -> str:
        return self.platform.spec.threescale.namespace

    def _judge(self, version: str | None) -> Condition:
        return decide_condition(
            ConditionType.TOKEN_POLICY_READY,
            _POLICIES,
            _Candidate(self, version or ""),
            otherwise=true(Reason.READY, f"{NAME} {version} is registered, and mounted in both gateways"),
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A version that Products could use; empty for none."""

    metering: Metering
    version: str

    @property
    def refs(self) -> tuple[Ref, ...]:
        namespace = self.metering.platform.spec.threescale.namespace
        return secret_ref(self.version, namespace), definition_ref(self.version, namespace)


def _leaving(candidate: _Candidate) -> Verdict | None:
    return false(Reason.DELETING, "the platform is being deleted") if candidate.metering.leaving else None


def _off(candidate: _Candidate) -> Verdict | None:
    return None if candidate.version else false(Reason.TOKEN_POLICY_OFF, "spec.gateway.tokenPolicy.mode is None")


def _refused(candidate: _Candidate) -> Verdict | None:
    return refused(candidate.metering.world.children, candidate.refs)


def _not_registered(candidate: _Candidate) -> Verdict | None:
    ref = candidate.refs[1]
    found = candidate.metering.world.child(ref)
    state = definition_state(found) if found else None
    if state and state.ready:
        return None
    words = f"3scale says: {state.message}" if state and state.message else "waiting for the 3scale-operator"
    return false(Reason.TOKEN_POLICY_NOT_REGISTERED, f"{ref}: {words}")


def _not_installed(candidate: _Candidate) -> Verdict | None:
    if candidate.metering.found is not None:
        return None
    namespace = candidate.metering.platform.spec.threescale.namespace
    return false(Reason.API_MANAGER_MISSING, f"there is no APIManager in the namespace {namespace}")


def _not_mounted(candidate: _Candidate) -> Verdict | None:
    installation, version = candidate.metering.installation, candidate.version
    missing = mounts.environments_without(installation, version) if installation else ()
    if installation is None or not missing:
        return None
    if (refusal := refused(candidate.metering.world.children, [ref_of(installation)])) is not None:
        return refusal
    rival = mounts.rival_secret(installation, version)
    lists = " and ".join(f"spec.apicast.{environment}.customPolicies" for environment in missing)
    instead = f" in place of the one with the Secret {rival}" if rival else ""
    message = f"{ref_of(installation)}: add to {lists}{instead} the line {mounts.line(version)}"
    return false(Reason.TOKEN_POLICY_NOT_MOUNTED, message)


def _rolling_out(candidate: _Candidate) -> Verdict | None:
    """Hold a new version until all pods have it; later roll-outs keep it, and so are nobody's concern."""
    metering, version = candidate.metering, candidate.version
    if version == metering.before:
        return None
    done = {one["metadata"]["name"] for one in metering.gateways if mounts.is_rolled_out(one, version)}
    waits = [name for name in mounts.DEPLOYMENTS if name not in done]
    if not waits:
        return None
    return false(
        Reason.TOKEN_POLICY_ROLLING_OUT, f"waiting for {' and '.join(waits)} to have {NAME} {version} in all pods"
    )


_POLICIES: Final = (_leaving, _off, _refused, _not_registered, _not_installed, _not_mounted, _rolling_out)

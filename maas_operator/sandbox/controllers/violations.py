"""What a correct operator never causes. The originals would refuse, crash or leak; a stand-in writes it down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from maas_operator.domain.objects import Ref


class Rule(StrEnum):
    """Which promise of the world around us was broken."""

    KSERVE_WEBHOOK = "KServeWebhookRefuses"
    KSERVE_CANNOT_RECONCILE = "KServeCannotReconcile"
    LOST_FINALIZER = "FinalizerGetsLost"
    EXPOSED = "WayAroundTheGateway"
    VOLATILE_ANNOTATION = "VolatileAnnotationRestartsPods"
    THREESCALE_CRASH = "ThreescaleOperatorCrashes"
    KEY_NOT_PUSHED = "KeyNeverReachesThreescale"
    IGNORED_NAMESPACE = "ThreescaleOperatorDoesNotLook"
    POLICY_NOT_MOUNTED = "GatewayCannotLoadPolicy"
    CLAIM_CHANGED = "ProvisionerIgnoresChange"
    BAD_SCRIPT = "JobRunsBadScript"
    SECRET_EXPOSED = "SecretExposed"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: which, by which object, and in what words."""

    rule: Rule
    ref: Ref
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.ref}: {self.message}"


class Violations:
    """The broken promises so far, each once, in the order of their discovery."""

    def __init__(self) -> None:
        self._found: dict[Violation, None] = {}

    def add(self, rule: Rule, ref: Ref, message: str) -> None:
        """Write a violation down, unless it is known."""
        self._found[Violation(rule, ref, message)] = None

    def __iter__(self) -> Iterator[Violation]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return "\n".join(map(str, self._found)) or "no violations"

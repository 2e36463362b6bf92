"""What is certain of the answers that nobody gives in a rehearsal."""

from __future__ import annotations

from datetime import datetime

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import is_fresh, status_of


def expected(before: Manifest | None, after: Manifest) -> Manifest:
    """Return an object as its controller will have seen it, if it had seen the one before; ids and words stay."""
    if before is None or not is_fresh(before):
        return after
    seen = {**status_of(after), "observedGeneration": after["metadata"].get("generation")}
    return after | {"status": seen}


def ready_platform(platform: Manifest, *, token_policy: str | None, now: datetime) -> Manifest:
    """Return a platform that is new as it will be when everything that it needs is there."""
    truths = {
        ConditionType.READY: True,
        ConditionType.THREESCALE_READY: True,
        ConditionType.TOKEN_POLICY_READY: token_policy is not None,
    }
    conditions = [
        {
            "type": str(type_),
            "status": str(ConditionStatus.TRUE if true else ConditionStatus.FALSE),
            "reason": str(Reason.READY if true else Reason.TOKEN_POLICY_OFF),
            "message": "" if true else "spec.gateway.tokenPolicy.mode is None",
            "lastTransitionTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }
        for type_, true in truths.items()
    ]
    version = {"tokenPolicyVersion": token_policy} if token_policy else {}
    return platform | {"status": {**status_of(platform), "conditions": conditions, **version}}

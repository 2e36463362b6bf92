"""What a ModelPlatform's status offers to its Products."""

from __future__ import annotations

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType


def problem_of(platform: ModelPlatform, type_: ConditionType) -> str | None:
    """Return why a condition of the platform is not True; None when it is."""
    for condition in platform.status.conditions:
        if condition.type == type_:
            return None if condition.status is ConditionStatus.TRUE else condition.message
    return "not checked yet"


def metering_version(platform: ModelPlatform) -> str | None:
    """Return the version of the metering policy that Products use; None while there is none to rely on."""
    problem = problem_of(platform, ConditionType.TOKEN_POLICY_READY)
    return None if problem is not None else platform.status.token_policy_version

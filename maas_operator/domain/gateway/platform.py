"""What a ModelPlatform's status offers to its Products."""

from __future__ import annotations

from typing import Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType, Reason

_ADMIN_API: Final = frozenset(
    {Reason.AUTHORITY_MISSING, Reason.TOKEN_REFUSED, Reason.ADMIN_API_UNAVAILABLE, Reason.ADMIN_API_REFUSED}
)
"""What is wrong with our own way to 3scale; the 3scale-operator tells by itself what is wrong with its."""


def problem_of(platform: ModelPlatform, type_: ConditionType) -> str | None:
    """Return why a condition of the platform is not True; None when it is."""
    for condition in platform.status.conditions:
        if condition.type == type_:
            return None if condition.status is ConditionStatus.TRUE else condition.message
    return "not checked yet"


def lacks_admin_api_only(platform: ModelPlatform) -> bool:
    """Tell whether 3scale can be used but for its Admin API, which only first writes need."""
    conditions = platform.status.conditions
    return any(one.type == ConditionType.THREESCALE_READY and one.reason in _ADMIN_API for one in conditions)


def metering_version(platform: ModelPlatform) -> str | None:
    """Return the version of the metering policy that Products use; None while there is none to rely on."""
    problem = problem_of(platform, ConditionType.TOKEN_POLICY_READY)
    return None if problem is not None else platform.status.token_policy_version

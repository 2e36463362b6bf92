from __future__ import annotations

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition
from maas_operator.domain.kinds import MODEL_SERVICE
from maas_operator.domain.objects import Ref
from maas_operator.domain.plan.plan import problems

SUBJECT = Ref(MODEL_SERVICE, "llm", "tiny")


def condition(type_: ConditionType, reason: Reason, status: ConditionStatus = ConditionStatus.FALSE) -> Condition:
    return Condition(type_, status, reason, "why")


def test_what_holds_writes_back_is_in_the_way_and_what_only_takes_time_is_not() -> None:
    found = problems(
        SUBJECT,
        [
            condition(ConditionType.READY, Reason.GATEWAY_INVALID),
            condition(ConditionType.GATEWAY_READY, Reason.GATEWAY_INVALID),
            condition(ConditionType.PROMOTED, Reason.WAITING),
            condition(ConditionType.PLATFORM_READY, Reason.PLATFORM_MISSING, ConditionStatus.UNKNOWN),
        ],
    )
    assert [str(one) for one in found] == ["ModelService llm/tiny: GatewayReady: GatewayInvalid: why"]

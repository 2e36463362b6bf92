from __future__ import annotations

import pytest

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType
from maas_operator.domain.gateway.platform import metering_version, problem_of
from maas_operator.domain.gateway.status import backend_state
from maas_operator.domain.plan.expectation import expected, ready_platform
from tests.domain.worlds import NOW, a_platform, child, synced


def test_what_a_controller_had_seen_is_taken_to_be_seen_again_with_the_same_id() -> None:
    before = synced(child("Backend", "llm.tiny"))
    after = before | {"metadata": before["metadata"] | {"generation": 2}}
    assert not backend_state(after).synced
    assert backend_state(expected(before, after)) == backend_state(before)


def test_of_what_a_controller_had_not_seen_and_of_what_is_new_nothing_is_made_up() -> None:
    unseen = synced(child("Backend", "llm.tiny"), generation=2, observed=1)
    after = unseen | {"metadata": unseen["metadata"] | {"generation": 3}}
    assert expected(unseen, after) == after
    assert expected(None, after) == after


@pytest.mark.parametrize("version", ["1.0.0", None])
def test_a_new_platform_is_ready_when_all_that_it_needs_is_there(version: str | None) -> None:
    new = a_platform(status={"conditions": []}).dump()
    ready = ModelPlatform.model_validate(ready_platform(new, token_policy=version, now=NOW))
    assert problem_of(ready, ConditionType.THREESCALE_READY) is None
    assert metering_version(ready) == version

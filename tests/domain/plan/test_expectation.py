from __future__ import annotations

from maas_operator.domain.gateway.status import backend_state
from maas_operator.domain.plan.expectation import expected
from tests.domain.worlds import child, synced


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

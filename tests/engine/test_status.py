from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition
from maas_operator.domain.decision import Decision
from maas_operator.domain.kinds import PRODUCT, SECRET
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, RefusalReason
from maas_operator.engine.status import inventory_of, merge, same, status_after, with_intents
from tests.engine.stage import BACK, FRONT, GATEWAY, KEY, OWNER, manifest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def condition(
    status: ConditionStatus = ConditionStatus.TRUE, *, reason: Reason = Reason.READY, message: str = ""
) -> Condition:
    return Condition(ConditionType.READY, status, reason, message)


def owner(**status: Any) -> Manifest:
    return manifest(OWNER, status=status) | {"metadata": {"name": "toy", "uid": "u", "generation": 3}}


def entry(ref: Ref, **facts: Any) -> Manifest:
    address = {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "namespace": ref.namespace, "name": ref.name}
    return address | {"ready": False} | facts


def live(ref: Ref, **content: Any) -> Manifest:
    found = manifest(ref, **content)
    found["metadata"] |= {"uid": f"uid of {ref.name}", "generation": 1}
    return found


def children(*found: Manifest, **refused: Refusal) -> Children:
    return Children({Ref(PRODUCT, GATEWAY, one["metadata"]["name"]): one for one in found}, {})


def after(decision: Decision, before: Manifest | None = None, **known: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"children": Children({}, {}), "remaining": {}} | known
    return dict(status_after(before or owner(), decision, facts["children"], facts["remaining"], NOW, {}))


def test_a_condition_carries_generation_and_time() -> None:
    assert merge([], [condition(message="all is well")], 3, NOW) == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Ready",
            "message": "all is well",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
    ]


conditions = st.builds(
    condition, st.sampled_from(ConditionStatus), reason=st.sampled_from(Reason), message=st.text(max_size=5)
)


@given(conditions, conditions)
def test_the_time_moves_exactly_when_the_status_flips(first: Condition, then: Condition) -> None:
    before = merge([], [first], 3, NOW)
    [merged] = merge(before, [then], 4, LATER)
    moved = merged["lastTransitionTime"] != before[0]["lastTransitionTime"]
    assert moved is (first.status != then.status)
    assert (merged["reason"], merged["message"], merged["observedGeneration"]) == (then.reason, then.message, 4)


def test_a_condition_that_is_not_decided_any_more_disappears() -> None:
    assert merge(merge([], [condition()], 3, NOW), [], 3, LATER) == []


def test_the_status_has_the_kinds_own_fields_and_the_generation_that_was_seen() -> None:
    status = after(Decision(conditions=(condition(),), status={"url": "https://x"}))
    assert (status["url"], status["observedGeneration"], len(status["conditions"])) == ("https://x", 3, 1)
    assert "children" not in status


def test_the_inventory_tells_of_each_child_how_it_is() -> None:
    failed, unwritten, refused = (Ref(PRODUCT, GATEWAY, name) for name in ("failed", "unwritten", "refused"))
    invalid = {"observedGeneration": 1, "conditions": [{"type": "Invalid", "status": "True", "message": "no"}]}
    known = Children(
        {KEY: live(KEY), failed: live(failed, status=invalid)},
        {refused: Refusal(RefusalReason.CONFLICT, "theirs")},
    )
    wanted = tuple(manifest(ref) for ref in (KEY, failed, unwritten, refused))
    status = after(Decision(conditions=(), children=wanted), children=known)
    assert status["children"] == [
        entry(KEY, ready=True, uid="uid of toy.key"),
        entry(failed, uid="uid of failed", reason="Invalid"),
        entry(unwritten, reason="Pending"),
        entry(refused, reason="Conflict"),
    ]


def test_what_is_not_wanted_stays_in_the_inventory_until_it_is_gone() -> None:
    before = owner(children=[entry(FRONT, ready=True), entry(BACK, ready=True), entry(KEY, ready=True)])
    status = after(Decision(conditions=()), before, remaining={FRONT: live(FRONT), BACK: None})
    assert status["children"] == [entry(FRONT, uid="uid of toy", reason="Deleting"), entry(BACK, reason="Deleting")]


def test_what_is_kept_keeps_its_entry() -> None:
    before = owner(children=[entry(FRONT, ready=True), entry(BACK, ready=True)])
    assert after(Decision(conditions=(), keep=frozenset({BACK})), before)["children"] == [entry(BACK, ready=True)]


def test_while_nothing_is_pruned_the_whole_inventory_stays() -> None:
    before = owner(children=[entry(FRONT, ready=True), entry(BACK, ready=True)])
    status = after(Decision(conditions=(), prune=False, children=(manifest(BACK),)), before)
    assert status["children"] == [entry(FRONT, ready=True), entry(BACK, reason="Pending")]


def test_intents_are_added_to_the_status_as_it_is() -> None:
    before = owner(url="https://x", children=[entry(BACK, ready=True)])
    assert with_intents(before, [BACK, FRONT]) == {
        "url": "https://x",
        "children": [entry(BACK, ready=True), entry(FRONT, reason="Pending")],
    }


def test_intents_that_are_in_the_inventory_already_are_no_news() -> None:
    assert with_intents(owner(children=[entry(BACK)]), [BACK]) is None


def test_entries_of_kinds_that_this_version_does_not_know_are_passed_over() -> None:
    strange = entry(BACK) | {"kind": "Strange"}
    assert list(inventory_of(owner(children=[strange, entry(KEY)]))) == [KEY]
    assert inventory_of(manifest(OWNER)) == {}


def test_the_order_of_conditions_and_children_is_no_difference() -> None:
    one, two = entry(BACK), entry(Ref(SECRET, GATEWAY, "x"))
    first, second = merge([], [condition()], 3, NOW)[0], {"type": "Live", "status": "True"}
    assert same(
        {"children": [one, two], "conditions": [first, second]}, {"children": [two, one], "conditions": [second, first]}
    )
    assert same({"children": [], "conditions": []}, {"children": None})
    assert not same({"children": [one]}, {"children": [two]})
    assert not same({"children": [], "url": "a"}, {"children": [], "url": "b"})

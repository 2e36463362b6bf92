"""Which promotion of a Product stays, which goes, and whether one tells the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product as every
from typing import Any

import pytest

from maas_operator.domain.gateway.promotions import RETRY, Promotions, known_promotions
from maas_operator.domain.kinds import PROXY_CONFIG_PROMOTE
from maas_operator.domain.objects import Manifest, Ref, ref_of
from tests.domain import worlds
from tests.domain.worlds import NOW, stamp

ONE, TWO, OLDER = (Ref(PROXY_CONFIG_PROMOTE, "3scale", f"llm.tiny-{letter * 8}") for letter in "abc")
NO_CHANGES = "cannot promote to production as no product changes detected."


def made(ref: Ref, *, at: str = "", **status: Any) -> Manifest:
    found = worlds.child("ProxyConfigPromote", ref.name, **status)
    return found | {"metadata": found["metadata"] | {"creationTimestamp": at or stamp(NOW)}}


def ready(ref: Ref, *, at: str = "") -> Manifest:
    return made(ref, at=at, conditions=[worlds.condition("Ready")], latestStagingVersion=3, latestProductionVersion=3)


def unchanged(ref: Ref) -> Manifest:
    told = [worlds.condition("Failed", NO_CHANGES)]
    return made(ref, conditions=told, latestStagingVersion=3, latestProductionVersion=3)


def failed(ref: Ref, ago: timedelta = timedelta(hours=1)) -> Manifest:
    return made(ref, conditions=[worlds.condition("Failed", "500 Internal Server Error", at=NOW - ago)])


def promotions(*found: Manifest | Ref, allowed: bool = True, overtaken: str = "", reachable: bool = True) -> Promotions:
    """Return what is known where the present configuration is ONE; by its address alone: only the inventory has it."""
    known = {one if isinstance(one, Ref) else ref_of(one): None if isinstance(one, Ref) else one for one in found}
    return Promotions(found=known, wanted=ONE, allowed=allowed, overtaken=overtaken, reachable=reachable, now=NOW)


def test_the_first_one_is_made() -> None:
    assert promotions().writable
    assert not promotions().done


@pytest.mark.parametrize("one", [made(ONE), ready(ONE), unchanged(ONE), failed(ONE, RETRY / 2), ONE])
def test_the_wanted_one_stays_where_it_is(one: Manifest | Ref) -> None:
    assert promotions(one).writable
    assert promotions(one).staying(product_synced=True) == {ONE}


@pytest.mark.parametrize(
    ("one", "done"), [(made(ONE), False), (ready(ONE), True), (unchanged(ONE), True), (ONE, False)]
)
def test_what_is_alone_and_done_is_in_production(one: Manifest | Ref, done: bool) -> None:
    assert promotions(one).done is done


def test_what_failed_a_while_ago_goes() -> None:
    found = promotions(failed(ONE))
    assert not found.writable
    assert found.staying(product_synced=True) == set()


def test_what_failed_stays_while_3scale_can_not_be_used_since_another_would_fail_too() -> None:
    found = promotions(failed(ONE), reachable=False)
    assert found.writable
    assert found.staying(product_synced=True) == {ONE}


def test_after_something_else_came_to_production_it_is_not_there_any_more_and_goes() -> None:
    found = promotions(ready(ONE), overtaken="uid-ProxyConfigPromote-llm.tiny-aaaaaaaa")
    assert not found.done
    assert not found.writable
    assert found.staying(product_synced=True) == set()


def test_what_overtook_another_one_says_nothing_of_the_next() -> None:
    assert promotions(ready(ONE), overtaken="another").done
    assert promotions(overtaken="another").writable


# --- another configuration was promoted before ------------------------------------------------------------------------


def test_the_one_before_stays_until_the_product_is_synced_and_goes_before_the_next_is_made() -> None:
    found = promotions(ready(TWO))
    assert not found.done
    assert not found.writable
    assert found.staying(product_synced=False) == {TWO}
    assert found.staying(product_synced=True) == set()


def test_while_nobody_approves_the_one_before_stays() -> None:
    assert promotions(ready(TWO), allowed=False).staying(product_synced=True) == {TWO}


@pytest.mark.parametrize("one", [made(TWO), unchanged(TWO), failed(TWO), TWO])
@pytest.mark.parametrize("allowed", [True, False])
def test_one_that_may_still_act_goes_before_the_product_is_written(one: Manifest | Ref, allowed: bool) -> None:
    found = promotions(one, allowed=allowed)
    assert found.unsafe == {TWO}
    assert found.staying(product_synced=False) == set()


def test_one_that_is_ready_never_acts_again_and_holds_up_nothing() -> None:
    assert promotions(ready(TWO)).unsafe == set()


@pytest.mark.parametrize("one", [made(ONE), failed(ONE, RETRY / 2), ONE])
def test_an_approval_that_is_taken_back_takes_the_promotion_along(one: Manifest | Ref) -> None:
    found = promotions(one, allowed=False)
    assert not found.writable
    assert found.staying(product_synced=True) == set()


@pytest.mark.parametrize("one", [ready(ONE), unchanged(ONE)])
def test_what_is_in_production_stays_there_without_an_approval(one: Manifest) -> None:
    found = promotions(one, allowed=False)
    assert found.done
    assert not found.writable
    assert found.staying(product_synced=True) == {ONE}


# --- several ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "newest"),
    [
        ((ready(ONE, at="2026-01-01T11:00:00Z"), ready(TWO, at="2026-01-01T11:00:01Z")), TWO),
        ((ready(ONE, at="2026-01-01T11:00:01Z"), ready(TWO, at="2026-01-01T11:00:00Z")), ONE),
        ((ready(ONE), ready(TWO)), TWO),
        ((ready(ONE), TWO), TWO),
        ((ONE, ready(TWO)), ONE),
        ((ready(TWO, at="2026-01-01T11:00:00Z"), ready(OLDER, at="2026-01-01T10:00:00Z")), TWO),
    ],
)
def test_of_several_the_newest_alone_stays_and_none_is_believed(found: tuple[Any, ...], newest: Ref) -> None:
    several = promotions(*found)
    assert several.staying(product_synced=True) == {newest}
    assert not several.done
    assert not several.writable


def test_a_first_promotion_is_not_believed_after_a_second_however_a_process_dies() -> None:
    """A, B, and A again: whatever is deleted first, A never seems to be in production without another promotion."""
    for order in _orders(promotions(ready(ONE, at="2026-01-01T11:00:00Z"), made(TWO))):
        assert not any(step.done for step in order)
        assert order[-1].writable


def _orders(found: Promotions) -> Iterator[list[Promotions]]:
    """Yield each way on which all that has to go goes, one deletion after the other."""
    going = found.found.keys() - found.staying(product_synced=True)
    if not going:
        yield [found]
    for ref in going:
        left = {one: manifest for one, manifest in found.found.items() if one != ref}
        yield from ([found, *rest] for rest in _orders(replace(found, found=left)))


STATES = [None, made, ready, unchanged, failed]


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("synced", [True, False])
def test_nothing_is_written_that_is_about_to_go_and_everything_comes_to_rest(allowed: bool, synced: bool) -> None:
    for states in every(STATES, repeat=3):
        refs = zip((ONE, TWO, OLDER), states, strict=True)
        found = promotions(*(make(ref) for ref, make in refs if make is not None), allowed=allowed)
        staying = found.staying(product_synced=synced)
        assert staying <= found.found.keys()
        assert not (found.writable and found.found.keys() - staying)
        for order in _orders(found):
            last = order[-1]
            assert last.found.keys() <= {ONE} or not (allowed and synced)
            assert len(last.found) <= 1
            assert not last.unsafe


# --- which are known --------------------------------------------------------------------------------------------------


def test_one_that_only_the_inventory_knows_is_not_forgotten() -> None:
    entry = {"apiVersion": ONE.kind.api_version, "kind": ONE.kind.name, "namespace": "3scale", "name": ONE.name}
    other = {"apiVersion": "v1", "kind": "Service", "namespace": "llm", "name": "tiny-api"}
    service = worlds.a_service(status={"children": [entry, other]})
    assert known_promotions(service, worlds.a_model_world(service)) == {ONE: None}
    seen = {TWO: made(TWO), ONE: ready(ONE)}
    assert known_promotions(service, worlds.a_model_world(service, seen=seen)) == seen


def test_other_kinds_are_no_promotions() -> None:
    service, backend = worlds.a_service(), worlds.child("Backend", "llm.tiny")
    assert known_promotions(service, worlds.a_model_world(service, seen={ref_of(backend): backend})) == {}

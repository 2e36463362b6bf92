"""The Routes of a product: the timeout for long answers, the URL, and what is told where neither can be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType as Type
from maas_operator.domain.decision import Annotation, Decision
from maas_operator.domain.kinds import ROUTE
from maas_operator.domain.model_service import ModelServiceWorld, decide
from maas_operator.domain.objects import Children, Ref, Refusal, RefusalReason, ref_of
from tests.domain import worlds
from tests.domain.worlds import a_model_world, a_route, a_service, condition_of, settle, told

PRODUCTION = Ref(ROUTE, "3scale", "zync-3scale-api-production")


def annotated(world: ModelServiceWorld) -> dict[str, str]:
    """Return what a decision annotates Routes with, by name of the Route."""
    patches = [patch for patch in settle(decide, world).patches if isinstance(patch, Annotation)]
    assert {patch.name for patch in patches} <= {"haproxy.router.openshift.io/timeout"}
    return {patch.ref.name: patch.value for patch in patches}


def decided(world: ModelServiceWorld, refused: Mapping[Ref, Refusal]) -> Decision:
    """Return the decision of a pass in which everything is written, but for what is refused."""
    known: dict[Ref, Any] = {ref_of(one): worlds.content(one) for one in settle(decide, world).children}
    return decide(replace(world, children=Children(known, refused)))


def test_both_routes_of_a_product_wait_longer_than_its_gateways() -> None:
    routes = a_route(annotated=""), a_route("stage.example.com", to="staging", annotated="")
    service = a_service(api={"timeouts": {"connect": "2s", "read": "1500ms"}})
    assert annotated(a_model_world(service, routes=routes)) == {
        "zync-3scale-api-production": "9s",
        "zync-3scale-api-staging": "9s",
    }


def test_a_route_that_waits_long_enough_is_left_alone() -> None:
    assert annotated(a_model_world(routes=(a_route(annotated="315s"),))) == {}


def test_another_timeout_in_the_spec_or_on_the_route_makes_a_difference() -> None:
    assert annotated(a_model_world(routes=(a_route(annotated="30s"),))) == {PRODUCTION.name: "315s"}
    service = a_service(api={"timeouts": {"read": "1h"}})
    assert annotated(a_model_world(service, routes=(a_route(annotated="315s"),))) == {PRODUCTION.name: "3615s"}


def test_the_route_is_known_by_its_uid_so_that_none_is_ever_made() -> None:
    (patch,) = settle(decide, a_model_world(routes=(a_route(annotated=""),))).patches
    assert isinstance(patch, Annotation)
    assert (patch.ref, patch.uid) == (PRODUCTION, f"uid-{PRODUCTION.name}")


def test_what_this_pass_wrote_is_not_written_again() -> None:
    world = a_model_world(routes=(a_route(annotated=""),))
    assert decide(replace(world, children=Children({PRODUCTION: a_route(annotated="315s")}, {}))).patches == ()


def test_a_route_that_goes_is_left_alone() -> None:
    route = a_route(annotated="")
    route["metadata"]["deletionTimestamp"] = "2026-01-01T11:00:00Z"
    assert annotated(a_model_world(routes=(route,))) == {}


@pytest.mark.parametrize("reason", [RefusalReason.FORBIDDEN, RefusalReason.CONTENDED])
def test_a_route_that_can_not_be_annotated_is_told_and_nothing_else_suffers(reason: RefusalReason) -> None:
    refusal = Refusal(reason, f"{PRODUCTION} was refused: do something")
    decision = decided(a_model_world(routes=(a_route(annotated=""),)), {PRODUCTION: refusal})
    assert decision.patches == ()
    assert told(decision, Type.LIVE) == ("True", "RouteTimeoutNotSet")
    assert refusal.message in condition_of(decision, Type.LIVE).message
    assert told(decision, Type.PROMOTED) == ("True", "Promoted")
    assert decision.status["url"] == "https://tiny.example.com/v1"


def test_the_url_is_that_of_the_route_to_production() -> None:
    routes = a_route("stage.example.com", to="staging"), a_route("tiny.example.com")
    assert settle(decide, a_model_world(routes=routes)).status["url"] == "https://tiny.example.com/v1"


def test_without_routes_the_url_is_what_3scale_says_and_no_route_is_missed() -> None:
    decision = settle(decide, a_model_world(endpoint="https://tiny.example.com"))
    assert decision.status["url"] == "https://tiny.example.com/v1"
    assert told(decision, Type.LIVE) == ("True", "Live")


def test_a_route_counts_more_than_what_3scale_says() -> None:
    decision = settle(decide, a_model_world(routes=(a_route(),), endpoint="https://other.example.com"))
    assert decision.status["url"] == "https://tiny.example.com/v1"


@pytest.mark.parametrize(("before", "shown"), [(None, False), ("https://tiny.example.com/v1", True)])
def test_an_endpoint_is_no_url_before_the_first_promotion_and_stays_one_in_the_next(
    before: str | None, shown: bool
) -> None:
    service = a_service(status={"url": before} if before else {})
    world = a_model_world(service, endpoint="https://tiny.example.com")
    decision = settle(decide, world, worlds.but("ProxyConfigPromote", worlds.with_status))
    assert ("url" in decision.status) is shown

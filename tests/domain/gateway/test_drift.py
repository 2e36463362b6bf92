"""What was edited in 3scale itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from maas_operator.domain.gateway.drift import backend_edits, product_edits, production_edits, with_correction
from maas_operator.domain.gateway.remote import RemoteBackend, RemoteMetric, RemoteRule
from maas_operator.domain.gateway.status import PromotionPhase, PromotionState
from maas_operator.domain.labels import CORRECTED_AT
from tests.domain.children import a_service, children_of
from tests.domain.remotes import as_written, configuration

PLANS = [
    {"name": "basic", "limits": [{"metric": "Requests", "period": "Minute", "value": 60}]},
    {"name": "gold", "approvalRequired": True, "pricing": {"setupFee": "50.00", "monthlyFee": "9.90"}},
]
CHILDREN = children_of(a_service(plans=PLANS))
PRODUCT, BACKEND = CHILDREN["Product"], CHILDREN["Backend"] | {"status": {"backendId": 8}}
BACKENDS = {BACKEND["spec"]["systemName"]: BACKEND}
CLICKS = RemoteMetric(friendly_name="Clicks", unit="click", description="", is_method=False)
WRITTEN = as_written(PRODUCT)
BASIC, GOLD = WRITTEN.plans["basic"], WRITTEN.plans["gold"]
PROMOTED = PromotionState(phase=PromotionPhase.DONE, final=True, staging_version=3, production_version=3)
IN_PRODUCTION = configuration(PRODUCT)


def edits(**changed: Any) -> tuple[str, ...]:
    return product_edits(PRODUCT, BACKENDS, {}, replace(WRITTEN, **changed))


def test_what_3scale_has_as_it_was_written_is_no_edit() -> None:
    assert edits() == ()


def test_settings_and_approvals_that_an_older_3scale_does_not_tell_are_no_edit() -> None:
    plans = {name: replace(plan, approval_required=None) for name, plan in WRITTEN.plans.items()}
    assert edits(settings={}, plans=plans) == ()


def test_a_plan_that_was_customised_for_one_application_is_no_edit() -> None:
    assert edits(plans=WRITTEN.plans | {"basic_1": replace(BASIC, id=3, system_name="basic_1", custom=True)}) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "Another"}, "name"),
        ({"description": ""}, "description"),
        ({"usages": {8: "/v1"}}, "backends"),
        ({"usages": {8: "/", 9: "/other"}}, "backends"),
        ({"metrics": {**WRITTEN.metrics, "clicks": CLICKS}}, "metrics"),
        ({"rules": WRITTEN.rules[1:]}, "mapping rules"),
        ({"rules": (*WRITTEN.rules[1:], WRITTEN.rules[0])}, "mapping rules"),
        ({"rules": (replace(WRITTEN.rules[0], increment=2), *WRITTEN.rules[1:])}, "mapping rules"),
        ({"policies": WRITTEN.policies[::-1]}, "policies"),
        ({"policies": ({**WRITTEN.policies[0], "enabled": False}, *WRITTEN.policies[1:])}, "policies"),
        ({"settings": {"credentials_location": "query"}}, "setting credentials_location"),
        ({"settings": {"error_status_auth_missing": "200"}}, "setting error_status_auth_missing"),
        ({"settings": {"backend_version": "2"}}, "setting backend_version"),
        ({"plans": {"basic": BASIC}}, "plan gold"),
        ({"plans": WRITTEN.plans | {"free": replace(BASIC, system_name="free")}}, "plan free"),
        ({"plans": WRITTEN.plans | {"basic": replace(BASIC, published=False)}}, "plan basic"),
        ({"plans": WRITTEN.plans | {"basic": replace(BASIC, trial_days=9)}}, "plan basic"),
        ({"plans": WRITTEN.plans | {"basic": replace(BASIC, month_fee=Decimal("9.9"))}}, "plan basic"),
        ({"plans": WRITTEN.plans | {"gold": replace(GOLD, approval_required=False)}}, "plan gold"),
        ({"plans": WRITTEN.plans | {"gold": replace(GOLD, setup_fee=Decimal("50.01"))}}, "plan gold"),
        ({"limits": WRITTEN.limits | {"basic": {}}}, "plan basic"),
        ({"limits": WRITTEN.limits | {"basic": {("hits", "minute"): 61}}}, "plan basic"),
        ({"limits": WRITTEN.limits | {"gold": {("107", "day"): 1}}}, "plan gold"),
    ],
)
def test_an_edit_is_named(changed: dict[str, Any], told: str) -> None:
    assert edits(**changed) == (told,)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ()),
        ({"version": 4}, ("version",)),
        ({"version": 2}, ("version",)),
        ({"rules": (*WRITTEN.rules, RemoteRule("GET", "/", "hits", 1, False))}, ("mapping rules",)),
        ({"policies": IN_PRODUCTION.policies[1:]}, ("policies",)),
        ({"settings": {"credentials_location": "query"}}, ("setting credentials_location",)),
        ({"settings": {}}, ()),
    ],
)
def test_what_somebody_else_promoted_is_named(changed: dict[str, Any], told: tuple[str, ...]) -> None:
    assert production_edits(PRODUCT, {}, PROMOTED, replace(IN_PRODUCTION, **changed)) == told


def test_a_production_that_is_empty_is_named() -> None:
    assert production_edits(PRODUCT, {}, PROMOTED, None) == ("nothing is in production",)


def test_a_policy_that_is_switched_off_is_not_in_production() -> None:
    policies = [{**PRODUCT["spec"]["policies"][0], "enabled": False}, *PRODUCT["spec"]["policies"][1:]]
    product = PRODUCT | {"spec": PRODUCT["spec"] | {"policies": policies}}
    assert production_edits(product, {}, PROMOTED, IN_PRODUCTION) == ("policies",)
    assert production_edits(product, {}, PROMOTED, replace(IN_PRODUCTION, policies=IN_PRODUCTION.policies[1:])) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ()),
        ({"name": "x"}, ("name",)),
        ({"description": "x"}, ("description",)),
        ({"endpoint": "http://evil.example.com:80"}, ("private base URL",)),
    ],
)
def test_an_edit_of_the_backend_is_named(changed: dict[str, str], told: tuple[str, ...]) -> None:
    spec = BACKEND["spec"]
    remote = RemoteBackend(name=spec["name"], description=spec["description"], endpoint=spec["privateBaseURL"])
    assert backend_edits(BACKEND, replace(remote, **changed)) == told


FOUND = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def marked(time: str) -> dict[str, Any]:
    return PRODUCT | {"metadata": {**PRODUCT["metadata"], "annotations": {CORRECTED_AT: time}}}


@pytest.mark.parametrize(
    ("last", "edited_at", "mark"),
    [
        ("", None, None),
        ("", FOUND, "2026-01-01T12:00:00Z"),
        ("2026-01-01T11:00:00Z", None, "2026-01-01T11:00:00Z"),
        ("2026-01-01T11:00:00Z", FOUND, "2026-01-01T12:00:00Z"),
        ("2026-01-01T13:00:00Z", FOUND, "2026-01-01T13:00:00Z"),
    ],
)
def test_the_mark_of_a_correction_moves_forward_only(last: str, edited_at: datetime | None, mark: str | None) -> None:
    current = marked(last) if last else PRODUCT
    corrected = with_correction(PRODUCT, current, edited_at)
    assert corrected["metadata"].get("annotations", {}).get(CORRECTED_AT) == mark
    assert corrected["spec"] == PRODUCT["spec"]


def test_a_product_that_is_not_there_yet_has_no_mark() -> None:
    assert with_correction(PRODUCT, None, None) == PRODUCT

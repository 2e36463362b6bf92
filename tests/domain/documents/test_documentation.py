"""What the 3scale-operator says of a document, and what somebody made of it in the portal."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType
from maas_operator.domain.documents.active_doc import active_doc_state
from maas_operator.domain.documents.own import DEPTH, Unfit, own
from maas_operator.domain.gateway.drift import document_edits
from maas_operator.domain.gateway.remote import RemoteDocument
from maas_operator.domain.kinds import ACTIVE_DOC
from maas_operator.domain.model_service import decide
from maas_operator.domain.objects import Manifest
from tests.domain import worlds
from tests.domain.worlds import a_model_world, condition_of, settle

SPEC = {"name": "Tiny", "description": "A model", "published": True}
REMOTE = RemoteDocument(
    id=4, system_name="tiny", name="Tiny", description="A model", body="{}", published=True, product_id=7
)


def told(*conditions: Any) -> Manifest:
    return worlds.child("ActiveDoc", "llm.tiny", observedGeneration=1, conditions=list(conditions))


@pytest.mark.parametrize(
    ("conditions", "reason", "failed"),
    [
        ([worlds.condition("Orphan", "product not found"), worlds.condition("Failed", "x")], "Orphan", False),
        ([worlds.condition("Invalid", "not 3.0"), worlds.condition("Failed", "not 3.0")], "Invalid", True),
        ([worlds.condition("Failed", "500")], "Failed", True),
        ([], "Pending", False),
    ],
)
def test_what_the_3scale_operator_says_of_a_document_is_understood(
    conditions: list[Any], reason: str, failed: bool
) -> None:
    state = active_doc_state(told(*conditions))
    assert (state.ready, state.reason, state.failed) == (False, reason, failed)


def refusing(kind: str) -> Any:
    conditions = [worlds.condition(kind, "in 3scale's own words")]
    refused = partial(worlds.with_status, observedGeneration=1, conditions=conditions)
    return worlds.but(ACTIVE_DOC.name, refused)


@pytest.mark.parametrize(("kind", "reason"), [("Invalid", "DocumentInvalid"), ("Failed", "DocumentationFailed")])
def test_a_document_that_3scale_refuses_is_told_in_its_words(kind: str, reason: str) -> None:
    world = a_model_world(routes=(worlds.a_route(),))
    world = replace(world, remote=replace(world.remote, document_is_free=True))
    condition = condition_of(settle(decide, world, refusing(kind)), ConditionType.DOCUMENTATION_READY)
    assert condition.reason == reason
    assert "in 3scale's own words" in condition.message


def test_a_text_that_is_no_json_any_more_was_edited() -> None:
    product = {"status": {"productId": 7}}
    assert document_edits({"spec": SPEC}, "{}", product, REMOTE) == ()
    assert document_edits({"spec": SPEC}, "{}", product, replace(REMOTE, body="oops")) == ("text",)


def test_a_yaml_document_that_is_too_deep_is_refused_before_it_is_built() -> None:
    depth = DEPTH + 1
    found = own(f"openapi: 3.0.3\nx-deep: {'[' * depth}{']' * depth}", "https://tiny.example.com")
    assert isinstance(found, Unfit)

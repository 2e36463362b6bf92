from typing import Any

import pytest

from maas_operator.domain.child_state import describe, state_of
from maas_operator.domain.decision import ChildState
from maas_operator.domain.kinds import (
    APPLICATION,
    BACKEND,
    INFERENCE_SERVICE,
    MODEL_SUBSCRIPTION,
    NETWORK_POLICY,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SECRET,
    SERVICE,
    SERVING_RUNTIME,
    Kind,
)

READY = ChildState(ready=True)


def state(kind: Kind, *conditions: tuple[str, str], **status: Any) -> ChildState:
    told = [{"type": type_, "status": "True", "message": message} for type_, message in conditions]
    metadata = {"name": "x", "namespace": "n", "generation": 2}
    whole = {"observedGeneration": 2, "conditions": told} | status
    return state_of({"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "status": whole})


@pytest.mark.parametrize("kind", [SECRET, SERVICE, NETWORK_POLICY, SERVING_RUNTIME])
def test_what_has_no_controller_is_ready_as_soon_as_it_exists(kind: Kind) -> None:
    assert state(kind) == READY


@pytest.mark.parametrize(("kind", "number"), [(PRODUCT, "productId"), (BACKEND, "backendId")])
def test_products_and_backends_are_ready_when_synced(kind: Kind, number: str) -> None:
    assert state(kind, ("Synced", ""), **{number: 7}) == READY
    assert state(kind, ("Invalid", "no"), **{number: 7}) == ChildState(
        ready=False, failed=True, reason="Invalid", message="no"
    )
    assert state(kind) == ChildState(ready=False, reason="Silent")


def test_a_promotion_is_ready_when_it_is_done() -> None:
    assert state(PROXY_CONFIG_PROMOTE, ("Ready", "")) == READY
    assert state(PROXY_CONFIG_PROMOTE) == ChildState(ready=False, reason="Pending")
    failed = ChildState(ready=False, failed=True, reason="Failed", message="broken")
    assert state(PROXY_CONFIG_PROMOTE, ("Failed", "broken")) == failed


def test_a_child_is_named_with_the_words_of_its_controller_if_something_is_wrong() -> None:
    metadata = {"name": "x", "namespace": "n"}
    product: dict[str, Any] = {"apiVersion": PRODUCT.api_version, "kind": "Product", "metadata": metadata}
    assert describe(product) == "Product n/x"
    status = {"conditions": [{"type": "Failed", "status": "True", "message": "no token"}]}
    assert describe(product | {"status": status}) == "Product n/x (no token)"


def test_consumers_objects_are_read_as_their_own_module_does() -> None:
    assert state(APPLICATION, ("Ready", ""), applicationID=7) == READY
    assert state(APPLICATION, ("Ready", "")).ready is False


def test_an_inference_service_is_ready_whatever_generation_it_shows() -> None:
    assert state(INFERENCE_SERVICE, ("Ready", ""), observedGeneration=99) == READY
    waiting = [{"type": "Ready", "status": "False", "reason": "PredictorNotReady", "message": "soon"}]
    assert state(INFERENCE_SERVICE, conditions=waiting) == ChildState(
        ready=False, reason="PredictorNotReady", message="soon"
    )


def test_a_subscription_is_ready_when_it_says_so_of_this_generation() -> None:
    assert state(MODEL_SUBSCRIPTION, ("Ready", "")) == READY
    assert state(MODEL_SUBSCRIPTION, ("Ready", "old news"), observedGeneration=1).ready is False
    assert state(MODEL_SUBSCRIPTION, observedGeneration=1) == ChildState(ready=False, reason="Pending")


def test_the_reason_of_an_older_generation_is_not_shown() -> None:
    stale = [{"type": "Ready", "status": "False", "reason": "PlanMissing", "message": "old"}]
    assert state(MODEL_SUBSCRIPTION, conditions=stale, observedGeneration=1).reason == "Pending"

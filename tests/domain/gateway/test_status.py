"""Reading the 3scale-operator's statuses."""

from typing import Any

import pytest

from maas_operator.domain.gateway.status import (
    PromotionPhase,
    PromotionState,
    SyncPhase,
    SyncState,
    backend_state,
    product_state,
    promotion_state,
)


def conditions(**true: str) -> list[dict[str, str]]:
    """Return the named conditions as True with their messages, and a False one."""
    return [{"type": "Other", "status": "False"}] + [
        {"type": type_, "status": "True", "message": message} for type_, message in true.items()
    ]


def remote(*, generation: int = 3, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "llm.tiny", "generation": generation}, "status": status}


def test_an_object_that_is_not_there_yet_is_syncing() -> None:
    assert product_state(None) == SyncState(phase=SyncPhase.SYNCING)


def test_no_status_at_all_is_silence() -> None:
    assert product_state({"metadata": {"generation": 1}}).phase is SyncPhase.SILENT
    assert product_state(remote()).phase is SyncPhase.SILENT


def test_synced_at_this_generation_with_an_id_is_synced() -> None:
    product = remote(observedGeneration=3, productId=7, conditions=conditions(Synced=""))
    assert product_state(product) == SyncState(phase=SyncPhase.SYNCED, remote_id=7)
    assert product_state(product).synced
    backend = remote(observedGeneration=3, backendId=8, conditions=conditions(Synced=""))
    assert backend_state(backend) == SyncState(phase=SyncPhase.SYNCED, remote_id=8)


def test_synced_at_an_older_generation_is_not_synced() -> None:
    product = remote(observedGeneration=2, productId=7, conditions=conditions(Synced=""))
    assert product_state(product) == SyncState(phase=SyncPhase.SYNCING, remote_id=7)


def test_an_old_failure_is_not_reported_of_the_new_spec() -> None:
    product = remote(observedGeneration=2, conditions=conditions(Invalid="bad", Failed="bad"))
    assert product_state(product) == SyncState(phase=SyncPhase.SYNCING)


def test_synced_without_an_id_is_not_synced() -> None:
    product = remote(observedGeneration=3, conditions=conditions(Synced=""))
    assert product_state(product).phase is SyncPhase.SYNCING


@pytest.mark.parametrize(
    ("true", "phase", "message"),
    [
        ({"Invalid": "bad metric", "Failed": "bad metric"}, SyncPhase.INVALID, "bad metric"),
        ({"Orphan": "backend is missing", "Failed": "x"}, SyncPhase.SYNCING, "backend is missing"),
        ({"Orphan": "", "Failed": "backend is missing"}, SyncPhase.SYNCING, "backend is missing"),
        ({"Failed": "403 Forbidden"}, SyncPhase.FAILED, "403 Forbidden"),
        ({}, SyncPhase.SYNCING, ""),
    ],
)
def test_failures_keep_3scales_own_words(true: dict[str, str], phase: SyncPhase, message: str) -> None:
    state = product_state(remote(observedGeneration=3, conditions=conditions(**true)))
    assert (state.phase, state.message) == (phase, message)


def test_a_promotion_without_status_is_pending() -> None:
    assert promotion_state(None).phase is PromotionPhase.PENDING
    assert promotion_state(remote()).phase is PromotionPhase.PENDING


def test_a_ready_promotion_is_done_and_tells_its_versions() -> None:
    state = promotion_state(remote(conditions=conditions(Ready=""), latestStagingVersion=4, latestProductionVersion=4))
    assert state == PromotionState(phase=PromotionPhase.DONE, final=True, staging_version=4, production_version=4)


NO_CHANGES = "cannot promote to production as no product changes detected. Delete this proxyConfigPromote CR"


@pytest.mark.parametrize(
    ("staging", "production", "phase"),
    [
        (4, 4, PromotionPhase.DONE),
        (4, 3, PromotionPhase.FAILED),
        (4, 0, PromotionPhase.FAILED),
        (0, 0, PromotionPhase.FAILED),
        (None, None, PromotionPhase.FAILED),
    ],
)
def test_no_changes_is_believed_only_of_equal_versions(
    staging: int | None, production: int | None, phase: PromotionPhase
) -> None:
    promotion = remote(
        conditions=conditions(Failed=NO_CHANGES), latestStagingVersion=staging, latestProductionVersion=production
    )
    assert promotion_state(promotion).phase is phase
    # The 3scale-operator looks at it again at each of its restarts.
    assert not promotion_state(promotion).final


@pytest.mark.parametrize(
    ("message", "phase"),
    [
        ("product CR is not ready", PromotionPhase.PENDING),
        ("Product llm.tiny not found", PromotionPhase.PENDING),
        ("500 Internal Server Error", PromotionPhase.FAILED),
    ],
)
def test_a_failed_promotion_waits_for_its_product_or_must_be_made_anew(message: str, phase: PromotionPhase) -> None:
    state = promotion_state(remote(conditions=conditions(Failed=message)))
    assert (state.phase, state.message) == (phase, message)

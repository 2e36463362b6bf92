"""Whether a child does its work, for the inventory in status and for the messages about waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .decision import ChildState
from .documents.active_doc import active_doc_state
from .gateway.status import PromotionPhase, SyncPhase, SyncState, backend_state, product_state, promotion_state
from .kinds import (
    ACTIVE_DOC,
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    CUSTOM_POLICY_DEFINITION,
    DEVELOPER_ACCOUNT,
    DEVELOPER_USER,
    INFERENCE_SERVICE,
    JOB,
    MODEL_SUBSCRIPTION,
    OBJECT_BUCKET_CLAIM,
    PERSISTENT_VOLUME_CLAIM,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    STATEFUL_SET,
    Kind,
)
from .metering.package import definition_state
from .minio.jobs import job_state
from .minio.progress import claim_state as volume_state
from .minio.progress import stateful_set_state
from .objects import Manifest, ref_of
from .observed import condition_of, is_fresh
from .people import status as people
from .storage.odf import claim_state


def state_of(child: Manifest) -> ChildState:
    """Read a child by the rules of its kind; one whose kind has no status works as soon as it is there."""
    read = _READERS.get(ref_of(child).kind)
    return read(child) if read else ChildState(ready=True)


def describe(child: Manifest) -> str:
    """Name a child, with the words of its own controller if there is something wrong."""
    message = state_of(child).message
    return f"{ref_of(child)} ({message})" if message else str(ref_of(child))


def _by_ready_condition(child: Manifest) -> ChildState:
    ready = condition_of(child, "Ready")
    if ready.get("status") == "True":
        return ChildState(ready=True)
    return ChildState(ready=False, reason=ready.get("reason") or "Pending", message=ready.get("message", ""))


def _subscription(child: Manifest) -> ChildState:
    # What it says of an older spec is no news of this one.
    return _by_ready_condition(child) if is_fresh(child) else ChildState(ready=False, reason="Pending")


def _backend(child: Manifest) -> ChildState:
    return _by_sync(backend_state(child))


def _product(child: Manifest) -> ChildState:
    return _by_sync(product_state(child))


def _by_sync(state: SyncState) -> ChildState:
    if state.synced:
        return ChildState(ready=True)
    failed = state.phase in (SyncPhase.INVALID, SyncPhase.FAILED)
    return ChildState(ready=False, failed=failed, reason=state.phase, message=state.message)


def _promotion(child: Manifest) -> ChildState:
    state = promotion_state(child)
    if state.done:
        return ChildState(ready=True)
    failed = state.phase is PromotionPhase.FAILED
    return ChildState(ready=False, failed=failed, reason=state.phase, message=state.message)


_READERS: Final[Mapping[Kind, Callable[[Manifest], ChildState]]] = {
    ACTIVE_DOC: active_doc_state,
    APPLICATION: people.application_state,
    APPLICATION_AUTH: people.application_auth_state,
    BACKEND: _backend,
    CUSTOM_POLICY_DEFINITION: definition_state,
    DEVELOPER_ACCOUNT: people.account_state,
    DEVELOPER_USER: people.user_state,
    INFERENCE_SERVICE: _by_ready_condition,
    JOB: job_state,
    PERSISTENT_VOLUME_CLAIM: volume_state,
    STATEFUL_SET: stateful_set_state,
    MODEL_SUBSCRIPTION: _subscription,
    OBJECT_BUCKET_CLAIM: claim_state,
    PRODUCT: _product,
    PROXY_CONFIG_PROMOTE: _promotion,
}

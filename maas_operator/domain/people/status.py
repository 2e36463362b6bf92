"""What the 3scale-operator says of accounts, users, applications and keys."""

from __future__ import annotations

from typing import Any

from maas_operator.domain.decision import ChildState
from maas_operator.domain.objects import Manifest

_TAKEN = "has already been taken"
"""porta's words for a user name or e-mail address that another account has."""


def account_state(account: Manifest) -> ChildState:
    """Read a DeveloperAccount. After a 409 of porta it may be Ready without an id: that is not ready."""
    return _exclusive(account, ready=bool(_status(account).get("accountID")))


def user_state(user: Manifest) -> ChildState:
    """Read a DeveloperUser."""
    return _exclusive(user, ready=bool(_status(user).get("developerUserID")))


def application_state(application: Manifest) -> ChildState:
    """Read an Application: ready when 3scale has it at this generation, whatever its state there."""
    status = _status(application)
    condition = _conditions(application).get("Ready")
    if condition is None or status.get("observedGeneration") != application["metadata"].get("generation"):
        return ChildState(ready=False, reason="Pending")
    if condition["status"] == "True" and status.get("applicationID"):
        return ChildState(ready=True)
    message = condition.get("message", "")
    waits = "not found" in message or "doesnt have a valid" in message
    return ChildState(ready=False, failed=not waits, reason="Waiting" if waits else "Failed", message=message)


def application_auth_state(auth: Manifest) -> ChildState:
    """Read an ApplicationAuth. Its Ready counts only if the Application had its id before (see `access`)."""
    conditions = _conditions(auth)
    if _is_true(conditions.get("Ready", {})):
        return ChildState(ready=True)
    failed = conditions.get("Failed", {})
    if _is_true(failed):
        return ChildState(ready=False, failed=True, reason="Failed", message=failed.get("message", ""))
    return ChildState(ready=False, reason="Pending")


def application_id(application: Manifest | None) -> int | None:
    """Return the Application's id in 3scale; None before it has one."""
    return _status(application).get("applicationID") if application else None


def application_lifecycle(application: Manifest) -> str:
    """Return 3scale's own state: live, pending or suspended; empty before it tells one."""
    state: str = _status(application).get("state", "")
    return state


def name_is_taken(state: ChildState) -> bool:
    """Tell whether 3scale refused a user because somebody else has its name or e-mail address."""
    return state.failed and _TAKEN in state.message


def _exclusive(manifest: Manifest, *, ready: bool) -> ChildState:
    """Read one of the kinds whose conditions exclude each other; Waiting and Orphan mean: not yet."""
    conditions = _conditions(manifest)
    for reason in ("Invalid", "Failed"):
        if _is_true(conditions.get(reason, {})):
            return ChildState(ready=False, failed=True, reason=reason, message=conditions[reason].get("message", ""))
    fresh = _status(manifest).get("observedGeneration") == manifest["metadata"].get("generation")
    if ready and fresh and _is_true(conditions.get("Ready", {})):
        return ChildState(ready=True)
    return ChildState(ready=False, reason="Pending")


def _status(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("status") or {}


def _conditions(manifest: Manifest) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in _status(manifest).get("conditions") or ()}


def _is_true(condition: dict[str, Any]) -> bool:
    return condition.get("status") == "True"

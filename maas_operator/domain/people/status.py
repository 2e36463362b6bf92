"""What the 3scale-operator says of accounts, users, applications and keys."""

from __future__ import annotations

from maas_operator.domain.decision import ChildState
from maas_operator.domain.objects import Manifest
from maas_operator.domain.observed import condition_of, is_fresh, status_of, true_conditions

_TAKEN = "has already been taken"
"""porta's words for a user name or e-mail address that another account has."""


def account_state(account: Manifest) -> ChildState:
    """Read a DeveloperAccount. After a 409 of porta it may be Ready without an id: that is not ready."""
    return _exclusive(account, ready=bool(status_of(account).get("accountID")))


def user_state(user: Manifest) -> ChildState:
    """Read a DeveloperUser."""
    return _exclusive(user, ready=bool(status_of(user).get("developerUserID")))


def application_state(application: Manifest) -> ChildState:
    """Read an Application: ready when 3scale has it at this generation, whatever its state there."""
    condition = condition_of(application, "Ready")
    if not condition or not is_fresh(application):
        return ChildState(ready=False, reason="Pending")
    if condition["status"] == "True" and status_of(application).get("applicationID"):
        return ChildState(ready=True)
    message = condition.get("message", "")
    waits = "not found" in message or "doesnt have a valid" in message
    return ChildState(ready=False, failed=not waits, reason="Waiting" if waits else "Failed", message=message)


def application_auth_state(auth: Manifest) -> ChildState:
    """Read an ApplicationAuth. Its Ready counts only if the Application had its id before (see `access`)."""
    true = true_conditions(auth)
    if "Ready" in true:
        return ChildState(ready=True)
    if "Failed" in true:
        return ChildState(ready=False, failed=True, reason="Failed", message=true["Failed"])
    return ChildState(ready=False, reason="Pending")


def application_id(application: Manifest | None) -> int | None:
    """Return the Application's id in 3scale; None before it has one."""
    return status_of(application).get("applicationID") if application else None


def account_id(account: Manifest | None) -> int | None:
    """Return the account's id in 3scale; None before it has one."""
    return status_of(account).get("accountID") if account else None


def application_lifecycle(application: Manifest) -> str:
    """Return 3scale's own state: live, pending or suspended; empty before it tells one."""
    state: str = status_of(application).get("state", "")
    return state


def name_is_taken(state: ChildState) -> bool:
    """Tell whether 3scale refused a user because somebody else has its name or e-mail address."""
    return state.failed and _TAKEN in state.message


def _exclusive(manifest: Manifest, *, ready: bool) -> ChildState:
    """Read one of the kinds whose conditions exclude each other; Waiting and Orphan mean: not yet."""
    true = true_conditions(manifest)
    for reason in ("Invalid", "Failed"):
        if reason in true:
            return ChildState(ready=False, failed=True, reason=reason, message=true[reason])
    if ready and is_fresh(manifest) and "Ready" in true:
        return ChildState(ready=True)
    return ChildState(ready=False, reason="Pending")

"""Errors of the API in words for the person who reads a condition: the object, what was said, what to do."""

from __future__ import annotations

from typing import Final

from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Ref, Refusal, RefusalReason

from .errors import (
    ApiError,
    AuthorityMissing,
    Forbidden,
    ForeignObject,
    KindNotServed,
    NamespaceTerminating,
    NotFound,
    Rejected,
    RemoteUnavailable,
    ThreescaleError,
    TokenRefused,
    WebhookUnavailable,
)

_THREESCALE: Final[dict[type[ThreescaleError], Reason]] = {
    AuthorityMissing: Reason.AUTHORITY_MISSING,
    TokenRefused: Reason.TOKEN_REFUSED,
    RemoteUnavailable: Reason.ADMIN_API_UNAVAILABLE,
}
_REMEDIES: Final[dict[type[ApiError], tuple[RefusalReason, str]]] = {
    # The first that fits decides, so the special ones come first.
    KindNotServed: (RefusalReason.DEPENDENCY_MISSING, "install the operator that brings this kind"),
    NotFound: (RefusalReason.NAMESPACE_MISSING, "create its namespace"),
    NamespaceTerminating: (RefusalReason.NAMESPACE_TERMINATING, "wait until its namespace is gone"),
    Forbidden: (RefusalReason.FORBIDDEN, "grant the operator its RBAC, or lift the quota or policy that denies it"),
    Rejected: (RefusalReason.REJECTED, "change the field that is refused"),
    WebhookUnavailable: (RefusalReason.WEBHOOK_UNAVAILABLE, "it is tried again; bring the webhook's controller back"),
}


def refusal_of(ref: Ref, error: ApiError) -> Refusal:
    """Translate an error that only a person can end; any other is raised again, for the back-off."""
    for type_, (reason, remedy) in _REMEDIES.items():
        if isinstance(error, type_):
            # The API quotes refused values, and those of a Secret are nobody's business.
            words = "" if ref.kind == SECRET else f": {error.message}"
            return Refusal(reason, f"{ref} was refused{words}; {remedy}")
    raise error


def threescale_problem(error: ThreescaleError) -> Verdict:
    """Say why 3scale could not be asked."""
    return false(_THREESCALE.get(type(error), Reason.ADMIN_API_REFUSED), str(error))


def conflict(error: ForeignObject) -> Refusal:
    """Say that an object of our child's name is somebody else's."""
    return Refusal(RefusalReason.CONFLICT, f"{error}; rename or delete it, or rename the object that needs it")


def contention(ref: Ref, rival: str) -> Refusal:
    """Say that somebody undoes our writes again and again."""
    message = f"{ref} is changed back again and again by {rival}; stop that writer"
    return Refusal(RefusalReason.CONTENDED, message)

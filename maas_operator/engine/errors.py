"""Every error that crosses a boundary of the operator.

    OperatorError
    ├── ApiError                the Kubernetes API said no
    │   ├── NotFound            404: the object
    │   │   └── KindNotServed   404: its type; the CRD is missing
    │   ├── Conflict            409: a precondition or another field manager
    │   ├── Forbidden           403
    │   │   └── NamespaceTerminating
    │   ├── Rejected            400, 413, 415, 422 and a 500 that speaks of our object: the same call will fail again
    │   └── Unavailable         429, 5xx, time-outs, broken connections: the same call may pass later
    │       └── WebhookUnavailable  500: who must admit the object can not be asked
    ├── ThreescaleError         3scale's Admin API said no
    │   ├── AuthorityMissing        the ConfigMap with the certificates that vouch for it is not there
    │   ├── TokenRefused            401, 403: the token, or what it may do
    │   ├── RemoteNotFound          404
    │   ├── RemoteRefused           409, 422 and what no Admin API would answer: the same call will fail again
    │   └── RemoteUnavailable       5xx, time-outs, TLS, broken connections: the same call may pass later
    ├── NotLeading              this process may not write: another leads, or may soon
    ├── ForeignObject           an object of our name that is not ours (design rule 6)
    └── InvalidSpec             an object of our kinds that this version can not read

Adapters translate at the edge; `controller.py` is the one place that decides between retry, refusal and stall.
Messages never hold request bodies: those may be Secrets.
"""

from __future__ import annotations

from typing import Final

from maas_operator.domain.objects import Ref

INTERNAL_ERROR: Final = "InternalError"


def reason_of(error: Exception) -> str:
    """Name an error in one word out of a closed set: its type, or InternalError if nobody thought of it."""
    return type(error).__name__ if isinstance(error, OperatorError | TimeoutError) else INTERNAL_ERROR


class OperatorError(Exception):
    """The root of the tree."""


class ApiError(OperatorError):
    """The API's own answer: HTTP `status` (0 = none came), Status `reason` and `message`."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """There is no such object."""


class KindNotServed(NotFound):
    """There is no such resource type: its CRD is not installed."""


class Conflict(ApiError):
    """A precondition (uid, resourceVersion) failed, or another field manager owns a field of ours."""


class Forbidden(ApiError):
    """RBAC, quota or an admission plugin denied the call."""


class NamespaceTerminating(Forbidden):
    """Nothing can be created in a namespace that is being deleted."""


class Rejected(ApiError):
    """The object is not valid: only a changed one can pass."""


class Unavailable(ApiError):
    """The server is busy or unreachable; `retry_after_seconds` is its own wish, if it told one."""

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, status=status, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class WebhookUnavailable(Unavailable):
    """A webhook that must admit the object can not be asked; other kinds are not held up."""


class ThreescaleError(OperatorError):
    """A call to 3scale's Admin API failed; the text has 3scale's own words, and never a token or a body."""


class AuthorityMissing(ThreescaleError):
    """There is no ConfigMap, or no such key in it, with the certificates that vouch for 3scale."""


class TokenRefused(ThreescaleError):
    """3scale does not know the token, or the token may not do this."""


class RemoteNotFound(ThreescaleError):
    """3scale has no such object."""


class RemoteRefused(ThreescaleError):
    """3scale refuses what was asked, or whoever answered is no Admin API."""


class RemoteUnavailable(ThreescaleError):
    """3scale is busy or can not be reached."""


class NotLeading(OperatorError):
    """Another process leads, or may soon: this one writes nothing more."""


class ForeignObject(OperatorError):
    """An object of our child's name exists and does not carry our labels; it is left alone."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(f"{ref} exists and is not ours")
        self.ref = ref


class InvalidSpec(OperatorError):
    """A stored object of ours is not valid, for example since an older schema let it in; the text names the fields."""

    def __init__(self, ref: Ref, problems: str) -> None:
        super().__init__(f"{ref} is not valid: {problems}")

"""Refusals of the API, with the codes, reason words and wording that clients look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Cause:
    """One entry of `details.causes`: what is wrong with one field."""

    reason: str
    message: str
    field: str = ""

    def to_json(self) -> dict[str, str]:
        """The wire form; an empty field path is left out."""
        body = {"reason": self.reason, "message": self.message}
        return {**body, "field": self.field} if self.field else body


class ApiError(Exception):
    """A refused request; `status()` is the body the client gets."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """The `Status` object for this refusal."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        details = dict(self.details)
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        if details:
            body["details"] = details
        return body


class Named(Protocol):
    """What an error needs to know of a resource to name it."""

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""

    @property
    def kind(self) -> str:
        """The kind, as in a manifest."""

    @property
    def plural(self) -> str:
        """The plural, as in a URL."""


def _qualified(plural_or_kind: str, group: str) -> str:
    return f"{plural_or_kind}.{group}" if group else plural_or_kind


def _details(resource: Named, name: str, *, by_kind: bool = False) -> dict[str, Any]:
    details = {"name": name, "kind": resource.kind if by_kind else resource.plural}
    return {**details, "group": resource.group} if resource.group else details


def not_found(resource: Named, name: str) -> ApiError:
    """404: the named object does not exist."""
    message = f'{_qualified(resource.plural, resource.group)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, name))


def no_such_resource() -> ApiError:
    """404: no such kind is served, or no such path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Named, name: str) -> ApiError:
    """409: an object of that name is there already."""
    message = f'{_qualified(resource.plural, resource.group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Named, name: str, why: str) -> ApiError:
    """409: the object is not what the writer believed it to be."""
    message = f'Operation cannot be fulfilled on {_qualified(resource.plural, resource.group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def stale(resource: Named, name: str) -> ApiError:
    """409: the writer's resourceVersion is not the current one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(resource: Named, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object breaks its schema or a rule; every broken field is listed."""
    lines = [f"{cause.field}: {cause.message}" for cause in causes]
    text = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    message = f'{_qualified(resource.kind, resource.group)} "{name}" is invalid: {text}'
    details = _details(resource, name, by_kind=True) | {"causes": [cause.to_json() for cause in causes]}
    return ApiError(422, "Invalid", message, details)


def bad_request(message: str) -> ApiError:
    """400: the request can not be understood."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: Named, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    """403: the request is understood and not allowed."""
    message = f'{_qualified(resource.plural, resource.group)} "{name}" is forbidden: {why}'
    details = _details(resource, name)
    if causes:
        details["causes"] = [cause.to_json() for cause in causes]
    return ApiError(403, "Forbidden", message, details)


def method_not_allowed(message: str = "the server does not allow this method on the requested resource") -> ApiError:
    """405: the verb does not exist on this resource."""
    return ApiError(405, "MethodNotAllowed", message)


def unsupported_media_type(given: str, supported: Sequence[str]) -> ApiError:
    """415: the body is in a format we do not speak."""
    message = f"the body of the request was in an unknown format ({given}) - accepted media types: "
    return ApiError(415, "UnsupportedMediaType", message + ", ".join(supported))


def expired(message: str) -> ApiError:
    """410: the asked resourceVersion lies before the kept history."""
    return ApiError(410, "Expired", message)


def internal(message: str) -> ApiError:
    """500: as the API server answers a typed patch with undeclared fields."""
    return ApiError(500, "InternalError", message)

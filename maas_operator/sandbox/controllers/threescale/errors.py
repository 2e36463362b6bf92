"""How 3scale and its operator say no."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class PortaError(Exception):
    """A call to the Admin API failed; the text is the one that the 3scale-operator prints."""

    def __init__(self, code: int, body: Mapping[str, Any]) -> None:
        reason = json.dumps(body, separators=(",", ":"))
        super().__init__(f"error calling 3scale system - reason: {reason} - code: {code}")
        self.code = code
        self.body = body


class Unreachable(Exception):
    """3scale did not answer at all."""


class SyncError(Exception):
    """One step of a sync failed; the text says which."""


class SpecError(Exception):
    """The custom resource cannot be acted on; `orphan` if something that it refers to may still come."""

    def __init__(self, field: str, message: str, *, orphan: bool = False) -> None:
        super().__init__(f"{field}: Invalid value: {message}")
        self.orphan = orphan


class Waiting(Exception):
    """Something that another controller makes is not there yet."""


class Crash(Exception):
    """The 3scale-operator dereferences nil: the whole process goes down, and again after each restart."""


def invalid(**fields: str) -> PortaError:
    """Return porta's 422 for one or more fields."""
    return PortaError(422, {"errors": {name: [message] for name, message in fields.items()}})


def not_found() -> PortaError:
    """Return porta's 404; the 3scale-operator compares this text word by word."""
    return PortaError(404, {"status": "Not found"})


def forbidden() -> PortaError:
    """Return porta's 403 for a token that it does not know, or that may not do this."""
    return PortaError(403, {"error": "Your access token does not have the correct permissions"})


TAKEN = "has already been taken"
"""Porta's words for a value that must be unique."""

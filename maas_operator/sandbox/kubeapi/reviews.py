"""Questions about identity and permission: this server knows neither, so the answer is always yes."""

from __future__ import annotations

from typing import Any, Final

from .resources import Object

_USER: Final = {"username": "sandbox", "groups": ["system:masters"]}
_ANSWERS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): {"allowed": True},
    ("authorization.k8s.io", "localsubjectaccessreviews"): {"allowed": True},
    ("authorization.k8s.io", "subjectaccessreviews"): {"allowed": True},
    ("authorization.k8s.io", "selfsubjectrulesreviews"): {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    },
    ("authentication.k8s.io", "tokenreviews"): {"authenticated": True, "user": _USER},
    ("authentication.k8s.io", "selfsubjectreviews"): {"userInfo": _USER},
}


def answer(group: str, plural: str, question: Object) -> Object | None:
    """The answered review, or None if this is no review."""
    status = _ANSWERS.get((group, plural))
    return None if status is None else {**question, "status": status}


def token(name: str) -> Object:
    """A token for a service account; any token is accepted."""
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name},
        "status": {"token": f"sandbox-{name}", "expirationTimestamp": "2099-01-01T00:00:00Z"},
    }

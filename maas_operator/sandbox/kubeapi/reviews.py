"""Questions about identity and permission: this server knows neither, so the answer is always yes."""

from __future__ import annotations

from typing import Any, Final

from .resources import Object

_USER: Final = {"username": "sandbox", "groups": ["system:masters"]}
_RULES: Final = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
_ANSWERS: Final[dict[tuple[str, str], tuple[str, dict[str, Any]]]] = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", {"allowed": True}),
    ("authorization.k8s.io", "localsubjectaccessreviews"): ("LocalSubjectAccessReview", {"allowed": True}),
    ("authorization.k8s.io", "subjectaccessreviews"): ("SubjectAccessReview", {"allowed": True}),
    ("authorization.k8s.io", "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", _RULES),
    ("authentication.k8s.io", "tokenreviews"): ("TokenReview", {"authenticated": True, "user": _USER}),
    ("authentication.k8s.io", "selfsubjectreviews"): ("SelfSubjectReview", {"userInfo": _USER}),
}


def answer(group: str, plural: str) -> Object | None:
    """The answered review, or None if this is no review; the question does not matter."""
    found = _ANSWERS.get((group, plural))
    if found is None:
        return None
    kind, status = found
    return {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {}, "spec": {}, "status": status}


def token(name: str) -> Object:
    """A token for a service account; any token is accepted."""
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name},
        "status": {"token": f"sandbox-{name}", "expirationTimestamp": "2099-01-01T00:00:00Z"},
    }

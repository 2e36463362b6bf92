"""Who may run: Pod Security admission, OpenShift's restricted-v2, and a kubelet that starts no root unasked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from maas_operator.domain.objects import Manifest

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
UID_RANGE: Final = "openshift.io/sa.scc.uid-range"
WOULD_BE_ROOT: Final = "container has runAsNonRoot and image will run as root"


def refusal(pod: Manifest, namespace: Manifest) -> str:
    """Return why a namespace takes no such pod; empty if it does."""
    metadata, name = namespace["metadata"], pod["metadata"]["name"]
    if users := (metadata.get("annotations") or {}).get(UID_RANGE):
        strangers = ", ".join(_strangers(pod["spec"], users))
        words = f'unable to validate against any security context constraint: [provider "restricted-v2": {strangers}]'
        return f'pods "{name}" is forbidden: {words}' if strangers else ""
    if (metadata.get("labels") or {}).get(ENFORCE) == "restricted":
        violations = ", ".join(_violations(pod["spec"]))
        return (
            f'pods "{name}" is forbidden: violates PodSecurity "restricted:latest": {violations}' if violations else ""
        )
    return ""


def would_be_root(pod: Manifest, namespace: Manifest) -> bool:
    """Tell whether the kubelet starts no container of a pod, since its image names no user and nobody gives it one."""
    security = pod["spec"].get("securityContext") or {}
    given = UID_RANGE in (namespace["metadata"].get("annotations") or {})
    return bool(security.get("runAsNonRoot") and not security.get("runAsUser") and not given)


def _strangers(spec: Mapping[str, Any], users: str) -> Iterator[str]:
    first, _, count = users.partition("/")
    last = int(first) + int(count) - 1
    for field in ("runAsUser", "fsGroup"):
        value = (spec.get("securityContext") or {}).get(field)
        if value is not None and not int(first) <= value <= last:
            yield f".spec.securityContext.{field}: Invalid value: {value}: must be in the ranges: [{first}, {last}]"


def _violations(spec: Mapping[str, Any]) -> Iterator[str]:
    of_pod = spec.get("securityContext") or {}
    for container in spec["containers"]:
        own, name = container.get("securityContext") or {}, container["name"]
        both = {**of_pod, **own}
        if own.get("allowPrivilegeEscalation") is not False:
            yield f'allowPrivilegeEscalation != false (container "{name}")'
        if "ALL" not in (own.get("capabilities") or {}).get("drop", ()):
            yield f'unrestricted capabilities (container "{name}")'
        if both.get("runAsNonRoot") is not True:
            yield f'runAsNonRoot != true (pod or container "{name}")'
        if (both.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
            yield f'seccompProfile (pod or container "{name}")'

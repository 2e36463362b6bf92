"""Where the pods run: what the platform's profile and the service say, and what the accelerator needs."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from maas_operator.api import scheduling
from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.serving import Serving

from .pod import Toleration
from .referred_runtime import ReferredRuntime

_HARDWARE_PROFILE: Final = "opendatahub.io/hardware-profile-name"
_HARDWARE_NAMESPACE: Final = "opendatahub.io/hardware-profile-namespace"


def node_selector(serving: Serving, profile: RuntimeProfile) -> dict[str, str] | None:
    """Return the labels that a node must have; those of a hardware profile are OpenShift AI's to write."""
    if serving.hardware_profile is not None:
        return None
    return (profile.node_selector | serving.node_selector) or None


def tolerations(serving: Serving, profile: RuntimeProfile, device: str | None) -> tuple[Toleration, ...] | None:
    """Return the taints that a node may have.

    KServe takes these instead of the runtime's: those of a runtime that is not ours stay unless the service has some.
    """
    if serving.hardware_profile is not None:
        return None
    if isinstance(profile, ReferredRuntime) and profile.tolerates and not serving.tolerations:
        return None
    of_device = (Toleration(key=device),) if device else ()
    return (*of_device, *map(_toleration, (*profile.tolerations, *serving.tolerations))) or None


def affinity(serving: Serving) -> dict[str, JsonValue] | None:
    """Return which nodes and neighbours the pods look for."""
    return _filled(serving.affinity.dump()) or None if serving.affinity else None


def hardware_annotations(serving: Serving) -> dict[str, str]:
    """Return the annotations by which OpenShift AI finds the hardware profile."""
    profile = serving.hardware_profile
    if profile is None:
        return {}
    return {_HARDWARE_PROFILE: profile.name} | ({_HARDWARE_NAMESPACE: profile.namespace} if profile.namespace else {})


def _filled(members: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Leave out what Go leaves out when KServe writes the object back; an empty selector stays: it means all."""
    return {
        name: _filled_value(value)
        for name, value in members.items()
        if value not in (None, []) and (name, value) != ("matchLabels", {})
    }


def _filled_value(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return _filled(value)
    return [_filled_value(item) for item in value] if isinstance(value, list) else value


def _toleration(one: scheduling.Toleration) -> Toleration:
    return Toleration(
        key=one.key,
        operator=one.operator.value if one.operator else None,
        value=one.value or None,
        effect=one.effect.value if one.effect else None,
        toleration_seconds=one.toleration_seconds,
    )

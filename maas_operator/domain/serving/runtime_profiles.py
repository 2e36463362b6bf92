"""Runtime profiles: which vLLM image serves a model, and what that version of vLLM can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from maas_operator.api.model import Task
from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.api.serving import Resources

from .resources import AMD, NVIDIA, accelerator

_GPU_REQUESTS: Final = {"cpu": "4", "memory": "16Gi"}

BUILT_IN: Final = (
    RuntimeProfile(
        name="vllm-cpu",
        image="quay.io/rh-aiservices-bu/vllm-cpu-openai-ubi9:0.3",
        version="0.7.3",
        resources=Resources(requests={"cpu": "2", "memory": "6Gi"}, limits={"cpu": "4", "memory": "8Gi"}),
    ),
    RuntimeProfile(
        name="vllm-cuda",
        image="registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.3.0-1771898916",
        version="0.13.0",
        args=("--gpu-memory-utilization=0.90",),
        resources=Resources(requests=_GPU_REQUESTS, limits={"cpu": "8", "memory": "24Gi", NVIDIA: "1"}),
    ),
    RuntimeProfile(
        name="vllm-rocm",
        image="registry.redhat.io/rhaiis/vllm-rocm-rhel9:3.3.0",
        version="0.13.0",
        args=("--gpu-memory-utilization=0.90",),
        resources=Resources(requests=_GPU_REQUESTS, limits={"cpu": "8", "memory": "24Gi", AMD: "1"}),
    ),
)

_PROFILE_OF_ACCELERATOR: Final = {NVIDIA: "vllm-cuda", AMD: "vllm-rocm", None: "vllm-cpu"}


class Feature(Enum):
    """What vLLM can do, with the first version that does it. An unknown flag ends the server at its start."""

    FORCED_USAGE = (0, 10, 1)
    """Usage in every stream, asked for or not."""
    KV_CACHE_USAGE = (0, 9, 2)
    """The metric kv_cache_usage_perc; before, it is called gpu_cache_usage_perc."""
    RESPONSES = (0, 10, 0)
    """The Responses API."""
    TOOL_CALLS = (0, 6, 0)
    """Tool calls that the model chooses itself, by a parser."""


@dataclass(frozen=True, slots=True)
class UnknownRuntime:
    """The name of a runtime that can not be used, why and what to do, and the field that names it."""

    name: str
    message: str
    reason: Reason = Reason.RUNTIME_MISSING
    field: str = "spec.serving.runtime"


def runtime_profile(service: ModelService, platform: ModelPlatform) -> RuntimeProfile | UnknownRuntime:
    """Return the profile that serves a model: the named one, else the one for the accelerator in its limits."""
    serving = service.spec.serving
    name = serving.runtime or _PROFILE_OF_ACCELERATOR[accelerator(serving.resources)]
    profiles = {profile.name: profile for profile in (*BUILT_IN, *platform.spec.runtimes)}
    choices = ", ".join(sorted(profiles))
    return profiles.get(name) or UnknownRuntime(name, f"runtime {name!r} is not known: choose one of {choices}")


def supports(profile: RuntimeProfile, feature: Feature) -> bool:
    """Tell whether the profile's version of vLLM has a feature; one that nobody knows has none."""
    return tuple(int(part) for part in profile.version.split(".") if part) >= feature.value


def version_of(profile: RuntimeProfile) -> str:
    """Return the version of vLLM in words."""
    return f"vLLM {profile.version or '(version unknown)'} of runtime {profile.name}"


def unsupported_tasks(service: ModelService, profile: RuntimeProfile) -> tuple[Task, ...]:
    """Return the tasks that the profile's version of vLLM does not know: their paths would answer 404."""
    missing = {Task.RESPONSES} if not supports(profile, Feature.RESPONSES) else set()
    return tuple(task for task in service.spec.model.tasks if task in missing)

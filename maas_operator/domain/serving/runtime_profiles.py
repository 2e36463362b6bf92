"""Runtime profiles: which vLLM image serves a model, and what that version of vLLM can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from maas_operator.api.model import Task
from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ModelService
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


@dataclass(frozen=True, slots=True)
class UnknownRuntime:
    """The name of a profile that does not exist, and the names of those that do."""

    name: str
    known: tuple[str, ...]

    @property
    def message(self) -> str:
        """Return what to tell the user."""
        return f"runtime {self.name!r} is not known: choose one of {', '.join(self.known)}"


def runtime_profile(service: ModelService, platform: ModelPlatform) -> RuntimeProfile | UnknownRuntime:
    """Return the profile that serves a model: the named one, else the one for the accelerator in its limits."""
    serving = service.spec.serving
    name = serving.runtime or _PROFILE_OF_ACCELERATOR[accelerator(serving.resources)]
    profiles = {profile.name: profile for profile in (*BUILT_IN, *platform.spec.runtimes)}
    return profiles.get(name) or UnknownRuntime(name, tuple(sorted(profiles)))


def supports(profile: RuntimeProfile, feature: Feature) -> bool:
    """Tell whether the profile's version of vLLM has a feature."""
    return tuple(int(part) for part in profile.version.split(".")) >= feature.value


def unsupported_tasks(service: ModelService, profile: RuntimeProfile) -> tuple[Task, ...]:
    """Return the tasks that the profile's version of vLLM does not know: their paths would answer 404."""
    missing = {Task.RESPONSES} if not supports(profile, Feature.RESPONSES) else set()
    return tuple(task for task in service.spec.model.tasks if task in missing)

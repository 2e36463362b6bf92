"""What a ModelService sets of its model server, whoever has made the runtime."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Final

from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.serving import Resources
from maas_operator.domain.names import MODEL_PORT, model_ids

from . import chat_template
from .adapters import adapter_args
from .pod import EmptyDir, EnvVar, HttpGet, Probe, Volume, VolumeMount
from .referred_runtime import SHARED_MEMORY, ReferredRuntime
from .resources import accelerator, accelerators, cpu_cache_gib, shared_memory
from .runtime_profiles import Feature, supports

_STARTUP_PERIOD: Final = timedelta(seconds=10)
_SHM: Final = "shm"


def arguments(service: ModelService, profile: RuntimeProfile, resources: Resources) -> tuple[str, ...]:
    """Return the arguments that KServe appends to the runtime's; of two of a name, vLLM takes the last."""
    model, serving, devices = service.spec.model, service.spec.serving, accelerators(resources)
    length = (f"--max-model-len={model.context_length}",) if model.context_length else ()
    parallel = (f"--tensor-parallel-size={devices}",) if devices > 1 else ()
    return (
        *_of_referred(profile),
        *_names(service),
        *length,
        *parallel,
        *chat_template.arguments(serving.chat_template_ref),
        *_tool_calls(serving.tool_call_parser),
        *adapter_args(service),
        *serving.args,
    )


def forced_usage(profile: RuntimeProfile) -> tuple[str, ...]:
    """Return the argument that puts the usage into every stream, where the version has it."""
    return ("--enable-force-include-usage",) if supports(profile, Feature.FORCED_USAGE) else ()


def environment(service: ModelService, profile: RuntimeProfile, resources: Resources) -> tuple[EnvVar, ...] | None:
    """Return the variables that win over the runtime's."""
    merged = _cache_of_referred(profile, resources) | {one.name: one.value for one in service.spec.serving.env}
    # Go drops a value that is empty, and what is dropped would be missed.
    return tuple(EnvVar(name=name, value=value or None) for name, value in sorted(merged.items())) or None


def cpu_environment(resources: Resources) -> dict[str, str]:
    """Return the size of the KV cache on CPU."""
    return {} if accelerator(resources) else {"VLLM_CPU_KVCACHE_SPACE": str(cpu_cache_gib(resources))}


def volumes(service: ModelService, profile: RuntimeProfile, resources: Resources) -> tuple[Volume, ...] | None:
    """Return the volumes besides the runtime's."""
    shm = (shm_volume(resources),) if _lacks_shm(profile, resources) else ()
    return (*shm, *chat_template.volumes(service.spec.serving.chat_template_ref)) or None


def mounts(service: ModelService, profile: RuntimeProfile, resources: Resources) -> tuple[VolumeMount, ...] | None:
    """Return the mounts besides the runtime's."""
    shm = (SHM_MOUNT,) if _lacks_shm(profile, resources) else ()
    return (*shm, *chat_template.mounts(service.spec.serving.chat_template_ref)) or None


def shm_volume(resources: Resources) -> Volume:
    """Return /dev/shm: tensor parallelism talks through it, and the container runtime gives 64 MiB of it."""
    return Volume(name=_SHM, empty_dir=EmptyDir(size_limit=shared_memory(resources)))


SHM_MOUNT: Final = VolumeMount(name=_SHM, mount_path=SHARED_MEMORY)


def startup_probe(timeout: timedelta) -> Probe:
    """Return the probe that gives the model this long to load."""
    return probe(_STARTUP_PERIOD, ceil(timeout / _STARTUP_PERIOD))


def probe(period: timedelta, failures: int) -> Probe:
    """Return a probe of the model server, which answers only once the model is loaded."""
    return Probe(
        http_get=HttpGet(path="/health", port=MODEL_PORT),
        period_seconds=period // timedelta(seconds=1),
        failure_threshold=failures,
    )


def _of_referred(profile: RuntimeProfile) -> tuple[str, ...]:
    return (f"--port={MODEL_PORT}", *forced_usage(profile)) if isinstance(profile, ReferredRuntime) else ()


def _cache_of_referred(profile: RuntimeProfile, resources: Resources) -> dict[str, str]:
    if not isinstance(profile, ReferredRuntime):
        return {}
    return {name: value for name, value in cpu_environment(resources).items() if name not in profile.variables}


def _names(service: ModelService) -> tuple[str, ...]:
    first, *others = model_ids(service)
    return ("--served-model-name", first, *others) if others else (f"--served-model-name={first}",)


def _tool_calls(parser: str | None) -> tuple[str, ...]:
    return ("--enable-auto-tool-choice", f"--tool-call-parser={parser}") if parser else ()


def _lacks_shm(profile: RuntimeProfile, resources: Resources) -> bool:
    shared = accelerators(resources) > 1
    return isinstance(profile, ReferredRuntime) and shared and not profile.has_shared_memory

"""The ServingRuntime: how vLLM runs for one model."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.serving import Resources
from maas_operator.domain.emitted import Emitted, digest, manifest
from maas_operator.domain.names import MODEL_PORT, serving_runtime_ref, title
from maas_operator.domain.objects import Manifest

from .engine_settings import SHM_MOUNT, cpu_environment, forced_usage, probe, shm_volume, startup_probe
from .pod import CONTAINER, Container, ContainerPort, EnvVar, SecurityContext, Volume
from .resources import accelerator, of_replica

MODEL_FORMAT: Final = "vLLM"

# A random user id has no home, and no entry in the passwd file that newer torch looks for.
_ENVIRONMENT: Final = {
    "HOME": "/tmp",
    "USER": "vllm",
    "HF_HOME": "/tmp/hf_home",
    "HF_HUB_OFFLINE": "1",
    "TRITON_CACHE_DIR": "/tmp/triton",
    "VLLM_CACHE_ROOT": "/tmp/vllm",
    "VLLM_NO_USAGE_STATS": "1",
    "XDG_CACHE_HOME": "/tmp/cache",
    "XDG_CONFIG_HOME": "/tmp/config",
}
_POD_ANNOTATIONS: Final = {
    "opendatahub.io/kserve-runtime": "vllm",
    "prometheus.io/path": "/metrics",
    "prometheus.io/port": str(MODEL_PORT),
}


class SupportedModelFormat(Emitted):
    """A format that the runtime serves when it is named, and never by itself."""

    name: str = MODEL_FORMAT
    auto_select: bool = False


class ServingRuntimeSpec(Emitted):
    """The spec of a ServingRuntime that serves one model and is never chosen for another."""

    annotations: dict[str, str]
    multi_model: bool = False
    supported_model_formats: tuple[SupportedModelFormat, ...] = (SupportedModelFormat(),)
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]


def runtime_name(service: ModelService, profile: RuntimeProfile) -> str:
    """Return a name for the ServingRuntime that another content does not have.

    KServe acts on a changed ServingRuntime before it sees the changed InferenceService, and starts pods twice. A new
    one triggers nothing: the InferenceService that names it brings all changes at once.
    """
    return f"{service.metadata.name}-{digest(serving_runtime_spec(service, profile).dump())[:8]}"


def serving_runtime(service: ModelService, profile: RuntimeProfile, *, name: str | None = None) -> Manifest:
    """Build the ServingRuntime. Texts belong on its metadata: on the InferenceService they would restart the pods."""
    annotations = {
        "opendatahub.io/apiProtocol": "REST",
        "opendatahub.io/runtime-version": profile.version,
        "openshift.io/display-name": title(service),
    }
    device = accelerator(of_replica(service.spec.serving, profile.resources))
    if device:
        annotations["opendatahub.io/recommended-accelerators"] = json.dumps([device])
    labels = {"opendatahub.io/dashboard": "true"}
    spec = serving_runtime_spec(service, profile)
    return manifest(serving_runtime_ref(service, name), spec, labels=labels, annotations=annotations)


def serving_runtime_spec(service: ModelService, profile: RuntimeProfile) -> ServingRuntimeSpec:
    """Return all of a ServingRuntime that reaches the pods."""
    resources = of_replica(service.spec.serving, profile.resources)
    return ServingRuntimeSpec(
        annotations=_POD_ANNOTATIONS,
        containers=(_container(service, profile, resources),),
        volumes=(shm_volume(resources),),
    )


def _container(service: ModelService, profile: RuntimeProfile, resources: Resources) -> Container:
    return Container(
        name=CONTAINER,
        image=profile.image,
        command=("python", "-m", "vllm.entrypoints.openai.api_server"),
        args=_args(profile),
        env=_env(profile, resources),
        ports=(ContainerPort(name="http", container_port=MODEL_PORT),),
        startup_probe=startup_probe(service.spec.serving.startup_timeout),
        readiness_probe=probe(timedelta(seconds=10), 3),
        liveness_probe=probe(timedelta(seconds=15), 4),
        security_context=SecurityContext(),
        volume_mounts=(SHM_MOUNT,),
    )


def _args(profile: RuntimeProfile) -> tuple[str, ...]:
    return (f"--port={MODEL_PORT}", "--model=/mnt/models", *forced_usage(profile), *profile.args)


def _env(profile: RuntimeProfile, resources: Resources) -> tuple[EnvVar, ...]:
    values = {variable.name: variable.value for variable in profile.env}
    merged = _ENVIRONMENT | cpu_environment(resources) | values
    return tuple(EnvVar(name=name, value=value) for name, value in sorted(merged.items()))

"""LoRA adapters: how their files reach the pods, and what the server is told of them.

KServe fetches one source for a model; several (`storageUris`) only from 0.16 on, and then without the directories of
claims. So claims are mounted by ourselves, and models of Hugging Face are fetched by an init container with the
server's own image, which has the client for it: neither depends on the version of KServe.
"""

from __future__ import annotations

from typing import Final, Literal

from maas_operator.api.model_service import ModelService
from maas_operator.api.sources import Adapter
from maas_operator.domain.emitted import Emitted

from .pod import ClaimReference, ClaimVolume, EnvVar, ResourceRequirements, SecurityContext, VolumeMount
from .sources import MODEL_DIRECTORY, claim_of, scheme_of

FETCHER: Final = "fetch-adapters"
"""The init container that fetches adapters from Hugging Face."""

_DIRECTORY: Final = "/adapters"
_VOLUME: Final = "adapters"
_TOKEN: Final = "HF_TOKEN"
_RANKS: Final = (8, 16, 32, 64, 128, 256)
_MOST_AT_ONCE: Final = 4
"""Each adapter of one batch has room for the highest rank in the accelerator's memory."""

_FETCH: Final = """\
import sys
from huggingface_hub import snapshot_download
for argument in sys.argv[1:]:
    name, _, model = argument.partition("=")
    repository, _, revision = model.partition(":")
    snapshot_download(repository, revision=revision or None, local_dir="/adapters/" + name)
"""
_ENVIRONMENT: Final = (
    EnvVar(name="HF_HOME", value="/tmp/hf_home"),
    EnvVar(name="HF_HUB_DISABLE_TELEMETRY", value="1"),
    EnvVar(name="HOME", value="/tmp"),
)
_RESOURCES: Final = ResourceRequirements(
    requests={"cpu": "100m", "memory": "256Mi"}, limits={"cpu": "1", "memory": "1Gi"}
)


class Scratch(Emitted):
    """Room on the node's disk; a pod that takes more is evicted."""

    size_limit: str = "16Gi"


class ScratchVolume(Emitted):
    """A volume that lives as long as the pod."""

    name: str
    empty_dir: Scratch = Scratch()


class DirectoryMount(Emitted):
    """Where one directory of a volume appears, for reading."""

    name: str
    mount_path: str
    sub_path: str | None
    read_only: bool = True


class SecretKey(Emitted):
    """One value of a Secret of the same namespace, which may be missing."""

    name: str
    key: str
    optional: bool = True


class SecretValue(Emitted):
    """Where a variable's value comes from."""

    secret_key_ref: SecretKey


class SecretEnvVar(Emitted):
    """An environment variable whose value we never see."""

    name: str
    value_from: SecretValue


class InitContainer(Emitted):
    """A container that must end before the server starts."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[EnvVar | SecretEnvVar, ...]
    resources: ResourceRequirements
    security_context: SecurityContext = SecurityContext()
    termination_message_policy: Literal["FallbackToLogsOnError"] = "FallbackToLogsOnError"
    volume_mounts: tuple[VolumeMount, ...]


def adapter_args(service: ModelService) -> tuple[str, ...]:
    """Return the server's arguments for the adapters; none without adapters."""
    adapters = service.spec.model.adapters
    if not adapters:
        return ()
    rank = next(rank for rank in _RANKS if rank >= max(adapter.rank for adapter in adapters))
    at_once = min(len(adapters), _MOST_AT_ONCE)
    kept = (f"--max-cpu-loras={len(adapters)}",) if len(adapters) > at_once else ()
    modules = (f"{adapter.name}={_directory(adapter)}" for adapter in adapters)
    return ("--enable-lora", f"--max-loras={at_once}", *kept, f"--max-lora-rank={rank}", "--lora-modules", *modules)


def adapter_volumes(service: ModelService) -> tuple[ClaimVolume | ScratchVolume, ...]:
    """Return the volumes that the adapters' files lie in."""
    claims = tuple(
        ClaimVolume(
            name=f"adapter-{adapter.name}",
            persistent_volume_claim=ClaimReference(claim_name=claim_of(adapter.uri or "")[0]),
        )
        for adapter in _of_scheme(service, "pvc")
    )
    return (*claims, ScratchVolume(name=_VOLUME)) if _of_scheme(service, "hf") else claims


def adapter_mounts(service: ModelService) -> tuple[DirectoryMount, ...]:
    """Return where the server finds the adapters' files."""
    claimed = (
        DirectoryMount(
            name=f"adapter-{adapter.name}",
            mount_path=_directory(adapter),
            sub_path=claim_of(adapter.uri or "")[1] or None,
        )
        for adapter in _of_scheme(service, "pvc")
    )
    fetched = (
        DirectoryMount(name=_VOLUME, mount_path=_directory(adapter), sub_path=adapter.name)
        for adapter in _of_scheme(service, "hf")
    )
    return (*claimed, *fetched)


def adapter_fetchers(service: ModelService, image: str) -> tuple[InitContainer, ...]:
    """Return the init container that fetches adapters, with the server's image; none where nothing is fetched."""
    fetched = _of_scheme(service, "hf")
    if not fetched:
        return ()
    fetcher = InitContainer(
        name=FETCHER,
        image=image,
        command=("python", "-c", _FETCH),
        args=tuple(f"{adapter.name}={(adapter.uri or '').removeprefix('hf://')}" for adapter in fetched),
        env=(*_ENVIRONMENT, *_token(service)),
        resources=_RESOURCES,
        volume_mounts=(VolumeMount(name=_VOLUME, mount_path=_DIRECTORY),),
    )
    return (fetcher,)


def needs_token(service: ModelService) -> bool:
    """Tell whether adapters are fetched from Hugging Face, which may want a token."""
    return bool(_of_scheme(service, "hf"))


def _token(service: ModelService) -> tuple[SecretEnvVar, ...]:
    credentials = service.spec.model.credentials_secret_ref
    if credentials is None:
        return ()
    reference = SecretKey(name=credentials.name, key=_TOKEN)
    return (SecretEnvVar(name=_TOKEN, value_from=SecretValue(secret_key_ref=reference)),)


def _of_scheme(service: ModelService, scheme: str) -> tuple[Adapter, ...]:
    return tuple(adapter for adapter in service.spec.model.adapters if scheme_of(adapter.uri or "") == scheme)


def _directory(adapter: Adapter) -> str:
    return f"{MODEL_DIRECTORY}/{adapter.path}" if adapter.path else f"{_DIRECTORY}/{adapter.name}"

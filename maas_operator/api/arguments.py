"""Arguments and variables of the model server that somebody may add, and those that belong to the operator."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Final

from pydantic import Field

from maas_operator.api.base import ATOMIC, ApiModel, ListOf, Rule, text

_GPUS: Final = 'spec.serving.resources.limits (for example "nvidia.com/gpu")'
_GATEWAY: Final = "nothing: the gateway and the operator's Service speak plain HTTP on port 8080"
_ADAPTERS: Final = "spec.model.adapters: it follows from their number"

OWNED_FLAGS: Final = {
    "--model": "spec.model.source",
    "--served-model-name": "spec.model.name and spec.model.aliases",
    "--max-model-len": "spec.model.contextLength",
    "--tensor-parallel-size": _GPUS,
    "--pipeline-parallel-size": _GPUS,
    "--data-parallel-size": "spec.serving.replicas",
    "--hf-token": "spec.model.credentialsSecretRef",
    "--enable-lora": "spec.model.adapters",
    "--lora-modules": "spec.model.adapters",
    "--max-lora-rank": "rank in spec.model.adapters",
    "--max-loras": _ADAPTERS,
    "--max-cpu-loras": _ADAPTERS,
    "--chat-template": "spec.serving.chatTemplateRef",
    "--tool-call-parser": "spec.serving.toolCallParser",
    "--enable-auto-tool-choice": "spec.serving.toolCallParser",
    "--enable-force-include-usage": "nothing: it is set where the version of vLLM has it",
    "--disable-log-stats": "nothing: monitoring and autoscaling read its metrics",
    "--api-key": "nothing: the gateway checks the keys",
    "--allow-credentials": "spec.api.cors",
    "--allowed-origins": "spec.api.cors",
    "--allowed-methods": "spec.api.cors",
    "--allowed-headers": "spec.api.cors",
    "--config": "spec.serving.args: flags in a file could not be checked",
    "--host": _GATEWAY,
    "--port": _GATEWAY,
    "--uds": _GATEWAY,
    "--grpc": _GATEWAY,
    "--headless": _GATEWAY,
    "--root-path": _GATEWAY,
    "--ssl-keyfile": _GATEWAY,
    "--ssl-certfile": _GATEWAY,
    "--ssl-ca-certs": _GATEWAY,
    "--ssl-cert-reqs": _GATEWAY,
    "--ssl-ciphers": _GATEWAY,
    "--enable-ssl-refresh": _GATEWAY,
}
"""Flags that only the operator sets, each with what to use instead."""


def owned_flag(argument: str) -> str | None:
    """Return the flag of the operator's that vLLM would read in an argument; None for any other.

    vLLM takes any beginning of a flag for the flag, `--no-x` for the opposite of `--x`, and `--x.y` for a part of it.
    """
    written = argument.split("=", 1)[0].split(".", 1)[0]
    asked = (written, written.replace("--no-", "--", 1))
    return next((flag for flag in OWNED_FLAGS if flag.startswith(asked)), None)


NO_TEMPLATE: Final = Rule(
    cel="!self.contains('{{')",
    message="must not contain two opening braces: KServe would take that for a template",
    holds=lambda value: "{{" not in value,
)
_FORM: Final = r"^--[a-z][a-z0-9-]*(\.[A-Za-z0-9_.+-]+)?(=[^\x00-\x1f]*)?$"
Arguments = Annotated[
    tuple[Annotated[str, text(_FORM, max_length=1024), NO_TEMPLATE], ...], Field(max_length=64), ATOMIC
]
"""One item for each flag, with its value after `=`: an item that is no flag could be the value of the one before."""


def _flags_are_free(arguments: Iterable[str]) -> bool:
    return not any(argument.split("=", 1)[0] in OWNED_FLAGS for argument in arguments)


FREE_FLAGS: Final = Rule(
    cel=f"!self.exists(one, one.matches('^({'|'.join(OWNED_FLAGS)})(=|$)'))",
    message=(
        "a flag is the operator's: use spec.model (source, name, aliases, contextLength, adapters,"
        " credentialsSecretRef), spec.serving (resources, chatTemplateRef, toolCallParser) or spec.api instead"
    ),
    holds=_flags_are_free,
)
"""The first check, at the API; beginnings of flags are found by the operator only."""


def _is_not(names: tuple[str, ...], remedy: str) -> Rule:
    return Rule(
        cel=f"!(self.name in [{', '.join(map(repr, names))}])",
        message=f"{', '.join(names)} can not be set here: {remedy}",
        holds=lambda variable: variable.name not in names,
    )


class EnvironmentVariable(ApiModel):
    """A variable of the model server."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        _is_not(
            ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            "use spec.model.credentialsSecretRef of the ModelService",
        ),
        _is_not(("VLLM_API_KEY",), "the gateway checks the keys, remove it"),
        _is_not(("VLLM_PORT", "INFERENCE_SERVICE_NAME"), "operator and KServe do that, remove it"),
        _is_not(("PYTHONPATH",), "KServe refuses it in a model's environment, put the modules into the image"),
    )

    name: Annotated[str, text(r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
    """Its name."""
    value: Annotated[str, Field(max_length=4096), NO_TEMPLATE]
    """Its value."""


Environment = Annotated[tuple[EnvironmentVariable, ...], Field(max_length=64), ListOf(("name",))]

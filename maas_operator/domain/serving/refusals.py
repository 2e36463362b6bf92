"""What would end the model server or what the operator owns: found before anything is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maas_operator.api.arguments import OWNED_FLAGS, owned_flag
from maas_operator.api.model_platform import RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict, false

from .runtime_profiles import Feature, supports, version_of


def refused_setting(service: ModelService, profile: RuntimeProfile) -> Verdict | None:
    """Return the first setting with which the model could not be served; None if there is none."""
    return next(_refusals(service, profile), None)


def _refusals(service: ModelService, profile: RuntimeProfile) -> Iterator[Verdict]:
    yield from _flags("spec.serving.args", service.spec.serving.args)
    yield from _flags(f"args of runtime {profile.name} in the ModelPlatform", profile.args)
    parser = service.spec.serving.tool_call_parser
    if parser and not supports(profile, Feature.TOOL_CALLS) and profile.version:
        yield false(
            Reason.RUNTIME_REFUSED,
            f"spec.serving.toolCallParser: {version_of(profile)} has no tool calls: remove it, or choose a newer one",
        )


def _flags(where: str, arguments: Iterable[str]) -> Iterator[Verdict]:
    for argument in arguments:
        flag = owned_flag(argument)
        if flag is not None:
            written = argument.split("=", 1)[0]
            meant = written if written == flag else f"{written}, which vLLM takes for {flag},"
            yield false(
                Reason.ARGUMENT_REFUSED, f"{where}: {meant} is the operator's: remove it and use {OWNED_FLAGS[flag]}"
            )

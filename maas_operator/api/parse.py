"""From documents to typed objects, with errors that list every field that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from maas_operator.api.base import API_VERSION
from maas_operator.api.meta import Resource
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.model_subscription import ModelSubscription

KINDS: Final[Mapping[str, type[ModelService] | type[ModelSubscription] | type[ModelPlatform]]] = {
    "ModelService": ModelService,
    "ModelSubscription": ModelSubscription,
    "ModelPlatform": ModelPlatform,
}

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a path as the API server writes it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidObject(ValueError):
    """A document is no valid object; the text lists every problem and never a value."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read(model: type[R], document: Mapping[str, Any]) -> R:
    """Return what a server sent; fields that this version does not know are dropped."""
    return _validated(model, document, strict=False)


def parse(document: Mapping[str, Any]) -> ModelService | ModelSubscription | ModelPlatform:
    """Return what a person wrote; unknown fields, kinds and versions are an InvalidObject."""
    if document.get("apiVersion") != API_VERSION:
        raise InvalidObject((Problem("apiVersion", f"want {API_VERSION}"),))
    model = KINDS.get(str(document.get("kind")))
    if model is None:
        raise InvalidObject((Problem("kind", f"want one of {', '.join(KINDS)}"),))
    return _validated(model, document, strict=True)


def _validated(model: type[R], document: Mapping[str, Any], *, strict: bool) -> R:
    try:
        return model.model_validate(document, extra="forbid" if strict else "ignore", by_alias=True, by_name=False)
    except ValidationError as error:
        problems = tuple(
            Problem(_path(entry["loc"]), _message(entry["type"], entry["msg"]))
            for entry in error.errors(include_url=False, include_input=False)
        )
        # Not chained: pydantic's text could quote values.
        raise InvalidObject(problems) from None


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")


def _message(error_type: str, message: str) -> str:
    return "unknown field" if error_type == "extra_forbidden" else message.removeprefix("Value error, ")

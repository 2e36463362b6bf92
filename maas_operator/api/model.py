"""The model of a ModelService: its id, what it can do, and where its weights come from."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from maas_operator.api.base import ATOMIC, DISTINCT, ApiModel, Int, ListOf, Rule, text

ModelId = Annotated[str, text(r"^[A-Za-z0-9]([-A-Za-z0-9._/:]*[A-Za-z0-9])?$", max_length=128)]


class Task(StrEnum):
    """A group of paths that clients may call."""

    CHAT = "Chat"
    COMPLETIONS = "Completions"
    RESPONSES = "Responses"
    EMBEDDINGS = "Embeddings"
    TOKENIZE = "Tokenize"


class ModelSource(ApiModel):
    """Where the weights come from: exactly one member is set."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.uri)].filter(given, given).size() == 1",
            message="exactly one source must be set: set uri",
            holds=lambda source: source.uri is not None,
        ),
    )

    uri: (
        Annotated[
            str,
            text(
                r"^((oci|s3|pvc|hf)://[A-Za-z0-9][A-Za-z0-9._:/@+-]*|https://[A-Za-z0-9][A-Za-z0-9._:/+-]*)$",
                max_length=1024,
            ),
        ]
        | None
    ) = None
    """An oci://, s3://, pvc://, hf:// or https:// URI. It never carries credentials."""


class Model(ApiModel):
    """The model and what it can do."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.name) || !has(self.aliases) || !(self.name in self.aliases)",
            message="aliases has the name of the model itself: take it out",
            holds=lambda model: model.name not in model.aliases,
        ),
    )

    name: ModelId | None = None
    """The id that clients send; the name of the ModelService if absent."""
    aliases: Annotated[tuple[ModelId, ...], Field(max_length=8), ListOf()] = ()
    """Further ids that clients may send, such as the one of a model before this one."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=5), ATOMIC, DISTINCT] = (
        Task.CHAT,
        Task.COMPLETIONS,
    )
    """What clients may call; every other path is closed."""
    source: ModelSource
    """Where the weights come from."""
    context_length: Annotated[Int, Field(ge=1, le=10_000_000)] | None = None
    """Most tokens of prompt and answer together; the model's own maximum if absent."""

"""The model of a ModelService: its id, what it can do, and where its weights come from."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from maas_operator.api.base import ATOMIC, DISTINCT, ApiModel, Int, Rule, text


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
            cel="has(self.uri) != has(self.bucketPath)",
            message="exactly one source must be set: set either uri or bucketPath",
            holds=lambda source: (source.uri is None) != (source.bucket_path is None),
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
    # Each step begins with a letter or digit: there is no way up, no empty step and no braces.
    bucket_path: (
        Annotated[str, text(r"^[A-Za-z0-9][-A-Za-z0-9._]*(/[A-Za-z0-9][-A-Za-z0-9._]*)*$", max_length=512)] | None
    ) = None
    """A folder in the bucket of spec.storage, such as models/llama."""


class Model(ApiModel):
    """The model and what it can do."""

    name: Annotated[str, text(r"^[A-Za-z0-9]([-A-Za-z0-9._/:]*[A-Za-z0-9])?$", max_length=128)] | None = None
    """The id that clients send; the name of the ModelService if absent."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=5), ATOMIC, DISTINCT] = (
        Task.CHAT,
        Task.COMPLETIONS,
    )
    """What clients may call; every other path is closed."""
    source: ModelSource
    """Where the weights come from."""
    context_length: Annotated[Int, Field(ge=1, le=10_000_000)] | None = None
    """Most tokens of prompt and answer together; the model's own maximum if absent."""

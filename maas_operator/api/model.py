"""The model of a ModelService: its id, what it can do, and where its weights come from."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from maas_operator.api.base import ATOMIC, DISTINCT, ApiModel, Int, ListOf, Rule, text
from maas_operator.api.meta import SecretReference
from maas_operator.api.sources import Adapter, SourceUri

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
            cel="has(self.uri) != has(self.bucketPath)",
            message="exactly one source must be set: set either uri or bucketPath",
            holds=lambda source: (source.uri is None) != (source.bucket_path is None),
        ),
    )

    uri: SourceUri | None = None
    """An oci://, s3://, pvc://, hf:// or https:// URI. It never carries credentials."""
    # Each step begins with a letter or digit: there is no way up, no empty step and no braces.
    bucket_path: (
        Annotated[str, text(r"^[A-Za-z0-9][-A-Za-z0-9._]*(/[A-Za-z0-9][-A-Za-z0-9._]*)*$", max_length=512)] | None
    ) = None
    """A folder in the bucket of spec.storage, such as models/llama."""


def _takes_credentials(model: "Model") -> bool:
    fetched = (model.source.uri or "").startswith(("s3://", "hf://", "https://"))
    return fetched or any((adapter.uri or "").startswith("hf://") for adapter in model.adapters)


class Model(ApiModel):
    """The model and what it can do."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "!has(self.credentialsSecretRef)"
                " || (has(self.source.uri) && self.source.uri.matches('^(s3|hf|https)://'))"
                " || (has(self.adapters) && self.adapters.exists(one, has(one.uri) && one.uri.startsWith('hf://')))"
            ),
            message="credentialsSecretRef is for s3://, hf:// and https://: remove it; an oci:// image is pulled with"
            " spec.serving.imagePullSecrets, and a pvc:// claim or a bucketPath needs none",
            holds=lambda model: model.credentials_secret_ref is None or _takes_credentials(model),
        ),
        Rule(
            cel=(
                "!has(self.adapters) || self.adapters.all(one, (!has(self.name) || one.name != self.name)"
                " && (!has(self.aliases) || !(one.name in self.aliases)))"
            ),
            message="an adapter is a model id of its own: give the adapter that has the model's name or an alias"
            " another name",
            holds=lambda model: all(adapter.name not in (model.name, *model.aliases) for adapter in model.adapters),
        ),
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
    credentials_secret_ref: SecretReference | None = None
    """A Secret of this namespace for an s3://, hf:// or https:// source: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY;
    HF_TOKEN; https-host and headers."""
    context_length: Annotated[Int, Field(ge=1, le=10_000_000)] | None = None
    """Most tokens of prompt and answer together; the model's own maximum if absent."""
    adapters: Annotated[tuple[Adapter, ...], Field(max_length=8), ListOf(("name",))] = ()
    """LoRA adapters, each served as a model id of its own."""

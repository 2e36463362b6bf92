"""What a document says of each open path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from maas_operator.domain.gateway.mapping_rules import CATALOG_PATHS
from maas_operator.domain.gateway.responses import GATEWAY_RESPONSE

from .examples import PROMPT, curl, python
from .schemas import Json, ref

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_MESSAGES: Final = [{"role": "user", "content": PROMPT}]
_USAGE: Final = {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One path. `request` and `answer` name schemas; `asks` and `tells` are examples of them, but for the model's id.

    `streams`: the pieces of a streamed answer, None where there is no such thing.
    """

    summary: str
    request: str | None = None
    answer: str | None
    asks: Mapping[str, Any] | None = None
    tells: Mapping[str, Any] | None = None
    streams: tuple[Mapping[str, Any], ...] | None = None
    names_model: bool = True


OPERATIONS: Final[Mapping[str, Operation]] = {
    "/v1/models": Operation(summary="List the models", answer="Models"),
    "/health": Operation(summary="Tell whether the model server works", answer=None),
    "/version": Operation(
        summary="Tell the version of the model server", answer="Version", tells={"version": "0.13.0"}, names_model=False
    ),
    "/v1/chat/completions": Operation(
        summary="Continue a conversation",
        request="ChatCompletionRequest",
        answer="ChatCompletion",
        asks={"messages": _MESSAGES},
        tells={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1767225600,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
            "usage": _USAGE,
        },
        streams=(
            {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Hel"}}]},
            {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "lo!"}}]},
        ),
    ),
    "/v1/completions": Operation(
        summary="Continue a text",
        request="CompletionRequest",
        answer="Completion",
        asks={"prompt": PROMPT, "max_tokens": 64},
        tells={
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1767225600,
            "choices": [{"index": 0, "text": "Hello!", "finish_reason": "stop"}],
            "usage": _USAGE,
        },
        streams=(
            {"object": "text_completion", "choices": [{"index": 0, "text": "Hel"}]},
            {"object": "text_completion", "choices": [{"index": 0, "text": "lo!"}]},
        ),
    ),
    "/v1/responses": Operation(
        summary="Answer by the Responses API",
        request="ResponseRequest",
        answer="Response",
        asks={"input": PROMPT},
        tells={
            "id": "resp_1",
            "object": "response",
            "created_at": 1767225600,
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello!"}]}],
            "usage": {"input_tokens": 12, "output_tokens": 8, "total_tokens": 20},
        },
        streams=({"type": "response.output_text.delta", "delta": "Hello!"},),
    ),
    "/v1/embeddings": Operation(
        summary="Turn texts into vectors",
        request="EmbeddingRequest",
        answer="Embeddings",
        asks={"input": [PROMPT]},
        tells={
            "object": "list",
            "data": [{"index": 0, "object": "embedding", "embedding": [0.25, -0.5]}],
            "usage": {"prompt_tokens": 12, "total_tokens": 12},
        },
    ),
    "/tokenize": Operation(
        summary="Turn a text into tokens",
        request="TokenizeRequest",
        answer="Tokens",
        asks={"prompt": "Hello"},
        tells={"count": 2, "max_model_len": 2000, "tokens": [128000, 9906]},
        names_model=False,
    ),
    "/detokenize": Operation(
        summary="Turn tokens into a text",
        request="DetokenizeRequest",
        answer="Text",
        asks={"tokens": [128000, 9906]},
        tells={"prompt": "Hello"},
        names_model=False,
    ),
}

_STREAMING: Final = "With `stream: true` the answer comes in pieces, as server-sent events; `data: [DONE]` ends it."


def path_item(path: str, url: str, model_id: str) -> Json:
    """Return what the document says of a path; `url` is the API's without a path."""
    operation = OPERATIONS[path]
    verb = "get" if path in CATALOG_PATHS else "post"
    body = {"model": model_id, **operation.asks} if operation.asks else None
    return {
        verb: {
            "operationId": path.removeprefix("/v1").strip("/").replace("/", "_"),
            "tags": ["Catalogue" if path in CATALOG_PATHS else "Inference"],
            "summary": operation.summary,
            "description": _description(path, url, model_id, body, streams=operation.streams is not None),
            **(_request(operation, body) if body else {}),
            "responses": {"200": _answer(operation, model_id), **_refusals(with_body=body is not None)},
        }
    }


def _description(path: str, url: str, model_id: str, body: Json | None, *, streams: bool) -> str:
    by_client = python(url, path, model_id)
    calls = {"bash": curl(url, path, body)} | ({"python": by_client} if by_client else {})
    fenced = [f"```{language}\n{call}\n```" for language, call in calls.items()]
    return "\n\n".join([*([_STREAMING] if streams else []), *fenced])


def _request(operation: Operation, body: Json) -> Json:
    content = {"schema": ref(str(operation.request)), "example": body}
    return {"requestBody": {"required": True, "content": {_JSON: content}}}


def _answer(operation: Operation, model_id: str) -> Json:
    if operation.answer is None:
        return {"description": "It works."}
    content: Json = {_JSON: {"schema": ref(operation.answer)}}
    if operation.tells:
        named = {"model": model_id} if operation.names_model else {}
        content[_JSON]["example"] = {**operation.tells, **named}
    if operation.streams:
        content[_EVENTS] = {"schema": {"type": "string"}, "example": _events(operation.streams, model_id)}
    return {"description": "The answer.", "content": content}


def _events(pieces: tuple[Mapping[str, Any], ...], model_id: str) -> str:
    lines = [json.dumps({**piece, "model": model_id}) for piece in pieces]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])


def _refusals(*, with_body: bool) -> Json:
    names = {"401": "KeyRefused", "404": "NotFound", "429": "LimitReached"}
    if with_body:
        names = {"400": "RequestRefused", **names}
    return {code: {"$ref": f"#/components/responses/{name}"} for code, name in names.items()}


def refusals() -> Json:
    """Return the errors: the gateway's with its very words, and the model server's."""
    told = GATEWAY_RESPONSE
    missing = {
        "missing": {"summary": "Without a key", "value": json.loads(told.error_auth_missing)},
        "refused": {"summary": "With a wrong key", "value": json.loads(told.error_auth_failed)},
    }
    unknown = {
        "path": {"summary": "A path that is not open", "value": json.loads(told.error_no_match)},
        "model": {
            "summary": "A model that is not here",
            "value": {"error": {"message": "The model `other` does not exist.", "type": "NotFoundError", "code": 404}},
        },
    }
    return {
        "RequestRefused": _error("The model server refuses the request, for example since it is too long."),
        "KeyRefused": _error("There is no key, or it is not valid for this model.", examples=missing),
        "NotFound": _error("There is no such path or model.", examples=unknown),
        "LimitReached": {
            **_error("A limit of your plan is reached.", example=json.loads(told.error_limits_exceeded)),
            "headers": {
                "Retry-After": {
                    "description": "Seconds until the limit counts anew; -1 for a limit that never does.",
                    "schema": {"type": "integer"},
                }
            },
        },
    }


def _error(description: str, **examples: Any) -> Json:
    return {"description": description, "content": {_JSON: {"schema": ref("Error"), **examples}}}

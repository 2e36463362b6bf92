"""What vLLM's OpenAI-compatible server takes and gives. Further fields are allowed: vLLM has many of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]


def _text(description: str = "", **more: Any) -> Json:
    return {"type": "string", **({"description": description} if description else {}), **more}


def _whole(description: str = "", **more: Any) -> Json:
    return {"type": "integer", **({"description": description} if description else {}), **more}


def _number(description: str = "", **more: Any) -> Json:
    return {"type": "number", **({"description": description} if description else {}), **more}


def _flag(description: str) -> Json:
    return {"type": "boolean", "description": description}


def _list(items: Json, description: str = "", **more: Any) -> Json:
    return {"type": "array", "items": items, **({"description": description} if description else {}), **more}


def _object(properties: Json, *, required: Sequence[str] = (), description: str = "") -> Json:
    return {
        "type": "object",
        **({"description": description} if description else {}),
        **({"required": list(required)} if required else {}),
        "properties": properties,
    }


def ref(name: str) -> Json:
    """Return a reference to one of these schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


_ONE_OR_MANY: Final = {"oneOf": [_text(), _list(_text())]}

_SAMPLING: Final = {
    "temperature": _number("0 for the likeliest token, more for more variety.", minimum=0),
    "top_p": _number("Sample from the likeliest tokens that have this share together.", minimum=0, maximum=1),
    "stream": _flag("Send the answer as server-sent events while it is generated."),
}
_GENERATION: Final = {
    **_SAMPLING,
    "n": _whole("How many answers to generate.", minimum=1),
    "stop": {"description": "Where to stop.", **_ONE_OR_MANY},
    "seed": _whole("Repeat a request with the same seed for the same answer, as far as the model server can."),
    "presence_penalty": _number(minimum=-2, maximum=2),
    "frequency_penalty": _number(minimum=-2, maximum=2),
    "stream_options": _object({"include_usage": _flag("Tell the tokens that were used at the end of the stream.")}),
}
_FINISHED: Final = _text("stop, length or tool_calls; null while a stream goes on.", nullable=True)

_CHAT: Final = {
    "ChatMessage": _object(
        {
            "role": _text("Who speaks.", enum=["system", "user", "assistant", "tool"]),
            "content": {
                "description": "A text, or a list of parts where the model takes more than text.",
                "oneOf": [_text(), _list({"type": "object"})],
            },
        },
        required=["role", "content"],
    ),
    "ChatCompletionRequest": _object(
        {
            "model": ref("Model"),
            "messages": _list(ref("ChatMessage"), "The conversation so far.", minItems=1),
            "max_completion_tokens": _whole("The most tokens to generate.", minimum=1),
            "max_tokens": _whole("The same, by its older name.", minimum=1),
            **_GENERATION,
            "tools": _list({"type": "object"}, "Functions that the model may ask for, where it can."),
            "response_format": {
                "type": "object",
                "description": 'For example `{"type": "json_object"}`, or a JSON schema to keep to.',
            },
        },
        required=["model", "messages"],
    ),
    "ChatCompletion": _object(
        {
            "id": _text(),
            "object": _text(enum=["chat.completion"]),
            "created": _whole("Seconds since 1970."),
            "model": _text(),
            "choices": _list(
                _object(
                    {
                        "index": _whole(),
                        "message": _object({"role": _text(), "content": _text(nullable=True)}),
                        "finish_reason": _FINISHED,
                    }
                )
            ),
            "usage": ref("Usage"),
        }
    ),
}
_COMPLETIONS: Final = {
    "CompletionRequest": _object(
        {
            "model": ref("Model"),
            "prompt": {"description": "What to go on from.", **_ONE_OR_MANY},
            "max_tokens": _whole("The most tokens to generate.", minimum=1),
            **_GENERATION,
        },
        required=["model", "prompt"],
    ),
    "Completion": _object(
        {
            "id": _text(),
            "object": _text(enum=["text_completion"]),
            "created": _whole("Seconds since 1970."),
            "model": _text(),
            "choices": _list(_object({"index": _whole(), "text": _text(), "finish_reason": _FINISHED})),
            "usage": ref("Usage"),
        }
    ),
}
_RESPONSES: Final = {
    "ResponseRequest": _object(
        {
            "model": ref("Model"),
            "input": {
                "description": "A text, or the items of a conversation.",
                "oneOf": [_text(), _list({"type": "object"})],
            },
            "instructions": _text("What the model is to keep to."),
            "max_output_tokens": _whole("The most tokens to generate.", minimum=1),
            **_SAMPLING,
        },
        required=["model", "input"],
    ),
    "Response": _object(
        {
            "id": _text(),
            "object": _text(enum=["response"]),
            "created_at": _whole("Seconds since 1970."),
            "model": _text(),
            "status": _text("completed, incomplete, failed or in_progress."),
            "output": _list({"type": "object"}, "Items such as messages, each with its content."),
            "usage": _object(
                {"input_tokens": _whole(), "output_tokens": _whole(), "total_tokens": _whole()},
                description="The tokens that count against the limits of your plan.",
            ),
        }
    ),
}
_EMBEDDINGS: Final = {
    "EmbeddingRequest": _object(
        {
            "model": ref("Model"),
            "input": {"description": "One or more texts.", **_ONE_OR_MANY},
            "encoding_format": _text(enum=["float", "base64"]),
        },
        required=["model", "input"],
    ),
    "Embeddings": _object(
        {
            "object": _text(enum=["list"]),
            "model": _text(),
            "data": _list(
                _object(
                    {
                        "index": _whole(),
                        "object": _text(enum=["embedding"]),
                        "embedding": {
                            "description": "Numbers, or base64 if that was asked for.",
                            "oneOf": [_list(_number()), _text()],
                        },
                    }
                )
            ),
            "usage": _object({"prompt_tokens": _whole(), "total_tokens": _whole()}),
        }
    ),
}
_TOKENIZE: Final = {
    "TokenizeRequest": _object(
        {
            "model": ref("Model"),
            "prompt": _text("The text."),
            "add_special_tokens": _flag("Whether to count the model's own marks, such as that of the beginning."),
        },
        required=["model", "prompt"],
    ),
    "Tokens": _object(
        {
            "count": _whole("How many tokens the text has."),
            "max_model_len": _whole("How many the model takes, with its answer."),
            "tokens": _list(_whole(), "The number of each token."),
        }
    ),
    "DetokenizeRequest": _object(
        {"model": ref("Model"), "tokens": _list(_whole(), "Numbers of tokens.")}, required=["model", "tokens"]
    ),
    "Text": _object({"prompt": _text("The text of the tokens.")}),
}

INFERENCE: Final[Json] = _CHAT | _COMPLETIONS | _RESPONSES | _EMBEDDINGS | _TOKENIZE
"""Schemas of the inference paths, by name."""


def shared(model_ids: Sequence[str]) -> Json:
    """Return the schemas that every document has."""
    return {
        "Model": _text("The model.", enum=list(model_ids)),
        "Models": _object(
            {
                "object": _text(enum=["list"]),
                "data": _list(_object({"id": _text("What to send as model."), "object": _text(enum=["model"])})),
            }
        ),
        "Version": _object({"version": _text("The version of the model server.")}),
        "Usage": _object(
            {"prompt_tokens": _whole(), "completion_tokens": _whole(), "total_tokens": _whole()},
            description="The tokens that count against the limits of your plan.",
        ),
        "Error": _object(
            {
                "error": _object(
                    {
                        "message": _text("What is wrong."),
                        "type": _text(),
                        "param": _text("The field that is wrong.", nullable=True),
                        "code": {
                            "description": "A word of the gateway, or the status of the model server.",
                            "oneOf": [_text(), _whole()],
                        },
                    },
                    required=["message"],
                )
            },
            required=["error"],
        ),
    }

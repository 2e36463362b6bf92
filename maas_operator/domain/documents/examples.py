"""Calls to copy and run: each reads the key from the environment, and none shows one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .templates import rendered

PROMPT: Final = "Say hello in one sentence."
"""What the examples send; an apostrophe would end the shell's quotes."""

_CURL: Final = """\
curl "{{ url }}{{ path }}" \\
  -H "Authorization: Bearer $OPENAI_API_KEY"{% if body %} \\
  -H "Content-Type: application/json" \\
  -d '{{ body }}'{% endif %}
"""

_PYTHON: Final = """\
import os

from openai import OpenAI

client = OpenAI(base_url={{ base_url | tojson }}, api_key=os.environ["OPENAI_API_KEY"])
{{ call }}"""

_CALLS: Final = {
    "/v1/chat/completions": """\
stream = client.chat.completions.create(
    model={{ model | tojson }},
    messages=[{"role": "user", "content": {{ prompt | tojson }}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
""",
    "/v1/completions": """\
answer = client.completions.create(model={{ model | tojson }}, prompt={{ prompt | tojson }}, max_tokens=64)
print(answer.choices[0].text)
""",
    "/v1/responses": """\
answer = client.responses.create(model={{ model | tojson }}, input={{ prompt | tojson }})
print(answer.output_text)
""",
    "/v1/embeddings": """\
answer = client.embeddings.create(model={{ model | tojson }}, input=[{{ prompt | tojson }}])
print(len(answer.data[0].embedding))
""",
    "/v1/models": """\
print([model.id for model in client.models.list()])
""",
}
"""What the OpenAI client has a method for."""


def curl(url: str, path: str, body: Mapping[str, Any] | None) -> str:
    """Return a call for a shell; `url` is the API's without a path."""
    return rendered(_CURL, url=url, path=path, body=json.dumps(body) if body else "")


def python(url: str, path: str, model: str) -> str | None:
    """Return a call by the OpenAI client for Python; None if that has no method for the path."""
    if path not in _CALLS:
        return None
    call = rendered(_CALLS[path], model=model, prompt=PROMPT)
    return rendered(_PYTHON, base_url=f"{url}/v1", call=call)

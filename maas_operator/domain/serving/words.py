"""Words of others that we pass on: what a container prints is written by anybody, and may hold a key."""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 500
HIDDEN: Final = "[hidden]"

_LONGEST: Final = 8192
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(-----END|$)", re.DOTALL)
_USER_OF_URL: Final = re.compile(r"(?<=://)[^/\s@]{1,512}@")
_BEARER: Final = re.compile(r"\b(bearer|authorization: *basic)\s+[^\s\"',]+", re.IGNORECASE)
# Not `tokens` or `tokenizer`, of which a model server speaks a lot.
_NAMED: Final = re.compile(
    r"([\w.-]{0,64}(?:token(?!s|iz)|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|credential(?!s?[a-z])|signature)"
    r"[\w-]{0,32}[\"']?\s?[=:]\s?[\"']?)[^\s\"',;&})]+",
    re.IGNORECASE,
)
_SHAPED: Final = re.compile(
    r"\bhf_[A-Za-z0-9]{6,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bsk-[\w-]{16,}|\bgh[a-z]_\w{16,}|\beyJ[\w-]{8,}(?:\.[\w-]*){1,2}"
)
_LONG: Final = re.compile(r"[\w+=-]{32,}")


def quoted(text: str, *, last: bool = False) -> str:
    """Return a text on one line, at most 500 characters of it, the first or the `last`, without what looks secret."""
    piece = text[-_LONGEST:] if last else text[:_LONGEST]
    line = _on_one_line(_without_secrets(_ESCAPE.sub("", piece)))
    if len(line) <= LIMIT:
        return line
    return f"…{line[-LIMIT:]}" if last else f"{line[:LIMIT]}…"


def _without_secrets(text: str) -> str:
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    text = _USER_OF_URL.sub(f"{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _SHAPED.sub(HIDDEN, text)
    return _LONG.sub(lambda match: HIDDEN if _is_random(match[0]) else match[0], text)


def _is_random(word: str) -> bool:
    """Tell whether a long word mixes what names and hashes do not mix: both cases, and digits."""
    return word != word.lower() and word != word.upper() and any(letter.isdigit() for letter in word)


def _on_one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())

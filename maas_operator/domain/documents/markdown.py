"""Text of users in Markdown: it stays the text that it is."""

from __future__ import annotations

import re
from typing import Final

_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
# A renderer may also make links of bare addresses, even where their signs are escaped: an invisible sign in them
# (word joiner) prevents that.
_IN_ADDRESSES: Final = re.compile(r"(\\[.:@])(?=\S)")


def escaped(text: str) -> str:
    """Return text that Markdown renders as it is: no link, image, HTML, heading or list comes of it."""
    line = " ".join(text.split())
    return _IN_ADDRESSES.sub("\\1\u2060", _PUNCTUATION.sub(r"\\\g<0>", line))

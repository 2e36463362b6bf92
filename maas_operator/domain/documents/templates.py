"""The one way in which texts of documents are put together: users' texts are values, never templates."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

_ENVIRONMENT: Final = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)


@cache
def _template(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def rendered(source: str, **values: Any) -> str:
    """Return a template of ours with these values."""
    return _template(source).render(values)

"""Programs that come as Debian packages: what needs one that is missing skips, and says how to get it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / "requirements" / "debian.txt"


def missing(*programs: str) -> str:
    """Say what is missing and how to get it, or nothing."""
    absent = [program for program in programs if not shutil.which(program)]
    return f"no {', '.join(absent)}: apt-get install $(cat {PACKAGES.relative_to(ROOT)})" if absent else ""


def needs(*programs: str) -> pytest.MarkDecorator:
    reason = missing(*programs)
    return pytest.mark.skipif(bool(reason), reason=reason)

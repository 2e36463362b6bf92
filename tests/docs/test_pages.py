"""What the pages show works: examples are valid, links lead somewhere, targets exist."""

import re
from pathlib import Path

import pytest
import yaml

from docs.generate import HERE
from maas_operator.api.parse import parse

ROOT = HERE.parent
PAGES = [*ROOT.glob("*.md"), *HERE.rglob("*.md")]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def examples() -> list[dict[str, object]]:
    blocks = [block for page in PAGES for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)]
    return [document for block in blocks for document in yaml.safe_load_all(block) if "kind" in document]


@pytest.mark.parametrize("document", examples(), ids=lambda document: str(document["kind"]))
def test_an_example_is_valid(document: dict[str, object]) -> None:
    assert parse(document).kind == document["kind"]


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", prose)
    assert not [link for link in links if not (page.parent / link).exists()]


@EVERY_PAGE
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = re.findall(r"(?:`|\$ )make ([a-z][a-z ]*)", page.read_text())
    assert {target for command in commands for target in command.split()} <= targets

"""What the pages show works: examples are valid, links lead somewhere, targets exist."""

import re
from pathlib import Path

import pytest
import yaml

from docs.generate import HERE
from maas_operator import __version__
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


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor that each relative link of a page leads to."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    found = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", prose)
    return [((page.parent / path).resolve() if path else page, anchor) for path, anchor in found]


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls the titles of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target, _ in links(page) if not target.exists()] == []


@EVERY_PAGE
def test_anchors_are_titles(page: Path) -> None:
    assert [(target.name, anchor) for target, anchor in links(page) if anchor and anchor not in anchors(target)] == []


@EVERY_PAGE
def test_a_row_of_a_table_is_one_line(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    assert re.findall(r"^\|.*[^|\n]$", prose, re.MULTILINE) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        waiting += {target for target, _ in links(page) if target.suffix == ".md" and target not in seen}
    assert [page for page in PAGES if page not in seen] == []


@EVERY_PAGE
def test_images_have_the_version_of_this_checkout(page: Path) -> None:
    assert set(re.findall(r"/maas-operator:(\S+)", page.read_text())) <= {__version__}


def test_the_changelog_begins_with_the_version_of_this_checkout() -> None:
    (newest, *_) = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ in newest


@EVERY_PAGE
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = re.findall(r"(?:`|\$ )make ([a-z][a-z ]*)", page.read_text())
    assert {target for command in commands for target in command.split()} <= targets

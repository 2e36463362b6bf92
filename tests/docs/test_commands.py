"""Every command of the pages is run by a test, or stands in a list with the reason why it is not."""

from __future__ import annotations

import pytest

from tests.docs.commands import ELSEWHERE, EXCUSED, PAGES, ROOT, RUN, Block, blocks

BLOCKS = [block for path in PAGES for block in blocks(path)]
COMMANDS = [command for block in BLOCKS for command in block.commands]


def test_every_page_with_commands_is_run() -> None:
    assert {block.page for block in BLOCKS if block.to_run} == set(RUN)


@pytest.mark.parametrize("beginning", [*ELSEWHERE, *EXCUSED])
def test_no_excuse_is_left_over(beginning: str) -> None:
    assert [command for command in COMMANDS if command.startswith(beginning)]


@pytest.mark.parametrize("test", ELSEWHERE.values())
def test_the_test_that_runs_it_instead_exists(test: str) -> None:
    path, name = test.split("::")
    assert f"def {name}(" in (ROOT / path).read_text()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.page)
def test_a_block_holds_commands(block: Block) -> None:
    assert block.commands, "give what is typed the prompt `$ `, and what is no command the language `text`"

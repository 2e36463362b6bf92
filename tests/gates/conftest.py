"""Tells at the end of a run what the gates counted; comments and tests are reported, not gated."""

from __future__ import annotations

import pytest

from tests.gates.code import ROOT, functions, modules, sources, spread


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    code = sum(module.lines for module in modules())
    comments = sum(module.comment_lines for module in modules()) / code
    tests = sum(path.read_text().count("\n") for path in sources(ROOT / "tests"))
    terminalreporter.section("sizes")
    terminalreporter.line(f"{len(modules())} modules, {code} lines: {spread(modules())}")
    terminalreporter.line(f"{len(functions())} functions: {spread(functions())}")
    terminalreporter.line(f"comments {comments:.1%} of lines; tests to code {tests / code:.2f} : 1")

"""Matrices have hundreds of cases. A run takes every fourth; `SCENARIOS=all` takes them all, as does naming a few."""

import os

import pytest

from tests.scenarios.undisturbed import Undisturbed, undisturbed
from tests.virtual_time import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

SAMPLE = 4
FEW = 25


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "matrix: one case of many alike, of which a usual run takes a sample")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    matrix = [item for item in items if item.get_closest_marker("matrix")]
    if os.environ.get("SCENARIOS") == "all" or len(matrix) <= FEW:
        return
    left_out = {item for number, item in enumerate(matrix) if number % SAMPLE}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def calm() -> Undisturbed:
    """The run that nothing disturbs."""
    return undisturbed()

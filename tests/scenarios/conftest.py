import pytest

from tests.scenarios.undisturbed import Undisturbed, undisturbed
from tests.virtual_time import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture(scope="session")
def calm() -> Undisturbed:
    """The run that nothing disturbs."""
    return undisturbed()

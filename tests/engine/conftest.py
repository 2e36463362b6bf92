import pytest

from tests.engine.stage import Stage
from tests.virtual_time import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.set_up()
    return stage

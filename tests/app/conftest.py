from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import yaml

from maas_operator.api.crd.definitions import crd_files
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """The commands set the logging of the process, and all tests share one."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest_asyncio.fixture
async def api() -> AsyncIterator[KubeApi]:
    """A cluster with all types and no objects."""
    async with KubeApi() as api:
        for definition in [*map(yaml.safe_load, crd_files().values()), *third_party_crds()]:
            await InProcessCluster(api).apply(definition)
        yield api

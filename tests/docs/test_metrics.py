"""The page on metrics names what is served, no more and no less."""

import re

from docs.generate import HERE
from maas_operator.adapters.metrics import Metrics
from maas_operator.engine.cache import Cache
from maas_operator.engine.queue import WorkQueue

SUFFIX = {"counter": "_total", "info": "_info"}


async def test_every_metric_is_on_the_page() -> None:
    metrics = Metrics()
    metrics.expose(Cache(lambda manifest: ()), WorkQueue())
    served = {family.name + SUFFIX.get(family.type, "") for family in metrics.registry.collect()}
    rows = re.findall(r"^\| `(maas_operator_\w+)`", (HERE / "metrics.md").read_text(), re.MULTILINE)
    assert set(rows) == {name for name in served if name.startswith("maas_operator_")}

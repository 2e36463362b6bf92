"""Every metric that alerts and dashboards may ask for, with its labels and where it comes from."""

from __future__ import annotations

import re
from itertools import product

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from docs.generate import HERE
from tests.docs.test_metrics import after_everything_has_happened
from tests.gateway_policy.tools import POLICY

# What Prometheus and its monitors add to each series; `le` is a histogram's own.
OF_THE_TARGET = frozenset({"namespace", "exported_namespace", "pod", "job", "instance", "le"})
_FOREIGN = re.compile(r"^\| `([\w:]+)` \| (\w+) \|([^|]*)\| ([^|]+) \|$", re.MULTILINE)
_COUNTER = re.compile(r'counter\("(\w+)", "[^"]*"((?:, "\w+")*)\)')

Metrics = dict[str, frozenset[str]]
"""Labels by the name of a series."""


def of_the_operator() -> Metrics:
    """Return what the operator serves once all of it has happened."""
    text = generate_latest(after_everything_has_happened().registry).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    names = {sample.name for sample in samples}
    return {name: frozenset().union(*(one.labels for one in samples if one.name == name)) for name in names}


def of_the_policy() -> Metrics:
    """Return what the metering policy counts, as its source has it."""
    found = _COUNTER.findall((POLICY / "maas_llm_metrics.lua").read_text())
    of_each = {"service_id", "service_system_name"}
    return {f"maas_llm_{name}": frozenset(of_each | set(re.findall(r"\w+", labels))) for name, labels in found}


def of_others() -> Metrics:
    """Return what vLLM and APIcast serve, as the page on monitoring has written it down."""
    found: Metrics = {}
    for name, type_, labels, _ in _FOREIGN.findall((HERE / "monitoring.md").read_text()):
        suffixes = ("_bucket", "_sum", "_count") if type_ == "histogram" else ("",)
        found |= {name + suffix: frozenset(re.findall(r"\w+", labels)) for suffix in suffixes}
    return found


def busy_world() -> list[str]:
    """Return series of every metric, in two pods each, with values for the labels that queries choose by."""
    chosen: dict[str, tuple[str, ...]] = {
        "le": ("1", "+Inf"),
        "status": ("True", "False"),
        "type": ("Ready", "Stalled", "Reconciling", "total", "prompt"),
        "code": ("200", "404"),
    }
    found = []
    for name, of_it in all_of_them().items():
        labels = sorted(of_it | ({"le"} if name.endswith("_bucket") else set()))
        for pod, *values in product(("a", "b"), *(chosen.get(label, ("x",)) for label in labels)):
            pairs = zip(("pod", *labels), (pod, *values), strict=True)
            found.append(name + "{" + ",".join(f'{label}="{value}"' for label, value in pairs) + "}")
    return found


def all_of_them() -> Metrics:
    """Return every metric that may be asked for."""
    return of_the_operator() | of_the_policy() | of_others()

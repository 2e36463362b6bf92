"""What the sandbox says of a ModelService that is not done."""

from rich.console import Console

from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.view import columns, problems


def told(service: Manifest) -> list[str]:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(*problems(service), sep="\n")
    return captured.get().splitlines()


def test_only_the_stages_that_are_not_done_are_problems() -> None:
    done = {"type": "PlatformReady", "status": "True", "reason": "Ready", "message": "all is well"}
    waits = {"type": "ModelReady", "status": "False", "reason": "Unschedulable", "message": "no node fits"}
    service = {"status": {"conditions": [waits, done]}}
    assert told(service) == ["… ModelReady is False: Unschedulable: no node fits"]


def test_silence_is_told() -> None:
    assert told({}) == ["the operator has not said anything yet"]


def test_the_columns_of_wide_output_are_left_out() -> None:
    definitions = [{"name": "Name", "priority": 0}, {"name": "Live", "priority": 1}, {"name": "Age", "priority": 0}]
    table = {"columnDefinitions": definitions, "rows": [{"cells": ["llama", "True", "5s"]}]}
    assert columns(table) == "NAME    AGE\nllama   5s"

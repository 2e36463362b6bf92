"""A model's pods restart when something else is to run, once for each such edit, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas_operator.domain.kinds import DEPLOYMENT
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.serving.service import api_service
from maas_operator.sandbox.controllers.kserve.render import deployment
from maas_operator.sandbox.controllers.kserve.settings import Settings
from tests.domain.children import a_platform, a_service, children_of
from tests.edits import EDITS, OTHERS, PREMIUM, TOGETHER, edited
from tests.scenarios.harness import HOME, NAME, PLATFORM, SERVICE, World, a_settled_world, a_world, sample

PREDICTOR = Ref(DEPLOYMENT, HOME, f"{NAME}-predictor")
RUNS = {name for name in EDITS if name.startswith(("model.", "serving."))} - {"model.tasks"}
"""What the pods run, and what decides how many there are."""
OF_SCALING = {name for name in RUNS if name.startswith("serving.autoscaling.")} | {
    "serving.replicas",
    "serving.rolloutStrategy",
}
"""What is about how many pods there are, and how they change: see test_scaling.py for what that restarts."""
HARMLESS = sorted(EDITS.keys() - RUNS)
OF_PLATFORM: dict[str, Any] = {
    "gateway": {"namespaces": ["elsewhere"], "configurationCache": "20s"},
    "monitoring": {"namespaces": ["monitoring"]},
    "runtimes": [{"name": "another", "image": "registry.example.com/vllm:1", "version": "0.10.0"}],
    "defaultPlans": [{"name": "basic", "displayName": "Basic"}],
    "currency": "USD",
}


def pod_template(spec: dict[str, Any], **platform: Any) -> Manifest:
    """Return what KServe makes of a model's objects."""
    children = children_of(a_service(**spec), a_platform(**platform))
    isvc, runtime = children["InferenceService"], children["ServingRuntime"]
    stored = {**isvc, "metadata": {**isvc["metadata"], "uid": "u"}}
    return dict(deployment(stored, runtime, Settings())["spec"]["template"])


@given(st.lists(st.sampled_from(HARMLESS), max_size=8), st.sets(st.sampled_from(sorted(OF_PLATFORM))))
def test_no_edit_of_anything_else_reaches_the_pods(fields: list[str], of_platform: set[str]) -> None:
    whole = {**sample()[-1]["spec"], "plans": [*sample()[-1]["spec"]["plans"], PREMIUM]}
    spec = whole
    for field in fields:
        spec = edited(spec, field, EDITS[field])
        if field in TOGETHER:
            spec = edited(spec, *TOGETHER[field])
    changed = {name: OF_PLATFORM[name] for name in of_platform}
    assert pod_template(spec, **changed) == pod_template(whole)


def test_what_runs_and_what_does_not_are_all_there_is() -> None:
    assert RUNS | set(HARMLESS) | OTHERS == EDITS.keys() | OTHERS
    assert api_service(a_service(serving={"replicas": 3})) == api_service(a_service())


async def settled(world: World, **spec: Any) -> int:
    """Apply the sample with other parts, and return how many pods its model has had."""
    await world.apply(*sample(**{"plans": [*sample()[-1]["spec"]["plans"], PREMIUM], **spec}))
    await world.settle(quiet_seconds=150.0)
    return world.around.kserve.pods_started.total()


@pytest.mark.matrix
@pytest.mark.parametrize("field", sorted(RUNS - OF_SCALING))
async def test_an_edit_of_what_runs_replaces_the_pods_once(field: str) -> None:
    async with a_world(ends=False) as world:
        before = await settled(world)
        spec = edited(sample()[-1]["spec"], field, EDITS[field])
        spec = edited(spec, *TOGETHER[field]) if field in TOGETHER else spec
        after = await settled(world, **{field.partition(".")[0]: spec[field.partition(".")[0]]})
        assert after == before + 1


async def test_neither_a_restart_of_the_operator_nor_labels_nor_a_platform_restart_a_model() -> None:
    async with a_settled_world() as world:
        (template, started) = (await world.get(PREDICTOR))["spec"]["template"], world.around.kserve.pods_started.total()
        await world.operator.restart()
        await world.settle()
        await world.edit(SERVICE, {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
        await world.edit(PLATFORM, {"spec": {"monitoring": {"namespaces": ["monitoring"]}, "currency": "USD"}})
        await world.settle()
        assert (await world.get(PREDICTOR))["spec"]["template"] == template
        assert world.around.kserve.pods_started.total() == started

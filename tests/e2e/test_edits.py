"""What users write: every field edited and put back, and what must not reach anything of somebody else's (rule 8)."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import MODEL_SUBSCRIPTION, SECRET
from maas_operator.domain.objects import Manifest, Ref
from tests.e2e.world import World, condition, is_true, sample, service_of
from tests.edits import EDITS, NOT_READY, PREMIUM, TOGETHER, edited

pytestmark = pytest.mark.asyncio(loop_scope="session")


def with_spec(namespace: str, **edits: Any) -> list[Manifest]:
    """Return the sample with fields of its ModelService set."""
    *others, service = sample(namespace)
    spec = {**service["spec"], "plans": [*service["spec"]["plans"], PREMIUM]}
    for field, value in edits.items():
        spec = edited(spec, field, value)
    return [*others, {**service, "spec": spec}]


def a_subscription(namespace: str, name: str, **spec: Any) -> Manifest:
    user = {"username": name, "email": f"{name}@example.com"}
    model = {"name": service_of(namespace).name}
    return {
        "apiVersion": MODEL_SUBSCRIPTION.api_version,
        "kind": MODEL_SUBSCRIPTION.name,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"modelRef": model, "plan": "standard", "account": name, "user": user, **spec},
    }


def is_seen(live: Manifest) -> bool:
    return bool((live.get("status") or {}).get("observedGeneration") == live["metadata"]["generation"])


async def test_each_field_can_be_edited_and_put_back(world: World, model: str) -> None:
    service = service_of(model)
    await world.apply(with_spec(model))
    await world.complete(service)
    keys = await world.keys(model)
    for field, value in EDITS.items():
        ready = field not in NOT_READY
        together = [TOGETHER[field]] if field in TOGETHER else []
        await world.apply(with_spec(model, **dict([(field, value), *together])))
        await world.until(service, lambda live, ready=ready: is_seen(live) and is_true(live, "Ready") == ready)
        await world.apply(with_spec(model))
        await world.complete(service)
    assert await world.keys(model) == keys
    assert not list(world.environment.around.violations)


async def test_a_subscription_can_not_take_a_secret_that_is_somebody_elses(world: World, model: str) -> None:
    foreign = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": model}}
    await world.apply([{**foreign, "data": {"password": "c2VjcmV0"}}])
    before = await world.get(Ref(SECRET, model, "theirs"))
    await world.apply([a_subscription(model, "greedy", secretName="theirs")])
    ref = Ref(MODEL_SUBSCRIPTION, model, "greedy")
    refused = await world.until(ref, lambda live: condition(live, "KeyReady").get("reason") == "Conflict")
    assert f"Secret {model}/theirs" in condition(refused, "KeyReady")["message"]
    await world.removed(ref)
    assert await world.get(Ref(SECRET, model, "theirs")) == before


async def test_a_subscription_can_not_reach_the_model_of_another_namespace(world: World, model: str) -> None:
    elsewhere = {"namespace": model, "name": service_of(model).name}
    stranger = a_subscription("default", "stranger", modelRef=elsewhere)
    await world.apply([stranger])
    ref = Ref(MODEL_SUBSCRIPTION, "default", "stranger")
    await world.until(ref, lambda live: condition(live, "ModelAccepted").get("reason") == "AccessDenied")
    assert len(world.user_keys()) == 1
    await world.removed(ref)

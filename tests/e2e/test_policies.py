"""Policies of the platform on a live API, with the operator's own permissions: in the open, from a Secret, gone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from maas_operator.domain.kinds import SECRET
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.policies.platform import is_copy
from maas_operator.sandbox.controllers.surroundings import THREESCALE_NAMESPACE
from tests.e2e.world import PLATFORM, World, condition, is_true, service_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOURCE = Ref(SECRET, THREESCALE_NAMESPACE, "e2e-ip-list")
CANARY = "canary-of-the-e2e-policy"
POLICIES = [
    {"name": "retry", "position": "AfterAuth", "configuration": {"retries": 2}},
    {"name": "ip_check", "position": "BeforeAuth", "configurationSecretRef": {"name": SOURCE.name}},
]


def configured(*ips: str) -> Manifest:
    text = json.dumps({"check_type": "whitelist", "ips": list(ips), "error_msg": CANARY})
    metadata = {"name": SOURCE.name, "namespace": SOURCE.namespace}
    data = {"configuration": base64.b64encode(text.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def chain_of(world: World, namespace: str) -> dict[str, Any]:
    """Return the configurations of the policies that the production gateways load, by name."""
    (tenant,) = world.environment.around.porta
    name = service_of(namespace).name
    product = next(one for one in tenant.catalogue.products.values() if one.system_name.startswith(name))
    return {policy["name"]: policy["configuration"] for policy in product.production[-1].content["policies"]}


@asynccontextmanager
async def policies(world: World, *added: dict[str, Any]) -> AsyncIterator[None]:
    """Have the platform add policies meanwhile."""
    await world.patch(PLATFORM, spec={"gateway": {"policies": list(added)}})
    try:
        yield
    finally:
        await world.patch(PLATFORM, spec={"gateway": {"policies": []}})
        await world.until(PLATFORM, lambda live: is_true(live, "PoliciesReady"))


async def test_policies_enter_the_chain_change_with_their_secret_and_leave(world: World, model: str) -> None:
    service = service_of(model)
    before = await world.complete(service)
    async with policies(world, *POLICIES):
        missing = await world.until(PLATFORM, lambda live: not is_true(live, "PoliciesReady"))
        assert SOURCE.name in condition(missing, "PoliciesReady")["message"]
        for ips in (["10.0.0.0/8"], ["192.0.2.0/24", "10.0.0.0/8"]):
            await world.apply([configured(*ips)])
            await world.until(service, lambda live, ips=ips: reaches(world, model, live, ips))
        assert chain_of(world, model)["retry"] == {"retries": 2}
        assert CANARY not in world.operator.log.read_text()
    await world.until(service, lambda live: is_true(live, "Live") and "ip_check" not in chain_of(world, model))
    live = await world.get(service)
    assert live["status"]["gateway"]["configHash"] == before["status"]["gateway"]["configHash"]
    await world.removed(SOURCE)
    secrets = await world.environment.client.list(SECRET, namespace=THREESCALE_NAMESPACE)
    assert not [one for one in secrets if is_copy(one["metadata"]["name"])]


def reaches(world: World, namespace: str, service: Manifest, ips: list[str]) -> bool:
    return is_true(service, "Ready", "Live") and chain_of(world, namespace).get("ip_check", {}).get("ips") == ips


async def test_a_policy_that_would_do_harm_leaves_the_chain_as_it_is(world: World, model: str) -> None:
    service = service_of(model)
    await world.complete(service)
    before = chain_of(world, model)
    async with policies(world, {"name": "echo", "position": "BeforeAuth"}):
        held = await world.until(service, lambda live: not is_true(live, "GatewayReady"))
        assert "spec.gateway.policies[0].name: echo" in condition(held, "GatewayReady")["message"]
        assert chain_of(world, model) == before
    await world.complete(service)

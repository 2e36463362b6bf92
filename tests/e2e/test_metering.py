"""The metering policy on a real API: mounted by a patch that RBAC allows, used, and taken away again."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.kinds import API_MANAGER, PRODUCT, SECRET
from maas_operator.domain.metering import mounts
from maas_operator.domain.metering.package import NAME, object_name
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.packed_policy import packed_policy
from tests.e2e.world import PLATFORM, World, is_true, service_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKENS = [{"name": "standard", "limits": [{"metric": "TotalTokens", "period": "Day", "value": 1000}]}]
INSTALLATION = Ref(API_MANAGER, "3scale", "apimanager")
POLICY = Ref(SECRET, "3scale", object_name(packed_policy().version))


async def set_policy(world: World, **policy: Any) -> None:
    await world.patch(PLATFORM, spec={"gateway": {"tokenPolicy": policy}})


def is_metered(product: Manifest) -> bool:
    return NAME in [policy["name"] for policy in product["spec"]["policies"]]


async def test_token_limits_work_where_the_operator_may_mount_the_policy(world: World, model: str) -> None:
    await set_policy(world, patchAPIManager=True)
    await world.until(PLATFORM, lambda live: is_true(live, "TokenPolicyReady"))
    await world.patch(service_of(model), spec={"plans": TOKENS})
    await world.complete(service_of(model))
    assert is_metered(await world.get(Ref(PRODUCT, "3scale", f"{model}.{service_of(model).name}")))
    assert mounts.mounted_versions(await world.get(INSTALLATION)) == {packed_policy().version}
    await world.removed(service_of(model))
    await set_policy(world, patchAPIManager=True, mode="None")
    await world.gone(POLICY)
    assert not mounts.mounted_versions(await world.get(INSTALLATION))
    await set_policy(world, patchAPIManager=None, mode=None)
    await world.until(POLICY, lambda live: True)

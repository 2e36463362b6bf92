import pytest

from maas_operator.domain.kinds import NAMESPACE
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.surroundings import surroundings
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.kubeapi import KubeApi
from tests.sandbox.controllers.objects import ADMIN_URL, GATEWAY, MODELS, TOKEN, provider_secret
from tests.sandbox.controllers.world import ManualClock, World


@pytest.fixture
async def world() -> World:
    """Return a cluster with 3scale's and KServe's kinds, their stand-ins, and one tenant with its Secret."""
    client, clock = InProcessClient(KubeApi()), ManualClock()
    for name in (MODELS, GATEWAY):
        await client.create({"apiVersion": "v1", "kind": NAMESPACE.name, "metadata": {"name": name}})
    for crd in third_party_crds():
        await client.create(crd)
    await client.create(provider_secret())
    around = surroundings(client, clock=clock, namespace=GATEWAY)
    around.porta.add_tenant(ADMIN_URL, TOKEN)
    return World(client, around, clock)

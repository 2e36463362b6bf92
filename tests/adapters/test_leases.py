from __future__ import annotations

from pathlib import Path

import pytest

from maas_operator.adapters.kubernetes import leases
from maas_operator.adapters.kubernetes.client import KubernetesCluster
from maas_operator.adapters.kubernetes.leases import KubernetesLeases, own_namespace
from maas_operator.domain.kinds import LEASE
from maas_operator.domain.lease import new_lease
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import Conflict, NotFound, Unavailable
from tests.adapters.scripted import scripted, status

REF = Ref(LEASE, "default", "election")
NEW = new_lease(REF, {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T12:30:15.000042Z"})


async def test_a_lease_is_made_once_and_replaced_at_its_version_only(cluster: KubernetesCluster) -> None:
    found = KubernetesLeases(cluster)
    with pytest.raises(NotFound):
        await found.get(REF)
    created = await found.create(NEW)
    with pytest.raises(Conflict):
        await found.create(NEW)
    replaced = await found.replace(created | {"spec": created["spec"] | {"holderIdentity": "b"}})
    with pytest.raises(Conflict):
        await found.replace(created)
    assert (await found.get(REF))["spec"] == replaced["spec"] == NEW["spec"] | {"holderIdentity": "b"}
    await cluster.delete(REF, uid=created["metadata"]["uid"])
    # Old servers call it a conflict.
    with pytest.raises((NotFound, Conflict)):
        await found.replace(replaced)


async def test_it_is_tried_once_since_the_election_tries_again() -> None:
    async with scripted(status(503)) as (cluster, script):
        with pytest.raises(Unavailable):
            await KubernetesLeases(cluster).replace(NEW)
    assert len(script.requests) == 1


def test_the_namespace_is_that_of_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "NAMESPACE_FILE", tmp_path / "namespace")
    assert own_namespace() == ""
    (tmp_path / "namespace").write_text("models\n")
    assert own_namespace() == "models"

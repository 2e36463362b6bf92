"""Who may reach a MinIO: a cache that is late shuts nobody out, and only what is asked for is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from maas_operator.api.minio import MinIO
from maas_operator.domain.kinds import EVENT, MODEL_SERVICE, NAMESPACE, POD, STATEFUL_SET, Kind
from maas_operator.domain.minio import names, server
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import NotFound
from maas_operator.engine.lookup import Lookup
from maas_operator.engine.minio_evidence import MinIOEvidenceFinder
from tests.domain.worlds import a_platform, a_service

MINIO = MinIO(namespace="minio", size="1Gi")
PLATFORM = a_platform(storage={"minio": MINIO.dump()})
READY = {
    names.stateful_set_ref("minio"): {
        "apiVersion": STATEFUL_SET.api_version,
        "kind": STATEFUL_SET.name,
        "metadata": {"generation": 1},
        "status": {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1},
    }
}


@dataclass
class Cluster:
    """A cluster with the MinIO's namespace and these ModelServices."""

    services: list[Manifest]
    events: list[Manifest] = field(default_factory=list)
    listed: list[Kind] = field(default_factory=list)

    async def get(self, ref: Ref) -> Manifest:
        if ref.kind == NAMESPACE:
            return {"metadata": {"name": ref.name, "uid": "uid-namespace"}}
        raise NotFound(f"{ref} not found")

    async def list(self, kind: Kind, **_: Any) -> list[Manifest]:
        self.listed.append(kind)
        return self.events if kind == EVENT else [] if kind == POD else self.services


def a_tenant(namespace: str, backend: str = "MinIO") -> Manifest:
    service = a_service(storage={"backend": backend}).dump()
    return service | {"metadata": service["metadata"] | {"namespace": namespace, "resourceVersion": "1"}}


async def users_of(cluster: Cluster, *, cached: list[Manifest], admitted: list[str]) -> frozenset[str]:
    cache = Cache()
    for one in cached:
        cache.put(one)
    policy = server.network_policy(PLATFORM, MINIO, admitted)
    finder = MinIOEvidenceFinder(lookup=Lookup(cache, cluster), fresh=lambda: SecretStr("fresh"))  # type: ignore[arg-type]
    evidence = await finder.find(PLATFORM, {**READY, ref_of(policy): policy})
    return evidence.users


async def test_a_namespace_is_shut_out_only_once_a_list_proves_that_it_has_no_bucket_any_more() -> None:
    one, two = a_tenant("team-a"), a_tenant("team-b")
    late, gone = Cluster([one, two]), Cluster([one])
    assert await users_of(late, cached=[one], admitted=["team-a", "team-b"]) == {"team-a", "team-b"}
    assert await users_of(gone, cached=[one], admitted=["team-a", "team-b"]) == {"team-a"}
    assert late.listed == gone.listed == [MODEL_SERVICE]


async def test_a_namespace_is_let_in_without_a_further_call_and_only_with_a_bucket_here() -> None:
    cluster = Cluster([])
    cached = [a_tenant("team-a"), a_tenant("team-b"), a_tenant("team-c", "ODF")]
    assert await users_of(cluster, cached=cached, admitted=["team-a"]) == {"team-a", "team-b"}
    assert cluster.listed == []


def an_event(ref: Ref, reason: str, note: str, minute: int) -> Manifest:
    regarding = {"kind": ref.kind.name, "name": ref.name}
    return {"reason": reason, "note": note, "regarding": regarding, "eventTime": f"2026-01-01T00:{minute:02}:00Z"}


async def test_that_a_volume_waits_for_its_pod_is_no_news_and_does_not_hide_what_was_said_before() -> None:
    claim, server_ = names.claim_ref("minio"), names.stateful_set_ref("minio")
    cluster = Cluster(
        [],
        [
            an_event(claim, "ProvisioningFailed", "no room", 1),
            an_event(claim, "WaitForFirstConsumer", "waiting for first consumer", 2),
            an_event(server_, "FailedCreate", "exceeded quota", 3),
            an_event(server_, "SuccessfulCreate", "create Pod minio-0", 4),
            an_event(Ref(POD, "minio", "minio-0"), "BackOff", "of somebody else", 5),
        ],
    )
    finder = MinIOEvidenceFinder(lookup=Lookup(Cache(), cluster), fresh=lambda: SecretStr("fresh"))  # type: ignore[arg-type]
    evidence = await finder.find(PLATFORM, {})
    assert evidence.words == {claim: "no room", server_: "exceeded quota"}


@pytest.mark.parametrize(
    ("annotations", "user"), [({}, 1000), ({"openshift.io/sa.scc.uid-range": "1000680000/10000"}, None)]
)
async def test_its_namespace_says_as_whom_the_pods_run(annotations: dict[str, str], user: int | None) -> None:
    cache = Cache()
    metadata = {"name": "minio", "uid": "uid-namespace", "annotations": annotations, "resourceVersion": "1"}
    cache.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    finder = MinIOEvidenceFinder(lookup=Lookup(cache, Cluster([])), fresh=lambda: SecretStr("fresh"))  # type: ignore[arg-type]
    assert (await finder.find(PLATFORM, READY)).security.run_as_user == user

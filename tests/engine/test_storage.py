"""What is read of a bucket: what its backend needs, only while somebody looks, and no words about another object."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import EVENT, OBJECT_BUCKET_CLAIM, SECRET, Kind
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.storage.backend import NOTHING_FOUND, Findings
from maas_operator.engine.cache import Cache
from maas_operator.engine.errors import Forbidden, NotFound
from maas_operator.engine.lookup import Lookup
from maas_operator.engine.storage import StorageReader
from tests.domain.worlds import a_platform, a_service

CLAIM = Ref(OBJECT_BUCKET_CLAIM, "llm", "tiny-bucket")
OURS = Ref(SECRET, "llm", "tiny-storage")
PLATFORM = a_platform(storage={"odf": {}})


@dataclass
class Cluster:
    """A cluster that has what it is given; Events may be forbidden."""

    objects: dict[Ref, Manifest] = field(default_factory=dict)
    events: list[Manifest] | None = None
    asked: list[Ref] = field(default_factory=list)

    async def get(self, ref: Ref) -> Manifest:
        self.asked.append(ref)
        if ref not in self.objects:
            raise NotFound(f"{ref} not found")
        return self.objects[ref]

    async def list(self, kind: Kind, *, namespace: str = "", **_: Any) -> list[Manifest]:
        self.asked.append(Ref(kind, namespace, ""))
        if self.events is None:
            raise Forbidden("events is forbidden")
        return self.events


def with_storage(**spec: Any) -> ModelService:
    return a_service(storage={"backend": "ODF"}, **spec)


def a_claim(phase: str) -> Manifest:
    metadata = {"name": CLAIM.name, "namespace": CLAIM.namespace, "uid": "uid-claim", "resourceVersion": "1"}
    known = {"apiVersion": CLAIM.kind.api_version, "kind": CLAIM.kind.name, "metadata": metadata}
    return {**known, "spec": {}, "status": {"phase": phase}}


def an_event(note: str, *, uid: str = "uid-claim", type_: str = "Warning", at: str = "01") -> Manifest:
    regarding = {"regarding": {"uid": uid}, "deprecatedLastTimestamp": f"2026-01-01T00:00:{at}Z"}
    return {"reason": "NotReady", "note": note, "type": type_, **regarding}


async def find(cluster: Cluster, service: ModelService, *, phase: str = "Bound") -> Findings:
    cache = Cache()
    cache.put(a_claim(phase))
    reader = StorageReader(Lookup(cache, cluster), fresh=lambda: SecretStr("fresh"))  # type: ignore[arg-type]
    return await reader.find(service, PLATFORM)


@pytest.mark.parametrize("service", [a_service(), with_storage(managementPolicy="Paused")], ids=["none", "paused"])
async def test_nothing_is_read_where_nobody_looks(service: ModelService) -> None:
    cluster = Cluster()
    assert await find(cluster, service) == NOTHING_FOUND
    assert cluster.asked == []


async def test_nothing_is_read_for_a_service_that_leaves() -> None:
    service = with_storage()
    gone = service.metadata.model_copy(update={"deletion_timestamp": datetime(2026, 1, 1, tzinfo=UTC)})
    cluster = Cluster()
    assert await find(cluster, service.model_copy(update={"metadata": gone})) == NOTHING_FOUND
    assert cluster.asked == []


@pytest.mark.parametrize("ours", [True, False])
async def test_a_secret_of_our_name_counts_only_if_it_is_ours(ours: bool) -> None:
    service = with_storage()
    labels = owner_labels(service.dump()) if ours else {}
    metadata = {"name": OURS.name, "namespace": OURS.namespace, "labels": labels}
    cluster = Cluster({OURS: {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}})
    assert (await find(cluster, service)).has_secret == ours


async def test_the_last_warning_about_a_claim_is_heard_while_it_is_not_bound() -> None:
    events = [
        an_event("the newest: secretKey=s3cret", at="03"),
        an_event("an old one"),
        an_event("of another", uid="other", at="09"),
        an_event("all is well", type_="Normal", at="09"),
    ]
    found = await find(Cluster(events=events), with_storage(), phase="Pending")
    assert found.words == {CLAIM: "NotReady: the newest: secretKey=[hidden]"}
    bound = Cluster(events=events)
    assert (await find(bound, with_storage())).words == {}
    assert EVENT not in {ref.kind for ref in bound.asked}


@pytest.mark.parametrize("events", [None, []], ids=["forbidden", "silent"])
async def test_a_provisioner_that_can_not_be_heard_is_no_fault(events: list[Manifest] | None) -> None:
    assert (await find(Cluster(events=events), with_storage(), phase="Pending")).words == {}


def test_the_claim_of_these_tests_is_the_services() -> None:
    assert ref_of(a_claim("Bound")) == CLAIM

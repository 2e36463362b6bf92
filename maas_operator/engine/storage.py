"""Reads what is there of a bucket: Secrets and ConfigMaps by name, and what a provisioner says in Events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.domain.child_state import state_of
from maas_operator.domain.kinds import JOB, POD, SECRET
from maas_operator.domain.labels import is_owned_by
from maas_operator.domain.minio.jobs import JOB_NAME, is_complete, is_finished
from maas_operator.domain.minio.names import claim_ref, place_ref
from maas_operator.domain.minio.retirement import retired_keys
from maas_operator.domain.names import storage_secret_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.people.secrets import read_secret
from maas_operator.domain.storage.backend import NOTHING_FOUND, Findings
from maas_operator.domain.storage.progress import backend_of

from .hearsay import said_in, words_of
from .lookup import Lookup


@dataclass(frozen=True, slots=True)
class StorageReader:
    """Finds what a backend needs to know."""

    lookup: Lookup
    fresh: Callable[[], SecretStr]

    async def find(self, service: ModelService, platform: ModelPlatform | None) -> Findings:
        """Return what is there for the bucket of a service, and of keys that it needs no more."""
        leaving = service.metadata.deletion_timestamp is not None
        if not leaving and not is_looked_at(service):
            return NOTHING_FOUND
        backend = backend_of(service, platform) if platform is not None and not leaving else None
        needs = [
            ref for key in retired_keys(service) for ref in (key, claim_ref(key.namespace), place_ref(key.namespace))
        ]
        if backend is not None and platform is not None:
            needs += backend.needs(service, platform)
        if backend is None and not needs:
            return NOTHING_FOUND
        read = {ref: await self.lookup.find(ref) for ref in needs}
        there = {ref: found for ref, found in read.items() if found is not None}
        own = await self.lookup.live(storage_secret_ref(service))
        children = [self.lookup.cache.get(ref) for ref in backend.listens(service)] if backend else []
        waiting = [child for child in children if child is not None and not state_of(child).ready]
        jobs = self._jobs(service)
        return Findings(
            has_secret=own is not None and is_owned_by(own, service.metadata.uid),
            secrets={ref: read_secret(found) for ref, found in there.items() if ref.kind == SECRET},
            objects={ref: found for ref, found in there.items() if ref.kind != SECRET},
            words=await self._words([*waiting, *(job for job in jobs if not is_finished(job))]),
            pods=await self._pods([job for job in jobs if not is_complete(job)]),
            fresh=self.fresh(),
        )

    def _jobs(self, service: ModelService) -> list[Manifest]:
        return [one for one in self.lookup.cache.owned_by(service.metadata.uid) if ref_of(one).kind == JOB]

    async def _pods(self, jobs: Iterable[Manifest]) -> tuple[Manifest, ...]:
        """Return the pods of Jobs."""
        pods: list[Manifest] = []
        for ref in map(ref_of, jobs):
            pods += await self.lookup.list(POD, ref.namespace, {JOB_NAME: ref.name})
        return tuple(pods)

    async def _words(self, waiting: Iterable[Manifest]) -> dict[Ref, str]:
        """Return what was said last, as a warning, of each object that is not ready."""
        said = {ref_of(one): await self._warning(one) for one in waiting}
        return {ref: words for ref, words in said.items() if words}

    async def _warning(self, about: Manifest) -> str:
        said, uid = await said_in(about["metadata"]["namespace"], self.lookup), about["metadata"]["uid"]
        warnings = [one for one in said if one.get("type") == "Warning" and one["regarding"].get("uid") == uid]
        return f"{warnings[-1].get('reason', '')}: {words_of(warnings[-1])}" if warnings else ""


def is_looked_at(service: ModelService) -> bool:
    """Tell whether what a service refers to is of interest: it is neither paused nor on its way out."""
    leaving = service.metadata.deletion_timestamp is not None
    return not leaving and service.spec.management_policy is not ManagementPolicy.PAUSED

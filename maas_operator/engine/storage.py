"""Reads what is there of a bucket: Secrets and ConfigMaps by name, and what a provisioner says in Events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.domain.child_state import state_of
from maas_operator.domain.kinds import EVENT, JOB, POD, SECRET
from maas_operator.domain.labels import is_owned_by
from maas_operator.domain.minio.jobs import JOB_NAME, is_complete
from maas_operator.domain.minio.names import claim_ref
from maas_operator.domain.minio.retirement import retired_keys
from maas_operator.domain.names import storage_secret_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.people.secrets import read_secret
from maas_operator.domain.storage.backend import NOTHING_FOUND, Findings
from maas_operator.domain.storage.progress import backend_of

from .errors import ApiError
from .events import time_of
from .lookup import Lookup

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StorageReader:
    """Finds what a backend needs to know."""

    lookup: Lookup
    fresh: Callable[[], SecretStr]

    async def find(self, service: ModelService, platform: ModelPlatform | None) -> Findings:
        """Return what is there for the bucket of a service, and of keys that it needs no more."""
        if _is_paused(service):
            return NOTHING_FOUND
        leaving = service.metadata.deletion_timestamp is not None
        backend = backend_of(service, platform) if platform is not None and not leaving else None
        needs = [ref for key in retired_keys(service) for ref in (key, claim_ref(key.namespace))]
        if backend is not None and platform is not None:
            needs += backend.needs(service, platform)
        if backend is None and not needs:
            return NOTHING_FOUND
        read = {ref: await self.lookup.find(ref) for ref in needs}
        there = {ref: found for ref, found in read.items() if found is not None}
        own = await self.lookup.live(storage_secret_ref(service))
        children = [self.lookup.cache.get(ref) for ref in backend.listens(service)] if backend else []
        return Findings(
            has_secret=own is not None and is_owned_by(own, service.metadata.uid),
            secrets={ref: read_secret(found) for ref, found in there.items() if ref.kind == SECRET},
            objects={ref: found for ref, found in there.items() if ref.kind != SECRET},
            words=await self._words([child for child in children if child is not None and not state_of(child).ready]),
            pods=await self._pods(service),
            fresh=self.fresh(),
        )

    async def _pods(self, service: ModelService) -> tuple[Manifest, ...]:
        """Return the pods of the service's Jobs that have not done their work."""
        jobs = [one for one in self.lookup.cache.owned_by(service.metadata.uid) if ref_of(one).kind == JOB]
        pods: list[Manifest] = []
        for ref in (ref_of(job) for job in jobs if not is_complete(job)):
            pods += await self.lookup.list(POD, ref.namespace, {JOB_NAME: ref.name})
        return tuple(pods)

    async def _words(self, waiting: Iterable[Manifest]) -> dict[Ref, str]:
        """Return what was said last, as a warning, of each object that is not ready."""
        said = {ref_of(one): await self._warning(one) for one in waiting}
        return {ref: words for ref, words in said.items() if words}

    async def _warning(self, about: Manifest) -> str:
        try:
            events = await self.lookup.cluster.list(EVENT, namespace=about["metadata"]["namespace"])
        except ApiError as error:
            logger.warning("what is said of %s is not known: %s", ref_of(about), error)
            return ""
        uid = about["metadata"]["uid"]
        warnings = [one for one in events if one.get("type") == "Warning" and one["regarding"].get("uid") == uid]
        latest = max(warnings, key=time_of, default=None)
        return f"{latest.get('reason', '')}: {latest.get('note', '')}" if latest is not None else ""


def _is_paused(service: ModelService) -> bool:
    paused = service.spec.management_policy is ManagementPolicy.PAUSED
    return paused and service.metadata.deletion_timestamp is None

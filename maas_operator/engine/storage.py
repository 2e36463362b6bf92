"""Reads what is there of a bucket: Secrets and ConfigMaps by name, and what a provisioner says in Events."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.domain.child_state import state_of
from maas_operator.domain.kinds import EVENT, SECRET
from maas_operator.domain.labels import is_owned_by
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

    async def find(self, service: ModelService, platform: ModelPlatform | None) -> Findings:
        """Return what is there for the bucket of a service that is not leaving."""
        backend = backend_of(service, platform) if platform is not None and _looks(service) else None
        if backend is None or platform is None:
            return NOTHING_FOUND
        read = {ref: await self.lookup.find(ref) for ref in backend.needs(service, platform)}
        there = {ref: found for ref, found in read.items() if found is not None}
        own = await self.lookup.live(storage_secret_ref(service))
        children = [self.lookup.cache.get(ref) for ref in backend.listens(service)]
        return Findings(
            has_secret=own is not None and is_owned_by(own, service.metadata.uid),
            secrets={ref: read_secret(found) for ref, found in there.items() if ref.kind == SECRET},
            objects={ref: found for ref, found in there.items() if ref.kind != SECRET},
            words=await self._words([child for child in children if child is not None and not state_of(child).ready]),
        )

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


def _looks(service: ModelService) -> bool:
    paused = service.spec.management_policy is ManagementPolicy.PAUSED
    return service.metadata.deletion_timestamp is None and not paused

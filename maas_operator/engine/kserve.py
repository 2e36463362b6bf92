"""Looks at the installed KServe: at its CRD from the watch, at its configuration once in a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.kserve import CONFIGURATIONS, DEFINITION, KServe

from .cache import version_of
from .lookup import Lookup
from .shared import Shared

HOLDS: Final = timedelta(hours=1)
"""How long its configuration, which is only shown, is taken for what it was."""


class KServeLookup:
    """Finds what tells KServe's release and how it is set up."""

    def __init__(self, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._lookup = lookup
        # By the version of the CRD: an upgrade brings another of both.
        self._configuration: Shared[str, Manifest | None] = Shared(self._find_configuration, now=now, holds=HOLDS)

    async def find(self) -> KServe:
        """Return KServe as it is in the cluster."""
        definition = await self._lookup.find(DEFINITION)
        if definition is None:
            return KServe()
        return KServe(definition, await self._configuration.get(version_of(definition)))

    async def _find_configuration(self, _version: str) -> Manifest | None:
        for ref in CONFIGURATIONS:
            if (found := await self._lookup.live(ref)) is not None:
                return found
        return None

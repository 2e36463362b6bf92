"""What controllers say in Events: often the only place where they say it."""

from __future__ import annotations

import logging

from maas_operator.domain.kinds import EVENT
from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.words import quoted

from .errors import ApiError
from .events import time_of
from .lookup import Lookup

logger = logging.getLogger(__name__)


async def said_in(namespace: str, lookup: Lookup) -> list[Manifest]:
    """Return the Events of a namespace, the newest last; none where they may not be read."""
    try:
        events = await lookup.cluster.list(EVENT, namespace=namespace)
    except ApiError as error:
        logger.warning("what is said in the namespace %s is not known: %s", namespace, error)
        return []
    return sorted(events, key=time_of)


def words_of(event: Manifest) -> str:
    """Return what an Event says, fit to be passed on."""
    return quoted(str(event.get("note") or ""))

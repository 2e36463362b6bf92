"""Finds out what keeps 3scale from deleting: the 3scale-operator tells it in Events, and nobody if it can not begin.

Asked about owners under deletion only, and not about each of many at the same moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.parse import InvalidObject, read
from maas_operator.domain.farewell import Obstacles, is_of_3scale
from maas_operator.domain.kinds import MODEL_PLATFORM, SECRET
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .errors import ThreescaleError
from .events import time_of
from .hearsay import said_in, words_of
from .lookup import Lookup
from .shared import Shared
from .tenants import Tenants
from .threescale import Threescale

HOLDS: Final = timedelta(seconds=10)
"""How long an answer is good for: less than until the next look, and enough for all who look now."""
_FAILURE: Final = "Failed to delete"
"""With this begins the reason of the Events by which the 3scale-operator tells that it could not delete."""


class ObstacleFinder:
    """Looks at provider accounts, 3scale itself, and the 3scale-operator's Events."""

    def __init__(self, threescale: Threescale, tenants: Tenants, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._threescale = threescale
        self._tenants = tenants
        self._lookup = lookup
        self._problems = Shared(self._ask, now=now, holds=HOLDS)
        self._told = Shared(self._listen, now=now, holds=HOLDS)

    async def find(self, children: Iterable[Manifest]) -> Obstacles:
        """Return what keeps these objects from being deleted."""
        of_3scale = [child for child in children if is_of_3scale(ref_of(child).kind)]
        accounts = {account for child in of_3scale if (account := _account_of(child)) is not None}
        # Only a live read proves that one is there: where it is not, a deletion leaves its object behind in 3scale.
        missing = {account for account in accounts if await self._lookup.live(account) is None}
        problems = [await self._problems.get(account) for account in sorted(accounts - missing)]
        return Obstacles(
            missing=frozenset(missing),
            problem=next(filter(None, problems), ""),
            words=await self._words([child for child in of_3scale if "deletionTimestamp" in child["metadata"]]),
        )

    async def _ask(self, account: Ref) -> str:
        """Return why 3scale can not be asked by a provider account; empty if it can, or if it is nobody's."""
        platforms = _readable(self._lookup.cache.of_kind(MODEL_PLATFORM))
        platform = next((one for one in platforms if _secret_of(one) == account), None)
        if platform is None:
            return ""
        try:
            await self._threescale.check(await self._tenants.of(platform))
        except ThreescaleError as error:
            return str(error)
        return ""

    async def _words(self, going: Collection[Manifest]) -> dict[Ref, str]:
        told = {ref_of(child): (await self._told.get(ref_of(child).namespace)).get(_uid(child)) for child in going}
        return {ref: words for ref, words in told.items() if words is not None}

    async def _listen(self, namespace: str) -> dict[str, str]:
        """Return what was said last of each object in a namespace, by its uid."""
        return {
            one["regarding"].get("uid", ""): f"at {time_of(one)}: {words_of(one)}"
            for one in await said_in(namespace, self._lookup)
            if str(one.get("reason", "")).startswith(_FAILURE)
        }


def _readable(platforms: Iterable[Manifest]) -> Iterator[ModelPlatform]:
    """Yield those that this version can read: the others tell of it themselves, and hold up nobody else."""
    for one in platforms:
        with contextlib.suppress(InvalidObject):
            yield read(ModelPlatform, one)


def _account_of(child: Manifest) -> Ref | None:
    """Return the Secret by which the 3scale-operator deletes in 3scale; Applications go by their account's."""
    name = (child["spec"].get("providerAccountRef") or {}).get("name")
    return Ref(SECRET, child["metadata"]["namespace"], name) if name else None


def _secret_of(platform: ModelPlatform) -> Ref:
    threescale = platform.spec.threescale
    return Ref(SECRET, threescale.namespace, threescale.provider_account_secret_ref.name)


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])

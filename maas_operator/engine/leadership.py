"""One writer of several processes, by a Lease: taken when it is free, renewed while it is held, let go at the end.

No clock of another machine counts: a candidate waits until it has itself seen no change for as long as the holder
promised. The holder counts from before it asked, and gives up earlier than that. So the two never meet.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from maas_operator.domain.lease import Record, Terms, claimed, is_free, new_lease, released
from maas_operator.domain.objects import Manifest, Ref

from .errors import ApiError, Conflict, Forbidden, NotFound, NotLeading, Rejected
from .fence import Fence
from .queue import spread

RELEASE_SECONDS: Final = 3.0

logger = logging.getLogger(__name__)


class Leases(Protocol):
    """The calls that an election makes; each is one try, raises an `ApiError`, and is cancelled by a time-out."""

    async def get(self, ref: Ref) -> Manifest:
        """Read a Lease; NotFound if there is none."""

    async def create(self, lease: Manifest) -> Manifest:
        """Create a Lease; Conflict if there is one."""

    async def replace(self, lease: Manifest) -> Manifest:
        """Replace a Lease that is still at the version of this manifest, else Conflict."""


class Leadership:
    """This process's part in an election. The fence is open while it leads; `holder` is who was last seen to."""

    def __init__(
        self,
        leases: Leases,
        ref: Ref,
        identity: str,
        fence: Fence,
        *,
        terms: Terms,
        now: Callable[[], datetime],
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._leases = leases
        self._ref = ref
        self._identity = identity
        self._fence = fence
        self._terms = terms
        self._now = now
        self._rng = rng
        self._lease: Manifest | None = None
        self._record: Record = {}
        self._changed_at = 0.0
        self._looked_at = 0.0

    @property
    def stands_by(self) -> bool:
        """Tell whether another leads, and this process would see it if that ended."""
        another_leads = self.holder not in ("", self._identity)
        return another_leads and _clock() - self._looked_at <= self._terms.lease.total_seconds()

    @property
    def holder(self) -> str:
        """Name who held the Lease when it was last looked at; nothing if nobody did."""
        return str(self._record.get("holderIdentity", ""))

    async def acquire(self) -> None:
        """Wait until this process leads; Forbidden or Rejected if it never will."""
        while not await self._taken():
            await self._pause()
        logger.info("this process leads: %s", self._identity)

    async def keep(self) -> None:
        """Renew until cancelled; NotLeading when that fails for so long that another might lead soon."""
        while True:
            try:
                async with asyncio.timeout_at(self._fence.until):
                    await self._renewed()
            except TimeoutError:
                self._fence.close()
                seconds = self._terms.renew.total_seconds()
                raise NotLeading(f"{self._ref} was not renewed within {seconds:.0f} s: another may lead now") from None

    async def release(self) -> None:
        """Let another lead at once, if this process still leads: to be called when it has stopped to write."""
        leads = self._fence() > 0
        self._fence.close()
        if not leads:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                # As it is now: the end may have cut off a renewal that the server has taken.
                lease = await self._leases.get(self._ref)
                record = lease.get("spec") or {}
                if record.get("holderIdentity") == self._identity:
                    await self._leases.replace(lease | {"spec": released(record, self._now())})
        except (ApiError, TimeoutError) as error:
            logger.warning("%s is not released, and free when it has run out: %s", self._ref, error or "no answer")

    async def _taken(self) -> bool:
        """Look at the Lease, and take it if it is free."""
        try:
            async with asyncio.timeout(self._try_seconds):
                await self._look()
                return self._may_take() and await self._claim()
        except (Forbidden, Rejected):
            raise
        except (ApiError, TimeoutError) as error:
            logger.warning("%s can not be had: %s", self._ref, error or "no answer")
            return False

    async def _renewed(self) -> None:
        """Return when the Lease is renewed; NotLeading if somebody else has it."""
        while True:
            await self._pause()
            try:
                async with asyncio.timeout(self._try_seconds):
                    if await self._claim():
                        return
                    # Its version has moved: by somebody's label, or by a renewal of ours whose answer was lost.
                    await self._look()
            except (ApiError, TimeoutError) as error:
                logger.warning("%s is not renewed: %s", self._ref, error or "no answer")
            if self.holder != self._identity:
                self._fence.close()
                raise NotLeading(f"{self._ref} was taken by {self.holder or 'somebody who let it go'}")

    async def _look(self) -> None:
        try:
            self._seen(await self._leases.get(self._ref))
        except NotFound:
            # Who held it may not know yet that it is gone: what was seen of it holds as long as it would have.
            self._lease = None
        self._looked_at = _clock()

    def _may_take(self) -> bool:
        unchanged = timedelta(seconds=_clock() - self._changed_at)
        # It is ours if we took it and the answer was lost.
        return self.holder == self._identity or is_free(self._record, unchanged, self._terms)

    async def _claim(self) -> bool:
        """Write ourselves into the Lease as it was last seen; tell whether nobody else was faster."""
        asked_at = _clock()
        record = claimed(self._record, self._identity, self._terms, self._now())
        try:
            if self._lease is None:
                lease = await self._leases.create(new_lease(self._ref, record))
            else:
                lease = await self._leases.replace(self._lease | {"spec": record})
        except (Conflict, NotFound):
            return False
        self._seen(lease)
        self._fence.until = asked_at + self._terms.renew.total_seconds()
        return True

    def _seen(self, lease: Manifest) -> None:
        record = lease.get("spec") or {}
        if (holder := record.get("holderIdentity")) and holder not in (self.holder, self._identity):
            logger.info("%s leads", holder)
        # Not the record's own times: a holder whose clock stands still lives, too.
        if self._lease is None or self._lease["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            self._changed_at = _clock()
        self._lease, self._record = lease, record

    async def _pause(self) -> None:
        await asyncio.sleep(spread(self._terms.retry.total_seconds(), self._rng))

    @property
    def _try_seconds(self) -> float:
        """Leave time for another try before the deadline."""
        return self._terms.renew.total_seconds() / 2


def _clock() -> float:
    return asyncio.get_running_loop().time()

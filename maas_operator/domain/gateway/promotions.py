"""The promotions of one Product: one at a time, so that the one that is there tells what was promoted last.

Two at once could not tell it: after A, B and A again, the first A would still say that it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from maas_operator.api.model_service import ModelService
from maas_operator.domain.decision import World
from maas_operator.domain.kinds import PROXY_CONFIG_PROMOTE, kind_of
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import condition_of

from .status import PromotionPhase, PromotionState, promotion_state

RETRY: Final = timedelta(seconds=30)
"""How long a failed promotion stays before it is made anew."""


def known_promotions(service: ModelService, world: World) -> dict[Ref, Manifest | None]:
    """Return all promotions that are known, None where only the inventory tells of one.

    One that was about to be made when a process died may be there, before any watch has told of it.
    """
    noted = [one for one in service.status.children if one.kind == PROXY_CONFIG_PROMOTE.name]
    found: dict[Ref, Manifest | None] = {
        Ref(kind_of(one.api_version, one.kind), one.namespace, one.name): None for one in noted
    }
    for objects in (world.seen, world.children.live):
        found |= {ref: one for ref, one in objects.items() if ref.kind == PROXY_CONFIG_PROMOTE}
    return {ref: one for ref, one in found.items() if ref not in world.gone}


@dataclass(frozen=True, kw_only=True)
class Promotions:
    """What is to become of each.

    `wanted`: that of the present configuration, known or not. `allowed`: whether that may be published.
    `overtaken`: the uid of one after which something else came to production; empty if there is none.
    `reachable`: whether 3scale can be used; while it can not, one that failed would only fail again.
    """

    found: Mapping[Ref, Manifest | None]
    wanted: Ref
    allowed: bool
    overtaken: str
    reachable: bool
    now: datetime

    @property
    def state(self) -> PromotionState:
        """Return how far the wanted one is."""
        return promotion_state(self.found.get(self.wanted))

    @property
    def done(self) -> bool:
        """Tell whether the present configuration is in production."""
        return self._is_alone and self.state.done and not self.is_overtaken

    @property
    def is_overtaken(self) -> bool:
        """Tell whether something else came to production after the wanted one."""
        found = self.found.get(self.wanted)
        return found is not None and found["metadata"].get("uid") == self.overtaken

    @property
    def writable(self) -> bool:
        """Tell whether the wanted one may be written now: there is no other, and it has not failed."""
        return self.allowed and self.found.keys() <= {self.wanted} and not self._is_spent

    @property
    def unsafe(self) -> frozenset[Ref]:
        """Return those that might still publish whatever the Product is: they go before another is written.

        The 3scale-operator looks at each that is not Ready again and again, and compares no generations.
        """
        return frozenset(
            ref for ref, one in self.found.items() if ref != self.wanted and not promotion_state(one).final
        )

    def staying(self, *, product_synced: bool) -> frozenset[Ref]:
        """Return those that are left where they are; the others go.

        As long as there are several, the newest stays: without it, an older one would seem to be the last.
        """
        if len(self.found) > 1:
            return frozenset({self._newest})
        if self._is_alone:
            return frozenset() if self._is_spent else frozenset({self.wanted})
        replaced = self.allowed and product_synced
        return frozenset() if replaced else frozenset(self.found.keys() - self.unsafe)

    @property
    def _is_alone(self) -> bool:
        return self.found.keys() == {self.wanted}

    @property
    def _newest(self) -> Ref:
        # Times have a resolution of a second: of two made in the same one, the wanted one has to prove itself anew.
        return max(self.found, key=lambda ref: (_made_at(self.found[ref]), ref != self.wanted, ref))

    @property
    def _is_spent(self) -> bool:
        """Tell whether the wanted one goes: the next pass makes another, if it may."""
        if self.state.done:
            return self.is_overtaken
        may_retry = self.reachable and self.state.phase is PromotionPhase.FAILED
        return not self.allowed or (may_retry and self._has_rested())

    def _has_rested(self) -> bool:
        failed = condition_of(self.found[self.wanted] or {}, "Failed")
        return self.now >= datetime.fromisoformat(failed["lastTransitionTime"]) + RETRY


def _made_at(promotion: Manifest | None) -> str:
    # Whatever only the inventory knows is about to be made.
    return str(promotion["metadata"].get("creationTimestamp", "")) if promotion is not None else "~"

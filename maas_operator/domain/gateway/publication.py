"""One model's way to production: Backend -> Product -> promotion, each only when 3scale has the one before.

Written all at once, the 3scale-operator would back off for minutes, and a promotion would publish what was before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.decision import World
from maas_operator.domain.kinds import PROXY_CONFIG_PROMOTE
from maas_operator.domain.names import backend_ref, product_ref, promotion_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import condition_of

from .backend import backend
from .drift import with_correction
from .plans import plans_of, plans_with_token_limits, with_plans_in_use
from .product import product
from .promotion import config_hash, proxy_config_promote
from .remote import Remote
from .status import PromotionPhase, PromotionState, SyncState, backend_state, product_state, promotion_state

_ADMIN_API: Final = frozenset(
    {Reason.AUTHORITY_MISSING, Reason.TOKEN_REFUSED, Reason.ADMIN_API_UNAVAILABLE, Reason.ADMIN_API_REFUSED}
)
"""What is wrong with our own way to 3scale; the 3scale-operator tells by itself what is wrong with its."""
RETRY_PROMOTION: Final = timedelta(seconds=30)
"""How long a failed promotion stays before it is made anew."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is published of one model, and how far that has come.

    `route_host` is empty while there is no Route; `remote` is what 3scale itself says.
    """

    service: ModelService
    platform: ModelPlatform
    world: World
    route_host: str
    remote: Remote

    @property
    def backend_ref(self) -> Ref:
        """Return the address of the Backend."""
        return backend_ref(self.service, self.platform)

    @property
    def product_ref(self) -> Ref:
        """Return the address of the Product."""
        return product_ref(self.service, self.platform)

    @property
    def backend(self) -> SyncState:
        """Return what 3scale says of the Backend as this pass wrote it."""
        return backend_state(self.world.children.get(self.backend_ref))

    @property
    def product(self) -> SyncState:
        """Return what 3scale says of the Product as this pass wrote it."""
        return product_state(self.world.children.get(self.product_ref))

    @property
    def product_id(self) -> int | None:
        """Return the Product's id in 3scale; None before it has one."""
        return product_state(self.world.child(self.product_ref)).remote_id

    @cached_property
    def config_hash(self) -> str | None:
        """Return the hash of what a promotion would publish; None before the Product has an id."""
        if self.product_id is None:
            return None
        return config_hash(
            product(self.service, self.platform), backend(self.service, self.platform), product_id=self.product_id
        )

    @property
    def promotion_ref(self) -> Ref | None:
        """Return the address of the promotion of this configuration."""
        return promotion_ref(self.service, self.platform, self.config_hash) if self.config_hash else None

    @property
    def promotion(self) -> PromotionState:
        """Return how far the promotion of this configuration is."""
        return promotion_state(self.world.child(self.promotion_ref) if self.promotion_ref else None)

    @property
    def promoted_at(self) -> datetime | None:
        """Return when the promotion was done; None while it is not."""
        found = self.world.child(self.promotion_ref) if self.promotion_ref else None
        if found is None or not self.promotion.done:
            return None
        condition = condition_of(found, "Ready") or condition_of(found, "Failed")
        return datetime.fromisoformat(condition["lastTransitionTime"])

    @property
    def live_after(self) -> datetime | None:
        """Return when the last gateway drops its cached configuration; None while nothing is promoted."""
        return self.promoted_at + self.platform.spec.gateway.configuration_cache if self.promoted_at else None

    @property
    def url(self) -> str | None:
        """Return where consumers find the API."""
        return f"https://{self.route_host}/v1" if self.route_host else None

    @property
    def plans_without_effect(self) -> tuple[str, ...]:
        """Return the plans that limit what these gateways can not count."""
        return plans_with_token_limits(plans_of(self.service, self.platform))

    @property
    def threescale_problem(self) -> str | None:
        """Return why nothing can be written to 3scale; None when it can.

        The Admin API is needed for first writes only: what is there already is written on without it.
        """
        for condition in self.platform.status.conditions:
            if condition.type == ConditionType.THREESCALE_READY:
                known = {self.backend_ref, self.product_ref} <= self.world.seen.keys()
                usable = condition.status is ConditionStatus.TRUE or (known and condition.reason in _ADMIN_API)
                return None if usable else condition.message
        return "not checked yet"

    @property
    def is_held(self) -> bool:
        """Tell whether nothing may be written to 3scale."""
        return bool(self.plans_without_effect or self.threescale_problem or self.remote.barrier)

    def children(self) -> Iterable[Manifest]:
        """Return what can be written now, in order."""
        if self.is_held:
            return
        yield self._corrected(backend(self.service, self.platform))
        if not self.backend.synced:
            return
        rendered = self._corrected(product(self.service, self.platform))
        yield with_plans_in_use(rendered, self.world.seen.get(self.product_ref), self.remote.plans_in_use)
        if self.product.synced and self.config_hash and not self._promotion_is_spent:
            yield proxy_config_promote(self.service, self.platform, self.config_hash)

    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is where it can not be written now."""
        promotions = [ref for ref in self.world.seen if ref.kind == PROXY_CONFIG_PROMOTE]
        if not self.is_held and self.promotion_ref is not None:
            # A promotion of another configuration goes: left alone, it might publish one that nobody meant to.
            promotions = [] if self._promotion_is_spent else [self.promotion_ref]
        return frozenset({self.backend_ref, self.product_ref, *promotions})

    def _corrected(self, rendered: Manifest) -> Manifest:
        ref = ref_of(rendered)
        return with_correction(rendered, self.world.seen.get(ref), self.remote.edited_at.get(ref.kind.name))

    @property
    def _promotion_is_spent(self) -> bool:
        """Tell whether the promotion failed a while ago: it goes, and the next pass makes another."""
        found = self.world.child(self.promotion_ref) if self.promotion_ref else None
        if found is None or self.promotion.phase is not PromotionPhase.FAILED:
            return False
        failed_at = datetime.fromisoformat(condition_of(found, "Failed")["lastTransitionTime"])
        return self.world.now >= failed_at + RETRY_PROMOTION

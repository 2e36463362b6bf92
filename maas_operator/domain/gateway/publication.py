"""One model's way to production: Backend -> Product -> promotion, each only when 3scale has the one before.

Written all at once, the 3scale-operator would back off for minutes, and a promotion would publish what was before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from maas_operator.api.model_platform import ModelPlatform, TokenPolicyMode
from maas_operator.api.model_service import ModelService, PromotionMode
from maas_operator.api.reasons import ConditionType
from maas_operator.domain.decision import Annotation, World
from maas_operator.domain.metering.package import NAME
from maas_operator.domain.names import backend_ref, product_ref, promotion_ref
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import condition_of
from maas_operator.domain.policies.platform import PlatformPolicies

from .backend import backend
from .drift import with_correction
from .plans import plans_of, plans_with_token_limits
from .platform import lacks_admin_api_only, metering_version, problem_of
from .product import product
from .promotion import config_hash, proxy_config_promote
from .promotions import Promotions, known_promotions
from .remote import Remote
from .routes import PRODUCTION, ROUTE_TO, host_of, timeouts
from .status import SyncPhase, SyncState, backend_state, product_state
from .steps import SafeChange


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is published of one model, and how far that has come.

    `routes`, `endpoint`: see `ModelServiceWorld`; `remote` is what 3scale itself says. `policies` are the platform's,
    `copied` the copies of their configurations that are there.
    """

    service: ModelService
    platform: ModelPlatform
    world: World
    routes: tuple[Manifest, ...]
    endpoint: str
    remote: Remote
    policies: PlatformPolicies
    copied: Collection[Ref]

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
        return config_hash(self._rendered, backend(self.service, self.platform), product_id=self.product_id)

    @cached_property
    def _rendered(self) -> Manifest:
        return product(self.service, self.platform, self.metering, self.policies)

    @cached_property
    def change(self) -> SafeChange:
        """Return the way to this Product from the one that is there."""
        return SafeChange(
            rendered=self._corrected(self._rendered),
            present=self.world.seen.get(self.product_ref),
            usage=self.remote.metric_usage,
            plans_in_use=self.remote.plans_in_use,
        )

    @cached_property
    def promotions(self) -> Promotions | None:
        """Return the promotions of the Product; None before it has an id."""
        if self.config_hash is None:
            return None
        return Promotions(
            found=known_promotions(self.service, self.world),
            wanted=promotion_ref(self.service, self.platform, self.config_hash),
            allowed=self.is_approved,
            overtaken=self.remote.overtaken,
            reachable=problem_of(self.platform, ConditionType.THREESCALE_READY) is None,
            now=self.world.now,
        )

    @property
    def is_approved(self) -> bool:
        """Tell whether this configuration may go to production."""
        wish = self.service.spec.api.promotion
        return wish.mode is PromotionMode.AUTOMATIC or wish.approved == self.config_hash

    @cached_property
    def is_promoted(self) -> bool:
        """Tell whether this configuration is in production."""
        return self.promotions is not None and self.promotions.done

    @cached_property
    def promoted_at(self) -> datetime | None:
        """Return when the promotion was done; None while it is not."""
        if self.promotions is None or not self.promotions.done:
            return None
        found = self.promotions.found[self.promotions.wanted] or {}
        condition = condition_of(found, "Ready") or condition_of(found, "Failed")
        return datetime.fromisoformat(condition["lastTransitionTime"])

    @property
    def live_after(self) -> datetime | None:
        """Return when the last gateway drops its cached configuration; None while nothing is promoted."""
        return self.promoted_at + self.platform.spec.gateway.configuration_cache if self.promoted_at else None

    @property
    def url(self) -> str | None:
        """Return where consumers find the API."""
        host = host_of(self.routes, {ROUTE_TO: PRODUCTION})
        base = f"https://{host}" if host else self._endpoint
        return f"{base}/v1" if base else None

    @property
    def _endpoint(self) -> str:
        """Return where 3scale publishes the Product; it tells it before there is anything to find."""
        return self.endpoint if self.is_promoted or self.service.status.url else ""

    @property
    def metering(self) -> str | None:
        """Return the version of the metering policy that counts this model's tokens; None if nobody does."""
        return metering_version(self.platform)

    @property
    def is_live(self) -> bool:
        """Tell whether every gateway uses this configuration."""
        return self.live_after is not None and self.world.now >= self.live_after

    @property
    def token_policy_version(self) -> str | None:
        """Return the version of the metering policy that gateways may use: the one before until this is live."""
        now = self.metering
        before = self.service.status.gateway.token_policy_version if self.service.status.gateway else None
        return now if self.is_live else before or (now if self.is_promoted else None)

    @property
    def threescale_problem(self) -> str | None:
        """Return why nothing can be written to 3scale; None when it can.

        The Admin API is needed for first writes only: what is there already is written on without it.
        """
        known = {self.backend_ref, self.product_ref} <= self.world.seen.keys()
        if known and lacks_admin_api_only(self.platform):
            return None
        return problem_of(self.platform, ConditionType.THREESCALE_READY)

    @property
    def policies_problem(self) -> str | None:
        """Return why no chain can be written; None when one can."""
        missing = next((ref for ref in self.policies.copies if ref not in self.copied), None)
        return self.policies.problem or (f"waiting for {missing}" if missing else None)

    @property
    def metering_problem(self) -> str | None:
        """Return why tokens would go uncounted if this were published; None when they are counted or need not be."""
        if self.metering:
            return None
        problem = problem_of(self.platform, ConditionType.TOKEN_POLICY_READY)
        plans = plans_with_token_limits(plans_of(self.service, self.platform))
        if plans:
            return f"spec.plans: {', '.join(plans)} limits tokens, which these gateways do not count: {problem}"
        # Left out because of a passing fault, the policy would come back by another promotion.
        managed = self.platform.spec.gateway.token_policy.mode is TokenPolicyMode.MANAGED
        return f"its tokens are counted, and that can not go on: {problem}" if managed and self._is_metered else None

    @property
    def _is_metered(self) -> bool:
        found = self.world.seen.get(self.product_ref)
        return found is not None and any(policy["name"] == NAME for policy in found["spec"].get("policies") or ())

    @property
    def is_held(self) -> bool:
        """Tell whether nothing may be written to 3scale."""
        return bool(self.policies_problem or self.metering_problem or self.threescale_problem or self.remote.barrier)

    def children(self) -> Iterable[Manifest]:
        """Return what can be written now, in order."""
        if self.is_held:
            return
        yield self._corrected(backend(self.service, self.platform))
        if not (self.backend.synced or self._is_rehearsed(self.backend)) or (
            self.promotions and self.promotions.unsafe
        ):
            return
        yield self.change.product
        if self.product.synced and self.config_hash and self.promotions and self.promotions.writable:
            yield proxy_config_promote(self.service, self.platform, self.config_hash)

    def patches(self) -> Iterable[Annotation]:
        """Return what others' objects lack."""
        return timeouts(self.routes, self.service.spec.api.timeouts, self.world.children)

    def _is_rehearsed(self, state: SyncState) -> bool:
        """Tell whether an object is new in a rehearsal: what follows does not depend on what 3scale answers."""
        return self.world.rehearsed and state.phase is SyncPhase.SILENT

    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is where it can not be written now."""
        if self.is_held or self.promotions is None:
            promotions = frozenset(known_promotions(self.service, self.world))
        else:
            promotions = self.promotions.staying(product_synced=self.product.synced)
        return frozenset({self.backend_ref, self.product_ref}) | promotions

    def _corrected(self, rendered: Manifest) -> Manifest:
        ref = ref_of(rendered)
        return with_correction(rendered, self.world.seen.get(ref), self.remote.edited_at.get(ref.kind.name))

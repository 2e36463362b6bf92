"""GatewayReady, Promoted and Live: how far a publication has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.api.remedies import REASONS
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true, unknown
from maas_operator.domain.objects import Ref, ref_of

from .publication import Publication
from .status import PromotionPhase, SyncPhase, SyncState
from .steps import StepName

_SILENCE: Final = timedelta(minutes=1)
"""How long the 3scale-operator may take for its first word."""

_REASONS: Final = {
    SyncPhase.SILENT: Reason.GATEWAY_SYNCING,
    SyncPhase.SYNCING: Reason.GATEWAY_SYNCING,
    SyncPhase.INVALID: Reason.GATEWAY_INVALID,
    SyncPhase.FAILED: Reason.GATEWAY_FAILED,
}

_WAITS: Final = {StepName.KEEP_METRICS: Reason.METRIC_IN_USE, StepName.KEEP_PLANS: Reason.PLAN_IN_USE}


def stages(publication: Publication) -> tuple[Condition, ...]:
    """Decide GatewayReady, Promoted and Live."""
    return (
        decide_condition(
            ConditionType.GATEWAY_READY,
            (
                _threescale_not_ready,
                _policies_not_ready,
                _token_policy_missing,
                _barred,
                _gateway_refused,
                _backend_not_synced,
                _plan_astray,
                _product_not_synced,
                _step_waits,
            ),
            publication,
            otherwise=true(Reason.READY, f"3scale has the product, with id {publication.product_id}"),
        ),
        decide_condition(
            ConditionType.PROMOTED,
            (_held, _not_approved, _promotion_refused, _promotion_failed, _overtaken, _promotion_pending),
            publication,
            otherwise=true(Reason.PROMOTED, "this configuration is in production"),
        ),
        decide_condition(
            ConditionType.LIVE,
            (_not_promoted, _route_missing, _gateways_caching, _timeout_not_set),
            publication,
            otherwise=true(Reason.LIVE, "every gateway uses this configuration"),
        ),
    )


def _threescale_not_ready(publication: Publication) -> Verdict | None:
    problem = publication.threescale_problem
    name = publication.platform.metadata.name
    return false(Reason.PLATFORM_NOT_READY, f"ModelPlatform {name}: {problem}") if problem else None


def _policies_not_ready(publication: Publication) -> Verdict | None:
    problem = publication.policies_problem
    name = publication.platform.metadata.name
    return false(Reason.PLATFORM_NOT_READY, f"ModelPlatform {name}: {problem}") if problem else None


def _token_policy_missing(publication: Publication) -> Verdict | None:
    problem = publication.metering_problem
    return false(Reason.TOKEN_POLICY_MISSING, problem) if problem else None


def _barred(publication: Publication) -> Verdict | None:
    return publication.remote.barrier


def _gateway_refused(publication: Publication) -> Verdict | None:
    return refused(publication.world.children, (publication.backend_ref, publication.product_ref))


def _backend_not_synced(publication: Publication) -> Verdict | None:
    return _not_synced(publication, publication.backend_ref, publication.backend)


def _plan_astray(publication: Publication) -> Verdict | None:
    """Say which plans of the portal are in the way: 3scale only says that there is one."""
    state, stray = publication.product, publication.remote.stray_plans
    if state.phase is not SyncPhase.FAILED or not stray:
        return None
    plans = "; ".join(f"plan {name} was made in 3scale and can not go: {who}" for name, who in stray.items())
    return false(Reason.GATEWAY_FAILED, f"{publication.product_ref}: {plans}; 3scale says: {state.message}")


def _product_not_synced(publication: Publication) -> Verdict | None:
    return _not_synced(publication, publication.product_ref, publication.product)


def _step_waits(publication: Publication) -> Verdict | None:
    """Say what stays although it is not wanted any more; nothing else waits for it."""
    step = publication.change.step
    return true(_WAITS[step.name], step.message) if step else None


def _not_synced(publication: Publication, ref: Ref, state: SyncState) -> Verdict | None:
    if state.synced:
        return None
    if state.phase is SyncPhase.SILENT and _is_old(publication, ref):
        silent = REASONS[Reason.GATEWAY_SILENT]
        return false(Reason.GATEWAY_SILENT, f"{ref}: {silent.meaning} {silent.remedy}")
    words = f"3scale says: {state.message}" if state.message else "waiting for the 3scale-operator"
    return false(_REASONS[state.phase], f"{ref}: {words}")


def _is_old(publication: Publication, ref: Ref) -> bool:
    child = publication.world.children.get(ref)
    created = child["metadata"].get("creationTimestamp") if child else None
    return created is not None and publication.world.now >= datetime.fromisoformat(created) + _SILENCE


def _held(publication: Publication) -> Verdict | None:
    """Tell that nothing is promoted while the rest is not in 3scale."""
    if publication.is_held or not (publication.backend.synced and publication.product.synced):
        return false(Reason.WAITING, "waiting for GatewayReady")
    return None


def _not_approved(publication: Publication) -> Verdict | None:
    """Tell that somebody wants to look first: what was promoted before stays in production."""
    if publication.is_approved or publication.is_promoted:
        return None
    words = f"set spec.api.promotion.approved to {publication.config_hash} to publish"
    return false(Reason.PROMOTION_NOT_APPROVED, words)


def _promotion_refused(publication: Publication) -> Verdict | None:
    promotions = publication.promotions
    return refused(publication.world.children, (promotions.wanted, *promotions.found)) if promotions else None


def _promotion_failed(publication: Publication) -> Verdict | None:
    promotions = publication.promotions
    if promotions is None or promotions.state.phase is not PromotionPhase.FAILED:
        return None
    return false(Reason.PROMOTION_FAILED, f"{promotions.wanted}: 3scale says: {promotions.state.message}")


def _overtaken(publication: Publication) -> Verdict | None:
    if publication.promotions is None or not publication.promotions.is_overtaken:
        return None
    return false(
        Reason.PROMOTING, "something else was promoted or deployed in 3scale: this configuration is promoted again"
    )


def _promotion_pending(publication: Publication) -> Verdict | None:
    promotions = publication.promotions
    if promotions is None or promotions.done:
        return None
    return false(Reason.PROMOTING, f"waiting for {promotions.wanted}")


def _not_promoted(publication: Publication) -> Verdict | None:
    return None if publication.is_promoted else unknown(Reason.WAITING, "waiting for Promoted")


def _route_missing(publication: Publication) -> Verdict | None:
    if publication.url:
        return None
    return false(
        Reason.ROUTE_MISSING,
        f"zync has made no Route for product {publication.product_id} yet: check that zync runs",
    )


def _gateways_caching(publication: Publication) -> Verdict | None:
    until = publication.live_after
    if until is None or publication.is_live:
        return None
    return false(Reason.GATEWAY_CACHING, f"gateways may use the configuration before until {until:%Y-%m-%dT%H:%M:%SZ}")


def _timeout_not_set(publication: Publication) -> Verdict | None:
    """Tell that long answers may be cut; all else works."""
    refusals = publication.world.children.refused
    refusal = next((refusals[ref] for ref in map(ref_of, publication.routes) if ref in refusals), None)
    if refusal is None:
        return None
    message = f"every gateway uses this configuration, but the router may cut long answers: {refusal.message}"
    return true(Reason.ROUTE_TIMEOUT_NOT_SET, message)

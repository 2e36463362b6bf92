"""ModelService: from a model reference to a served and published API, as one pure decision.

Three strands that do not wait for each other: `serving` (KServe), `gateway` (3scale) and `people` (the developers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService, PromotionMode
from maas_operator.api.reasons import ConditionType, Reason

from . import names
from .conditions import Condition, Verdict, decide_condition, false, summarise, true
from .decision import Decision, World
from .documents.documentation import Documentation
from .farewell import Farewell, Obstacles, refs_of
from .gateway import progress as gateway_progress
from .gateway.publication import Publication
from .gateway.remote import Remote
from .kinds import BACKEND, PRODUCT
from .minio.retirement import Retirement
from .objects import Manifest, Ref
from .observed import status_of
from .people.developers import developers_ready, subscription
from .people.secrets import StoredSecret
from .plan.changes import Write
from .plan.consequences import Consequence, consequences
from .plan.observation import observed
from .policies.platform import PlatformPolicies
from .serving.autoscaling import NO_AUTOSCALERS, Autoscalers
from .serving.kserve import Release
from .serving.progress import Serving, model_ready
from .serving.runtime_profiles import UnknownRuntime
from .serving.sources import NO_PREREQUISITES, Prerequisites
from .storage.backend import NOTHING_FOUND, Findings
from .storage.progress import BucketStorage, retained

POLL: Final = timedelta(seconds=30)
"""How often to look while something is not as it should be, in case that its event was lost."""

_LONGEST: Final = 1024
"""The longest message in the status that is not a condition's."""

_OF_PROMOTION: Final = (
    "stagingVersion",
    "productionVersion",
    "configHash",
    "promotedGeneration",
    "promotedAt",
    "liveAfter",
)


@dataclass(frozen=True, kw_only=True)
class ModelServiceWorld(World):
    """What a pass knows.

    `release`: the installed KServe's, if anything tells it.
    `inference_service`: the one that was there before this pass.
    `deployment`, `pods`: KServe's, as the cache has them. `routes`: the Product's, to production and staging.
    `endpoint`: where 3scale publishes the Product, in a cluster that has no Routes; else empty.
    `remote`: what 3scale itself says, where it was asked.
    `policy_secrets`, `installation`: see `PlatformPolicies`; `copied`: the copies of configurations that are there.
    `applications`: who uses the Product, and `obstacles`: known only while the service is being deleted.
    `config_map`: the ConfigMap of spec.api.openAPI, if there is one; `chat_template`: that of spec.serving.
    `runtimes`: what there is where the runtime of spec.serving.runtimeRef may be.
    `prerequisites`: the Secret's keys and the claims that the model refers to, as far as they exist.
    `storage`: what is there of the bucket of spec.storage; `storage_namespaces`: where keys of buckets may lie.
    `autoscalers`: what is known of KServe's and KEDA's.
    """

    service: ModelService
    platform: ModelPlatform | None
    threescale_namespaces: frozenset[str]
    release: Release | None
    inference_service: Manifest | None
    deployment: Manifest | None
    pods: tuple[Manifest, ...]
    routes: tuple[Manifest, ...]
    endpoint: str
    remote: Remote
    policy_secrets: Mapping[str, StoredSecret]
    installation: Manifest | None
    copied: frozenset[Ref]
    applications: tuple[str, ...]
    obstacles: Obstacles
    config_map: Manifest | None = None
    prerequisites: Prerequisites = NO_PREREQUISITES
    storage: Findings = NOTHING_FOUND
    storage_namespaces: frozenset[str] = frozenset()
    chat_template: Manifest | None = None
    runtimes: tuple[Manifest, ...] = ()
    autoscalers: Autoscalers = NO_AUTOSCALERS

    @property
    def namespaces(self) -> frozenset[str]:
        """Return where this service's children may live."""
        return self.threescale_namespaces | self.storage_namespaces | {self.service.metadata.namespace}


def needs_document_name(world: ModelServiceWorld) -> bool:
    """Tell whether 3scale must be asked for the name of a document, which this pass would write for the first time."""
    if world.deleting or world.platform is None or world.service.spec.management_policy is ManagementPolicy.PAUSED:
        return False
    publication = _publication(world, world.platform)
    return Documentation(publication=publication, config_map=world.config_map).needs_name


def decide(world: ModelServiceWorld) -> Decision:
    """Return what must be true of one model."""
    if world.deleting:
        return _farewell(world)
    if world.service.spec.management_policy is ManagementPolicy.PAUSED:
        return _paused(world)
    decision = _without_platform(world) if world.platform is None else _on_platform(world, world.platform)
    observes = world.service.spec.management_policy is ManagementPolicy.OBSERVE and not world.rehearsed
    return _observed(world, decision) if observes else decision


def _on_platform(world: ModelServiceWorld, platform: ModelPlatform) -> Decision:
    storage = BucketStorage(service=world.service, platform=platform, world=world, found=world.storage)
    retirement = _retirement(world)
    serving, publication = _serving(world, platform, storage), _publication(world, platform)
    documentation = Documentation(publication=publication, config_map=world.config_map)
    people = [subscription(world.service, developer) for developer in world.service.spec.developers]
    stages = (
        _platform_ready(platform),
        *storage.conditions(serving.state.message if serving.state.of_origin else ""),
        model_ready(serving),
        *gateway_progress.stages(publication),
        documentation.condition,
        developers_ready(world.service, world.children),
    )
    remote_settled = publication.change.step is None and not world.remote.look_again
    # No watch tells of HorizontalPodAutoscalers: their status is written every few seconds.
    scales = not world.autoscalers.failure_of_kubernetes
    ready = all(stage.status is ConditionStatus.TRUE for stage in stages)
    settled = remote_settled and retirement.done and scales and ready
    return Decision(
        conditions=(*_summary(stages, in_bucket=world.service.spec.model.source.bucket_path is not None), *stages),
        children=(
            *storage.children,
            *retirement.children,
            *serving.children,
            *publication.children(),
            *documentation.children(),
            *people,
        ),
        patches=tuple(publication.patches()),
        keep=storage.keep() | retirement.keep | serving.keep() | publication.keep() | documentation.keep(),
        sweep=serving.sweep(),
        namespaces=world.namespaces,
        status=_status(world, storage, serving, publication),
        wake_after=None if settled else _patience(publication),
    )


def _serving(world: ModelServiceWorld, platform: ModelPlatform, storage: BucketStorage) -> Serving:
    return Serving(
        service=world.service,
        platform=platform,
        world=world,
        release=world.release,
        inference_service=world.inference_service,
        deployment=world.deployment,
        pods=world.pods,
        found=world.prerequisites,
        bucket=storage.bucket,
        origin=storage.origin,
        runtimes=world.runtimes,
        config_map=world.chat_template,
        autoscalers=world.autoscalers,
    )


def _retirement(world: ModelServiceWorld) -> Retirement:
    return Retirement(service=world.service, platform=world.platform, world=world, found=world.storage)


def _publication(world: ModelServiceWorld, platform: ModelPlatform) -> Publication:
    return Publication(
        service=world.service,
        platform=platform,
        world=world,
        routes=world.routes,
        endpoint=world.endpoint,
        remote=world.remote,
        policies=PlatformPolicies(platform=platform, secrets=world.policy_secrets, installation=world.installation),
        copied=world.copied,
    )


def _summary(stages: Sequence[Condition], *, in_bucket: bool) -> tuple[Condition, ...]:
    """Ready is: the model serves, and this generation is promoted (design rule 11). Developers are not part of it.

    A bucket is why the model does not serve, or none of its affair.
    """
    counted = {ConditionType.MODEL_READY, ConditionType.GATEWAY_READY, ConditionType.PROMOTED}
    if in_bucket and any(
        one.type is ConditionType.MODEL_READY and one.status is not ConditionStatus.TRUE for one in stages
    ):
        counted.add(ConditionType.STORAGE_READY)
    return summarise([stage for stage in stages if stage.type in counted], ready="the model is served and published")


def _patience(publication: Publication) -> timedelta:
    """Return when to look again: at the latest when the gateways have dropped what they cached."""
    until = publication.live_after
    if until is None or until <= publication.world.now:
        return POLL
    return min(POLL, until - publication.world.now)


def _without_platform(world: ModelServiceWorld) -> Decision:
    name = world.service.spec.platform_ref.name
    missing = Condition(
        ConditionType.PLATFORM_READY,
        ConditionStatus.FALSE,
        Reason.PLATFORM_MISSING,
        f"spec.platformRef: there is no ModelPlatform {name}: create it",
    )
    return Decision(
        conditions=(
            *summarise((missing,), ready=""),
            missing,
            *_waiting_for(ConditionType.PLATFORM_READY, storage=world.service.spec.storage is not None),
        ),
        prune=False,
        namespaces=world.namespaces,
        status=_kept_status(world.service),
        wake_after=POLL,
    )


def _waiting_for(type_: ConditionType, *, storage: bool) -> Iterable[Condition]:
    for later in (
        *((ConditionType.STORAGE_READY,) if storage else ()),
        ConditionType.MODEL_READY,
        ConditionType.GATEWAY_READY,
        ConditionType.PROMOTED,
        ConditionType.LIVE,
        ConditionType.DOCUMENTATION_READY,
        ConditionType.DEVELOPERS_READY,
    ):
        yield Condition(later, ConditionStatus.UNKNOWN, Reason.WAITING, f"waiting for {type_}")


def _paused(world: ModelServiceWorld) -> Decision:
    """Change nothing, and claim nothing: what Ready said was of another time."""
    message = "spec.managementPolicy is Paused: nothing is changed and nothing is checked"
    return Decision(
        conditions=(
            Condition(ConditionType.READY, ConditionStatus.UNKNOWN, Reason.PAUSED, message),
            Condition(ConditionType.RECONCILING, ConditionStatus.FALSE, Reason.PAUSED, message),
            Condition(ConditionType.STALLED, ConditionStatus.FALSE, Reason.PAUSED, message),
        ),
        prune=False,
        namespaces=world.namespaces,
        status=_kept_status(world.service),
    )


def _observed(world: ModelServiceWorld, decision: Decision) -> Decision:
    """Tell what is there, and what would be changed."""
    return observed(decision, world.pending, what_follows(world, decision, world.pending), _kept_status(world.service))


def what_follows(world: ModelServiceWorld, decision: Decision, writes: Iterable[Write]) -> tuple[Consequence, ...]:
    """Return what follows from the writes of a rehearsed pass."""
    promotion = world.service.spec.api.promotion
    candidate = decision.status.get("gateway", {}).get("candidateHash")
    waits = promotion.mode is PromotionMode.MANUAL and promotion.approved != candidate
    return consequences(writes, plans_in_use=world.remote.plans_in_use, approval=candidate if waits else None)


def _farewell(world: ModelServiceWorld) -> Decision:
    """Let go of everything; the Product stays while others' Applications use it."""
    farewell = Farewell(
        world=world,
        inventory=refs_of(world.service.status.children),
        namespaces=world.namespaces,
        obstacles=world.obstacles,
    )
    retirement = _retirement(world)
    leaving = decide_condition(
        ConditionType.GATEWAY_READY, (_used_by_others, _key_is_known), world, otherwise=farewell.verdict
    )
    in_use = [ref for ref in world.seen if ref.kind in (PRODUCT, BACKEND)] if world.applications else []
    return Decision(
        conditions=summarise((leaving,), ready=""),
        children=() if farewell.forced else retirement.children,
        keep=frozenset(in_use)
        | farewell.held
        | retained(world.service, world)
        | (frozenset() if farewell.forced else retirement.keep),
        namespaces=world.namespaces,
        releasable=farewell.releasable and not world.applications and retirement.done,
        # Others' access is no remainder of this model: they lose it when they are deleted, and not before.
        forced=farewell.forced and not world.applications,
        status=_kept_status(world.service),
        wake_after=POLL,
    )


def _key_is_known(world: ModelServiceWorld) -> Verdict | None:
    """Tell that somebody may still get into the bucket."""
    return _retirement(world).verdict


def _used_by_others(world: ModelServiceWorld) -> Verdict | None:
    if not world.applications or world.remaining:
        return None
    users = ", ".join(world.applications)
    return false(Reason.DELETING, f"waiting for {users}, which use the product, to be deleted")


def _platform_ready(platform: ModelPlatform) -> Condition:
    return decide_condition(
        ConditionType.PLATFORM_READY,
        (_platform_leaving, _platform_not_ready),
        platform,
        otherwise=true(Reason.READY, f"ModelPlatform {platform.metadata.name} is ready"),
    )


def _platform_leaving(platform: ModelPlatform) -> Verdict | None:
    if platform.metadata.deletion_timestamp is None:
        return None
    return false(Reason.PLATFORM_NOT_READY, f"ModelPlatform {platform.metadata.name} is being deleted")


def _platform_not_ready(platform: ModelPlatform) -> Verdict | None:
    ready = next((one for one in platform.status.conditions if one.type == ConditionType.READY), None)
    if ready is not None and ready.status is ConditionStatus.TRUE:
        return None
    why = ready.message if ready else "not checked yet"
    too_old = ready is not None and ready.reason == Reason.KSERVE_TOO_OLD
    reason = Reason.KSERVE_TOO_OLD if too_old else Reason.PLATFORM_NOT_READY
    return false(reason, f"ModelPlatform {platform.metadata.name}: {why}")


def _status(
    world: ModelServiceWorld, storage: BucketStorage, serving: Serving, publication: Publication
) -> dict[str, Any]:
    service, profile = world.service, serving.profile
    running = {} if isinstance(profile, UnknownRuntime) else {"runtime": profile.name}
    published = {"url": publication.url} if publication.url else {}
    stored = {"storage": storage.status} if storage.status else {}
    return {
        "internalURL": names.internal_url(service),
        "modelName": names.model_id(service),
        "replicas": status_of(world.deployment or {}).get("replicas", 0),
        "selector": f"app=isvc.{service.metadata.name}-predictor",
        "gateway": _gateway_status(service, publication),
        **running,
        **published,
        **stored,
    }


def _gateway_status(service: ModelService, publication: Publication) -> dict[str, Any]:
    promoted = _promoted_status(service, publication)
    candidate = publication.config_hash
    fields = {
        "systemName": names.system_name(service),
        "productID": publication.product_id,
        "candidateHash": candidate if candidate != promoted.get("configHash") else None,
        "step": _step_status(publication),
        "tokenPolicyVersion": publication.token_policy_version,
    }
    return promoted | {key: value for key, value in fields.items() if value is not None}


def _step_status(publication: Publication) -> dict[str, Any] | None:
    step = publication.change.step
    return {"name": step.name, "hash": step.hash, "message": step.message[:_LONGEST]} if step else None


def _promoted_status(service: ModelService, publication: Publication) -> dict[str, Any]:
    """Return what was promoted last: this configuration, or else what the status says of one before."""
    at, live_after, promotions = publication.promoted_at, publication.live_after, publication.promotions
    if at is None or live_after is None or promotions is None:
        before = service.status.gateway.dump() if service.status.gateway else {}
        return {key: before[key] for key in _OF_PROMOTION if key in before}
    fields = {
        "stagingVersion": promotions.state.staging_version,
        "productionVersion": promotions.state.production_version,
        "configHash": publication.config_hash,
        "promotedGeneration": service.metadata.generation,
        "promotedAt": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "liveAfter": f"{live_after:%Y-%m-%dT%H:%M:%SZ}",
    }
    return {key: value for key, value in fields.items() if value is not None}


def _kept_status(service: ModelService) -> dict[str, Any]:
    """Return the status fields as they were, for a pass that looks at nothing."""
    handled = {"observedGeneration", "children", "conditions", "pendingChanges", "pendingConsequences"}
    return {key: value for key, value in service.status.dump().items() if key not in handled}

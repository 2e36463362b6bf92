"""ModelReady: whether the model answers inside the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.api.remedies import REASONS
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true, unknown
from maas_operator.domain.decision import World
from maas_operator.domain.kinds import SERVING_RUNTIME
from maas_operator.domain.labels import annotations_of
from maas_operator.domain.names import (
    api_service_ref,
    inference_service_ref,
    name_violation,
    network_policy_ref,
    serving_runtime_ref,
)
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of
from maas_operator.domain.storage.bucket import Bucket

from .autoscaling import AUTOSCALER_CLASS, NO_AUTOSCALERS, Autoscalers, Scaling, Unscalable, needs_keda, scaling
from .chat_template import template_hash
from .inference_service import (
    RAW_DEPLOYMENT,
    STANDARD,
    STOP,
    config_hash,
    deployment_mode,
    inference_service,
    told_config_hash,
)
from .kserve import TOO_OLD_MESSAGE, Release
from .network_policy import network_policy
from .origins import Origin, origins_of
from .pods import current_pods
from .prerequisites import prerequisite_problem
from .referred_runtime import ReferredRuntime, chosen_runtime
from .refusals import refused_setting
from .runtime_profiles import UnknownRuntime, unsupported_tasks, version_of
from .service import api_service
from .serving_runtime import runtime_name, serving_runtime
from .sources import NO_PREREQUISITES, Prerequisites, Source, source_of
from .status import ModelState, carries, model_state

_MODE_REFUSED: Final = "deploymentMode cannot be changed"
"""KServe's words."""
_KSERVE_PATIENCE: Final = timedelta(minutes=5)
_METRICS_PATIENCE: Final = timedelta(minutes=2)
"""How long after the start of a pod there may be no metrics of it."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How one model is served, and how far that has come.

    `inference_service` is as it was before this pass; `deployment` and `pods` are as the cache has them.
    `runtimes`: what there is where the runtime of spec.serving.runtimeRef may be. `config_map`: that of its chat
    template, if there is one. `found`: what the model refers to, as far as it exists. `origin`: that of a model in a
    bucket.
    """

    service: ModelService
    platform: ModelPlatform
    world: World
    release: Release | None
    inference_service: Manifest | None
    deployment: Manifest | None
    pods: tuple[Manifest, ...]
    runtimes: tuple[Manifest, ...] = ()
    config_map: Manifest | None = None
    found: Prerequisites = NO_PREREQUISITES
    bucket: Bucket | None = None
    origin: Origin | None = None
    autoscalers: Autoscalers = NO_AUTOSCALERS

    @cached_property
    def source(self) -> Source:
        """Return where KServe takes the model from."""
        return source_of(self.service, self.found, self.bucket)

    @cached_property
    def profile(self) -> RuntimeProfile | UnknownRuntime:
        """Return the runtime, or why there is none."""
        return chosen_runtime(self.service, self.platform, self.runtimes)

    @cached_property
    def template_hash(self) -> str | Verdict:
        """Return the hash of the chat template, or why there is none to use."""
        return template_hash(self.service, self.config_map)

    @cached_property
    def refused_setting(self) -> Verdict | None:
        """Return why the model server could not be started as the spec says; None if it can."""
        profile = self.profile
        return None if isinstance(profile, UnknownRuntime) else refused_setting(self.service, profile)

    @cached_property
    def scaling(self) -> Scaling | Unscalable | None:
        """Return how the model is scaled, or what that lacks; None if there is no runtime."""
        profile = self.profile
        if isinstance(profile, UnknownRuntime):
            return None
        wanted = scaling(self.service, self.platform, profile, keda=self.autoscalers.keda)
        if isinstance(wanted, Scaling) and self._keeps_default_class:
            return replace(wanted, autoscaler=None)
        return wanted

    @property
    def _keeps_default_class(self) -> bool:
        """Tell whether the class stays unsaid: older versions did not say it, and saying it would restart the pods."""
        told = self.inference_service
        return (
            told is not None
            and not needs_keda(self.service)
            and AUTOSCALER_CLASS not in annotations_of(told)
            and told_config_hash(told) == self._hash_of_spec
        )

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Return the addresses of the children."""
        service = self.service
        return (
            self.runtime_ref,
            inference_service_ref(service),
            api_service_ref(service),
            network_policy_ref(service),
        )

    @cached_property
    def children(self) -> tuple[Manifest, ...]:
        """Return what can be written, in order: a ServingRuntime that comes late triggers nothing in KServe."""
        return tuple(self._children())

    @property
    def told_mode(self) -> str | None:
        """Return KServe's word for how it runs this model; None before it has said one."""
        return status_of(self.inference_service or {}).get("deploymentMode")

    @property
    def is_of_wrong_mode(self) -> bool:
        """Tell whether KServe runs the model as something else than a plain Deployment."""
        return self.told_mode not in (None, RAW_DEPLOYMENT, STANDARD)

    def _children(self) -> Iterable[Manifest]:
        profile, template, replicas = self.profile, self.template_hash, self.scaling
        if isinstance(profile, UnknownRuntime) or name_violation(self.service) is not None or self.lacks_bucket:
            return
        if self.release is Release.TOO_OLD or self.is_of_wrong_mode:
            return
        if prerequisite_problem(self.service, self.found) is not None:
            return
        if isinstance(template, Verdict) or self.refused_setting is not None:
            return
        if isinstance(replicas, Unscalable):
            return
        runtime = self.runtime_ref.name
        if not isinstance(profile, ReferredRuntime):
            yield serving_runtime(self.service, profile, name=runtime)
        policy = network_policy(self.service, self.platform)
        if policy is not None:
            yield policy
        yield api_service(self.service)
        yield inference_service(
            self.service,
            profile,
            deployment_mode=deployment_mode(self.told_mode, self.release),
            source=self.source,
            hash_of_pods=self._hash_of_spec,
            runtime=runtime,
            scaling=replicas,
        )

    @property
    def lacks_bucket(self) -> bool:
        """Tell whether the model is in a bucket that is not there yet."""
        return self.service.spec.model.source.bucket_path is not None and self.bucket is None

    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is: where nothing can be written now; and runtimes that KServe still goes by."""
        return frozenset((*(() if self.children else self.refs), *self._runtimes_in_use()))

    def _runtimes_in_use(self) -> Iterable[Ref]:
        acted = self.world.rehearsed or carries(self.deployment, self.wanted_hash)
        if self.children and (acted or self.service.spec.serving.replicas == 0):
            return ()
        return (ref for ref in self.world.seen if ref.kind == SERVING_RUNTIME and ref != self.runtime_ref)

    @cached_property
    def runtime_ref(self) -> Ref:
        """Return the address of the ServingRuntime: as it was while the pods are to run what they were told to run.

        So an operator that named it otherwise is followed without a restart.
        """
        profile, told = self.profile, self.inference_service
        name = told["spec"]["predictor"].get("model", {}).get("runtime") if told else None
        if isinstance(profile, UnknownRuntime):
            return serving_runtime_ref(self.service, name)
        if isinstance(profile, ReferredRuntime):
            return serving_runtime_ref(self.service, profile.name)
        if told and name and told_config_hash(told) == self._hash_of_spec:
            return serving_runtime_ref(self.service, name)
        return serving_runtime_ref(self.service, runtime_name(self.service, profile))

    def sweep(self) -> Mapping[Ref, str]:
        """Return what KServe has left behind of another class of autoscaler: two would fight over the replicas."""
        leftover, told = self.autoscalers.leftover, self.inference_service
        return {leftover: told["metadata"]["uid"]} if leftover is not None and told is not None else {}

    @cached_property
    def state(self) -> ModelState:
        """Return what KServe and the pods say; no pod is one of an unknown runtime."""
        return model_state(
            self.world.children.get(inference_service_ref(self.service)),
            self.deployment,
            self.pods,
            config_hash=self.wanted_hash,
            origins=origins_of(self.service, self.origin),
        )

    @cached_property
    def _hash_of_spec(self) -> str:
        profile, template = self.profile, self.template_hash
        if isinstance(profile, UnknownRuntime) or self.lacks_bucket or isinstance(template, Verdict):
            return ""
        return config_hash(self.service, profile, self.source, template_hash=template)

    @cached_property
    def wanted_hash(self) -> str:
        """Return the hash of what the pods should run: while nothing is changed, what KServe was told at last.

        It is empty for an unknown runtime, of which no pod is.
        """
        found = self.world.children.get(inference_service_ref(self.service))
        observes = self.service.spec.management_policy is ManagementPolicy.OBSERVE
        if found is None or not observes or isinstance(self.profile, UnknownRuntime):
            return self._hash_of_spec
        return told_config_hash(found)

    @property
    def unready_since(self) -> datetime | None:
        """Return since when ModelReady has been False, as its status says."""
        return self._since(ConditionStatus.FALSE)

    @property
    def ready_since(self) -> datetime | None:
        """Return since when ModelReady has been True, as its status says."""
        return self._since(ConditionStatus.TRUE)

    def _since(self, status: ConditionStatus) -> datetime | None:
        told = [one for one in self.service.status.conditions if one.type == ConditionType.MODEL_READY]
        return next((one.last_transition_time for one in told if one.status is status), None)

    @property
    def waiting_since(self) -> datetime | None:
        """Return since when a start has been waited for: of the newest pod, if it is younger than the wait."""
        since = self.unready_since
        if since is None:
            return None
        newest = current_pods(self.pods, config_hash=self.wanted_hash)[:1]
        return max([since, *(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in newest)])

    @cached_property
    def cause(self) -> Verdict | None:
        """Return why the model does not serve; None if it does."""
        state = self.state
        if state.ready:
            return None
        if self._is_silent(state):
            ref = inference_service_ref(self.service)
            return false(Reason.KSERVE_SILENT, f"{ref} waits for KServe: see whether its controller runs")
        words = state.message or f"{inference_service_ref(self.service)}: {REASONS[state.reason].meaning}"
        return false(state.reason, words)

    def _is_silent(self, state: ModelState) -> bool:
        """Tell whether KServe has not even begun with what the InferenceService says, and has had the time to."""
        since, written = self.unready_since, self.world.children.get(inference_service_ref(self.service))
        waits = not state.failed and state.reason is not Reason.STOPPED and written is not None
        begun = carries(self.deployment, self.wanted_hash)
        return waits and not begun and since is not None and self.world.now >= since + _KSERVE_PATIENCE


def model_ready(serving: Serving) -> Condition:
    """Decide ModelReady."""
    return decide_condition(
        ConditionType.MODEL_READY,
        (
            _kserve_too_old,
            _wrong_mode,
            _name_too_long,
            _runtime_missing,
            _setting_refused,
            _template_unusable,
            _task_unsupported,
            _no_bucket,
            _prerequisite_lacking,
            _unscalable,
            _refused,
            _begins_anew,
            _startup_timeout,
            _not_serving,
            _autoscaler_failing,
        ),
        serving,
        otherwise=true(Reason.READY, "the model answers inside the cluster"),
    )


def _kserve_too_old(serving: Serving) -> Verdict | None:
    return false(Reason.KSERVE_TOO_OLD, TOO_OLD_MESSAGE) if serving.release is Release.TOO_OLD else None


def _wrong_mode(serving: Serving) -> Verdict | None:
    """Tell that KServe runs the model in another mode, or says so of a mode that it has renamed: it changes neither."""
    ref = inference_service_ref(serving.service)
    refusal = serving.world.children.refused.get(ref)
    words = refusal.message if refusal and _MODE_REFUSED in refusal.message else ""
    if not words and not serving.is_of_wrong_mode:
        return None
    found = words or f"{ref} runs as {serving.told_mode}, and not as a plain Deployment"
    return false(
        Reason.DEPLOYMENT_MODE_FIXED,
        f"{found}; KServe changes no mode of an InferenceService: delete this one, and it is made anew",
    )


def _name_too_long(serving: Serving) -> Verdict | None:
    violation = name_violation(serving.service)
    return false(Reason.NAME_TOO_LONG, f"metadata.name: {violation}") if violation else None


def _runtime_missing(serving: Serving) -> Verdict | None:
    profile = serving.profile
    if not isinstance(profile, UnknownRuntime):
        return None
    return false(profile.reason, f"{profile.field}: {profile.message}")


def _setting_refused(serving: Serving) -> Verdict | None:
    return serving.refused_setting


def _template_unusable(serving: Serving) -> Verdict | None:
    return serving.template_hash if isinstance(serving.template_hash, Verdict) else None


def _task_unsupported(serving: Serving) -> Verdict | None:
    profile = serving.profile
    if isinstance(profile, UnknownRuntime) or not (tasks := unsupported_tasks(serving.service, profile)):
        return None
    return false(
        Reason.RUNTIME_REFUSED,
        f"spec.model.tasks: {version_of(profile)} has no {', '.join(tasks)}: drop the task or choose a newer runtime",
    )


def _no_bucket(serving: Serving) -> Verdict | None:
    if not serving.lacks_bucket:
        return None
    return unknown(Reason.WAITING, f"waiting for {ConditionType.STORAGE_READY}")


def _prerequisite_lacking(serving: Serving) -> Verdict | None:
    return prerequisite_problem(serving.service, serving.found)


def _unscalable(serving: Serving) -> Verdict | None:
    found = serving.scaling
    return false(Reason.AUTOSCALING_UNAVAILABLE, found.message) if isinstance(found, Unscalable) else None


def _refused(serving: Serving) -> Verdict | None:
    return refused(serving.world.children, serving.refs)


def _begins_anew(serving: Serving) -> Verdict | None:
    """Tell that this pass starts a model that did not serve: the status flips, and its time counts from here on."""
    ref = inference_service_ref(serving.service)
    told, written = serving.inference_service, serving.world.children.get(ref)
    if told is None or written is None or serving.unready_since is None:
        return None
    if not _starts(written, serving.wanted_hash) or _starts(told, serving.wanted_hash):
        return None
    return unknown(Reason.MODEL_STARTING, f"{ref} was changed: its pods follow")


def _starts(inference_service: Manifest, config_hash: str) -> bool:
    return told_config_hash(inference_service) == config_hash and STOP not in annotations_of(inference_service)


def _startup_timeout(serving: Serving) -> Verdict | None:
    """Tell that the newest pod had its time; what is wrong with it is part of the message."""
    cause, since = serving.cause, serving.waiting_since
    timeout = serving.service.spec.serving.startup_timeout
    if cause is None or since is None or serving.world.now < since + timeout:
        return None
    if cause.reason in (Reason.STOPPED, Reason.ROLLING_OUT):
        return None
    return false(
        Reason.STARTUP_TIMEOUT,
        f"not ready within spec.serving.startupTimeout: {cause.reason}: {cause.message}",
    )


def _not_serving(serving: Serving) -> Verdict | None:
    return serving.cause


def _autoscaler_failing(serving: Serving) -> Verdict | None:
    """Tell, of a model that answers, that its autoscaler can not do its work."""
    metered = serving.ready_since is not None and serving.world.now >= serving.ready_since + _METRICS_PATIENCE
    autoscalers = serving.autoscalers
    failure = autoscalers.failure_of_keda or (autoscalers.failure_of_kubernetes if metered else "")
    return true(Reason.AUTOSCALER_FAILING, f"the model answers inside the cluster, but {failure}") if failure else None

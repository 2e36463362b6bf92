"""ModelReady: whether the model answers inside the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.api.reasons import REASONS, ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true
from maas_operator.domain.decision import World
from maas_operator.domain.labels import annotations_of
from maas_operator.domain.names import (
    api_service_ref,
    inference_service_ref,
    name_violation,
    network_policy_ref,
    serving_runtime_ref,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import condition_of

from .autoscaling import AUTOSCALER_CLASS, NO_AUTOSCALERS, Autoscalers, Scaling, Unscalable, needs_keda, scaling
from .inference_service import config_hash, inference_service, told_config_hash
from .network_policy import network_policy
from .runtime_profiles import UnknownRuntime, runtime_profile, unsupported_tasks
from .service import api_service
from .serving_runtime import serving_runtime
from .status import ModelState, model_state


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How one model is served, and how far that has come. `deployment` and `pods` are as the cache has them."""

    service: ModelService
    platform: ModelPlatform
    world: World
    deployment_mode: str | None
    deployment: Manifest | None
    pods: tuple[Manifest, ...]
    autoscalers: Autoscalers = NO_AUTOSCALERS

    @cached_property
    def profile(self) -> RuntimeProfile | UnknownRuntime:
        """Return the runtime profile, or that there is none of the name."""
        return runtime_profile(self.service, self.platform)

    @cached_property
    def scaling(self) -> Scaling | Unscalable | None:
        """Return how the model is scaled, or what that lacks; None if there is no runtime."""
        profile = self.profile
        if isinstance(profile, UnknownRuntime):
            return None
        wanted = scaling(self.service, self.platform, profile, keda=self.autoscalers.keda)
        if isinstance(wanted, Scaling) and self._keeps_default_class(profile):
            return replace(wanted, autoscaler=None)
        return wanted

    def _keeps_default_class(self, profile: RuntimeProfile) -> bool:
        """Tell whether the class stays unsaid: older versions did not say it, and saying it would restart the pods."""
        told = self.autoscalers.told
        return (
            told is not None
            and not needs_keda(self.service)
            and AUTOSCALER_CLASS not in annotations_of(told)
            and told_config_hash(told) == config_hash(self.service, profile)
        )

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Return the addresses of the children."""
        service = self.service
        return (
            serving_runtime_ref(service),
            inference_service_ref(service),
            api_service_ref(service),
            network_policy_ref(service),
        )

    @cached_property
    def children(self) -> tuple[Manifest, ...]:
        """Return what can be written, in order: a ServingRuntime that comes late triggers nothing in KServe."""
        return tuple(self._children())

    def _children(self) -> Iterable[Manifest]:
        profile, replicas = self.profile, self.scaling
        if isinstance(profile, UnknownRuntime) or name_violation(self.service) is not None:
            return
        if isinstance(replicas, Unscalable):
            return
        yield serving_runtime(self.service, profile)
        policy = network_policy(self.service, self.platform)
        if policy is not None:
            yield policy
        yield api_service(self.service)
        yield inference_service(self.service, profile, deployment_mode=self.deployment_mode, scaling=replicas)

    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is where it can not be written now."""
        return frozenset(() if self.children else self.refs)

    def sweep(self) -> Mapping[Ref, str]:
        """Return what KServe has left behind of another class of autoscaler: two would fight over the replicas."""
        leftover, told = self.autoscalers.leftover, self.autoscalers.told
        return {leftover: told["metadata"]["uid"]} if leftover is not None and told is not None else {}

    @cached_property
    def state(self) -> ModelState:
        """Return what KServe and the pods say; no pod is one of an unknown runtime."""
        profile = self.profile
        return model_state(
            self.world.children.get(inference_service_ref(self.service)),
            self.deployment,
            self.pods,
            config_hash="" if isinstance(profile, UnknownRuntime) else self._config_hash(profile),
        )

    def _config_hash(self, profile: RuntimeProfile) -> str:
        """Return what the pods should run: while nothing is changed, what KServe was told at last."""
        found = self.world.children.get(inference_service_ref(self.service))
        if found is not None and self.service.spec.management_policy is ManagementPolicy.OBSERVE:
            return told_config_hash(found)
        return config_hash(self.service, profile)

    @property
    def started_at(self) -> datetime | None:
        """Return when the newest pod was made; None when there is none."""
        times = [pod["metadata"]["creationTimestamp"] for pod in self.pods]
        return datetime.fromisoformat(max(times)) if times else None


def model_ready(serving: Serving) -> Condition:
    """Decide ModelReady."""
    return decide_condition(
        ConditionType.MODEL_READY,
        (
            _name_too_long,
            _runtime_missing,
            _task_unsupported,
            _unscalable,
            _refused,
            _startup_timeout,
            _not_serving,
            _autoscaler_failing,
        ),
        serving,
        otherwise=true(Reason.READY, "the model answers inside the cluster"),
    )


def _name_too_long(serving: Serving) -> Verdict | None:
    violation = name_violation(serving.service)
    return false(Reason.NAME_TOO_LONG, f"metadata.name: {violation}") if violation else None


def _runtime_missing(serving: Serving) -> Verdict | None:
    profile = serving.profile
    if not isinstance(profile, UnknownRuntime):
        return None
    return false(Reason.RUNTIME_MISSING, f"spec.serving.runtime: {profile.message}")


def _task_unsupported(serving: Serving) -> Verdict | None:
    profile = serving.profile
    if isinstance(profile, UnknownRuntime) or not (tasks := unsupported_tasks(serving.service, profile)):
        return None
    return false(
        Reason.RUNTIME_REFUSED,
        f"spec.model.tasks: vLLM {profile.version} of runtime {profile.name} has no {', '.join(tasks)}:"
        " drop the task or choose a newer runtime",
    )


def _unscalable(serving: Serving) -> Verdict | None:
    found = serving.scaling
    return false(Reason.AUTOSCALING_UNAVAILABLE, found.message) if isinstance(found, Unscalable) else None


def _refused(serving: Serving) -> Verdict | None:
    return refused(serving.world.children, serving.refs)


def _startup_timeout(serving: Serving) -> Verdict | None:
    """Tell that the newest pod had its time; what is wrong with it is part of the message."""
    state, started_at = serving.state, serving.started_at
    timeout = serving.service.spec.serving.startup_timeout
    if state.ready or started_at is None or serving.world.now < started_at + timeout:
        return None
    if state.reason in (Reason.STOPPED, Reason.ROLLING_OUT):
        return None
    return false(
        Reason.STARTUP_TIMEOUT,
        f"not ready within spec.serving.startupTimeout: {state.reason}: {_words(serving, state)}",
    )


def _not_serving(serving: Serving) -> Verdict | None:
    state = serving.state
    if state.ready:
        return None
    return false(state.reason, _words(serving, state))


def _autoscaler_failing(serving: Serving) -> Verdict | None:
    """Tell, of a model that answers, that KEDA can not do its work."""
    found = serving.autoscalers.scaled_object
    problem = condition_of(found, "Ready") if found is not None else {}
    if found is None or problem.get("status") != "False":
        return None
    return true(
        Reason.AUTOSCALER_FAILING,
        f"the model answers inside the cluster, but {ref_of(found)} does not scale it:"
        f" {problem.get('reason', '')}: {problem.get('message', '')}",
    )


def _words(serving: Serving, state: ModelState) -> str:
    return state.message or f"{inference_service_ref(serving.service)}: {REASONS[state.reason].meaning}"

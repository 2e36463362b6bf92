"""ModelReady: whether the model answers inside the cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.api.reasons import REASONS, ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true, unknown
from maas_operator.domain.decision import World
from maas_operator.domain.names import (
    api_service_ref,
    inference_service_ref,
    name_violation,
    network_policy_ref,
    serving_runtime_ref,
)
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.storage.bucket import Bucket

from .chat_template import template_hash
from .inference_service import config_hash, inference_service, told_config_hash
from .network_policy import network_policy
from .prerequisites import prerequisite_problem
from .referred_runtime import ReferredRuntime, chosen_runtime
from .refusals import refused_setting
from .runtime_profiles import UnknownRuntime, unsupported_tasks, version_of
from .service import api_service
from .serving_runtime import serving_runtime
from .sources import NO_PREREQUISITES, Prerequisites, Source, source_of
from .status import ModelState, model_state


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How one model is served, and how far that has come. `deployment` and `pods` are as the cache has them.

    `runtimes`: what there is where the runtime of spec.serving.runtimeRef may be. `config_map`: that of its chat
    template, if there is one. `found`: what the model refers to, as far as it exists.
    """

    service: ModelService
    platform: ModelPlatform
    world: World
    deployment_mode: str | None
    deployment: Manifest | None
    pods: tuple[Manifest, ...]
    runtimes: tuple[Manifest, ...] = ()
    config_map: Manifest | None = None
    found: Prerequisites = NO_PREREQUISITES
    bucket: Bucket | None = None

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
        profile, template = self.profile, self.template_hash
        if isinstance(profile, UnknownRuntime) or name_violation(self.service) is not None or self.lacks_bucket:
            return
        if prerequisite_problem(self.service, self.found) is not None:
            return
        if isinstance(template, Verdict) or self.refused_setting is not None:
            return
        if not isinstance(profile, ReferredRuntime):
            yield serving_runtime(self.service, profile)
        policy = network_policy(self.service, self.platform)
        if policy is not None:
            yield policy
        yield api_service(self.service)
        yield inference_service(
            self.service, profile, deployment_mode=self.deployment_mode, source=self.source, template_hash=template
        )

    @property
    def lacks_bucket(self) -> bool:
        """Tell whether the model is in a bucket that is not there yet."""
        return self.service.spec.model.source.bucket_path is not None and self.bucket is None

    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is where it can not be written now."""
        return frozenset(() if self.children else self.refs)

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
        found, template = self.world.children.get(inference_service_ref(self.service)), self.template_hash
        if found is not None and self.service.spec.management_policy is ManagementPolicy.OBSERVE:
            return told_config_hash(found)
        if self.lacks_bucket or isinstance(template, Verdict):
            return ""
        return config_hash(self.service, profile, self.source, template_hash=template)

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
            _setting_refused,
            _template_unusable,
            _task_unsupported,
            _no_bucket,
            _prerequisite_lacking,
            _refused,
            _startup_timeout,
            _not_serving,
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


def _words(serving: Serving, state: ModelState) -> str:
    return state.message or f"{inference_service_ref(serving.service)}: {REASONS[state.reason].meaning}"

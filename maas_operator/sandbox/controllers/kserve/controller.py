"""The InferenceService controller: finalizer, defaults, Deployment, Service, pods, status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from maas_operator.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    MODEL_SERVICE,
    POD,
    SCALED_OBJECT,
    SERVICE,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from ..client import Change, ChangeType, Client
from ..conditions import Clock, system_clock, write_status
from ..faults import Delays, Faults
from ..runner import Retry, Trigger, itself
from ..violations import Rule, Violations
from .autoscaling import Autoscaling
from .render import InvalidPredictor, deployment, service
from .rollout import Rollout
from .settings import (
    DEPLOYMENT_MODE,
    FINALIZER,
    INFERENCE_SERVICE_LABEL,
    MANAGER,
    RAW,
    STANDARD,
    STOP,
    Settings,
    predictor_name,
)
from .status import FailureReason, InvalidSpec, failed_status, invalid_status, serving_status, stopped_status
from .webhook import exposed_host, refusals_of_runtime, refusals_of_service, unreconcilable, volatile_annotations

_KNOWN_FINALIZERS: Final = frozenset({FINALIZER, "odh.inferenceservice.finalizers", "foregroundDeletion", "orphan"})


class KServe:
    """A controller for `Runner`. `pods_started` tells, by `namespace/name`, how many pods a model has had."""

    def __init__(
        self,
        client: Client,
        *,
        violations: Violations,
        faults: Faults,
        delays: Delays,
        clock: Clock = system_clock,
        settings: Settings | None = None,
    ) -> None:
        self._client = client
        self._violations = violations
        self._faults = faults
        self._clock = clock
        self._settings = settings or Settings()
        self._rollout = Rollout(client, clock, delays, self._settings)
        self._autoscaling = Autoscaling(client)
        self._users: dict[Ref, set[Ref]] = {}
        self.pods_started = self._rollout.pods_started

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The service, what it refers to, and what belongs to it."""
        return {
            INFERENCE_SERVICE: itself,
            SERVING_RUNTIME: self._services_of_runtime,
            CLUSTER_SERVING_RUNTIME: self._services_of_runtime,
            DEPLOYMENT: _service_of_child,
            SERVICE: _service_of_child,
            POD: _service_of_child,
            HORIZONTAL_POD_AUTOSCALER: _service_of_child,
            SCALED_OBJECT: _service_of_child,
            # Only for the fault annotation of a demonstration: KServe itself does not know this kind.
            MODEL_SERVICE: _service_of_model,
        }

    def _services_of_runtime(self, change: Change) -> Iterable[Ref]:
        """A changed runtime rolls its services at once; a new one triggers nothing."""
        return self._users.get(ref_of(change.object), set()) if change.type is ChangeType.MODIFIED else ()

    async def reconcile(self, ref: Ref) -> float | None:
        """Bring one InferenceService's children and status up to date."""
        if self._faults.kserve_down:
            raise Retry("KServe's controller is down")
        try:
            isvc = await self._client.get(ref)
        except NotFound:
            return None
        if "deletionTimestamp" in isvc["metadata"]:
            await self._release(isvc)
            return None
        if not self._is_admitted(isvc):
            return None
        isvc = await self._defaulted(await self._finalized(isvc))
        if (isvc["metadata"].get("annotations") or {}).get(STOP) == "true":
            await self._stop(isvc)
            return None
        try:
            return await self._serve(isvc)
        except InvalidSpec as problem:
            await write_status(self._client, isvc, invalid_status(isvc, problem, self._settings, self._clock()))
            raise Retry(problem.message) from problem

    def _is_admitted(self, isvc: Manifest) -> bool:
        """Write down what the webhook refuses; a refused object would not exist, so nothing is made from it."""
        ref, refused = ref_of(isvc), list(refusals_of_service(isvc, self._settings))
        for message in refused:
            self._violations.add(Rule.KSERVE_WEBHOOK, ref, message)
        for message in unreconcilable(isvc):
            self._violations.add(Rule.KSERVE_CANNOT_RECONCILE, ref, message)
        for message in () if refused else exposed_host(isvc):
            self._violations.add(Rule.EXPOSED, ref, message)
        for key in volatile_annotations(isvc):
            self._violations.add(Rule.VOLATILE_ANNOTATION, ref, key)
        for finalizer in set(isvc["metadata"].get("finalizers") or []) - _KNOWN_FINALIZERS:
            self._violations.add(Rule.LOST_FINALIZER, ref, f"KServe writes the whole list and may drop {finalizer}")
        return not refused

    async def _finalized(self, isvc: Manifest) -> Manifest:
        finalizers = isvc["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            return isvc
        # As in the original, the whole list without a precondition: a finalizer added meanwhile is lost.
        patch = {"metadata": {"finalizers": [*finalizers, FINALIZER]}}
        return await self._client.merge_patch(ref_of(isvc), patch)

    async def _release(self, isvc: Manifest) -> None:
        finalizers = isvc["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            patch = {"metadata": {"finalizers": [f for f in finalizers if f != FINALIZER]}}
            await self._client.merge_patch(ref_of(isvc), patch)

    async def _defaulted(self, isvc: Manifest) -> Manifest:
        mode = (isvc["metadata"].get("annotations") or {}).get(DEPLOYMENT_MODE)
        default = self._settings.default_deployment_mode
        if mode is None and default in RAW:
            wanted: str | None = default
        elif mode in RAW and self._settings.rewrites_legacy_modes:
            wanted = STANDARD
        else:
            wanted = mode
        if wanted == mode:
            return isvc
        return await self._client.merge_patch(ref_of(isvc), {"metadata": {"annotations": {DEPLOYMENT_MODE: wanted}}})

    async def _stop(self, isvc: Manifest) -> None:
        metadata = isvc["metadata"]
        for kind in (DEPLOYMENT, SERVICE):
            await self._delete(Ref(kind, metadata["namespace"], predictor_name(metadata["name"])))
        await self._autoscaling.stop(isvc, predictor_name(metadata["name"]))
        await write_status(self._client, isvc, stopped_status(isvc, self._settings, self._clock()))

    async def _delete(self, ref: Ref) -> None:
        try:
            await self._client.delete(ref, uid=(await self._client.get(ref))["metadata"]["uid"])
        except NotFound:
            return

    async def _serve(self, isvc: Manifest) -> float | None:
        runtime = await self._runtime(isvc)
        try:
            desired = deployment(isvc, runtime, self._settings), service(isvc, runtime, self._settings)
        except InvalidPredictor as error:
            self._violations.add(Rule.KSERVE_CANNOT_RECONCILE, ref_of(isvc), str(error))
            raise InvalidSpec(FailureReason.INVALID_PREDICTOR_SPEC, str(error)) from error
        if words := self._faults.kserve:
            await write_status(self._client, isvc, failed_status(isvc, words, self._settings, self._clock()))
            raise Retry(words)
        await self._switch_strategy(desired[0])
        wanted = await self._autoscaling.with_replicas(desired[0])
        deployed, _ = [await self._client.apply(child, manager=MANAGER) for child in (wanted, desired[1])]
        await self._autoscaling.reconcile(isvc, desired[0])
        fault = self._faults.of_pods(isvc, *await self._owner(isvc))
        deployed, delay = await self._rollout.reconcile(deployed, fault)
        pods = await self._pods(isvc)
        status = serving_status(isvc, deployed, pods, self._settings, self._clock())
        await write_status(self._client, isvc, status)
        return delay

    async def _switch_strategy(self, deployment: Manifest) -> None:
        """Drop what the server has filled in for the strategy before: it refuses that beside Recreate."""
        try:
            live = await self._client.get(ref_of(deployment))
        except NotFound:
            return
        strategy = deployment["spec"]["strategy"]
        if live["spec"]["strategy"]["type"] != strategy["type"]:
            content = {"spec": {"strategy": {"rollingUpdate": None, **strategy}}}
            await self._client.merge_patch(ref_of(deployment), content)

    async def _pods(self, isvc: Manifest) -> list[Manifest]:
        metadata = isvc["metadata"]
        labels = {INFERENCE_SERVICE_LABEL: metadata["name"]}
        pods = await self._client.list(POD, namespace=metadata["namespace"], labels=labels)
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    async def _owner(self, isvc: Manifest) -> list[Manifest]:
        for owner in isvc["metadata"].get("ownerReferences") or []:
            if owner["kind"] == MODEL_SERVICE.name:
                try:
                    return [await self._client.get(Ref(MODEL_SERVICE, isvc["metadata"]["namespace"], owner["name"]))]
                except NotFound:
                    return []
        return []

    async def _runtime(self, isvc: Manifest) -> Manifest:
        """Return the runtime, of the namespace or else of the cluster; InvalidSpec if none serves this format."""
        model = isvc["spec"]["predictor"]["model"]
        if not model.get("runtime"):
            raise InvalidSpec(FailureReason.NO_SUPPORTING_RUNTIME, "No runtime found to support specified framework")
        refs = (
            Ref(SERVING_RUNTIME, isvc["metadata"]["namespace"], model["runtime"]),
            Ref(CLUSTER_SERVING_RUNTIME, "", model["runtime"]),
        )
        for ref in refs:
            self._users.setdefault(ref, set()).add(ref_of(isvc))
        runtime = await self._first_of(refs)
        if runtime is None:
            raise InvalidSpec(FailureReason.RUNTIME_NOT_RECOGNIZED, "Waiting for runtime to become available")
        for message in refusals_of_runtime(runtime):
            self._violations.add(Rule.KSERVE_WEBHOOK, ref_of(runtime), message)
        _check_support(runtime["spec"], model)
        return runtime

    async def _first_of(self, refs: Iterable[Ref]) -> Manifest | None:
        for ref in refs:
            try:
                return await self._client.get(ref)
            except NotFound:
                continue
        return None


def _check_support(runtime: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    if runtime.get("disabled"):
        raise InvalidSpec(FailureReason.RUNTIME_DISABLED, "Specified runtime is disabled")
    wanted = model["modelFormat"]
    for offered in runtime.get("supportedModelFormats") or []:
        if offered["name"] == wanted["name"] and wanted.get("version") in (None, offered.get("version")):
            return
    message = "Specified runtime does not support specified framework/version"
    raise InvalidSpec(FailureReason.NO_SUPPORTING_RUNTIME, message)


def _service_of_child(change: Change) -> Iterable[Ref]:
    metadata = change.object["metadata"]
    name = (metadata.get("labels") or {}).get(INFERENCE_SERVICE_LABEL)
    return [Ref(INFERENCE_SERVICE, metadata["namespace"], name)] if name else []


def _service_of_model(change: Change) -> Iterable[Ref]:
    metadata = change.object["metadata"]
    return [Ref(INFERENCE_SERVICE, metadata["namespace"], metadata["name"])]

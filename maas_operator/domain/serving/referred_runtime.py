"""A runtime that somebody else has made: what can be known of it, and why it can not be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from maas_operator.api.fields import QUANTITY_PATTERN
from maas_operator.api.model_platform import ModelPlatform, RuntimeProfile
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.api.serving import Resources, RuntimeKind, RuntimeReference
from maas_operator.domain.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from maas_operator.domain.labels import OWNER_NAME, annotations_of, labels_of, owner_uid_of
from maas_operator.domain.names import MODEL_PORT
from maas_operator.domain.objects import Manifest, Ref, ref_of

from .pod import CONTAINER
from .runtime_profiles import UnknownRuntime, runtime_profile

VERSION: Final = "opendatahub.io/runtime-version"
SHARED_MEMORY: Final = "/dev/shm"


class ReferredRuntime(RuntimeProfile):
    """A runtime that is not ours, in the form of a profile; its version is empty where nobody says which it is."""

    variables: frozenset[str] = frozenset()
    """Names of the variables that it sets."""
    has_shared_memory: bool = False
    has_startup_probe: bool = False
    tolerates: bool = False


def candidates(service: ModelService) -> tuple[Ref, ...]:
    """Return where KServe looks for the runtime that a service refers to, and last where it should be found."""
    reference = service.spec.serving.runtime_ref
    if reference is None:
        return ()
    local = Ref(SERVING_RUNTIME, service.metadata.namespace, reference.name)
    if reference.kind is RuntimeKind.SERVING_RUNTIME:
        return (local,)
    return local, Ref(CLUSTER_SERVING_RUNTIME, "", reference.name)


def referred_runtime(
    service: ModelService, reference: RuntimeReference, found: Iterable[Manifest]
) -> ReferredRuntime | UnknownRuntime:
    """Return the runtime that a service refers to; `found`: what there is at `candidates`."""
    runtimes = {ref_of(one): one for one in found}
    *before, wanted = candidates(service)
    runtime = runtimes.get(wanted)
    if runtime is None:
        return _unknown(reference, f"there is no {wanted}: create it, or name another", Reason.RUNTIME_MISSING)
    problem = _problem(wanted, runtime, hidden_by=next((ref for ref in before if ref in runtimes), None))
    return _unknown(reference, problem, Reason.RUNTIME_REFUSED) if problem else _known(reference, runtime)


def chosen_runtime(
    service: ModelService, platform: ModelPlatform, found: Iterable[Manifest]
) -> RuntimeProfile | UnknownRuntime:
    """Return what serves a model: the runtime that it refers to, or a profile."""
    reference = service.spec.serving.runtime_ref
    if reference is None:
        return runtime_profile(service, platform)
    return referred_runtime(service, reference, found)


def unseen_runtime(reference: RuntimeReference) -> ReferredRuntime:
    """Return a runtime of which nothing but the name is known."""
    return _known(reference, {"metadata": {}, "spec": {}})


def _problem(wanted: Ref, runtime: Manifest, *, hidden_by: Ref | None) -> str | None:
    if hidden_by is not None:
        return f"{hidden_by} hides {wanted}, since KServe looks in the namespace first: rename one of them"
    if owner_uid_of(runtime) is not None:
        owner = labels_of(runtime).get(OWNER_NAME)
        return f"{wanted} is the operator's, for ModelService {owner}: choose a profile by spec.serving.runtime"
    port = _first_port(_container(runtime))
    if port != MODEL_PORT:
        return f"{wanted} has port {port} first, and the model is called on {MODEL_PORT}: declare that, or no port"
    return None


def _unknown(reference: RuntimeReference, why: str, reason: Reason) -> UnknownRuntime:
    return UnknownRuntime(reference.name, why, reason=reason, field="spec.serving.runtimeRef")


def _known(reference: RuntimeReference, runtime: Manifest) -> ReferredRuntime:
    spec, container = runtime["spec"], _container(runtime)
    variables = container.get("env") or ()
    resources = container.get("resources") or {}
    mounts = container.get("volumeMounts") or ()
    return ReferredRuntime.model_construct(
        name=reference.name,
        image=str(container.get("image", "")),
        version=_version(runtime),
        args=(),
        env=(),
        resources=Resources.model_construct(
            requests=_amounts(resources, "requests"), limits=_amounts(resources, "limits")
        ),
        node_selector={},
        tolerations=(),
        variables=frozenset(str(variable["name"]) for variable in variables),
        has_shared_memory=any(mount.get("mountPath") == SHARED_MEMORY for mount in mounts),
        has_startup_probe="startupProbe" in container,
        tolerates=bool(spec.get("tolerations")),
    )


def _container(runtime: Manifest) -> Mapping[str, Any]:
    containers = runtime["spec"].get("containers") or ()
    return next((one for one in containers if one.get("name") == CONTAINER), {})


def _first_port(container: Mapping[str, Any]) -> int:
    ports = container.get("ports") or ({"containerPort": MODEL_PORT},)
    return int(ports[0]["containerPort"])


def _version(runtime: Manifest) -> str:
    """Return the version that a runtime of OpenShift AI declares, as in `v0.11.0.3`; empty if none is."""
    declared = re.match(r"v?([0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?)(?![0-9])", annotations_of(runtime).get(VERSION, ""))
    return declared[1] if declared else ""


def _amounts(resources: Mapping[str, Any], which: str) -> dict[str, str]:
    # Forms that our own API does not take, such as 1e3, are left to KServe.
    written = {name: str(value) for name, value in (resources.get(which) or {}).items()}
    return {name: value for name, value in written.items() if re.fullmatch(QUANTITY_PATTERN, value)}

"""The kinds that come with the API server, as far as the operator and its stand-ins need them.

Only the list kinds (for apply), the top-level fields (for pruning) and the few rules that a client can run into are
modelled; the insides of pods, services and so on are kept as they come, without defaults or validation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .errors import Cause
from .resources import AliasedResource, Column, Object, Resource, Scale
from .schema import KindSchema

_OPEN: Mapping[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_ANY: Mapping[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}
_TEXT: Mapping[str, Any] = {"type": "string"}
_FLAG: Mapping[str, Any] = {"type": "boolean"}
_STRING_MAP: Mapping[str, Any] = {"type": "object", "additionalProperties": _TEXT}
_ATOMIC_MAP: Mapping[str, Any] = {**_OPEN, "x-kubernetes-map-type": "atomic"}
_LIST: Mapping[str, Any] = {"type": "array", "items": _ANY}


def _fields(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**_OPEN, "properties": properties}


def _keyed(*keys: str, **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "array",
        "items": _fields(**properties),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
    }


_PROTOCOL: Mapping[str, Any] = {"type": "string", "default": "TCP"}
_CONDITIONS = _keyed("type")
_CONTAINERS = _keyed(
    "name",
    env=_keyed("name"),
    ports=_keyed("containerPort", "protocol", protocol=_PROTOCOL),
    volumeMounts=_keyed("mountPath"),
)
_POD_SPEC = _fields(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    volumes=_keyed("name"),
    imagePullSecrets=_keyed("name"),
    nodeSelector=_ATOMIC_MAP,
)
_POD_STATUS = _fields(conditions=_CONDITIONS)
_WORKLOAD_STATUS = _fields(conditions=_CONDITIONS)

_AGE = Column("Age", "date", ".metadata.creationTimestamp")
_NAME = Column("Name", "string", ".metadata.name", format="name")


def _resource(kind: str, plural: str, top: Mapping[str, Mapping[str, Any]], **options: Any) -> Resource:
    schema = KindSchema({"type": "object", "properties": top})
    settings = {"group": "", "version": "v1", "singular": kind.lower(), "columns": (_NAME, _AGE), **options}
    return Resource(kind=kind, plural=plural, schema=schema, **settings)


def builtin_resources() -> Iterator[Resource]:
    """Every built-in kind."""
    yield from _core()
    yield from _workloads()
    yield from _access()
    yield from _events()
    yield _definitions()


def _core() -> Iterator[Resource]:
    yield _resource(
        "Namespace",
        "namespaces",
        {"spec": _OPEN, "status": _WORKLOAD_STATUS},
        namespaced=False,
        short_names=("ns",),
        has_status=True,
        names="label",
        selectable={"status.phase": "status.phase"},
        columns=(_NAME, Column("Status", "string", ".status.phase"), _AGE),
        prepare=_prepare_namespace,
    )
    yield _resource(
        "Secret",
        "secrets",
        {"data": _STRING_MAP, "stringData": _STRING_MAP, "type": _TEXT, "immutable": _FLAG},
        selectable={"type": "type"},
        columns=(_NAME, Column("Type", "string", ".type"), _entries("data"), _AGE),
        prepare=_prepare_secret,
        check=_check_secret,
    )
    yield _resource(
        "ConfigMap",
        "configmaps",
        {"data": _STRING_MAP, "binaryData": _STRING_MAP, "immutable": _FLAG},
        short_names=("cm",),
        columns=(_NAME, _entries("data"), _AGE),
        check=lambda new, old: _check_immutable(new, old, ("data", "binaryData")),
    )
    yield _resource(
        "Service",
        "services",
        {"spec": _service_spec(), "status": _WORKLOAD_STATUS},
        short_names=("svc",),
        categories=("all",),
        has_status=True,
        names="service",
        columns=_service_columns(),
        prepare=_prepare_service,
    )
    yield _resource("ServiceAccount", "serviceaccounts", _service_account(), short_names=("sa",))


def _service_spec() -> Mapping[str, Any]:
    return _fields(ports=_keyed("port", "protocol", protocol=_PROTOCOL), selector=_ATOMIC_MAP)


def _service_account() -> Mapping[str, Mapping[str, Any]]:
    return {
        "secrets": _keyed("name"),
        "imagePullSecrets": _LIST,
        "automountServiceAccountToken": _FLAG,
    }


def _workloads() -> Iterator[Resource]:
    yield _resource(
        "Pod",
        "pods",
        {"spec": _POD_SPEC, "status": _POD_STATUS},
        short_names=("po",),
        categories=("all",),
        has_status=True,
        selectable={"status.phase": "status.phase", "spec.nodeName": "spec.nodeName"},
        columns=_pod_columns(),
        prepare=_prepare_pod,
    )
    yield _resource(
        "Deployment",
        "deployments",
        {
            "spec": _fields(selector=_ATOMIC_MAP, template=_fields(spec=_POD_SPEC)),
            "status": _WORKLOAD_STATUS,
        },
        group="apps",
        short_names=("deploy",),
        categories=("all",),
        has_status=True,
        has_generation=True,
        scale=Scale(".spec.replicas", ".status.replicas"),
        columns=_deployment_columns(),
        prepare=_prepare_deployment,
    )
    yield _resource(
        "NetworkPolicy",
        "networkpolicies",
        {"spec": _fields(podSelector=_ATOMIC_MAP)},
        group="networking.k8s.io",
        short_names=("netpol",),
        has_generation=True,
        prepare=_prepare_network_policy,
    )
    yield _resource(
        "Lease",
        "leases",
        {"spec": _OPEN},
        group="coordination.k8s.io",
        columns=(_NAME, Column("Holder", "string", ".spec.holderIdentity"), _AGE),
    )


def _access() -> Iterator[Resource]:
    rules = {"rules": _LIST}
    binding = {"subjects": _LIST, "roleRef": _ATOMIC_MAP}
    group = "rbac.authorization.k8s.io"
    aggregated = {**rules, "aggregationRule": _OPEN}
    yield _resource("Role", "roles", rules, group=group, names="path")
    yield _resource("RoleBinding", "rolebindings", binding, group=group, names="path")
    yield _resource("ClusterRole", "clusterroles", aggregated, group=group, namespaced=False, names="path")
    yield _resource("ClusterRoleBinding", "clusterrolebindings", binding, group=group, namespaced=False, names="path")


# What events.k8s.io/v1 calls the fields of a core event.
_EVENT_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_EVENT_FIELDS = ("action", "eventTime", "reason", "related", "reportingInstance", "series", "type", *_EVENT_NAMES)


def _events() -> Iterator[Resource]:
    subject = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    plain = {name: name for name in ("reason", "type")}
    yield _resource(
        "Event",
        "events",
        dict.fromkeys(_EVENT_FIELDS, _ANY),
        short_names=("ev",),
        selectable=plain | {f"involvedObject.{part}": f"involvedObject.{part}" for part in subject},
        columns=_event_columns("involvedObject", "message", "lastTimestamp"),
    )
    yield AliasedResource(
        group="events.k8s.io",
        version="v1",
        kind="Event",
        plural="events",
        singular="event",
        schema=KindSchema({"type": "object", "properties": _renamed_event_fields()}),
        short_names=("ev",),
        selectable=plain | {f"regarding.{part}": f"involvedObject.{part}" for part in subject},
        columns=_event_columns("regarding", "note", "deprecatedLastTimestamp"),
        renamed=_EVENT_NAMES,
        stored_as="events.",
        stored_version="v1",
    )


def _renamed_event_fields() -> Mapping[str, Mapping[str, Any]]:
    return {_EVENT_NAMES.get(name, name): _ANY for name in _EVENT_FIELDS}


def _definitions() -> Resource:
    return _resource(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        {"spec": _fields(versions=_LIST), "status": _WORKLOAD_STATUS},
        group="apiextensions.k8s.io",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        has_status=True,
        has_generation=True,
        columns=(_NAME, Column("Created At", "date", ".metadata.creationTimestamp")),
        prepare=_prepare_definition,
        check=_check_definition,
    )


# --- what the API server fills in or refuses ---------------------------------------------------------------------


def _with(object_: Object, section: str, **values: Any) -> Object:
    return {**object_, section: {**object_.get(section, {}), **values}}


def _prepare_namespace(new: Object, old: Object | None) -> Object:
    labels = {**(new["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": new["metadata"]["name"]}
    new = _with(new, "metadata", labels=labels)
    if old is not None:
        return new
    return {**new, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def _prepare_secret(new: Object, _old: Object | None) -> Object:
    prepared = {name: value for name, value in new.items() if name != "stringData"}
    if new.get("stringData"):
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in new["stringData"].items()}
        prepared["data"] = {**(new.get("data") or {}), **encoded}
    return {**prepared, "type": new.get("type") or "Opaque"}


def _check_secret(new: Object, old: Object | None) -> list[Cause]:
    causes = []
    for key, value in (new.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            causes.append(Cause("FieldValueInvalid", "Invalid value: illegal base64 data", f"data[{key}]"))
    if old is not None and old.get("type") != new.get("type"):
        causes.append(Cause("FieldValueInvalid", f'Invalid value: "{new.get("type")}": field is immutable', "type"))
    return causes + _check_immutable(new, old, ("data",))


def _check_immutable(new: Object, old: Object | None, guarded: tuple[str, ...]) -> list[Cause]:
    if old is None or not old.get("immutable"):
        return []
    changed = [name for name in guarded if old.get(name) != new.get(name)]
    if not new.get("immutable"):
        changed.append("immutable")
    return [Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", n) for n in changed]


def _prepare_service(new: Object, _old: Object | None) -> Object:
    spec = new.get("spec") or {}
    ports = [{"protocol": "TCP", "targetPort": port.get("port"), **port} for port in spec.get("ports") or []]
    defaults = {"type": "ClusterIP", "sessionAffinity": "None"}
    prepared = {**new, "spec": {**defaults, **spec, **({"ports": ports} if ports else {})}}
    return prepared if "status" in prepared else {**prepared, "status": {"loadBalancer": {}}}


def _prepare_pod(new: Object, old: Object | None) -> Object:
    return new if old is not None else {**new, "status": {"phase": "Pending"}}


def _prepare_deployment(new: Object, _old: Object | None) -> Object:
    return {**new, "spec": {"replicas": 1, **(new.get("spec") or {})}, "status": new.get("status", {})}


def _prepare_network_policy(new: Object, _old: Object | None) -> Object:
    spec = new.get("spec") or {}
    types = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    return {**new, "spec": {"policyTypes": types, **spec}}


def _prepare_definition(new: Object, old: Object | None) -> Object:
    spec = new.get("spec") or {}
    names = spec.get("names") or {}
    kind = names.get("kind", "")
    full = {"singular": kind.lower(), "listKind": f"{kind}List", **names}
    new = {**new, "spec": {"conversion": {"strategy": "None"}, **spec, "names": full}}
    since = new["metadata"]["creationTimestamp"]
    told = [("NamesAccepted", "NoConflicts", "no conflicts found"), ("Established", "InitialNamesAccepted", "accepted")]
    conditions = [
        {"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}
        for type_, reason, message in told
    ]
    stored = {version["name"] for version in spec.get("versions", ()) if version.get("storage")}
    before = set((old or {}).get("status", {}).get("storedVersions", ()))
    kept = [c for c in (old or {}).get("status", {}).get("conditions", ()) if c["type"] == "Terminating"]
    status = {"conditions": conditions + kept, "acceptedNames": full, "storedVersions": sorted(stored | before)}
    return {**new, "status": status}


def _check_definition(new: Object, old: Object | None) -> list[Cause]:
    spec, names = new["spec"], new["spec"]["names"]
    causes = []
    expected = f"{names.get('plural')}.{spec.get('group')}"
    if new["metadata"]["name"] != expected:
        message = f'Invalid value: "{new["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
        causes.append(Cause("FieldValueInvalid", message, "metadata.name"))
    versions = spec.get("versions") or []
    if sum(1 for version in versions if version.get("storage")) != 1:
        message = "Invalid value: must have exactly one version marked as storage version"
        causes.append(Cause("FieldValueInvalid", message, "spec.versions"))
    for index, version in enumerate(versions):
        if "openAPIV3Schema" not in version.get("schema", {}):
            path = f"spec.versions[{index}].schema.openAPIV3Schema"
            causes.append(Cause("FieldValueRequired", "Required value: schemas are required", path))
    if old is not None and old["spec"]["scope"] != spec.get("scope"):
        causes.append(
            Cause("FieldValueInvalid", f'Invalid value: "{spec.get("scope")}": field is immutable', "spec.scope")
        )
    return causes


# --- columns -----------------------------------------------------------------------------------------------------


def _computed(name: str, cell: Callable[[Object], Any], type_: str = "string", priority: int = 0) -> Column:
    return Column(name, type_, cell=cell, priority=priority)


def _entries(field: str) -> Column:
    return _computed("Data", lambda object_: len(object_.get(field) or {}), "integer")


def _service_columns() -> tuple[Column, ...]:
    return (
        _NAME,
        Column("Type", "string", ".spec.type"),
        _computed("Cluster-IP", lambda service: service["spec"].get("clusterIP", "<none>")),
        _computed("Port(s)", _ports),
        _AGE,
    )


def _ports(service: Object) -> str:
    return ",".join(f"{port['port']}/{port['protocol']}" for port in service["spec"].get("ports", ())) or "<none>"


def _pod_columns() -> tuple[Column, ...]:
    return (
        _NAME,
        _computed("Ready", _ready_containers),
        _computed("Status", _pod_state),
        _computed("Restarts", lambda pod: sum(s.get("restartCount", 0) for s in _container_statuses(pod)), "integer"),
        _AGE,
    )


def _container_statuses(pod: Object) -> list[Object]:
    return pod.get("status", {}).get("containerStatuses") or []


def _ready_containers(pod: Object) -> str:
    ready = sum(1 for status in _container_statuses(pod) if status.get("ready"))
    return f"{ready}/{len(pod.get('spec', {}).get('containers', ()))}"


def _pod_state(pod: Object) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for status in _container_statuses(pod):
        state = status.get("state", {})
        for part in ("waiting", "terminated"):
            if state.get(part, {}).get("reason"):
                return str(state[part]["reason"])
    return str(pod.get("status", {}).get("phase", "Unknown"))


def _deployment_columns() -> tuple[Column, ...]:
    return (
        _NAME,
        _computed("Ready", lambda d: f"{d['status'].get('readyReplicas', 0)}/{d['spec'].get('replicas', 1)}"),
        _computed("Up-to-date", lambda d: d["status"].get("updatedReplicas", 0), "integer"),
        _computed("Available", lambda d: d["status"].get("availableReplicas", 0), "integer"),
        _AGE,
    )


def _event_columns(subject: str, text: str, last: str) -> tuple[Column, ...]:
    def seen(event: Object) -> Any:
        series = event.get("series") or {}
        return series.get("lastObservedTime") or event.get(last) or event.get("eventTime")

    def about(event: Object) -> str:
        target = event.get(subject) or {}
        return f"{target.get('kind', '').lower()}/{target.get('name', '')}"

    return (
        _computed("Last Seen", seen, "date"),
        Column("Type", "string", ".type"),
        Column("Reason", "string", ".reason"),
        _computed("Object", about),
        Column("Message", "string", f".{text}"),
        Column("Name", "string", ".metadata.name", priority=1, format="name"),
    )

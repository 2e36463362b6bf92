"""The kinds that come with the API server, as far as the operator and its stand-ins need them.

Only the list kinds (for apply), the top-level fields (for pruning) and the few rules that a client can run into are
modelled; the insides of pods, services and so on are kept as they come, without defaults or validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import builtin_rules as rules
from . import columns
from .resources import AGE, NAME, AliasedResource, Column, Resource, Scale
from .schema import METADATA, KindSchema

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


def _resource(kind: str, plural: str, top: Mapping[str, Mapping[str, Any]], **options: Any) -> Resource:
    schema = KindSchema({"type": "object", "properties": top})
    settings = {"group": "", "version": "v1", "singular": kind.lower(), "columns": (NAME, AGE), **options}
    return Resource(kind=kind, plural=plural, schema=schema, **settings)


def builtin_resources() -> Iterator[Resource]:
    """Every built-in kind."""
    yield from _core()
    yield from _storage()
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
        columns=(NAME, Column("Status", "string", ".status.phase"), AGE),
        prepare=rules.prepare_namespace,
    )
    yield _resource(
        "Secret",
        "secrets",
        {"data": _STRING_MAP, "stringData": _STRING_MAP, "type": _TEXT, "immutable": _FLAG},
        selectable={"type": "type"},
        columns=(NAME, Column("Type", "string", ".type"), columns.entries("data"), AGE),
        prepare=rules.prepare_secret,
        check=rules.check_secret,
    )
    yield _resource(
        "ConfigMap",
        "configmaps",
        {"data": _STRING_MAP, "binaryData": _STRING_MAP, "immutable": _FLAG},
        short_names=("cm",),
        columns=(NAME, columns.entries("data"), AGE),
        prepare=rules.without_empty,
        check=lambda new, old: rules.check_immutable(new, old, ("data", "binaryData")),
    )
    yield _resource(
        "Service",
        "services",
        {"spec": _service_spec(), "status": _WORKLOAD_STATUS},
        short_names=("svc",),
        categories=("all",),
        has_status=True,
        names="service",
        columns=columns.SERVICE,
        prepare=rules.prepare_service,
    )
    yield _resource("ServiceAccount", "serviceaccounts", _service_account(), short_names=("sa",))


def _storage() -> Iterator[Resource]:
    yield _resource(
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        {"spec": _OPEN, "status": _WORKLOAD_STATUS},
        short_names=("pvc",),
        has_status=True,
        columns=(NAME, Column("Status", "string", ".status.phase"), AGE),
        prepare=rules.prepare_claim,
        check=rules.check_claim,
    )
    yield _resource(
        "StorageClass",
        "storageclasses",
        dict.fromkeys(
            ("provisioner", "reclaimPolicy", "volumeBindingMode", "allowVolumeExpansion", "parameters"), _ANY
        ),
        group="storage.k8s.io",
        namespaced=False,
        short_names=("sc",),
        columns=(NAME, Column("Provisioner", "string", ".provisioner"), AGE),
    )


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
        columns=columns.POD,
        prepare=rules.prepare_pod,
    )
    yield _resource(
        "Deployment",
        "deployments",
        {
            "spec": _fields(selector=_ATOMIC_MAP, template=_fields(metadata=METADATA, spec=_POD_SPEC)),
            "status": _WORKLOAD_STATUS,
        },
        group="apps",
        short_names=("deploy",),
        categories=("all",),
        has_status=True,
        has_generation=True,
        scale=Scale(".spec.replicas", ".status.replicas"),
        columns=columns.DEPLOYMENT,
        prepare=rules.prepare_deployment,
    )
    yield _resource(
        "StatefulSet",
        "statefulsets",
        {
            "spec": _fields(selector=_ATOMIC_MAP, template=_fields(metadata=METADATA, spec=_POD_SPEC)),
            "status": _WORKLOAD_STATUS,
        },
        group="apps",
        short_names=("sts",),
        categories=("all",),
        has_status=True,
        has_generation=True,
        scale=Scale(".spec.replicas", ".status.replicas"),
        columns=(*columns.DEPLOYMENT[:2], AGE),
        prepare=rules.prepare_deployment,
        check=rules.check_stateful_set,
    )
    yield _resource(
        "Job",
        "jobs",
        {"spec": _fields(template=_fields(metadata=METADATA, spec=_POD_SPEC)), "status": _WORKLOAD_STATUS},
        group="batch",
        categories=("all",),
        has_status=True,
        has_generation=True,
        columns=(NAME, Column("Completions", "integer", ".status.succeeded"), AGE),
        prepare=rules.prepare_job,
        check=rules.check_job,
    )
    yield _resource(
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        {"spec": _fields(scaleTargetRef=_ATOMIC_MAP, metrics=_LIST), "status": _WORKLOAD_STATUS},
        group="autoscaling",
        version="v2",
        short_names=("hpa",),
        categories=("all",),
        has_status=True,
    )
    yield _resource(
        "NetworkPolicy",
        "networkpolicies",
        {"spec": _fields(podSelector=_ATOMIC_MAP)},
        group="networking.k8s.io",
        short_names=("netpol",),
        has_generation=True,
        prepare=rules.prepare_network_policy,
    )
    yield _resource(
        "Lease",
        "leases",
        {"spec": _OPEN},
        group="coordination.k8s.io",
        columns=(NAME, Column("Holder", "string", ".spec.holderIdentity"), AGE),
    )


def _access() -> Iterator[Resource]:
    role = {"rules": _LIST}
    binding = {"subjects": _LIST, "roleRef": _ATOMIC_MAP}
    group = "rbac.authorization.k8s.io"
    aggregated = {**role, "aggregationRule": _OPEN}
    yield _resource("Role", "roles", role, group=group, names="path")
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
        columns=columns.event_columns("involvedObject", "message", "lastTimestamp"),
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
        columns=columns.event_columns("regarding", "note", "deprecatedLastTimestamp"),
        renamed=_EVENT_NAMES,
        stored_as="events.",
        stored_version="v1",
        check=rules.check_event,
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
        columns=(NAME, Column("Created At", "date", ".metadata.creationTimestamp")),
        prepare=rules.prepare_definition,
        check=rules.check_definition,
    )

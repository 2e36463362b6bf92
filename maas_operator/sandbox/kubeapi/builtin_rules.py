"""What the API server fills into objects of built-in kinds, and what it refuses in them."""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal
from typing import Any

from maas_operator.domain.serving.resources import amount

from .errors import Cause
from .resources import Object


def without_empty(new: Object, _old: Object | None) -> Object:
    """Data without entries is not written."""
    return {name: value for name, value in new.items() if name not in ("data", "binaryData") or value}


def _with(object_: Object, section: str, **values: Any) -> Object:
    return {**object_, section: {**object_.get(section, {}), **values}}


def prepare_namespace(new: Object, old: Object | None) -> Object:
    """Label it with its name; a new one is active."""
    labels = {**(new["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": new["metadata"]["name"]}
    new = _with(new, "metadata", labels=labels)
    if old is not None:
        return new
    return {**new, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def prepare_secret(new: Object, _old: Object | None) -> Object:
    """Merge `stringData` into the data; the default type is Opaque."""
    prepared = {name: value for name, value in without_empty(new, None).items() if name != "stringData"}
    if new.get("stringData"):
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in new["stringData"].items()}
        prepared["data"] = {**(new.get("data") or {}), **encoded}
    return {**prepared, "type": new.get("type") or "Opaque"}


def check_secret(new: Object, old: Object | None) -> list[Cause]:
    """Data is base64, the type stays, and so does immutable data."""
    causes = []
    for key, value in (new.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            causes.append(Cause("FieldValueInvalid", "Invalid value: illegal base64 data", f"data[{key}]"))
    if old is not None and old.get("type") != new.get("type"):
        causes.append(Cause("FieldValueInvalid", f'Invalid value: "{new.get("type")}": field is immutable', "type"))
    return causes + check_immutable(new, old, ("data",))


def check_immutable(new: Object, old: Object | None, guarded: tuple[str, ...]) -> list[Cause]:
    """The guarded fields stay once `immutable` is set, and so does that."""
    if old is None or not old.get("immutable"):
        return []
    changed = [name for name in guarded if old.get(name) != new.get(name)]
    if not new.get("immutable"):
        changed.append("immutable")
    return [Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", n) for n in changed]


def check_event(new: Object, old: Object | None) -> list[Cause]:
    """What an event says stays; only the series of its repetitions goes on. Old servers let it all change."""
    told = set(old or ()) - {"apiVersion", "kind", "metadata", "series"}
    changed = [name for name in sorted(told) if old is not None and old[name] != new.get(name)]
    return [Cause("FieldValueInvalid", "Invalid value: field is immutable", name) for name in changed]


def prepare_service(new: Object, _old: Object | None) -> Object:
    """The defaults that clients see at once."""
    spec = new.get("spec") or {}
    ports = [{"protocol": "TCP", "targetPort": port.get("port"), **port} for port in spec.get("ports") or []]
    defaults = {"type": "ClusterIP", "sessionAffinity": "None"}
    prepared = {**new, "spec": {**defaults, **spec, **({"ports": ports} if ports else {})}}
    return prepared if "status" in prepared else {**prepared, "status": {"loadBalancer": {}}}


def prepare_pod(new: Object, old: Object | None) -> Object:
    """A new pod is pending."""
    return new if old is not None else {**new, "status": {"phase": "Pending"}}


def prepare_deployment(new: Object, _old: Object | None) -> Object:
    """One replica is the default."""
    return {**new, "spec": {"replicas": 1, **(new.get("spec") or {})}, "status": new.get("status", {})}


def prepare_job(new: Object, old: Object | None) -> Object:
    """The defaults that clients see at once; the selector is the server's own."""
    defaults = {"backoffLimit": 6, "completions": 1, "parallelism": 1, "suspend": False}
    labels = {"batch.kubernetes.io/controller-uid": new["metadata"].get("uid", "")}
    spec = {**defaults, "selector": {"matchLabels": labels}, **(new.get("spec") or {})}
    return {**new, "spec": spec, "status": new.get("status", {})}


def check_job(new: Object, old: Object | None) -> list[Cause]:
    """A Job runs what it was made with."""
    return _check_kept(new, old, "template", "completions")


def check_stateful_set(new: Object, old: Object | None) -> list[Cause]:
    """Pods, replicas and a few settings may change; volumes and selector stay."""
    return _check_kept(new, old, "selector", "serviceName", "volumeClaimTemplates")


def _check_kept(new: Object, old: Object | None, *fields: str) -> list[Cause]:
    if old is None:
        return []
    changed = [field for field in fields if new["spec"].get(field) != old["spec"].get(field)]
    return [Cause("FieldValueInvalid", "Invalid value: field is immutable", f"spec.{field}") for field in changed]


def prepare_claim(new: Object, old: Object | None) -> Object:
    """A new claim is pending."""
    spec = {"volumeMode": "Filesystem", **(new.get("spec") or {})}
    return {**new, "spec": spec, "status": new.get("status", {}) if old is not None else {"phase": "Pending"}}


def check_claim(new: Object, old: Object | None) -> list[Cause]:
    """A claim's class can be set once, nothing else changes but the size, and a size only grows."""
    if old is None:
        return []
    before, after = old["spec"], new["spec"]
    kept = [key for key in before if key != "resources" and before[key] != after.get(key)]
    causes = [
        Cause("FieldValueForbidden", "Forbidden: spec is immutable after creation except resources.requests", "spec")
        for _ in kept[:1]
    ]
    if _bytes(after) < _bytes(before):
        path = "spec.resources.requests.storage"
        causes.append(Cause("FieldValueForbidden", "Forbidden: field can not be less than previous value", path))
    return causes


def _bytes(spec: Object) -> Decimal:
    return amount(str(spec["resources"]["requests"]["storage"]))


def prepare_network_policy(new: Object, _old: Object | None) -> Object:
    """The policy types follow from the rules."""
    spec = new.get("spec") or {}
    types = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    return {**new, "spec": {"policyTypes": types, **spec}}


def prepare_definition(new: Object, old: Object | None) -> Object:
    """Complete the names and establish the kind at once."""
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


def check_definition(new: Object, old: Object | None) -> list[Cause]:
    """The few mistakes in a definition that would break this server."""
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

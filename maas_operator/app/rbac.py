"""The permissions of the operator and of its users, generated from the table of kinds into `deploy/rbac/`."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import yaml

from maas_operator.domain.kinds import (
    EVENT,
    LEASE,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    OF_MINIO,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    TABLE,
    Use,
)
from maas_operator.domain.labels import OPERATOR

NAMESPACE: Final = OPERATOR
LEASE_NAME: Final = OPERATOR
SECRETS_ROLE: Final = f"{OPERATOR}-threescale-secrets"
PATCHES_ROLE: Final = f"{OPERATOR}-threescale-patches"
MINIO_ROLE: Final = f"{OPERATOR}-minio"
ELECTION_ROLE: Final = f"{OPERATOR}-leader-election"
# The namespaces of default installations; one such binding for each namespace that a ModelPlatform names.
THREESCALE_NAMESPACE: Final = "3scale"
MINIO_NAMESPACE: Final = "minio"

_READ: Final = ("get", "list", "watch")
_EDIT: Final = (*_READ, "create", "delete", "deletecollection", "patch", "update")
_HEADER: Final = "# Generated from the table of kinds by `python -m maas_operator.app.rbac deploy/rbac`; do not edit.\n"

Object = dict[str, Any]


def rbac_files() -> dict[str, str]:
    """Return the files of `deploy/rbac/` by name."""
    roles = {name: _role(name, rules) for name, rules in rules_by_role().items()}
    return {
        "minio.yaml": _dump(roles[MINIO_ROLE], _local_binding(MINIO_ROLE, MINIO_NAMESPACE)),
        "operator.yaml": _dump(_service_account(), roles[OPERATOR], _cluster_binding()),
        "threescale-secrets.yaml": _dump(roles[SECRETS_ROLE], _local_binding(SECRETS_ROLE, THREESCALE_NAMESPACE)),
        "threescale-patches.yaml": _dump(roles[PATCHES_ROLE], _local_binding(PATCHES_ROLE, THREESCALE_NAMESPACE)),
        "leader-election.yaml": _dump(*_election_role()),
        "users.yaml": _dump(*_user_roles()),
    }


def rules_by_role() -> dict[str, list[Object]]:
    """Return the rules of each role that the operator itself has."""
    return {
        OPERATOR: operator_rules(),
        SECRETS_ROLE: local_rules(),
        PATCHES_ROLE: _patch_rules(),
        MINIO_ROLE: minio_rules(),
        ELECTION_ROLE: election_rules(),
    }


def operator_rules() -> list[Object]:
    """Return what the operator may do in all namespaces: what the table says, and no more."""
    verbs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for kind, use in TABLE.items():
        verbs[kind.group, kind.plural] |= _verbs(use & ~Use.WRITE if kind in OF_MINIO else use)
        if Use.STATUS in use:
            # Our finalizer is a patch of the object; `update` of finalizers lets children block its deletion.
            verbs[kind.group, kind.plural].add("patch")
            verbs[kind.group, f"{kind.plural}/status"].add("patch")
            verbs[kind.group, f"{kind.plural}/finalizers"].add("update")
    # Why a bucket is not made, its provisioner tells in Events only.
    verbs[EVENT.group, EVENT.plural] = {"get", "list", "create", "patch"}
    return _grouped(verbs)


def local_rules() -> list[Object]:
    """Return what the operator may do in the 3scale namespaces besides."""
    patch = [_rule(kind.group, [kind.plural], ("patch",)) for kind, use in TABLE.items() if Use.ANNOTATE in use]
    # Any Secret may be read by its name, there too.
    return [_rule(SECRET.group, [SECRET.plural], ("list", "watch")), *patch]


def minio_rules() -> list[Object]:
    """Return what the operator may do in the namespaces of a MinIO besides: who may make Jobs there has all buckets."""
    # The volume outlives the platform: it is nobody's to delete but a person's.
    runs = ("create", "delete", "patch")
    verbs = {kind: ("create", "patch") if kind == PERSISTENT_VOLUME_CLAIM else runs for kind in OF_MINIO}
    # The kinds in order, so that the file is the same each time.
    return [_rule(kind.group, [kind.plural], verbs[kind]) for kind in sorted(OF_MINIO)]


def _verbs(use: Use) -> set[str]:
    verbs = {"get"} if Use.READ in use else set()
    if Use.WATCH in use:
        verbs |= {"list", "watch"}
    if Use.WRITE in use:
        verbs |= {"create", "patch", "delete"}
    if Use.SWEEP in use:
        verbs.add("delete")
    return verbs


def _grouped(verbs: dict[tuple[str, str], set[str]]) -> list[Object]:
    """Join resources of one API group that have the same verbs into one rule."""
    resources: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), allowed in verbs.items():
        resources[group, tuple(sorted(allowed))].append(resource)
    return [_rule(group, names, allowed) for (group, allowed), names in sorted(resources.items())]


def _rule(group: str, resources: list[str], verbs: tuple[str, ...]) -> Object:
    return {"apiGroups": [group], "resources": sorted(resources), "verbs": sorted(verbs)}


def _user_roles() -> list[Object]:
    # Writing a ModelService is running pods there: so it comes with `edit`, never with less.
    models = [MODEL_SERVICE.plural, MODEL_SUBSCRIPTION.plural]
    owner = [
        _rule(MODEL_SERVICE.group, models, _EDIT),
        _rule(MODEL_SERVICE.group, [f"{MODEL_SERVICE.plural}/scale"], ("get", "patch", "update")),
    ]
    # Bound by hand, in a namespace with models: `view` must not write, and `edit` may do so already.
    consumer = [
        _rule(MODEL_SUBSCRIPTION.group, [MODEL_SUBSCRIPTION.plural], _EDIT),
        _rule(MODEL_SERVICE.group, [MODEL_SERVICE.plural], _READ),
    ]
    viewer = [_rule(MODEL_SERVICE.group, [*models, MODEL_PLATFORM.plural], _READ)]
    platform = [_rule(MODEL_PLATFORM.group, [MODEL_PLATFORM.plural], _EDIT)]
    return [
        _role(f"{OPERATOR}-model-owner", owner, aggregate_to="edit"),
        _role(f"{OPERATOR}-consumer", consumer),
        _role(f"{OPERATOR}-viewer", viewer, aggregate_to="view"),
        _role(f"{OPERATOR}-platform-admin", platform),
    ]


def _role(name: str, rules: list[Object], *, aggregate_to: str = "") -> Object:
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{aggregate_to}": "true"} if aggregate_to else {}
    return _object("ClusterRole", name, labels=labels) | {"rules": rules}


def _service_account() -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(OPERATOR, NAMESPACE)}


def _cluster_binding() -> Object:
    return _object("ClusterRoleBinding", OPERATOR) | _binding(OPERATOR)


def _patch_rules() -> list[Object]:
    """Return what `patchAPIManager: true` needs besides; without it this file need not be applied."""
    return [_rule(kind.group, [kind.plural], ("patch",)) for kind, use in TABLE.items() if Use.PATCH in use]


def election_rules() -> list[Object]:
    """Return what `--leader-elect` needs, in the operator's own namespace."""
    one = _rule(LEASE.group, [LEASE.plural], ("get", "update")) | {"resourceNames": [LEASE_NAME]}
    # What is yet to be created has no name that a rule could name.
    return [one, _rule(LEASE.group, [LEASE.plural], ("create",))]


def _election_role() -> list[Object]:
    """Return the role for it; without `--leader-elect` its file need not be applied."""
    role = _object("Role", ELECTION_ROLE, namespace=NAMESPACE) | {"rules": election_rules()}
    binding = _object("RoleBinding", ELECTION_ROLE, namespace=NAMESPACE) | _binding(ELECTION_ROLE)
    return [role, binding | {"roleRef": binding["roleRef"] | {"kind": "Role"}}]


def _local_binding(role: str, namespace: str) -> Object:
    return _object("RoleBinding", role, namespace=namespace) | _binding(role)


def _binding(role: str) -> Object:
    return {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": NAMESPACE}],
    }


def _object(kind: str, name: str, *, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    metadata = _metadata(name, namespace, labels)
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata}


def _metadata(name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": {"app.kubernetes.io/part-of": OPERATOR} | (labels or {})}


def _dump(*objects: Object) -> str:
    return _HEADER + yaml.safe_dump_all(objects, sort_keys=False, width=120)


if __name__ == "__main__":
    for file_name, text in rbac_files().items():
        (Path(sys.argv[1]) / file_name).write_text(text)

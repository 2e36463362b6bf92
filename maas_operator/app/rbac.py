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
    SECRET,
    TABLE,
    Use,
)
from maas_operator.domain.labels import OPERATOR

NAMESPACE: Final = OPERATOR
LEASE_NAME: Final = OPERATOR
SECRETS_ROLE: Final = f"{OPERATOR}-threescale-secrets"
PATCHES_ROLE: Final = f"{OPERATOR}-threescale-patches"

_READ: Final = ("get", "list", "watch")
_EDIT: Final = (*_READ, "create", "delete", "deletecollection", "patch", "update")
_HEADER: Final = "# Generated from the table of kinds by `python -m maas_operator.app.rbac deploy/rbac`; do not edit.\n"

Object = dict[str, Any]


def rbac_files() -> dict[str, str]:
    """Return the files of `deploy/rbac/` by name."""
    return {
        "operator.yaml": _dump(_service_account(), _role(OPERATOR, operator_rules()), _cluster_binding()),
        "threescale-secrets.yaml": _dump(_role(SECRETS_ROLE, local_rules()), _threescale_binding(SECRETS_ROLE)),
        "threescale-patches.yaml": _dump(_role(PATCHES_ROLE, _patch_rules()), _threescale_binding(PATCHES_ROLE)),
        "leader-election.yaml": _dump(*_election_role()),
        "users.yaml": _dump(*_user_roles()),
    }


def operator_rules() -> list[Object]:
    """Return what the operator may do in all namespaces: what the table says, and no more."""
    verbs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for kind, use in TABLE.items():
        verbs[kind.group, kind.plural] |= _verbs(use)
        if Use.STATUS in use:
            # Our finalizer is a patch of the object; `update` of finalizers lets children block its deletion.
            verbs[kind.group, kind.plural].add("patch")
            verbs[kind.group, f"{kind.plural}/status"].add("patch")
            verbs[kind.group, f"{kind.plural}/finalizers"].add("update")
    verbs[EVENT.group, EVENT.plural] = {"get", "create", "patch"}
    return _grouped(verbs)


def local_rules() -> list[Object]:
    """Return what the operator may do in the 3scale namespaces besides."""
    patch = [_rule(kind.group, [kind.plural], ("patch",)) for kind, use in TABLE.items() if Use.ANNOTATE in use]
    # There the 3scale-operator tells why it can not delete something.
    events = _rule(EVENT.group, [EVENT.plural], ("list",))
    return [_rule(SECRET.group, [SECRET.plural], _READ), events, *patch]


def _verbs(use: Use) -> set[str]:
    verbs = {"get"}
    if Use.WATCH in use:
        verbs |= {"list", "watch"}
    if Use.WRITE in use:
        verbs |= {"create", "patch", "delete"}
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
    viewer = [_rule(MODEL_SERVICE.group, [*models, MODEL_PLATFORM.plural], _READ)]
    platform = [_rule(MODEL_PLATFORM.group, [MODEL_PLATFORM.plural], _EDIT)]
    return [
        _role(f"{OPERATOR}-model-owner", owner, aggregate_to="edit"),
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


def _election_role() -> list[Object]:
    """Return what `--leader-elect` needs, in the operator's own namespace; without it this file need not be applied."""
    name = f"{OPERATOR}-leader-election"
    one = _rule(LEASE.group, [LEASE.plural], ("get", "update")) | {"resourceNames": [LEASE_NAME]}
    # What is yet to be created has no name that a rule could name.
    rules = [one, _rule(LEASE.group, [LEASE.plural], ("create",))]
    role = _object("Role", name, namespace=NAMESPACE) | {"rules": rules}
    binding = _object("RoleBinding", name, namespace=NAMESPACE) | _binding(name)
    return [role, binding | {"roleRef": binding["roleRef"] | {"kind": "Role"}}]


def _threescale_binding(role: str) -> Object:
    # The namespace of a default installation; one such binding for each namespace that a ModelPlatform names.
    return _object("RoleBinding", role, namespace="3scale") | _binding(role)


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

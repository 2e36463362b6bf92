from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from maas_operator.app.rbac import local_rules, minio_rules, operator_rules, rbac_files
from maas_operator.domain.kinds import OF_MINIO, TABLE, Use

RBAC = Path(__file__).parents[2] / "deploy" / "rbac"


def roles() -> list[dict[str, Any]]:
    documents = [document for text in rbac_files().values() for document in yaml.safe_load_all(text)]
    return [document for document in documents if document["kind"] == "ClusterRole"]


def test_the_committed_files_are_the_generated_ones() -> None:
    committed = {path.name: path.read_text() for path in RBAC.glob("*.yaml") if path.name != "kustomization.yaml"}
    assert committed == rbac_files(), "run `python -m maas_operator.app.rbac deploy/rbac`"


def test_the_operator_cannot_list_or_watch_secrets_in_all_namespaces() -> None:
    verbs = {verb for rule in operator_rules() if "secrets" in rule["resources"] for verb in rule["verbs"]}
    assert verbs == {"get", "create", "patch", "delete"}


def test_config_maps_are_read_by_name_only() -> None:
    assert [rule["verbs"] for rule in operator_rules() if "configmaps" in rule["resources"]] == [["get"]]
    assert not [rule for rule in local_rules() if "configmaps" in rule["resources"]]


def test_routes_are_patched_in_the_3scale_namespaces_only() -> None:
    verbs = {verb for rule in operator_rules() if "routes" in rule["resources"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    assert [rule["verbs"] for rule in local_rules() if "routes" in rule["resources"]] == [["patch"]]


@pytest.mark.parametrize("role", roles(), ids=lambda role: role["metadata"]["name"])
def test_no_role_has_a_wildcard_or_a_verb_that_gives_more_rights(role: dict[str, Any]) -> None:
    for rule in role["rules"]:
        granted = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not granted & {"*", "escalate", "bind", "impersonate"}


def test_no_user_may_write_a_status_or_a_finalizer() -> None:
    users = [role for role in roles() if role["metadata"]["name"] != "maas-operator"]
    resources = {resource for role in users for rule in role["rules"] for resource in rule["resources"]}
    assert not [resource for resource in resources if resource.endswith(("/status", "/finalizers"))]


def test_only_edit_and_more_may_write_models_since_that_is_running_pods() -> None:
    by_label = {
        label.rpartition("-")[2]: {verb for rule in role["rules"] for verb in rule["verbs"]}
        for role in roles()
        for label in role["metadata"]["labels"]
        if "aggregate-to" in label
    }
    assert by_label["view"] == {"get", "list", "watch"}
    assert by_label.keys() == {"view", "edit"}


def test_what_is_not_written_by_us_cannot_be_written() -> None:
    writable = {
        (group, resource)
        for rule in operator_rules()
        if {"create", "delete"} & set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    ours = {
        (kind.group, kind.plural)
        for kind, use in TABLE.items()
        if (Use.WRITE | Use.SWEEP) & use and kind not in OF_MINIO
    }
    assert writable - ours == {("events.k8s.io", "events")}


def test_workloads_of_a_minio_are_written_in_its_namespace_only() -> None:
    local = {resource for rule in minio_rules() for resource in rule["resources"] if "create" in rule["verbs"]}
    assert local == {"statefulsets", "jobs", "persistentvolumeclaims"}
    verbs = {verb for rule in operator_rules() if local & set(rule["resources"]) for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    (binding,) = [one for one in yaml.safe_load_all(rbac_files()["minio.yaml"]) if one["kind"] == "RoleBinding"]
    assert binding["metadata"]["namespace"] == "minio"


def test_what_is_only_swept_can_be_deleted_and_not_made() -> None:
    swept = {(kind.group, kind.plural) for kind, use in TABLE.items() if Use.SWEEP in use}
    verbs = {
        (group, resource): set(rule["verbs"])
        for rule in operator_rules()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert swept
    assert all("delete" in verbs[one] and not {"create", "patch", "update"} & verbs[one] for one in swept)

"""Every folder that can be applied can be built, holds all of its files, and what it holds is valid."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from maas_operator.api.base import API_VERSION
from maas_operator.api.parse import parse
from maas_operator.app.rbac import NAMESPACE
from tests.deploy.kustomizations import DEPLOY, EVERY_FOLDER, FOLDERS, ROOT, address, built, kustomization, listed
from tests.upstream import DELIVERED, needs_crds, objections

OPERATOR = DEPLOY / "operator"
OPENSHIFT = DEPLOY / "openshift"


@EVERY_FOLDER
def test_a_folder_is_built_from_what_it_lists(folder: Path) -> None:
    found = {address(one)[0::2] for one in built(folder)}
    assert found >= {address(one)[0::2] for one in listed(folder)}


@EVERY_FOLDER
def test_every_file_of_a_folder_is_used(folder: Path) -> None:
    content = kustomization(folder)
    generated = [line.split("=")[1] for one in content.get("configMapGenerator", ()) for line in one["files"]]
    patches = [one["path"] for one in content.get("patches", ())]
    files = {path.name for path in folder.iterdir() if path.is_file()} - {"kustomization.yaml"}
    # The namespace of a MinIO need not be there when the operator comes.
    used = {name for name in [*content["resources"], *generated, *patches] if not (folder / name).is_dir()}
    assert files - {"minio.yaml"} == used


@EVERY_FOLDER
def test_nothing_is_there_twice(folder: Path) -> None:
    assert not [one for one, count in Counter(map(address, listed(folder))).items() if count > 1]


def test_every_yaml_file_belongs_to_a_kustomization_or_is_a_sample() -> None:
    folders = {path.parent for path in DEPLOY.rglob("*.yaml")}
    assert folders - set(FOLDERS) == {DEPLOY / "samples"}


@EVERY_FOLDER
def test_objects_of_ours_are_valid(folder: Path) -> None:
    for one in listed(folder):
        if one["apiVersion"] == API_VERSION:
            assert parse(one).metadata.name == one["metadata"]["name"]


@needs_crds
@EVERY_FOLDER
def test_objects_of_others_kinds_are_valid(folder: Path) -> None:
    for one in listed(folder):
        if one["kind"] in DELIVERED:
            assert objections(one) == []


@pytest.mark.parametrize("folder", [OPERATOR, OPENSHIFT], ids=lambda folder: folder.name)
def test_an_installation_has_its_definitions_namespace_permissions_and_one_deployment(folder: Path) -> None:
    kinds = Counter(one["kind"] for one in built(folder))
    assert kinds["CustomResourceDefinition"] == 3
    assert kinds["Namespace"] == kinds["Deployment"] == kinds["Service"] == kinds["NetworkPolicy"] == 1
    assert kinds["ClusterRole"] == 7


def test_no_tool_prunes_a_definition_since_all_objects_would_go_with_it() -> None:
    definitions = [one for one in built(OPERATOR) if one["kind"] == "CustomResourceDefinition"]
    options = [one["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] for one in definitions]
    assert options == ["Prune=false,Delete=false"] * 3


def test_on_openshift_metrics_are_scraped_in_a_namespace_that_is_not_excluded() -> None:
    objects = {one["kind"]: one for one in built(OPENSHIFT)}
    assert objects["Namespace"]["metadata"]["labels"]["openshift.io/user-monitoring"] == "true"
    # Labels of the base stay.
    assert objects["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    monitor, service = objects["ServiceMonitor"], objects["Service"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["spec"]["endpoints"]] == [one["name"] for one in service["spec"]["ports"]]


def test_service_policy_and_deployment_mean_the_same_pods_and_port() -> None:
    objects = {one["kind"]: one for one in listed(OPERATOR)}
    template = objects["Deployment"]["spec"]["template"]
    labels, (container,) = template["metadata"]["labels"], template["spec"]["containers"]
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    (rule,) = objects["NetworkPolicy"]["spec"]["ingress"]
    names = {port["name"] for port in container["ports"]}
    assert {port["port"] for port in rule["ports"]} == {"http"} <= names
    assert {port["targetPort"] for port in objects["Service"]["spec"]["ports"]} == {"http"}


def test_the_settings_of_ones_own_on_the_page_become_a_standby_and_links_in_alerts(tmp_path: Path) -> None:
    for name in ("deploy", "crds"):
        shutil.copytree(ROOT / name, tmp_path / name)
    site = tmp_path / "deploy" / "site"
    site.mkdir()
    page = (ROOT / "docs" / "install.md").read_text()
    (block,) = re.findall(r"^```yaml\n(resources: .*?)^```", page, re.MULTILINE | re.DOTALL)
    (site / "kustomization.yaml").write_text(block)
    objects, as_delivered = built(site), {address(one) for one in built(OPENSHIFT)}
    assert {address(one) for one in objects} == as_delivered
    (deployment,) = (one["spec"] for one in objects if one["kind"] == "Deployment")
    (container,) = deployment["template"]["spec"]["containers"]
    assert (deployment["replicas"], container["args"]) == (2, ["run", "--leader-elect"])
    rules = [
        rule for one in objects if one["kind"] == "PrometheusRule" for g in one["spec"]["groups"] for rule in g["rules"]
    ]
    assert rules
    for rule in rules:
        link = f"https://git.example.com/maas-operator/docs/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == link


def test_all_that_is_namespaced_is_in_our_namespace_or_in_that_of_3scale() -> None:
    assert {address(one)[1] for one in listed(OPENSHIFT)} == {"", NAMESPACE, "3scale"}

"""What the monitors select is what KServe and we make."""

from __future__ import annotations

import re

from docs.generate import HERE
from maas_operator.domain.labels import owner_labels
from maas_operator.domain.names import MODEL_PORT
from maas_operator.domain.serving.inference_service import POD_LABEL
from tests.deploy.kustomizations import DEPLOY, listed
from tests.domain.children import a_service, children_of
from tests.monitoring.rules import MONITORING, OBJECTS

(POD_MONITOR,) = (one for one in OBJECTS if one["kind"] == "PodMonitor")


def test_the_pods_of_our_models_are_scraped_and_no_others() -> None:
    owner = {"kind": "ModelService", "metadata": {"name": "chat", "namespace": "llm", "uid": "u1"}}
    selector = POD_MONITOR["spec"]["selector"]
    assert selector["matchLabels"].items() <= owner_labels(owner).items()
    assert selector["matchExpressions"] == [{"key": POD_LABEL, "operator": "Exists"}]


def test_the_port_is_vllms_own_and_the_path_the_one_that_others_are_told() -> None:
    spec = children_of(a_service())["ServingRuntime"]["spec"]
    (endpoint,) = POD_MONITOR["spec"]["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in spec["containers"][0]["ports"]}
    assert ports[endpoint["port"]] == MODEL_PORT
    assert spec["annotations"]["prometheus.io/port"] == str(MODEL_PORT)
    assert spec["annotations"]["prometheus.io/path"] == endpoint["path"]


def test_every_folder_is_in_the_one_that_applies_all_of_it() -> None:
    folders = {path.parent for path in MONITORING.rglob("kustomization.yaml")} - {MONITORING}
    assert [one for folder in folders for one in listed(folder) if one not in OBJECTS] == []


def test_openshift_gets_what_belongs_to_the_operators_namespace() -> None:
    ours = list(listed(DEPLOY / "openshift"))
    assert [one in ours for one in listed(MONITORING / "operator")] == [True, True]
    assert POD_MONITOR not in ours


def test_what_goes_into_many_namespaces_names_none() -> None:
    shared = [one for name in ("models", "model-pods", "gateway") for one in listed(MONITORING / name)]
    assert ["namespace" in one["metadata"] for one in shared] == [False] * 3


def test_the_page_tells_every_folder() -> None:
    section = (HERE / "monitoring.md").read_text().partition("\n## ")[0]
    told = re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)
    assert set(told) == {path.parent.name for path in MONITORING.rglob("*/kustomization.yaml")}


def test_rules_are_evaluated_where_their_metrics_are() -> None:
    labels = [one["metadata"]["labels"] for one in OBJECTS if one["kind"] == "PrometheusRule"]
    assert [one["openshift.io/prometheus-rule-evaluation-scope"] for one in labels] == ["leaf-prometheus"] * 3

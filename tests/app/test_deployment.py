from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from maas_operator import __version__
from maas_operator.adapters.kopf_events import settings
from maas_operator.adapters.kubernetes import leases
from maas_operator.app.cli import main
from maas_operator.app.election import elected
from maas_operator.app.rbac import NAMESPACE
from maas_operator.domain.labels import OPERATOR
from maas_operator.engine.leadership import RELEASE_SECONDS

DEPLOY = Path(__file__).parents[2] / "deploy"


def deployment() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "operator" / "deployment.yaml").read_text())
    return loaded


def test_there_is_one_writer_at_a_time() -> None:
    spec = deployment()["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_runs_as_the_account_that_has_the_permissions() -> None:
    found = deployment()
    assert found["metadata"]["namespace"] == NAMESPACE
    assert found["spec"]["template"]["spec"]["serviceAccountName"] == OPERATOR


def test_the_image_is_of_this_version() -> None:
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    assert container["image"].rpartition(":")[2] == __version__


def test_the_pod_is_restricted_and_names_no_user() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_has_the_time_to_end_that_the_process_takes() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    seconds = settings().process.ultimate_exiting_timeout
    assert seconds is not None
    assert seconds + RELEASE_SECONDS < pod["terminationGracePeriodSeconds"]


def test_its_probes_and_the_service_meet_the_port_that_the_process_takes_by_itself() -> None:
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    defaults = {option.name: option.default for option in main.commands["run"].params}
    (port,) = container["ports"]
    assert port == {"name": "http", "containerPort": defaults["http_port"]}
    assert (container["args"], defaults["http_host"]) == (["run"], "0.0.0.0")


def test_a_replica_is_called_like_its_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    monkeypatch.setenv(variable["name"], "maas-operator-0")
    # Each process of it is another.
    first, second = elected("").identity, elected("").identity
    assert first != second
    assert first.rpartition("_")[0] == second.rpartition("_")[0] == "maas-operator-0"


def test_the_lease_is_where_the_option_says_else_where_the_pod_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "namespace"
    monkeypatch.setattr(leases, "NAMESPACE_FILE", file)
    assert elected("").namespace == NAMESPACE
    file.write_text("where-the-pod-is")
    assert elected("").namespace == "where-the-pod-is"
    assert elected("elsewhere").namespace == "elsewhere"


def test_the_terms_that_the_options_have_by_themselves_are_those_of_the_pages() -> None:
    page = (DEPLOY.parent / "docs" / "failure-modes.md").read_text()
    options = {option.opts[0]: str(option.default) for option in main.commands["run"].params}
    for name in ("lease-duration", "renew-deadline", "retry-period"):
        option = f"--leader-elect-{name}"
        before = page[: page.index(f"(`{option}`)")]
        assert f"{options[option][:-1]} s" in before[-150:]


def test_a_blocked_loop_is_ended_and_a_slow_answer_is_not() -> None:
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    assert {
        name: (one["httpGet"]["path"], one["timeoutSeconds"]) for name, one in container.items() if "Probe" in name
    } == {
        "startupProbe": ("/healthz", 10),
        "livenessProbe": ("/healthz", 10),
        "readinessProbe": ("/readyz", 5),
    }


def test_it_asks_for_little_and_may_take_what_a_fresh_list_takes() -> None:
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


def test_what_it_writes_goes_to_a_small_volume_for_itself() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/tmp"}]
    assert volume["emptyDir"] == {"sizeLimit": "16Mi"}


def test_every_file_is_part_of_the_installation() -> None:
    for folder in ("operator", "rbac"):
        named = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())["resources"]
        files = {path.name for path in (DEPLOY / folder).glob("*.yaml")} - {"kustomization.yaml"}
        # Its namespace is there only where somebody wants a MinIO.
        assert files - {"minio.yaml"} == {name for name in named if name.endswith(".yaml")}

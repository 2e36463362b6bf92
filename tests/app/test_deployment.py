from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from maas_operator import __version__
from maas_operator.app.rbac import NAMESPACE
from maas_operator.domain.labels import OPERATOR

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


def test_every_file_is_part_of_the_installation() -> None:
    for folder in ("operator", "rbac"):
        named = yaml.safe_load((DEPLOY / folder / "kustomization.yaml").read_text())["resources"]
        files = {path.name for path in (DEPLOY / folder).glob("*.yaml")} - {"kustomization.yaml"}
        # Its namespace is there only where somebody wants a MinIO.
        assert files - {"minio.yaml"} == {name for name in named if name.endswith(".yaml")}

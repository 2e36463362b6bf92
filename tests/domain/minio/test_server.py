"""The MinIO itself: what its pod runs, what it may, and how its volume hangs on it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from maas_operator.api.minio import MinIO
from maas_operator.domain.minio import names, server
from maas_operator.domain.minio.pod import PodSecurity, pod_security
from maas_operator.domain.minio.progress import MinIOEvidence, Server
from maas_operator.domain.objects import Children, Manifest, Ref, ref_of
from maas_operator.domain.serving.words import HIDDEN, LIMIT
from tests.domain.minio.test_jobs import a_task
from tests.domain.worlds import a_platform, a_platform_world

MINIO = MinIO(namespace="minio", size="50Gi", storage_class_name="fast")
PLATFORM = a_platform(storage={"minio": MINIO.dump()})


def stateful_set(security: PodSecurity | None = None) -> Manifest:
    return server.stateful_set(PLATFORM, MINIO, security or PodSecurity(), "uid-root")


def container() -> dict[str, Any]:
    (found,) = stateful_set()["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_the_image_is_pinned_and_runs_without_console_and_calls_home() -> None:
    found = container()
    assert found["image"] == "quay.io/minio/minio:RELEASE.2024-12-18T13-15-44Z"
    assert (found["command"], found["args"]) == (["minio"], ["server", "/data"])
    values = {one["name"]: one.get("value") for one in found["env"]}
    assert values == {
        "MINIO_ROOT_USER": None,
        "MINIO_ROOT_PASSWORD": None,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }


def test_minio_itself_tells_its_health() -> None:
    paths = {name: container()[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: one["path"] for name, one in paths.items()} == {
        "startup": "/minio/health/live",
        "readiness": "/minio/health/ready",
        "liveness": "/minio/health/live",
    }
    assert {one["port"] for one in paths.values()} == {9000}


def test_the_volume_outlives_the_pod_and_can_grow() -> None:
    spec = stateful_set()["spec"]
    assert "volumeClaimTemplates" not in spec
    assert spec["template"]["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "minio"}}]
    # The root of a fresh file system has a lost+found, which MinIO would take for a bucket.
    assert container()["volumeMounts"] == [{"name": "data", "mountPath": "/data", "subPath": "minio"}]
    assert server.claim(MINIO, "uid-namespace")["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "50Gi"}},
        "storageClassName": "fast",
    }


def test_a_pod_that_is_not_ready_is_replaced_as_well() -> None:
    assert stateful_set()["spec"]["podManagementPolicy"] == "Parallel"


def test_no_pod_has_a_token_or_variables_of_services_or_a_privilege() -> None:
    for template in (stateful_set()["spec"]["template"], a_task().job(1)["spec"]["template"]):
        pod = template["spec"]
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        for one in pod["containers"]:
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "hostPath" not in str(pod)


@pytest.mark.parametrize(
    ("annotations", "given"),
    [
        ({}, {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000, "fsGroupChangePolicy": "OnRootMismatch"}),
        ({"openshift.io/sa.scc.uid-range": "1000680000/10000"}, {}),
    ],
    ids=["Kubernetes", "OpenShift"],
)
def test_nobody_is_root_and_openshift_gives_its_own_user(annotations: dict[str, str], given: dict[str, Any]) -> None:
    security = pod_security({"metadata": {"name": "minio", "annotations": annotations}})
    made = stateful_set(security), a_task(security=security).job(1)
    for one in made:
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"] == {"runAsNonRoot": True, **given}
        assert "runAsUser" not in str(pod["containers"])
        assert [one["securityContext"]["seccompProfile"]["type"] for one in pod["containers"]] == ["RuntimeDefault"]


def test_another_user_is_another_pod_and_another_job() -> None:
    fixed = pod_security({"metadata": {"name": "minio"}})
    assert server.config_hash(MINIO, fixed, "uid") != server.config_hash(MINIO, PodSecurity(), "uid")
    assert a_task(security=fixed).hash != a_task().hash


def test_only_namespaces_of_models_and_the_minios_own_get_in_and_to_its_port_alone() -> None:
    spec = server.network_policy(PLATFORM, MINIO, ["team-b", "team-a"])["spec"]
    assert spec["podSelector"] == {"matchLabels": server.pod_labels(PLATFORM)}
    (rule,) = spec["ingress"]
    assert [one["port"] for one in rule["ports"]] == [9000]
    (peer,) = rule["from"]
    (wanted,) = peer["namespaceSelector"]["matchExpressions"]
    assert wanted == {
        "key": "kubernetes.io/metadata.name",
        "operator": "In",
        "values": ["minio", "team-a", "team-b"],
    }


@pytest.mark.parametrize(("size", "written"), [("40Gi", False), ("50Gi", True), ("60Gi", True)])
def test_a_smaller_volume_is_not_even_asked_for(size: str, written: bool) -> None:
    minio = MinIO(namespace="minio", size=size)
    root = {"apiVersion": "v1", "kind": "Secret", "metadata": {"uid": "uid-root"}}
    there = Children({names.root_ref("minio"): root, names.service_ref("minio"): {}}, {})
    fresh, claim = SecretStr("fresh"), {**server.claim(MINIO, "uid"), "status": {"phase": "Bound"}}
    evidence = MinIOEvidence(namespace_uid="uid", claim=claim, fresh=fresh)
    world = a_platform_world(PLATFORM, children=there)
    wanted = Server(platform=PLATFORM, minio=minio, world=world, evidence=evidence)
    assert (names.claim_ref("minio") in set(map(ref_of, wanted.children))) == written


@pytest.mark.parametrize("ref", [names.claim_ref("minio"), names.stateful_set_ref("minio")])
def test_what_is_said_of_volume_and_pod_is_cleaned_and_cut(ref: Ref) -> None:
    said = {ref: f"GET https://me:swordfish@disks.example.com\n{'and so on ' * 200}"}
    evidence = MinIOEvidence(namespace_uid="uid", fresh=SecretStr("fresh"), words=said)
    message = Server(
        platform=PLATFORM, minio=MINIO, world=a_platform_world(PLATFORM), evidence=evidence
    ).condition.message
    assert message.startswith(f"{ref}: GET https://{HIDDEN}@disks.example.com and so on")
    assert len(message) < LIMIT + 100

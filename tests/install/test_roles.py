"""What each of our users may do, and above all what not, as the API server decides it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
import pytest_asyncio

from maas_operator.app.rbac import rbac_files
from maas_operator.domain.kinds import NAMESPACE, Kind
from maas_operator.domain.objects import Manifest, Ref
from tests.e2e.world import LIMIT_SECONDS
from tests.install.conftest import Administrator

pytestmark = pytest.mark.asyncio(loop_scope="session")

OURS, OTHERS = "roles-ours", "roles-others"
RBAC = "rbac.authorization.k8s.io"
GROUP = "maas-operator.io"
REVIEW = Kind("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False)
CLUSTER_ROLE = Kind(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
BINDINGS = {
    "consumer": "maas-operator-consumer",
    "owner": "maas-operator-model-owner",
    "editor": "edit",
    "viewer": "view",
    "namespace-admin": "admin",
}
READ, WRITE = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")
MODELS = ("modelservices", "modelsubscriptions")
# Not even an admin of a namespace writes what only the operator writes.
OPERATORS = tuple(f"{kind}/{part}" for kind in (*MODELS, "modelplatforms") for part in ("status", "finalizers"))

MAY = {
    "consumer": [("modelsubscriptions", READ + WRITE), ("modelservices", READ)],
    "owner": [
        ("modelservices", READ + WRITE),
        ("modelsubscriptions", READ + WRITE),
        ("modelservices/scale", ("patch",)),
    ],
    "editor": [
        ("modelservices", READ + WRITE),
        ("modelsubscriptions", READ + WRITE),
        ("modelservices/scale", ("patch",)),
    ],
    "namespace-admin": [("modelservices", READ + WRITE), ("modelsubscriptions", READ + WRITE)],
    "viewer": [("modelservices", READ), ("modelsubscriptions", READ)],
    "platform-admin": [("modelplatforms", READ + WRITE)],
}
MAY_NOT = {
    # Writing ModelServices is running pods.
    "consumer": [("modelservices", WRITE), ("modelservices/scale", WRITE), ("modelplatforms", READ + WRITE)],
    "owner": [("modelplatforms", READ + WRITE)],
    "editor": [("modelplatforms", READ + WRITE)],
    "namespace-admin": [("modelplatforms", READ + WRITE)],
    "viewer": [("modelservices", WRITE), ("modelsubscriptions", WRITE), ("modelplatforms", READ + WRITE)],
    "platform-admin": [("modelservices", READ + WRITE), ("modelsubscriptions", READ + WRITE)],
}
# Roles of ours give nothing beyond our kinds: neither keys nor what the operator writes.
BEYOND = {
    "": [("secrets", READ + WRITE), ("pods", WRITE), ("services", WRITE), ("configmaps", READ)],
    "serving.kserve.io": [("inferenceservices", READ + WRITE), ("servingruntimes", READ + WRITE)],
    "capabilities.3scale.net": [("products", READ + WRITE), ("applications", READ + WRITE)],
    RBAC: [("rolebindings", READ + WRITE), ("clusterroles", WRITE)],
}
OF_OURS_ALONE = ("consumer", "owner", "platform-admin")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def users(administrator: Administrator) -> Any:
    """Bind each role in one of two namespaces, each to a user of its name."""
    if not administrator.real:
        pytest.skip("the embedded API has no RBAC")
    world = administrator.world
    await administrator.around.installation.base()
    for name in (OURS, OTHERS):
        await world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    for user, role in BINDINGS.items():
        await bind("RoleBinding", user, role, administrator)
    await bind("ClusterRoleBinding", "platform-admin", "maas-operator-platform-admin", administrator)
    await aggregated(administrator)
    yield administrator
    await administrator.shell("kubectl delete clusterrolebinding platform-admin")
    for name in (OURS, OTHERS):
        await world.removed(Ref(NAMESPACE, "", name))


async def bind(kind: str, user: str, role: str, administrator: Administrator) -> None:
    where = f"--namespace={OURS}" if kind == "RoleBinding" else ""
    command = f"kubectl create {kind.lower()} {user} --clusterrole={role} --user={user} {where}"
    code, output = await administrator.shell(command)
    assert code == 0, output


async def aggregated(administrator: Administrator) -> None:
    """Wait until Kubernetes has added our roles to its own."""
    async with asyncio.timeout(LIMIT_SECONDS):
        for role in ("view", "edit", "admin"):
            while "modelservices" not in str(await administrator.world.get(Ref(CLUSTER_ROLE, "", role))):
                await asyncio.sleep(0.1)


async def granted(
    administrator: Administrator,
    user: str,
    resources: Iterable[tuple[str, tuple[str, ...]]],
    namespace: str,
    group: str,
) -> dict[str, bool]:
    """Return the server's verdict on each verb and resource."""
    found = {}
    for resource, verbs in resources:
        plural, _, subresource = resource.partition("/")
        for verb in verbs:
            where = "" if plural == "modelplatforms" else namespace
            attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
            spec = {"user": user, "resourceAttributes": {**attributes, "namespace": where}}
            review = await _reviewed(administrator, spec)
            found[f"{user}: {verb} {resource}"] = bool(review["status"]["allowed"])
    return found


async def _reviewed(administrator: Administrator, spec: Manifest) -> Manifest:
    body = {"apiVersion": REVIEW.api_version, "kind": REVIEW.name, "metadata": {}, "spec": spec}
    path = f"/apis/{REVIEW.api_version}/{REVIEW.plural}"
    return await administrator.around.client.call("POST", Ref(REVIEW, "", ""), path, body=body)


@pytest.mark.parametrize("user", MAY)
async def test_a_user_may_do_what_the_role_is_for(users: Administrator, user: str) -> None:
    namespace = "" if user == "platform-admin" else OURS
    assert all((found := await granted(users, user, MAY[user], namespace, GROUP)).values()), found


@pytest.mark.parametrize("user", MAY_NOT)
async def test_a_user_may_not_do_what_belongs_to_others(users: Administrator, user: str) -> None:
    assert not any((found := await granted(users, user, MAY_NOT[user], OURS, GROUP)).values()), found


@pytest.mark.parametrize("user", MAY)
async def test_no_user_writes_what_the_operator_tells(users: Administrator, user: str) -> None:
    for namespace in ("", OURS):
        found = await granted(users, user, [(one, ("update", "patch")) for one in OPERATORS], namespace, GROUP)
        assert not any(found.values()), found


@pytest.mark.parametrize("user", BINDINGS)
async def test_a_user_of_one_namespace_sees_nothing_of_another(users: Administrator, user: str) -> None:
    everything = [(one, READ + WRITE) for one in MODELS]
    for namespace in (OTHERS, ""):
        assert not any((found := await granted(users, user, everything, namespace, GROUP)).values()), found
    secrets = await granted(users, user, [("secrets", READ)], OTHERS, "")
    assert not any(secrets.values()), secrets


@pytest.mark.parametrize("user", OF_OURS_ALONE)
async def test_a_role_of_ours_gives_nothing_but_our_kinds(users: Administrator, user: str) -> None:
    for group, resources in BEYOND.items():
        assert not any((found := await granted(users, user, resources, OURS, group)).values()), found


async def test_a_consumer_who_tries_is_refused(users: Administrator) -> None:
    for command in (
        f"kubectl --namespace {OURS} get secrets",
        f"kubectl --namespace {OTHERS} get modelsubscriptions",
        f"kubectl --namespace {OURS} create --filename deploy/samples/llama-32-1b-instruct-cpu.yaml",
    ):
        code, output = await users.shell(f"{command} --as=consumer")
        assert code != 0
        assert "orbidden" in output


async def test_every_role_for_users_is_tried() -> None:
    roles = {line.split()[-1] for line in rbac_files()["users.yaml"].splitlines() if line.startswith("  name: ")}
    # The role for viewers is part of `view`.
    assert roles == {*BINDINGS.values(), "maas-operator-platform-admin", "maas-operator-viewer"} - {
        "edit",
        "view",
        "admin",
    }

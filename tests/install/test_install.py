"""`make install` and `make uninstall` against a cluster: from nothing to models, and back to nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from maas_operator.app.rbac import MINIO_NAMESPACE
from maas_operator.domain.kinds import MODEL_PLATFORM, MODEL_SERVICE, NAMESPACE, SECRET, Kind
from maas_operator.domain.labels import OPERATOR
from maas_operator.domain.objects import Ref, ref_of
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.surroundings import THREESCALE_NAMESPACE
from maas_operator.sandbox.controllers.threescale.context import DEFAULT_SECRET
from tests.deploy.kustomizations import DEPLOY, address, listed
from tests.e2e.network import Network
from tests.e2e.world import LIMIT_SECONDS, PLATFORM, condition, is_true, sample, service_of
from tests.install.conftest import Administrator

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLE = DEPLOY / "examples" / "gitops"
PROVIDER_ACCOUNT = Ref(SECRET, THREESCALE_NAMESPACE, DEFAULT_SECRET)
BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
HOME = "install"
SERVICE = service_of(HOME)


async def test_an_installation_serves_the_example_and_goes_without_a_trace(administrator: Administrator) -> None:
    world = administrator.world
    assert (await administrator.make("uninstall"))[0] == 0
    assert await world.find(Ref(NAMESPACE, "", OPERATOR)) is None
    namespaces = [one for one in listed(EXAMPLE / "platform") if one["kind"] == "Namespace"]
    namespaces.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MINIO_NAMESPACE}})
    await world.apply(namespaces)
    before = await administrator.everything()
    assert not [name for name in before if OPERATOR in name]
    await administrator.installed()
    code, output = await administrator.shell("kubectl apply --server-side -f deploy/rbac/minio.yaml")
    assert code == 0, output
    async with administrator.running():
        for folder in ("platform", "teams/search", "teams/support"):
            code, output = await administrator.shell(f"kubectl apply --server-side -k deploy/examples/gitops/{folder}")
            assert code == 0, output
        for one in (
            one for folder in ("platform", "teams/search", "teams/support") for one in listed(EXAMPLE / folder)
        ):
            if one["apiVersion"] == MODEL_PLATFORM.api_version:
                await world.until(ref_of(one), lambda live: is_true(live, "Ready"))
        await nothing_differs_from_git(administrator)
        code, output = await administrator.make("uninstall")
        assert code == 0, output
    # Roles of the example are not the operator's; KServe's pods are collected by Kubernetes, in its own time.
    theirs = [address(one) for one in listed(EXAMPLE / "platform") if "Role" in one["kind"]]
    roles = {f"{kind} {namespace}/{name}" for kind, namespace, name in theirs}
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_SECONDS):
            while await administrator.everything() - before - roles:
                await asyncio.sleep(1.0)
    assert await administrator.everything() - before - roles == set()
    assert world.in_3scale() == []
    for one in namespaces:
        await world.removed(ref_of(one))


async def nothing_differs_from_git(administrator: Administrator) -> None:
    """So that Argo CD, which asks the server the same, needs no `ignoreDifferences`."""
    for folder in ("platform", "teams/search", "teams/support"):
        code, output = await administrator.shell(f"kubectl diff --server-side -k deploy/examples/gitops/{folder}")
        assert (code, output) == (0, ""), folder
    installed = "kubectl diff --server-side --field-manager=maas-operator-install -k deploy/operator"
    assert await administrator.shell(installed) == (0, "")


async def test_both_can_be_run_again(administrator: Administrator) -> None:
    await administrator.installed()
    assert "created" not in await administrator.installed("IMAGE=registry.example.com/maas-operator:1.2.3")
    _, image = await administrator.shell("kubectl -n maas-operator get deploy maas-operator -o jsonpath='{..image}'")
    assert image == "registry.example.com/maas-operator:1.2.3"
    for _ in range(2):
        code, output = await administrator.make("uninstall")
        assert code == 0, output


async def test_permissions_are_given_where_3scale_is(administrator: Administrator) -> None:
    elsewhere = Ref(NAMESPACE, "", "api-management")
    code, output = await administrator.make("install", "THREESCALE_NAMESPACE=api-management")
    assert (code != 0, "there is no namespace api-management" in output) == (True, True)
    assert await administrator.world.find(Ref(NAMESPACE, "", OPERATOR)) is None
    await administrator.world.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere.name}}])
    await administrator.installed("THREESCALE_NAMESPACE=api-management")
    secrets = "maas-operator-threescale-secrets"
    assert await administrator.world.find(Ref(BINDING, elsewhere.name, secrets))
    assert await administrator.world.find(Ref(BINDING, THREESCALE_NAMESPACE, secrets)) is None
    code, output = await administrator.make("uninstall", "THREESCALE_NAMESPACE=api-management")
    assert code == 0, output
    assert await administrator.world.find(Ref(BINDING, elsewhere.name, secrets)) is None
    await administrator.world.removed(elsewhere)


async def test_without_an_operator_nothing_is_deleted_and_it_says_what_to_do(administrator: Administrator) -> None:
    world = administrator.world
    await administrator.installed()
    async with administrator.running():
        await world.apply(sample(HOME))
        await world.complete(SERVICE)
    await administrator.scaled(0)
    code, output = await administrator.make("uninstall")
    assert code != 0
    assert "the operator does not run" in output
    assert "Start it with make install" in output
    assert SERVICE.name in output
    assert "deletionTimestamp" not in (await world.get(SERVICE))["metadata"]
    await administrator.installed()
    async with administrator.running():
        code, output = await administrator.make("uninstall")
        assert code == 0, output
    assert world.in_3scale() == []
    await world.removed(Ref(NAMESPACE, "", HOME))


async def test_what_can_not_be_deleted_is_named_with_its_reason_in_due_time(administrator: Administrator) -> None:
    world = administrator.world
    await administrator.installed()
    async with administrator.running():
        await world.apply(sample(HOME))
        await world.complete(SERVICE)
        async with world.fault(PROVIDER_ACCOUNT, PortaFault.DOWN):
            code, output = await administrator.make("uninstall", "TIMEOUT_SECONDS=5")
            assert code != 0
            assert "after 5 s these are still being deleted" in output
            assert SERVICE.name in output
            await world.until(SERVICE, lambda live: condition(live, "Ready").get("reason") == "DeletionBlocked")
            # What would be needed to go on is still there.
            assert await world.find(PLATFORM)
            assert await world.find(Ref(NAMESPACE, "", OPERATOR))
        code, output = await administrator.make("uninstall")
        assert code == 0, output
    assert world.in_3scale() == []
    await world.removed(Ref(NAMESPACE, "", HOME))


async def test_an_operator_that_ends_meanwhile_is_told_of(administrator: Administrator) -> None:
    world = administrator.world
    await administrator.installed()
    async with administrator.running():
        await world.apply(sample(HOME))
        await world.complete(SERVICE)
    async with asyncio.TaskGroup() as group:
        uninstall = group.create_task(administrator.make("uninstall", "TIMEOUT_SECONDS=5"))
        await world.until(SERVICE, lambda live: "deletionTimestamp" in live["metadata"])
        await administrator.scaled(0)
    code, output = uninstall.result()
    assert code != 0
    assert "after 5 s these are still being deleted, and the operator does not run" in output
    await administrator.installed()
    async with administrator.running():
        code, output = await administrator.make("uninstall")
        assert code == 0, output
    await world.removed(Ref(NAMESPACE, "", HOME))


async def test_a_cluster_that_takes_requests_and_never_answers_is_not_waited_for(administrator: Administrator) -> None:
    network = Network(administrator.around.cluster.kubeconfig, "deaf")
    async with network:
        network.cut()
        for command in ("install", "uninstall"):
            variables = f"KUBECONFIG={network.kubeconfig} TIMEOUT_SECONDS=1"
            code, _ = await administrator.shell(f"{variables} make --no-print-directory {command}")
            assert code != 0


async def test_a_kubectl_that_is_not_there_is_told_of(administrator: Administrator) -> None:
    code, output = await administrator.shell("PATH=/nonexistent /bin/bash deploy/scripts/install")
    assert code != 0
    assert "there is no kubectl in your PATH; nothing was changed" in output


async def test_a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one(administrator: Administrator) -> None:
    code, output = await administrator.shell("KUBECONFIG=/nonexistent make --no-print-directory install")
    assert code != 0
    assert "does not answer, or not to you; nothing was changed" in output
    code, output = await administrator.shell("KUBECONFIG=/nonexistent make --no-print-directory uninstall")
    assert code != 0
    assert "nothing was deleted" in output
    assert MODEL_SERVICE.plural not in output

"""`maas-operator plan`: what it says, how it exits, and that it leaves the cluster as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from click.testing import CliRunner, Result

from maas_operator.api.crd import crd_manifests
from maas_operator.app.cli import main
from maas_operator.app.plan_output import Document
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.kubeapi.errors import ApiError
from maas_operator.sandbox.kubeapi.faults import Call
from maas_operator.sandbox.kubeapi.in_process import InProcessCluster
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml"
SUBSCRIPTION: Manifest = {
    "apiVersion": "maas-operator.io/v1alpha1",
    "kind": "ModelSubscription",
    "metadata": {"name": "dev1", "namespace": "default"},
    "spec": {
        "modelRef": {"name": "tiny"},
        "plan": "standard",
        "account": "dev1",
        "user": {"username": "dev1", "email": "dev1@example.com"},
    },
}
SERVICE: Manifest = {
    "apiVersion": "maas-operator.io/v1alpha1",
    "kind": "ModelService",
    "metadata": {"name": "tiny", "namespace": "default"},
    "spec": {"model": {"source": {"uri": "oci://registry.example.com/models/tiny:1"}}},
}


class Stand:
    """An API server with the CRDs, and the command beside it."""

    def __init__(self, kubeapi: KubeApi, folder: Path) -> None:
        self.kubeapi = kubeapi
        self.cluster = InProcessCluster(kubeapi)
        self.kubeconfig = kubeapi.write_kubeconfig(folder / "kubeconfig")
        self.folder = folder

    def write(self, *documents: Any) -> str:
        path = self.folder / "objects.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        return str(path)

    async def plan(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run the command, and prove that it has written nothing."""
        version = self.kubeapi.api.store.version
        words = ["plan", "--kubeconfig", str(self.kubeconfig), *arguments]
        result = await asyncio.to_thread(CliRunner().invoke, main, words, input=stdin)
        assert self.kubeapi.api.store.version == version
        return result

    async def of(self, *documents: Any) -> Result:
        return await self.plan("-f", self.write(*documents))

    async def refused(self, *documents: Any) -> str:
        result = await self.of(*documents)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr.startswith("Error: ")
        return result.stderr

    def deny(self, matches: Callable[[Call], bool]) -> None:
        async def deny(call: Call) -> None:
            if matches(call):
                raise ApiError(403, "Forbidden", f"User dev cannot {call.verb} {call.kind}", {"name": call.name})

        self.kubeapi.faults.add(deny)


@pytest_asyncio.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Stand]:
    async with KubeApi() as kubeapi:
        yield Stand(kubeapi, tmp_path)


@pytest_asyncio.fixture
async def stand(bare: Stand) -> Stand:
    for definition in (*crd_manifests(), *third_party_crds(None)):
        await bare.cluster.apply(definition, manager="admin")
    await bare.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "3scale"}})
    return bare


async def test_files_that_are_there_already_exit_with_0(stand: Stand) -> None:
    await stand.cluster.apply(SUBSCRIPTION, manager="kubectl")
    result = await stand.of(SUBSCRIPTION)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("Nothing would change.\n")


async def test_the_sample_in_an_empty_cluster_is_told_with_its_namespace_and_platform(stand: Stand) -> None:
    await stand.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "threescale-provider-account", "namespace": "3scale"},
            "stringData": {"adminURL": "https://3scale-admin.example.com", "token": "canary-token"},
        }
    )
    result = await stand.plan("-f", str(SAMPLE))
    assert result.exit_code == 2, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "What follows:"
    assert lines[1].startswith("  ! Product 3scale/llm-hosting.llama-32-1b-instruct-cpu needs a promotion: ")
    created = [line.strip().partition(" (")[0] for line in lines if line.startswith("  + ")]
    assert "+ InferenceService llm-hosting/llama-32-1b-instruct-cpu" in created
    assert "+ Product 3scale/llm-hosting.llama-32-1b-instruct-cpu" in created
    assert "+ Application 3scale/llm-hosting.llama-32-1b-instruct-cpu-dev1" in created
    assert lines[-1] == f"Plan: {len(created)} to create, 0 to change, 0 to delete."
    assert "canary" not in result.output


async def test_json_is_one_document_of_a_form_that_is_promised(stand: Stand) -> None:
    result = await stand.plan("-f", stand.write(SUBSCRIPTION), "-o", "json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert Document.model_validate(found).summary.create == 1
    assert found["format"] == "maas-operator.io/plan/v1"
    (change,) = found["changes"]
    assert {key: change[key] for key in ("apiVersion", "kind", "namespace", "name", "action")} == {
        "apiVersion": "maas-operator.io/v1alpha1",
        "kind": "ModelSubscription",
        "namespace": "default",
        "name": "dev1",
        "action": "Create",
    }
    assert {"path": "spec.plan", "before": None, "after": "standard"} in change["fields"]
    (problem,) = found["problems"]
    assert (problem["condition"], problem["reason"]) == ("ModelAccepted", "ModelMissing")
    assert (found["consequences"], found["notes"]) == ([], [])


async def test_consequences_in_json_have_their_parts(stand: Stand) -> None:
    await stand.cluster.apply(SUBSCRIPTION, manager="kubectl")
    moved = deepcopy(SUBSCRIPTION)
    moved["spec"]["plan"] = "premium"
    result = await stand.plan("-f", stand.write(moved), "-o", "json")
    (consequence,) = json.loads(result.stdout)["consequences"]
    assert consequence == {
        "type": "MovesPlan",
        "subject": "ModelSubscription default/dev1",
        "before": "standard",
        "after": "premium",
        "message": "ModelSubscription default/dev1 moves from plan standard to plan premium",
    }
    text = (await stand.of(moved)).stdout
    assert "  ~ ModelSubscription default/dev1\n      spec.plan: standard -> premium\n" in text


async def test_the_standard_input_is_a_file_too(stand: Stand) -> None:
    result = await stand.plan("-f", "-", stdin=yaml.safe_dump(SUBSCRIPTION))
    assert (result.exit_code, "+ ModelSubscription default/dev1" in result.stdout) == (2, True)


async def test_objects_of_other_kinds_are_passed_over(stand: Stand) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    result = await stand.of(other, namespace, None, "text")
    assert (result.exit_code, result.stdout) == (0, "Nothing would change.\n")


async def test_without_the_definitions_it_says_how_to_install_them(bare: Stand) -> None:
    assert "maas-operator crds | kubectl apply --server-side -f -" in await bare.refused(SUBSCRIPTION)


async def test_an_object_of_a_namespace_that_nobody_makes_is_refused(stand: Stand) -> None:
    astray = deepcopy(SUBSCRIPTION)
    astray["metadata"]["namespace"] = "nowhere"
    assert "create its namespace, or add it to the files" in await stand.refused(astray)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda one: one["spec"].pop("plan"), "ModelSubscription dev1: spec.plan"),
        (lambda one: one["spec"].update(plans=1), "spec.plans: unknown field"),
        (lambda one: one["metadata"].pop("namespace"), "metadata.namespace: set it"),
    ],
)
async def test_a_file_that_is_not_valid_exits_with_1(
    stand: Stand, edit: Callable[[Manifest], object], words: str
) -> None:
    wrong = deepcopy(SUBSCRIPTION)
    edit(wrong)
    assert words in await stand.refused(wrong)


async def test_an_object_that_two_files_have_is_refused(stand: Stand) -> None:
    assert "has it too" in await stand.refused(SUBSCRIPTION, SUBSCRIPTION)


async def test_what_the_server_refuses_is_told_in_its_words(stand: Stand) -> None:
    await stand.cluster.apply(SUBSCRIPTION, manager="kubectl")
    other = deepcopy(SUBSCRIPTION)
    other["spec"]["account"] = "somebody"
    assert "spec.account is immutable" in await stand.refused(other)


@pytest.mark.parametrize("arguments", [[], ["-f", "missing.yaml"], ["-f", str(SAMPLE), "-o", "xml"], ["--bogus"]])
async def test_wrong_usage_exits_with_1_since_2_means_changes(bare: Stand, arguments: list[str]) -> None:
    result = await bare.plan(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error:" in result.stderr


async def test_an_unusable_kubeconfig_and_a_server_that_is_away_exit_with_1(bare: Stand) -> None:
    bare.kubeconfig.write_text("{")
    assert "no access to Kubernetes" in await bare.refused(SUBSCRIPTION)


async def test_a_caller_who_may_not_look_is_told_what_is_missing_and_another_way(stand: Stand) -> None:
    stand.deny(lambda call: call.kind == "ModelService")
    message = await stand.refused(SUBSCRIPTION)
    assert "User dev cannot list ModelService" in message
    assert "Observe" in message


async def test_a_caller_who_may_not_patch_what_the_operator_writes_is_told_so(stand: Stand) -> None:
    platform = next(one for one in yaml.safe_load_all(SAMPLE.read_text()) if one["kind"] == "ModelPlatform")
    stand.deny(lambda call: call.kind == "InferenceService" and call.dry_run)
    assert "InferenceService" in await stand.refused(platform, SERVICE)


async def test_a_field_that_the_file_drops_goes_if_its_applier_made_it(stand: Stand) -> None:
    described = deepcopy(SERVICE)
    described["spec"]["description"] = "Small"
    await stand.cluster.apply(described, manager="argocd-controller")
    result = await stand.of(SERVICE)
    assert "spec.description: - Small" in result.stdout
    kept = await stand.plan("-f", stand.write(SERVICE), "--field-manager", "somebody")
    assert (kept.exit_code, "spec.description" in kept.stdout) == (0, False)


async def test_a_field_that_the_file_drops_goes_if_kubectl_applied_it_in_the_client(stand: Stand) -> None:
    described = deepcopy(SERVICE)
    described["spec"]["description"] = "Small"
    last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(described)}
    annotated = described | {"metadata": described["metadata"] | {"annotations": last}}
    await stand.cluster.apply(annotated, manager="kubectl-client-side-apply")
    result = await stand.of(SERVICE)
    assert (result.exit_code, "spec.description: - Small" in result.stdout) == (2, True)

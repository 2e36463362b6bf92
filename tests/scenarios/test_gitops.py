"""The example of a GitOps repository: all of it becomes Ready, and what is live stays as it is in Git."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maas_operator.api.base import API_VERSION
from maas_operator.domain.kinds import MODEL_SUBSCRIPTION, NAMESPACE, TABLE
from maas_operator.domain.labels import MANAGED_BY, OPERATOR
from maas_operator.domain.objects import Manifest, ref_of
from tests.deploy.kustomizations import listed
from tests.deploy.lua import health
from tests.scenarios.harness import ROOT, World, a_world

EXAMPLE = ROOT / "deploy" / "examples" / "gitops"
FOLDERS = [EXAMPLE / name for name in ("platform", "teams/search", "teams/support")]
ARGO_CD = "argocd-controller"
# What every server writes, and what the operator tells: neither is compared with Git by anybody.
SERVERS = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")


def in_git(*, ours: bool) -> list[Manifest]:
    found = [one for folder in FOLDERS for one in listed(folder)]
    return [one for one in found if (one["apiVersion"] == API_VERSION) is ours]


def of_git(live: Manifest) -> dict[str, Any]:
    """Return what Git has a say in."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in SERVERS}
    return {**live, "metadata": metadata, "status": None}


async def synced(world: World) -> None:
    """Have Argo CD apply all of it but the roles, which nobody is held to here."""
    await world.apply(*(one for one in in_git(ours=False) if one["kind"] == NAMESPACE.name), manager=ARGO_CD)
    await world.apply(*in_git(ours=True), manager=ARGO_CD)


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Return the fields that Git sets and that are otherwise now."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [line for key in before for line in differences(before[key], after.get(key), f"{path}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{path}[{number}]")]
    return [] if before == after else [path]


def test_the_example_has_a_platform_two_models_and_two_teams() -> None:
    kinds = [one["kind"] for one in in_git(ours=True)]
    assert kinds.count("ModelPlatform") == 1
    assert kinds.count("ModelService") == 2
    homes = {one["metadata"]["namespace"] for one in in_git(ours=True) if one["kind"] == MODEL_SUBSCRIPTION.name}
    assert homes == {one["metadata"]["name"] for one in in_git(ours=False) if one["kind"] == NAMESPACE.name}
    assert len(homes) == 2


def test_argo_cd_is_led_to_every_folder_of_the_example() -> None:
    applications = [one for one in listed(EXAMPLE / "apps") if one["kind"] == "Application"]
    paths: list[Path] = [EXAMPLE / one["spec"]["source"]["path"] for one in applications]
    assert sorted(paths) == sorted(FOLDERS)


def test_a_teams_project_takes_all_that_its_folder_has_and_no_more() -> None:
    (project,) = [one for one in listed(EXAMPLE / "apps") if one["kind"] == "AppProject"]
    for folder in FOLDERS[1:]:
        for one in listed(folder):
            group = one["apiVersion"].partition("/")[0]
            assert {"group": group, "kind": one["kind"]} in project["spec"]["namespaceResourceWhitelist"]
            assert one["metadata"]["namespace"] in [to["namespace"] for to in project["spec"]["destinations"]]
    assert project["spec"]["clusterResourceWhitelist"] == []


def test_who_may_read_a_key_is_told_its_right_name() -> None:
    names = {name for one in in_git(ours=False) if one["kind"] == "Role" for name in one["rules"][0]["resourceNames"]}
    keys = {f"{one['metadata']['name']}-key" for one in in_git(ours=True) if one["kind"] == MODEL_SUBSCRIPTION.name}
    assert names
    assert names <= keys


async def test_all_of_it_becomes_ready() -> None:
    async with a_world() as world:
        await synced(world)
        await world.settle()
        for one in in_git(ours=True):
            assert await world.told(ref_of(one), "Ready") == ("True", "Ready"), await world.message(ref_of(one))


async def test_no_field_of_git_need_be_ignored() -> None:
    async with a_world() as world:
        await synced(world)
        applied = {ref_of(one): await world.get(ref_of(one)) for one in in_git(ours=True)}
        await world.settle()
        for one in in_git(ours=True):
            live = await world.get(ref_of(one))
            # As Argo CD compares with ServerSideApply: entries of lists get their defaults, too.
            assert differences(one, live) == []
            # Nothing but our finalizer is otherwise than it was applied.
            before, after = of_git(applied[ref_of(one)]), of_git(live)
            assert after["metadata"].pop("finalizers", None) is not None
            before["metadata"].pop("finalizers", None)
            assert after == before
            assert live["metadata"]["generation"] == 1
            # And by a dry run of the server, as it does with ServerSideDiff.
            again = await world.client.apply(one, manager=ARGO_CD, dry_run=True)
            assert of_git(again) == of_git(live)


async def test_argo_cd_takes_no_child_for_its_own() -> None:
    # It finds what is its own by these, and prunes what it does not find in Git.
    marks = ("app.kubernetes.io/instance", "argocd.argoproj.io/")
    async with a_world() as world:
        tracked = [
            {
                **one,
                "metadata": {**one["metadata"], "labels": {marks[0]: "search"}, "annotations": {f"{marks[1]}x": "y"}},
            }
            for one in in_git(ours=True)
        ]
        await world.apply(*(one for one in in_git(ours=False) if one["kind"] == NAMESPACE.name), *tracked)
        await world.settle()
        children = [one for kind in TABLE for one in await world.client.list(kind, labels={MANAGED_BY: OPERATOR})]
        assert children
        for child in children:
            written = {*child["metadata"].get("labels", {}), *child["metadata"].get("annotations", {})}
            assert not [key for key in written if key.startswith(marks)]


@pytest.mark.parametrize("folder", FOLDERS[1:], ids=lambda folder: folder.name)
async def test_argo_cd_shows_progress_and_then_health(folder: Path) -> None:
    async with a_world() as world:
        await synced(world)
        for one in listed(folder):
            assert health(await world.get(ref_of(one)))[0] == "Progressing"
        await world.settle()
        for one in listed(folder):
            assert health(await world.get(ref_of(one)))[0] == "Healthy"

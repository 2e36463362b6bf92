"""kubectl against the embedded API: what a newcomer types."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from maas_operator.sandbox.kubeapi import KubeApi
from tests.sandbox.kubeapi.client import WIDGETS, Body, Client, config_map, widget

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _binary() -> str | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = Path(assets) / "kubectl" if assets else None
    return str(found) if found and found.exists() else shutil.which("kubectl")


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig and a home of its own."""

    binary: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """All that it may see of ours."""
        return {"KUBECONFIG": str(self.home / "kubeconfig"), "HOME": str(self.home), "PATH": os.environ["PATH"]}

    async def __call__(self, *arguments: str, manifest: Body | None = None, fails: bool = False) -> str:
        """Run it; return all that it says."""
        process = await asyncio.create_subprocess_exec(
            self.binary,
            *arguments,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate(yaml.safe_dump(manifest).encode() if manifest else None)
        assert bool(process.returncode) is fails, said.decode()
        return said.decode()


@pytest_asyncio.fixture(loop_scope="session")
async def kubectl(kubeapi: KubeApi, embedded: Client, tmp_path: Path) -> Kubectl:
    binary = _binary()
    if binary is None:
        pytest.skip("there is no kubectl")
    kubeapi.write_kubeconfig(tmp_path / "kubeconfig")
    found = Kubectl(binary, tmp_path)
    if "Client Version: v1.2" in await found("version"):
        pytest.skip("this kubectl is too old")
    return found


async def test_apply_and_get_show_the_columns(kubectl: Kubectl) -> None:
    assert "widget.example.io/a created" in await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}))
    assert "unchanged" in await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}))
    assert "configured" in await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 4}))
    heading, row = (await kubectl("get", "wd")).splitlines()
    assert heading.split() == ["NAME", "READY", "SIZE", "AGE"]
    assert row.split()[:2] == ["a", "4"]


async def test_server_side_apply_reports_a_conflict(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "-f", "-", manifest=widget("a", {"size": 3}))
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    said = await kubectl(*other, manifest=widget("a", {"size": 4}), fails=True)
    assert 'conflict with "kubectl": .spec.size' in said
    assert "serverside-applied" in await kubectl(*other, "--force-conflicts", manifest=widget("a", {"size": 4}))


async def test_an_unknown_field_is_refused(kubectl: Kubectl) -> None:
    said = await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3, "bogus": 1}), fails=True)
    assert 'unknown field "spec.bogus"' in said


async def test_wait_sees_a_condition_a_path_and_a_deletion(kubectl: Kubectl, embedded: Client) -> None:
    path = "/apis/example.io/v1/namespaces/default/widgets/a"
    await embedded.create(path.removesuffix("/a"), widget("a", {"size": 3}, finalizers=["x.io/y"]))
    async with asyncio.TaskGroup() as group:
        condition = group.create_task(kubectl("wait", "--for=condition=Ready", "--timeout=30s", "wd/a"))
        message = group.create_task(kubectl("wait", "--for=jsonpath={.status.message}=done", "--timeout=30s", "wd/a"))
        status = {"message": "done", "conditions": [{"type": "Ready", "status": "True"}]}
        await embedded.merge(f"{path}/status", {"status": status})
    assert "condition met" in condition.result()
    assert "condition met" in message.result()
    async with asyncio.TaskGroup() as group:
        deletion = group.create_task(kubectl("delete", "--wait", "--timeout=30s", "wd/a"))
        await embedded.merge(path, {"metadata": {"finalizers": None}})
    assert "deleted" in deletion.result()


async def test_explain_tells_the_description_of_a_field(kubectl: Kubectl) -> None:
    said = await kubectl("explain", "widget.spec.size")
    assert "how big" in said


async def test_diff_shows_what_would_change(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}))
    said = await kubectl("diff", "-f", "-", manifest=widget("a", {"size": 4}), fails=True)
    assert "-  size: 3" in said
    assert "+  size: 4" in said


async def test_describe_lists_the_events_of_an_object(kubectl: Kubectl, embedded: Client) -> None:
    await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}))
    found = await embedded.get("/apis/example.io/v1/namespaces/default/widgets/a")
    about = {"kind": "Widget", "namespace": "default", "name": "a", "uid": found.uid, "apiVersion": "example.io/v1"}
    event = {"metadata": {"name": "e"}, "regarding": about, "reason": "Shrunk", "note": "too big", "type": "Warning"}
    await embedded.create("/apis/events.k8s.io/v1/namespaces/default/events", event)
    said = await kubectl("describe", "wd", "a")
    assert "Shrunk" in said
    assert "too big" in said
    assert "Shrunk" in await kubectl("events", "--for", "widget/a")


async def test_edit_saves_what_the_editor_wrote(kubectl: Kubectl, embedded: Client, tmp_path: Path) -> None:
    await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}))
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/size: 3/size: 5/' \"$1\"\n")
    editor.chmod(0o700)
    environment = {**kubectl.environment, "KUBE_EDITOR": str(editor)}
    process = await asyncio.create_subprocess_exec(kubectl.binary, "edit", "wd/a", env=environment)
    assert await process.wait() == 0
    assert (await embedded.get("/apis/example.io/v1/namespaces/default/widgets/a")).spec["size"] == 5


async def test_scale_patch_and_label_work(kubectl: Kubectl, embedded: Client) -> None:
    await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}))
    await kubectl("scale", "--replicas=5", "wd/a")
    await kubectl("patch", "wd", "a", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":7}]')
    await kubectl("label", "wd/a", "x=y")
    found = await embedded.get("/apis/example.io/v1/namespaces/default/widgets/a")
    assert (found.spec["replicas"], found.spec["size"]) == (5, 7)
    assert found.body["metadata"]["labels"] == {"x": "y"}


async def test_built_in_kinds_are_applied_and_changed(kubectl: Kubectl) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    }
    for manifest in (config_map("m", {"x": "1"}), secret, deployment):
        assert "created" in await kubectl("apply", "-f", "-", manifest=manifest)
    assert "configured" in await kubectl("apply", "-f", "-", manifest=config_map("m", {"z": "1"}))
    await kubectl("set", "image", "deployment/d", "c=j")
    assert await kubectl("get", "deployment", "d", "-o", "jsonpath={..image}") == "j"
    assert await kubectl("get", "cm", "m", "-o", "jsonpath={.data}") == '{"z":"1"}'


async def test_a_namespace_is_deleted_with_what_is_in_it(kubectl: Kubectl) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    await kubectl("apply", "-f", "-", manifest=manifest)
    await kubectl("apply", "-f", "-", manifest=widget("a", {"size": 3}, namespace="team"))
    await kubectl("delete", "ns", "team", "--timeout=30s")
    assert "No resources found" in await kubectl("get", "wd", "-A")


async def test_a_definition_is_waited_for_and_every_permission_is_there(kubectl: Kubectl) -> None:
    await kubectl("wait", "--for=condition=Established", f"crd/{WIDGETS['metadata']['name']}", "--timeout=30s")
    assert (await kubectl("auth", "can-i", "delete", "widgets")).strip() == "yes"
    assert "widgets" in await kubectl("api-resources", "--api-group=example.io")

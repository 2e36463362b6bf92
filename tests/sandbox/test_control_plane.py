"""The real servers as child processes."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest

from maas_operator.sandbox.control_plane import ControlPlane, without_new_words
from maas_operator.sandbox.processes import ProcessFailed


def test_rules_are_dropped_and_counted_wherever_they_stand() -> None:
    rules = [{"rule": "true"}, {"rule": "false"}]
    schema = {"type": "object", "x-kubernetes-validations": rules, "properties": {"a": {"items": {"type": "string"}}}}
    schema["properties"] = {"a": {"type": "array", "items": {"x-kubernetes-validations": rules[:1]}}}
    version = {"name": "v1", "schema": {"openAPIV3Schema": schema}, "selectableFields": [{"jsonPath": ".a"}]}
    stripped, dropped = without_new_words({"spec": {"versions": [version]}})
    assert dropped == 3
    assert stripped == {
        "spec": {
            "versions": [
                {
                    "name": "v1",
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "properties": {"a": {"type": "array", "items": {}}}}
                    },
                }
            ]
        }
    }


async def test_a_server_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for program in ("etcd", "kube-apiserver", "kube-controller-manager"):
        (assets / program).write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
        (assets / program).chmod(0o700)
    with pytest.raises(ProcessFailed, match=r"(?s)ended with 3.*no such luck"):
        async with ControlPlane(assets, tmp_path / "state"):
            pass


async def test_it_answers_its_administrator_and_nobody_else(control_plane: ControlPlane) -> None:
    assert os.stat(control_plane.kubeconfig).st_mode & 0o077 == 0
    namespaces = f"{control_plane.url}/api/v1/namespaces"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=control_plane.tls())) as session:
        async with session.get(namespaces, headers={"Authorization": f"Bearer {control_plane.token}"}) as reply:
            assert reply.status == 200
        async with session.get(namespaces) as reply:
            assert reply.status == 403
    assert '"verb":"list"' in control_plane.audit_log.read_text()

"""What the end-to-end tests do and see: one cluster, its API, and the operator as a process of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from maas_operator.domain.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    HORIZONTAL_POD_AUTOSCALER,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    NAMESPACE,
    SECRET,
    TABLE,
    Kind,
)
from maas_operator.domain.labels import MANAGED_BY, OPERATOR, OWNER_KIND, labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import KindNotServed, NotFound
from maas_operator.sandbox.controllers.faults import FAULT_ANNOTATION
from maas_operator.sandbox.demo import SAMPLE
from maas_operator.sandbox.environment import Environment
from maas_operator.sandbox.operator_process import OperatorProcess

LIMIT_SECONDS = 180.0
LOOK_SECONDS = 0.1
QUIET_SECONDS = 2.0
USER = "system:serviceaccount:maas-operator:maas-operator"
READ = ("get", "list", "watch")
PLATFORM = Ref(MODEL_PLATFORM, "", "default")
# No model here has a HorizontalPodAutoscaler, and servers before Kubernetes 1.23 do not know this version of it.
WATCHED = [kind for kind in TABLE if kind not in (CUSTOM_RESOURCE_DEFINITION, NAMESPACE, HORIZONTAL_POD_AUTOSCALER)]

LEFT_OUT = pytest.StashKey[bool]()
"""Whether tests of the end-to-end suite were deselected."""


def sample(namespace: str) -> list[Manifest]:
    """Return the sample in a namespace of its own, with gateways that keep a configuration for a moment only."""
    objects = list(yaml.safe_load_all(SAMPLE.read_text().replace("llm-hosting", namespace)))
    platform = next(one for one in objects if one["kind"] == MODEL_PLATFORM.name)
    platform["spec"]["gateway"] = {"configurationCache": "1s"}
    return objects


def service_of(namespace: str) -> Ref:
    return Ref(MODEL_SERVICE, namespace, "llama-32-1b-instruct-cpu")


def is_true(manifest: Manifest, *types: str) -> bool:
    return all(condition(manifest, type_).get("status") == "True" for type_ in types)


def condition(manifest: Manifest, type_: str) -> Manifest:
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == type_), {})


def is_complete(manifest: Manifest) -> bool:
    seen = (manifest.get("status") or {}).get("observedGeneration") == manifest["metadata"]["generation"]
    return seen and is_true(manifest, "Ready", "Live", "DevelopersReady")


def values_of(secret: Manifest) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


@dataclass
class World:
    environment: Environment
    operator: OperatorProcess
    audit_log: Path | None

    # What a user does

    async def apply(self, objects: Iterable[Manifest]) -> None:
        for manifest in objects:
            await self.environment.client.apply(manifest, manager="test")

    async def delete(self, ref: Ref) -> None:
        live = await self.environment.client.get(ref)
        with contextlib.suppress(NotFound):
            # It may have gone with its owner.
            await self.environment.client.delete(ref, uid=live["metadata"]["uid"])

    async def patch(self, ref: Ref, **content: Any) -> Manifest:
        return await self.environment.client.merge_patch(ref, content)

    async def remove(self, namespace: str) -> None:
        """Delete the model of the sample and its namespace, if they are there.

        An empty namespace ends by itself: a real control plane looks at it 5 s later, and nobody uses its name again.
        """
        await self.removed(service_of(namespace))
        found = await self.find(Ref(NAMESPACE, "", namespace))
        if found and "deletionTimestamp" not in found["metadata"]:
            await self.delete(ref_of(found))

    async def removed(self, ref: Ref) -> None:
        if await self.find(ref):
            await self.delete(ref)
        await self.gone(ref)

    @asynccontextmanager
    async def fault(self, ref: Ref, fault: str) -> AsyncIterator[None]:
        """Let something go wrong meanwhile."""
        await self.patch(ref, metadata={"annotations": {FAULT_ANNOTATION: fault}})
        try:
            yield
        finally:
            await self.patch(ref, metadata={"annotations": {FAULT_ANNOTATION: None}})

    def written(self, objects: Iterable[Manifest]) -> Path:
        """Return a file with these objects."""
        path = self.operator.log.with_name("objects.yaml")
        path.write_text(yaml.safe_dump_all(objects))
        return path

    async def kubectl(self, *arguments: str, **environment: str) -> str:
        """Return what kubectl prints; skips where there is none."""
        program = shutil.which("kubectl", path=f"{os.environ.get('KUBEBUILDER_ASSETS', '')}:{os.environ['PATH']}")
        if program is None:
            pytest.skip("there is no kubectl")
        kubeconfig = str(self.environment.cluster.kubeconfig)
        child = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env=os.environ | {"KUBECONFIG": kubeconfig, "HOME": str(self.operator.log.parent)} | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(child.communicate(), LIMIT_SECONDS)
        assert child.returncode == 0, output.decode()
        return output.decode()

    # What happens to the operator

    async def run(self) -> None:
        """Have the operator run, whether it does already or not."""
        if not self.operator.running:
            await self.operator.start()
        await self.operator.ready()

    # What can be seen

    async def get(self, ref: Ref) -> Manifest:
        return await self.environment.client.get(ref)

    async def find(self, ref: Ref) -> Manifest | None:
        try:
            return await self.environment.client.get(ref)
        except NotFound:
            return None

    async def until(self, ref: Ref, wanted: Callable[[Manifest], object]) -> Manifest:
        """Return an object as soon as it is as wanted."""
        found: Manifest | None = None
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while True:
                    found = await self.find(ref)
                    if found is not None and wanted(found):
                        return found
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            pytest.fail(
                f"{ref} is not as wanted after {LIMIT_SECONDS} s:\n{yaml.safe_dump((found or {}).get('status'))}"
            )

    async def complete(self, ref: Ref) -> Manifest:
        """Return a ModelService as soon as all of it is done."""
        return await self.until(ref, is_complete)

    async def gone(self, ref: Ref) -> None:
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while (left := await self.find(ref)) is not None:
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            pytest.fail(f"{ref} is still there after {LIMIT_SECONDS} s:\n{yaml.safe_dump(left)}")

    async def first(self, kind: Kind) -> Manifest:
        """Return the first object of ours of a kind, as soon as there is one."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (found := await self.ours(kind)):
                await asyncio.sleep(LOOK_SECONDS / 10)
        return found[0]

    async def ours(self, *kinds: Kind) -> list[Manifest]:
        """Return what the operator made for models, of all kinds if none is given; the platform outlives the tests."""
        found: list[Manifest] = []
        for kind in kinds or TABLE:
            try:
                found += await self.environment.client.list(kind, labels={MANAGED_BY: OPERATOR})
            except KindNotServed:
                continue
        # Other tests on the same server leave objects with nobody for an owner.
        owned = [one for one in found if OWNER_KIND in labels_of(one)]
        return [one for one in owned if labels_of(one)[OWNER_KIND] != MODEL_PLATFORM.name]

    async def versions(self) -> dict[Ref, str]:
        """Return the resourceVersion of every object that the operator or a stand-in writes."""
        objects = [one for kind in WATCHED for one in await self.environment.client.list(kind)]
        return {ref_of(one): one["metadata"]["resourceVersion"] for one in objects}

    async def quiet(self) -> dict[Ref, str]:
        """Return the versions when none has changed for some seconds."""
        before: dict[Ref, str] = {}
        async with asyncio.timeout(LIMIT_SECONDS):
            while (after := await self.versions()) != before:
                before = after
                await asyncio.sleep(QUIET_SECONDS)
        return after

    async def keys(self, namespace: str) -> dict[str, dict[str, str]]:
        """Return the consumers' Secrets of a namespace, with their values."""
        found = await self.environment.client.list(SECRET, namespace=namespace, labels={MANAGED_BY: OPERATOR})
        return {one["metadata"]["name"]: values_of(one) for one in found}

    def in_3scale(self) -> list[str]:
        """Return what 3scale holds besides the product that every tenant is born with."""
        (tenant,) = self.environment.around.porta
        products = [one.system_name for one in tenant.catalogue.products.values() if one.system_name != "api"]
        backends = [one.system_name for one in tenant.catalogue.backends.values()]
        accounts = [one.org_name for one in tenant.people.accounts.values()]
        return [*products, *backends, *accounts, *(one.name for one in tenant.people.applications.values())]

    def user_keys(self) -> list[str]:
        """Return the keys that 3scale lets in."""
        (tenant,) = self.environment.around.porta
        return [one.user_key for one in tenant.people.applications.values() if one.state == "live"]

    def writes(self) -> list[str]:
        """Return what the operator has asked to write so far; nothing where the server keeps no audit log."""
        requests = self.audit() if self.audit_log else ()
        return [one["requestURI"] for one in requests if one["verb"] not in READ]

    def audit(self) -> Iterator[Manifest]:
        """Yield the operator's requests so far; skips where the server keeps no audit log."""
        if self.audit_log is None:
            pytest.skip("this server has no RBAC and no audit log")
        for line in self.audit_log.read_text().splitlines():
            entry = json.loads(line)
            if entry["user"].get("username") == USER:
                yield entry

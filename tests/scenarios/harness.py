"""A cluster in one process, in virtual time: state in, passes, state out.

    async with a_world() as world:
        await world.apply(*sample())
        await world.settle()
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")

The store is the sandbox's, and so are KServe, 3scale and zync; the operator's engine, decisions and gatherer are the
real ones. When the `with` ends, the properties P1 to P9 are checked: everything has converged, nobody writes any more,
foreign objects are as they were, no secret shows; then all is deleted, and nothing may be left. Give
`a_world(ends=False)` where a scenario ends otherwise.

To replay a failure of a matrix (crashes, errors, edits), run its one case: `pytest tests/scenarios -k 17-after`. The
clock is virtual and nothing is random, so that it happens again; `world.story()` tells all calls. A usual run takes a
sample of each matrix, and `SCENARIOS=all` takes all of it.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from pydantic import SecretStr

from maas_operator.api.crd import crd_manifests
from maas_operator.domain.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    NAMESPACE,
    OBJECT_BUCKET_CLAIM,
    OF_MINIO,
    POD,
    SECRET,
    Kind,
)
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.cluster import MANAGER
from maas_operator.engine.errors import NotFound
from maas_operator.sandbox.controllers.buckets import object_storage_class
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.controllers.kserve.settings import Settings
from maas_operator.sandbox.controllers.minio.volumes import default_storage_class
from maas_operator.sandbox.controllers.runner import Backoff
from maas_operator.sandbox.controllers.surroundings import surroundings
from maas_operator.sandbox.controllers.threescale.admin_api import AdminApi
from maas_operator.sandbox.controllers.threescale.admin_http import InProcess
from maas_operator.sandbox.controllers.threescale.porta import Tenant
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.kubeapi.kubeapi import KubeApi
from maas_operator.sandbox.kubeapi.resources import Object, Resource
from maas_operator.sandbox.kubeapi.store import Key
from tests.scenarios.operator import Operator, calls_in_words
from tests.scenarios.oracles import Historian, Listener, leftovers
from tests.scenarios.snapshot import Snapshot, snapshot
from tests.virtual_time import VirtualTimeLoop, now

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
UPSTREAM = ROOT.parent / "shared" / "upstream-crds"
HOME, GATEWAY, NAME = "llm-hosting", "3scale", "llama-32-1b-instruct-cpu"
SERVICE = Ref(MODEL_SERVICE, HOME, NAME)
SUBSCRIPTION = Ref(MODEL_SUBSCRIPTION, HOME, f"{NAME}-dev1")
PLATFORM = Ref(MODEL_PLATFORM, "", "default")
ACCOUNT = Ref(SECRET, GATEWAY, "threescale-provider-account")
CONSUMER_KEY = Ref(SECRET, HOME, f"{NAME}-dev1-key")
STORED_KEY = Ref(SECRET, GATEWAY, f"{HOME}.{NAME}-dev1.key")

VISIBILITY = "networking.kserve.io/visibility"
"""Label without which KServe leads a way around the gateway to a model."""
ADMIN_URL, TOKEN = "https://maas-admin.apps.example.com", "the-canary-of-the-tenant"
NOT_IN_SAMPLE = {*OF_MINIO, OBJECT_BUCKET_CLAIM}
"""Kinds that a model without a bucket has none of: test_storage.py and test_minio*.py have them."""
QUIET_SECONDS = 720.0
"""Longer than any wait of anybody: the resync, the gateways' cache, the back-offs."""
STARTED_SECONDS = 3.0
HOUR = 3600.0


@cache
def _definitions() -> tuple[Manifest, ...]:
    return (*crd_manifests(), *third_party_crds(UPSTREAM if UPSTREAM.is_dir() else None))


@cache
def _sample() -> tuple[Manifest, ...]:
    text = (ROOT / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml").read_text()
    return tuple(yaml.safe_load_all(text))


def sample(*, cache: str = "10s", **spec: Any) -> list[Manifest]:
    """Return the sample's Namespace, ModelPlatform and ModelService; keywords replace fields of the latter's spec.

    The gateways drop their `cache` sooner than in the sample, which saves passes.
    """
    namespace, platform, service = deepcopy(list(_sample()))
    platform["spec"]["gateway"] = {"configurationCache": cache}
    service["spec"] |= spec
    return [namespace, platform, service]


def a_subscription(name: str, *, namespace: str = HOME, model: str = NAME, **spec: Any) -> Manifest:
    """Return a ModelSubscription to the sample, by an account of its own name."""
    user = {"username": name, "email": f"{name}@{namespace}.example.com"}
    known = {"modelRef": {"name": model}, "plan": "standard", "account": name, "user": user}
    return {
        "apiVersion": MODEL_SUBSCRIPTION.api_version,
        "kind": MODEL_SUBSCRIPTION.name,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**known, **spec},
    }


def a_namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": NAMESPACE.name, "metadata": {"name": name}}


def a_secret(ref: Ref, **values: str) -> Manifest:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": ref.name, "namespace": ref.namespace}
    return {"apiVersion": "v1", "kind": SECRET.name, "metadata": metadata, "type": "Opaque", "data": data}


def the_account() -> Manifest:
    """Return the Secret by which 3scale is reached."""
    return a_secret(ACCOUNT, adminURL=ADMIN_URL, token=TOKEN)


class AdminApiCalls(InProcess):
    """The calls of 3scale's Admin API that the operator makes; those for which `fails` is true find nobody there."""

    def __init__(self, api: AdminApi) -> None:
        super().__init__(api)
        self.calls: list[str] = []
        self.fails: Callable[[str], bool] = lambda call: False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path.removeprefix('/admin/api/')}"
        self.calls.append(call)
        if self.fails(call):
            raise httpx.ConnectError("connection refused") from ConnectionRefusedError(111, "connection refused")
        return await super().handle_async_request(request)


class World:
    """The cluster of one scenario; what its methods do is done by its user, and meets no fault."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.historian, self.listener = Historian(), Listener()
        self.kubeapi = KubeApi(clock=self.wall_clock)
        self.kubeapi.api.store.subscribe(self.historian.hear)
        self.client = InProcessClient(self.kubeapi)
        self.around = surroundings(self.client, clock=self.wall_clock, backoff=Backoff(longest=60.0), settings=settings)
        self.around.porta.add_tenant(ADMIN_URL, TOKEN)
        numbers = itertools.count(int(now()) + 1)
        self.admin_api = AdminApiCalls(self.around.admin_api)
        self.operator = Operator(
            self.kubeapi,
            self.wall_clock,
            fresh=lambda: SecretStr(f"{next(numbers):06}canary{'x' * 31}"),
            admin_api=self.admin_api,
        )
        self._foreign: list[Manifest] = []

    @staticmethod
    def wall_clock() -> datetime:
        return EPOCH + timedelta(seconds=now())

    async def install(
        self, *, kinds: Iterable[Kind] | None = None, namespace: bool = True, account: bool = True
    ) -> None:
        """Install the CRDs (of these kinds' groups, else all), the 3scale namespace, and its Secret."""
        groups = None if kinds is None else {kind.group for kind in kinds}
        for definition in _definitions():
            if groups is None or definition["spec"]["group"] in groups:
                await self._apply_once(definition)
        await self.apply(default_storage_class(), object_storage_class())
        if namespace:
            await self.apply(a_namespace(GATEWAY))
        if namespace and account:
            await self.apply(the_account())

    async def _apply_once(self, definition: Manifest) -> None:
        if await self.find(Ref(CUSTOM_RESOURCE_DEFINITION, "", definition["metadata"]["name"])) is None:
            await self.client.apply(definition, manager="admin")

    async def apply(self, *manifests: Manifest, manager: str = "kubectl") -> None:
        for manifest in manifests:
            await self.client.apply(manifest, manager=manager)

    async def edit(self, ref: Ref, patch: Mapping[str, Any], *, subresource: str = "") -> None:
        await self.client.merge_patch(ref, patch, subresource=subresource)

    async def replace(self, ref: Ref, **parts: Any) -> None:
        """Write an object anew with other parts, as an editor does."""
        await self.client.replace({**await self.get(ref), **parts})

    async def foreign(self, manifest: Manifest) -> Manifest:
        """Create an object of somebody else, which must stay as it is until the end."""
        made = await self.client.create(manifest)
        self._foreign.append(made)
        return made

    async def no_longer_foreign(self, foreign: Manifest) -> None:
        """Have its owner delete such an object."""
        self._foreign.remove(foreign)
        await self.delete(ref_of(foreign))

    async def break_pods(self) -> None:
        """Have the pods looked at, so that a new fault shows."""
        for pod in await self.client.list(POD):
            await self.edit(ref_of(pod), {"metadata": {"annotations": {"looked-at": str(now())}}})

    async def delete(self, *refs: Ref) -> None:
        for ref in refs:
            await self.client.delete(ref, uid=(await self.client.get(ref))["metadata"]["uid"])

    async def get(self, ref: Ref) -> Manifest:
        # A copy: what a test changes in the store's own is told by no watch.
        return deepcopy(await self.client.get(ref))

    async def find(self, ref: Ref) -> Manifest | None:
        try:
            return await self.client.get(ref)
        except NotFound:
            return None

    async def settle(self, *, quiet_seconds: float = QUIET_SECONDS, patience_seconds: float = 4 * HOUR) -> None:
        """Let time pass until nobody has written anything for a while."""
        begin, deadline = now(), now() + patience_seconds
        while (left := max(self.historian.last_write_at, begin) + quiet_seconds - now()) > 0:
            assert now() < deadline, f"nothing settles:\n{self.story()}"
            await asyncio.sleep(left)

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def told(self, ref: Ref, type_: str) -> tuple[str, str]:
        """Return a condition's status and reason."""
        found = await self._condition(ref, type_)
        return found.get("status", ""), found.get("reason", "")

    async def message(self, ref: Ref, type_: str = "Ready") -> str:
        return str((await self._condition(ref, type_)).get("message", ""))

    async def _condition(self, ref: Ref, type_: str) -> dict[str, Any]:
        conditions = (await self.get(ref)).get("status", {}).get("conditions", ())
        return next((dict(one) for one in conditions if one["type"] == type_), {})

    async def key(self, ref: Ref = CONSUMER_KEY) -> str:
        """Return the key that the consumer has."""
        return base64.b64decode((await self.get(ref))["data"]["OPENAI_API_KEY"]).decode()

    def objects(self) -> list[Object]:
        """Return all objects but Events and definitions."""
        store = self.kubeapi.api.store
        storages = sorted(store._objects)
        return [
            one
            for storage in storages
            for one in store.objects(storage)
            if one["kind"] not in ("Event", CUSTOM_RESOURCE_DEFINITION.name)
        ]

    def snapshot(self) -> Snapshot:
        return snapshot(self.objects())

    def story(self) -> str:
        """Return what the operator did, for the reader of a failure."""
        passes = [f"{at:9.2f} s {result} {key}" for at, key, result in self.operator.records.passes]
        logged = [line for _, line in self.listener.lines]
        return "\n".join([*calls_in_words(self.operator.records.calls), *passes[-200:], *logged[-50:]])

    # --- the oracles -------------------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Hold all that happened so far, and what is there now, to the properties."""
        await self.settle()
        complaints = [
            *(f"{violation}" for violation in self.around.violations),
            *self.historian.lost_credentials(),
            *self.historian.untrue_conditions(),
            *self.historian.exposed_secrets(),
            *self.listener.complaints(),
            *[f"P7 hands off: {ref_of(one)} is not as it was" async for one in self._touched()],
        ]
        assert not complaints, "\n".join(dict.fromkeys(complaints))
        await self.check_quiet()

    async def _touched(self) -> AsyncIterator[Manifest]:
        for one in self._foreign:
            if not await self.is_untouched(one):
                yield one

    async def is_untouched(self, foreign: Manifest) -> bool:
        """Tell whether we have left an object alone; the controllers around us may write into those of their kinds."""
        found = await self.find(ref_of(foreign))
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        same = [found["metadata"].get(key) == foreign["metadata"].get(key) for key in ("uid", "labels")]
        writers = {entry["manager"] for entry in found["metadata"]["managedFields"]}
        return all(same) and found.get("data") == foreign.get("data") and MANAGER not in writers

    async def check_quiet(self, seconds: float = 600.0) -> None:
        """P5: nothing is written in ten minutes, and lists are not asked for either."""
        version, calls = self.kubeapi.api.store.version, len(self.operator.records.calls)
        await asyncio.sleep(seconds)
        written = [call for call in self.operator.records.calls[calls:] if call.writes]
        assert self.kubeapi.api.store.version == version, f"P5 quiet:\n{chr(10).join(calls_in_words(written))}"

    async def check_deletion(self) -> None:
        """P4: delete what users made, and find nothing left of it."""
        for kind in (MODEL_SUBSCRIPTION, MODEL_SERVICE, MODEL_PLATFORM):
            for one in await self.client.list(kind):
                if "deletionTimestamp" not in one["metadata"] and await self.find(ref_of(one)):
                    await self.delete(ref_of(one))
        await self.settle()
        foreign = {one["metadata"]["uid"] for one in self._foreign}
        ours = [one for one in self.objects() if one["metadata"]["uid"] not in foreign]
        left = list(leftovers(ours, self.around.porta))
        assert not left, "\n".join(left)


@dataclass(frozen=True)
class Checkpoint:
    """All that outlives processes, at one moment: the store and 3scale. Objects never change, so they are shared."""

    at: float
    version: int
    objects: dict[str, dict[tuple[str, str], Object]]
    dependents: dict[str, set[Key]]
    kinds: dict[tuple[str, str, str], Resource]
    tenants: dict[str, Tenant]

    @classmethod
    def of(cls, world: World) -> Checkpoint:
        api, tenants = world.kubeapi.api, world.around.porta._tenants
        return cls(
            now(), api.store.version, api.store._objects, api.store._dependents, api.registry._by_plural, tenants
        )

    def restore(self, world: World) -> None:
        """Put a new world into this state; its controllers and its operator begin with empty memories."""
        store = world.kubeapi.api.store
        store.version = self.version
        store._objects = {storage: dict(objects) for storage, objects in self.objects.items()}
        store._dependents = {uid: set(keys) for uid, keys in self.dependents.items()}
        world.kubeapi.api.registry._by_plural = dict(self.kinds)
        world.around.porta._tenants = deepcopy(self.tenants)
        for tenant in world.around.porta:
            tenant.catalogue._delays = world.around.delays
        world.historian.begin(world.objects())


def apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run something in a loop and a thread of its own, so that a scenario can ask for it too."""

    def run() -> T:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(coroutine)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


async def _settle_the_sample() -> Checkpoint:
    async with a_world(ends=False) as world:
        await world.apply(*sample())
        await world.settle()
        return Checkpoint.of(world)


@cache
def _settled() -> Checkpoint:
    return apart(_settle_the_sample())


@asynccontextmanager
async def a_settled_world(*, ends: bool = True) -> AsyncIterator[World]:
    """Yield a cluster in which the sample is Ready for a while, and everybody has just started anew."""
    checkpoint = _settled()
    await asyncio.sleep(checkpoint.at)
    async with a_world(checkpoint=checkpoint, ends=ends) as world:
        await world.rest(STARTED_SECONDS)
        yield world


@asynccontextmanager
async def a_world(
    *,
    install: bool = True,
    ends: bool = True,
    checkpoint: Checkpoint | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[World]:
    """Yield a cluster with CRDs and 3scale but no object of ours; check everything at the end (`ends`)."""
    world, failure = World(settings), None
    with world.listener.attached():
        async with asyncio.TaskGroup() as group:
            if checkpoint is not None:
                checkpoint.restore(world)
            elif install:
                await world.install()
            tasks = [group.create_task(world.around.runner.run()), group.create_task(world.operator.run())]
            try:
                yield world
                if ends:
                    await world.check()
                    await world.check_deletion()
                    await world.check()
            except Exception as error:
                # Raised inside of the group, a failed assertion would come out wrapped and unreadable.
                failure = error
            for task in tasks:
                task.cancel()
    if failure is not None:
        raise failure

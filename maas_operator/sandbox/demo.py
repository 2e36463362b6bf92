"""The sample from nothing to a key that works, and back to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from rich.console import Console

from maas_operator.api.reasons import ConditionType
from maas_operator.domain.kinds import (
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    SECRET,
    TABLE,
    Kind,
)
from maas_operator.domain.labels import MANAGED_BY, OPERATOR
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import KindNotServed, NotFound

from .controllers.clients import path_of
from .controllers.threescale.porta import Porta
from .environment import Environment
from .view import StageView, columns, problems, tree

SAMPLE: Final = Path(__file__).parents[2] / "deploy" / "samples" / "llama-32-1b-instruct-cpu.yaml"
_USER: Final = "demo"
_CACHE: Final = "2s"
_LOOK_SECONDS: Final = 0.1
_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
_BORN_WITH: Final = "api"
"""The product that every tenant of 3scale has from the beginning."""
_OWN: Final = (MODEL_SERVICE, MODEL_SUBSCRIPTION, MODEL_PLATFORM)
_DONE: Final = (ConditionType.READY, ConditionType.LIVE, ConditionType.DEVELOPERS_READY)


class DemoFailed(Exception):
    """Something did not come about; the details have been printed."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One run; each step prints what it finds, and raises DemoFailed if that is not what it should be."""

    environment: Environment
    console: Console
    limit_seconds: float

    async def run(self) -> None:
        """Apply, wait, show, delete, and look for what is left."""
        objects = sample()
        service = next(one for one in objects if one["kind"] == MODEL_SERVICE.name)
        for manifest in objects:
            await self.environment.client.apply(manifest, manager=_USER)
        await self._becomes_ready(ref_of(service))
        await self._show_children(ref_of(service))
        await self._delete([ref_of(one) for one in reversed(objects)])
        await self._nothing_is_left()

    async def _becomes_ready(self, ref: Ref) -> None:
        self.console.rule("Apply the sample", align="left")
        self.console.print(f"The gateways keep a configuration for {_CACHE} here: the sample's 5 minutes are long.")
        seen: Manifest = {}
        try:
            with StageView(self.console) as view:
                async with asyncio.timeout(self.limit_seconds), aclosing(self._states(ref)) as states:
                    async for seen in states:
                        view.show(seen)
                        if _is_done(seen):
                            return
        except TimeoutError:
            self.console.print(f"[red]Not ready after {self.limit_seconds:.0f} s:")
            self.console.print(*problems(seen), sep="\n", soft_wrap=True)
            raise DemoFailed("the sample did not become ready") from None

    async def _states(self, ref: Ref) -> AsyncGenerator[Manifest, None]:
        while True:
            async with aclosing(self.environment.client.watch(ref.kind)) as changes:
                async for change in changes:
                    if ref_of(change.object) == ref:
                        yield change.object

    async def _show_children(self, ref: Ref) -> None:
        client = self.environment.client
        subscriptions = await client.list(MODEL_SUBSCRIPTION, namespace=ref.namespace)
        self.console.rule("What became of it", align="left")
        by_name = {one["metadata"]["name"]: one for one in subscriptions}
        self.console.print(tree(await client.get(ref), by_name), crop=False, no_wrap=True, overflow="ignore")
        self.console.rule("What the developers got", align="left")
        for subscription in subscriptions:
            for secret in _secrets(subscription):
                keys = ", ".join(sorted((await client.get(secret))["data"]))
                self.console.print(f"Secret {secret.namespace}/{secret.name}: {keys}", soft_wrap=True)
        self.console.rule(f"kubectl -n {ref.namespace} get msvc", align="left")
        collection = Ref(ref.kind, ref.namespace, "")
        table = await client.call("GET", ref, path_of(collection), accept=_TABLE)
        self.console.print(columns(table), soft_wrap=True)

    async def _delete(self, refs: list[Ref]) -> None:
        self.console.rule("Delete it all", align="left")
        for ref in refs:
            live = await self.environment.client.get(ref)
            await self.environment.client.delete(ref, uid=live["metadata"]["uid"])
            try:
                async with asyncio.timeout(self.limit_seconds):
                    await self._gone(ref)
            except TimeoutError:
                left = await self.environment.client.get(ref)
                self.console.print(f"[red]{ref} is still there after {self.limit_seconds:.0f} s:")
                self.console.print(*problems(left), sep="\n", soft_wrap=True)
                raise DemoFailed("the sample did not go away") from None
            self.console.print(f"[green]✓[/] {ref} is gone", soft_wrap=True)

    async def _gone(self, ref: Ref) -> None:
        while True:
            try:
                await self.environment.client.get(ref)
            except NotFound:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _nothing_is_left(self) -> None:
        left = [*await self._objects_left(), *_left_in_3scale(self.environment.around.porta)]
        wrong = [str(violation) for violation in self.environment.around.violations]
        if left or wrong:
            self.console.print("[red]Left behind:", *left, "[red]Against the rules:", *wrong, sep="\n")
            raise DemoFailed("the operator left something behind, or broke a rule")
        self.console.print("[green]✓[/] nothing of ours is left in the cluster, and nothing in 3scale")

    async def _objects_left(self) -> list[str]:
        children = [one for kind in TABLE for one in await self._children_left(kind)]
        owners = [one for kind in _OWN for one in await self.environment.client.list(kind)]
        return [str(ref_of(one)) for one in (*children, *owners)]

    async def _children_left(self, kind: Kind) -> list[Manifest]:
        try:
            return await self.environment.client.list(kind, labels={MANAGED_BY: OPERATOR})
        except KindNotServed:
            return []  # Older servers do not know all kinds.


def sample() -> list[Manifest]:
    """Return the objects of the sample, with a short cache of the gateways."""
    objects = list(yaml.safe_load_all(SAMPLE.read_text()))
    platform = next(one for one in objects if one["kind"] == MODEL_PLATFORM.name)
    platform["spec"]["gateway"] = {"configurationCache": _CACHE}
    return objects


def _is_done(service: Manifest) -> bool:
    status = service.get("status", {})
    true = {one["type"] for one in status.get("conditions", ()) if one["status"] == "True"}
    return true.issuperset(_DONE) and status.get("observedGeneration") == service["metadata"]["generation"]


def _secrets(subscription: Manifest) -> Iterator[Ref]:
    home = subscription["metadata"]["namespace"]
    for child in subscription["status"].get("children", ()):
        if child["kind"] == SECRET.name and child["namespace"] == home:
            yield Ref(SECRET, home, child["name"])


def _left_in_3scale(porta: Porta) -> Iterator[str]:
    for tenant in porta:
        products = (one.system_name for one in tenant.catalogue.products.values())
        yield from (f"product {name}" for name in products if name != _BORN_WITH)
        yield from (f"backend {one.system_name}" for one in tenant.catalogue.backends.values())
        yield from (f"account {one.org_name}" for one in tenant.people.accounts.values())
        yield from (f"application {one.name}" for one in tenant.people.applications.values())

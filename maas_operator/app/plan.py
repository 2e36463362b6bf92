"""`maas-operator plan`: from files and a kubeconfig to a plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from maas_operator.adapters.kubernetes.access import Access, connect
from maas_operator.api.base import API_VERSION
from maas_operator.domain.kinds import NAMESPACE
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.plan.plan import Plan
from maas_operator.engine.cluster import Cluster
from maas_operator.engine.errors import KindNotServed, NotFound, OperatorError
from maas_operator.engine.planning import Planner

from .operator import behaviours, now
from .render import Unrenderable, documents, parsed


class Unplannable(Exception):
    """There is no plan; the text says why, and what to do."""


async def make(paths: Sequence[Path], access: Access, *, field_manager: str = "") -> Plan:
    """Return what would change if the objects of these files were applied."""
    try:
        found = [(path, one) for path in paths for one in documents(path)]
        wanted = list(_wanted(found))
        async with connect(access) as cluster:
            new = [one async for one in _new_namespaces(cluster, (one for _, one in found))]
            planner = Planner(cluster, behaviours, now=now, field_manager=field_manager, new_namespaces=new)
            return await planner.plan(wanted)
    except KindNotServed as error:
        raise Unplannable(f"{error}: run `maas-operator crds | kubectl apply --server-side -f -` first") from None
    except NotFound as error:
        raise Unplannable(f"{error}: create its namespace, or add it to the files") from None
    except (OperatorError, Unrenderable) as error:
        raise Unplannable(str(error)) from None


def _wanted(found: Iterable[tuple[Path, Manifest]]) -> Iterable[Manifest]:
    seen: dict[Ref, Path] = {}
    for path, document in found:
        if document.get("apiVersion") != API_VERSION:
            continue
        name = f"{path}: {parsed(path, document).kind} {document['metadata']['name']}"
        ref = ref_of(document)
        if ref.kind.namespaced and not ref.namespace:
            raise Unplannable(f"{name}: metadata.namespace: set it, since a plan has no namespace of its own")
        if ref in seen:
            raise Unplannable(f"{name}: {seen[ref]} has it too")
        seen[ref] = path
        yield document


async def _new_namespaces(cluster: Cluster, found: Iterable[Manifest]) -> AsyncIterator[Manifest]:
    for one in found:
        if (one.get("apiVersion"), one.get("kind")) != (NAMESPACE.api_version, NAMESPACE.name):
            continue
        try:
            await cluster.get(ref_of(one))
        except NotFound:
            name = one["metadata"]["name"]
            yield one | {"metadata": {**one["metadata"], "uid": f"{name}-is-new"}}

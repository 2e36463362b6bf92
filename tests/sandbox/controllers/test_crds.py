"""Our own small definitions of the kinds around us, and the real ones where there is a folder of them."""

from pathlib import Path

import pytest

from maas_operator.domain.kinds import TABLE
from maas_operator.domain.objects import Manifest
from maas_operator.sandbox.controllers.clients import InProcessClient
from maas_operator.sandbox.crds import third_party_crds
from maas_operator.sandbox.kubeapi import KubeApi

UPSTREAM = Path(__file__).parents[4] / "shared" / "upstream-crds"
needs_upstream = pytest.mark.skipif(not UPSTREAM.is_dir(), reason="the upstream CRDs are not beside this checkout")
OTHERS = {
    "serving.kserve.io",
    "capabilities.3scale.net",
    "apps.3scale.net",
    "keda.sh",
    "route.openshift.io",
    "objectbucket.io",
}


def names(crds: list[Manifest]) -> set[str]:
    return {crd["metadata"]["name"] for crd in crds}


def words(value: object) -> set[str]:
    """Return all keys in a tree."""
    if isinstance(value, dict):
        return {*value, *(word for item in value.values() for word in words(item))}
    return {word for item in value for word in words(item)} if isinstance(value, list) else set()


def test_every_kind_of_others_that_we_write_or_read_has_a_definition() -> None:
    assert names(third_party_crds()) == {f"{kind.plural}.{kind.group}" for kind in TABLE if kind.group in OTHERS}


@needs_upstream
def test_the_real_definitions_are_those_of_the_same_kinds() -> None:
    assert names(third_party_crds(UPSTREAM)) == names(third_party_crds())


@needs_upstream
def test_an_old_server_is_spared_what_it_does_not_know() -> None:
    assert "x-kubernetes-validations" in words(third_party_crds(UPSTREAM))
    assert "x-kubernetes-validations" not in words(third_party_crds(UPSTREAM, old_server=True))


async def test_an_object_keeps_fields_that_our_small_definitions_do_not_name() -> None:
    client = InProcessClient(KubeApi())
    for crd in third_party_crds():
        await client.create(crd)
    spec = {"host": "a.example.com", "to": {"name": "b"}, "tls": {"termination": "edge"}}
    metadata = {"name": "r", "namespace": "default"}
    route = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata, "spec": spec}
    assert (await client.create(route))["spec"] == spec

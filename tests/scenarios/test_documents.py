"""Documents of the developer portal: written, edited in the portal, withdrawn; crashes and a 3scale that is down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.api.parse import read
from maas_operator.domain.kinds import ACTIVE_DOC, SECRET
from maas_operator.domain.names import document_system_name
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.engine.controller import RESYNC_SECONDS
from maas_operator.sandbox.controllers.faults import PortaFault
from maas_operator.sandbox.controllers.threescale.documents import Document
from maas_operator.sandbox.kubeapi.faults import Moment
from tests.scenarios.harness import GATEWAY, HOME, NAME, SERVICE, World, a_settled_world, a_world, sample
from tests.scenarios.operator import Fault, Killed, is_write

DOC = Ref(ACTIVE_DOC, GATEWAY, f"{HOME}.{NAME}")
OWN = {"openapi": "3.0.3", "info": {"title": "Mine", "version": "1"}, "paths": {}}
A_RESYNC = 1.1 * RESYNC_SECONDS + 60


def documents(world: World) -> list[Document]:
    (tenant,) = world.around.porta
    return list(tenant.documents)


def a_config_map(text: str) -> Manifest:
    metadata = {"name": "docs", "namespace": HOME}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"openapi.json": text}}


def openapi(**fields: Any) -> dict[str, Any]:
    return {"spec": {"api": {"openAPI": fields}}}


OF_CONFIG_MAP = openapi(mode="ConfigMap", configMapRef={"name": "docs", "key": "openapi.json"})


async def test_the_sample_has_a_document_with_its_public_url_and_no_second_secret() -> None:
    async with a_settled_world() as world:
        (document,) = documents(world)
        body = json.loads(document.body)
        host = (await world.get(SERVICE))["status"]["url"].removesuffix("/v1")
        assert body["servers"] == [{"url": host}]
        assert document.published
        assert await world.told(SERVICE, "DocumentationReady") == ("True", "Ready")
        secrets = [one for one in await world.client.list(SECRET) if ".document-" in one["metadata"]["name"]]
        assert [list(one["data"]) for one in secrets] == [["openapi.json"]]


async def test_a_changed_text_reaches_3scale_and_the_old_secret_goes() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, {"spec": {"description": "Another sentence"}})
        await world.settle()
        assert "Another sentence" in documents(world)[0].body
        assert len([one for one in await world.client.list(SECRET) if ".document-" in one["metadata"]["name"]]) == 1


async def test_mode_none_withdraws_the_document_and_generated_brings_another() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, openapi(mode="None"))
        await world.settle()
        assert (documents(world), await world.find(DOC)) == ([], None)
        assert await world.told(SERVICE, "DocumentationReady") == ("True", "DocumentationOff")
        await world.edit(SERVICE, openapi(mode="Generated"))
        await world.settle()
        assert len(documents(world)) == 1


async def test_while_3scale_is_down_a_document_waits_to_be_withdrawn_in_its_words() -> None:
    async with a_settled_world() as world:
        world.around.faults.porta = PortaFault.DOWN
        await world.edit(SERVICE, openapi(mode="None"))
        await world.rest(60.0)
        assert await world.told(SERVICE, "DocumentationReady") == ("False", "Deleting")
        assert "no answer from 3scale" in await world.message(SERVICE, "DocumentationReady")
        world.around.faults.porta = None
        await world.settle()
        assert documents(world) == []


async def test_an_active_doc_that_somebody_deletes_comes_back() -> None:
    async with a_settled_world() as world:
        (before,) = documents(world)
        await world.delete(DOC)
        await world.settle()
        (after,) = documents(world)
        assert (after.body, after.id != before.id) == (before.body, True)


@pytest.mark.parametrize("change", [{"published": False}, {"name": "Theirs"}, {"body": json.dumps(OWN)}])
async def test_an_edit_in_the_portal_is_put_back_at_the_resync(change: dict[str, Any]) -> None:
    async with a_settled_world() as world:
        (tenant,) = world.around.porta
        (before,) = documents(world)
        tenant.documents.update(before, **change)
        await world.rest(A_RESYNC)
        assert documents(world) == [before]


async def test_a_document_that_is_deleted_in_the_portal_comes_back() -> None:
    async with a_settled_world() as world:
        (tenant,) = world.around.porta
        (before,) = documents(world)
        tenant.documents.delete(before.id)
        await world.rest(A_RESYNC)
        assert [one.body for one in documents(world)] == [before.body]


async def test_a_name_that_somebody_has_in_3scale_is_not_taken_over() -> None:
    async with a_world(ends=False) as world:
        (tenant,) = world.around.porta
        name = document_system_name(read(ModelService, sample()[2]))
        theirs = {"description": "", "published": True, "skip_validations": False, "product_id": None}
        tenant.documents.create(name, name="Theirs", body=json.dumps(OWN), **theirs)
        await world.apply(*sample())
        await world.settle()
        assert await world.told(SERVICE, "DocumentationReady") == ("False", "RemoteNameTaken")
        assert await world.told(SERVICE, "Ready") == ("True", "Ready")
        assert [one.name for one in documents(world)] == ["Theirs"]


async def test_a_users_own_document_is_published_and_its_edit_is_seen_at_the_resync() -> None:
    async with a_settled_world() as world:
        await world.edit(SERVICE, OF_CONFIG_MAP)
        await world.rest(60.0)
        assert await world.told(SERVICE, "DocumentationReady") == ("False", "DocumentMissing")
        assert f"ConfigMap {HOME}/docs, key openapi.json" in await world.message(SERVICE, "DocumentationReady")
        await world.apply(a_config_map(json.dumps(OWN)))
        await world.settle()
        assert json.loads(documents(world)[0].body)["info"]["title"] == "Mine"
        await world.apply(a_config_map(json.dumps(OWN | {"info": {"title": "Yours", "version": "1"}})))
        await world.rest(A_RESYNC)
        assert json.loads(documents(world)[0].body)["info"]["title"] == "Yours"


async def test_an_unfit_document_leaves_the_published_one_and_says_where() -> None:
    async with a_settled_world() as world:
        (before,) = documents(world)
        evil = OWN | {"paths": {"/v1/models": {"servers": [{"url": "https://evil.example.com"}]}}}
        await world.apply(a_config_map(json.dumps(evil)))
        await world.edit(SERVICE, OF_CONFIG_MAP)
        await world.settle()
        assert await world.told(SERVICE, "DocumentationReady") == ("False", "DocumentInvalid")
        assert '$.paths["/v1/models"].servers' in await world.message(SERVICE, "DocumentationReady")
        assert documents(world) == [before]


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("number", range(5))
async def test_a_crash_while_a_document_is_withdrawn_forgets_nothing(number: int, moment: Moment) -> None:
    async with a_settled_world() as world:
        world.operator.faults.append(Fault(is_write, Killed, moment=moment, skip=number))
        await world.edit(SERVICE, openapi(mode="None"))
        await world.settle()
        assert (documents(world), await world.find(DOC)) == ([], None)

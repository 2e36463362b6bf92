from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from maas_operator.adapters.kubernetes import client as client_module
from maas_operator.adapters.kubernetes.access import Access, load
from maas_operator.adapters.kubernetes.client import KubernetesCluster, Scope
from maas_operator.domain.kinds import EVENT, INFERENCE_SERVICE, MODEL_PLATFORM, SECRET, SERVICE
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import (
    ApiError,
    Conflict,
    Forbidden,
    KindNotServed,
    NamespaceTerminating,
    NotFound,
    NotLeading,
    Rejected,
    Unavailable,
    WebhookUnavailable,
)
from maas_operator.sandbox.kubeapi.kubeapi import write_kubeconfig
from tests.adapters.scripted import Answer, scripted, status

SCOPE = Scope(kind=SECRET, namespace="llm")
SERVICE_REF = Ref(SERVICE, "llm", "chat")
FOUND = Answer(200, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "chat", "namespace": "llm"}})
SECRET_MANIFEST = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "key", "namespace": "llm"},
    "data": {"key": "aHVudGVyMg=="},
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(404, "NotFound", name="chat", kind="services"), NotFound),
        (status(404, "NotFound"), KindNotServed),
        (Answer(404, "404 page not found"), KindNotServed),
        (status(409, "Conflict", name="chat"), Conflict),
        (status(403, "Forbidden", name="chat"), Forbidden),
        (status(403, "Forbidden", causes=[{"reason": "NamespaceTerminating"}]), NamespaceTerminating),
        (status(400, "BadRequest"), Rejected),
        (status(422, "Invalid"), Rejected),
        (status(500, "", "failed to create typed patch object: .spec.x: field not declared in schema"), Rejected),
        (status(500, "InternalError", "etcdserver: leader changed"), Unavailable),
        (status(500, "InternalError", 'failed calling webhook "x": connection refused'), WebhookUnavailable),
        (status(401, "Unauthorized"), Unavailable),
    ],
)
async def test_an_answer_becomes_the_error_that_its_status_and_reason_name(
    answer: Answer, error: type[ApiError]
) -> None:
    async with scripted(answer) as (cluster, script):
        with pytest.raises(ApiError) as raised:
            await cluster.get(SERVICE_REF)
    assert type(raised.value) is error
    assert len(script.requests) == 1


@pytest.mark.parametrize("failure", [status(429), status(503), status(504), None])
async def test_a_passing_failure_is_tried_again(failure: Answer | None) -> None:
    async with scripted(failure, failure, failure, FOUND) as (cluster, _):
        assert (await cluster.get(SERVICE_REF))["metadata"]["name"] == "chat"


async def test_who_does_not_lead_reads_and_writes_nothing() -> None:
    async with scripted(FOUND, may_write=lambda: 0.0) as (cluster, script):
        await cluster.get(SERVICE_REF)
        for write in (
            cluster.apply(FOUND.body),
            cluster.json_patch(SERVICE_REF, [], resource_version="1"),
            cluster.delete(SERVICE_REF, uid="u1"),
        ):
            with pytest.raises(NotLeading, match="Service llm/chat is not written"):
                await write
    assert [request.method for request in script.requests] == ["GET"]


async def test_a_write_waits_for_its_answer_no_longer_than_the_lead_lasts() -> None:
    async with scripted(FOUND, may_write=lambda: 0.05) as (cluster, script):
        script.delay_seconds = 2.0
        with pytest.raises((Unavailable, NotLeading)):
            await cluster.apply(FOUND.body)


async def test_a_lead_that_ends_between_two_tries_ends_them() -> None:
    lead = iter([5.0, 0.0])
    async with scripted(status(503), FOUND, may_write=lambda: next(lead)) as (cluster, script):
        with pytest.raises(NotLeading):
            await cluster.apply(FOUND.body)
    assert len(script.requests) == 1


@pytest.mark.parametrize("failure", [status(503), None])
async def test_a_failure_that_does_not_pass_is_final(failure: Answer | None) -> None:
    async with scripted(failure) as (cluster, script):
        with pytest.raises(Unavailable):
            await cluster.get(SERVICE_REF)
    assert len(script.requests) >= client_module.TRIES, "the transport may repeat a GET on a reset connection by itself"


async def test_the_pause_is_the_one_that_the_server_asks_for() -> None:
    busy = Answer(429, {}, {"Retry-After": "3600"})
    async with scripted(busy, FOUND) as (cluster, script):
        with pytest.raises(Unavailable) as raised:
            await cluster.get(SERVICE_REF)
    assert raised.value.retry_after_seconds == 3600
    assert len(script.requests) == 1, "an hour is beyond the deadline of a call"


async def test_a_server_that_is_down_is_unavailable() -> None:
    async with ApiClient(Configuration(host="http://127.0.0.1:1")) as client:
        with pytest.raises(Unavailable, match="no answer from the Kubernetes API about Service llm/chat"):
            await KubernetesCluster(client).get(SERVICE_REF)


@pytest.mark.parametrize("code", [400, 403, 409, 422, 500, 503])
async def test_no_error_about_a_secret_quotes_it(code: int) -> None:
    quoting = status(
        code, "Invalid", 'illegal base64 data: "data":{"key":"aHVudGVyMg=="}', causes=[{"field": "data[key]"}]
    )
    async with scripted(quoting) as (cluster, _):
        with pytest.raises(ApiError) as raised:
            await cluster.apply(SECRET_MANIFEST)
    assert "aHVudGVyMg" not in "".join(traceback.format_exception(raised.value))
    assert "aHVudGVyMg" not in repr(vars(raised.value))
    assert raised.value.__context__ is None
    assert "Secret llm/key" in raised.value.message


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2fb", "a?b", "a#b"])
async def test_a_name_that_would_change_the_path_is_never_sent(name: str) -> None:
    async with scripted(FOUND) as (cluster, script):
        with pytest.raises(Rejected):
            await cluster.get(Ref(SECRET, "llm", name))
        with pytest.raises(Rejected):
            await cluster.get(Ref(SECRET, name, "key"))
    assert script.requests == []


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (SERVICE_REF, "/api/v1/namespaces/llm/services/chat"),
        (
            Ref(INFERENCE_SERVICE, "llm", "c"),
            "/apis/serving.kserve.io/v1beta1/namespaces/llm/inferenceservices/c",
        ),
        (Ref(MODEL_PLATFORM, "", "default"), "/apis/maas-operator.io/v1alpha1/modelplatforms/default"),
        (Ref(EVENT, "llm", "chat"), "/apis/events.k8s.io/v1/namespaces/llm/events/chat"),
    ],
)
async def test_each_kind_has_its_own_path(ref: Ref, path: str) -> None:
    async with scripted(FOUND) as (cluster, script):
        await cluster.get(ref)
    assert script.requests[0].path == path


async def test_an_apply_names_its_manager_and_whether_it_takes_fields_over() -> None:
    async with scripted(FOUND) as (cluster, script):
        await cluster.apply(SECRET_MANIFEST, manager="me", force=False)
    (request,) = script.requests
    assert (request.method, request.content_type) == ("PATCH", "application/apply-patch+yaml")
    assert request.query["fieldManager"] == "me"
    assert request.query["force"].lower() == "false"
    assert script.bodies == [SECRET_MANIFEST]


async def test_a_status_is_applied_to_its_subresource() -> None:
    platform = {"apiVersion": "maas-operator.io/v1alpha1", "kind": "ModelPlatform", "metadata": {"name": "default"}}
    async with scripted(FOUND) as (cluster, script):
        await cluster.apply(platform, subresource="status")
    assert script.requests[0].path == "/apis/maas-operator.io/v1alpha1/modelplatforms/default/status"


async def test_a_deletion_means_one_object_in_one_version() -> None:
    async with scripted(Answer(200, {})) as (cluster, script):
        await cluster.delete(SERVICE_REF, uid="u1", resource_version="7")
    assert script.bodies[0]["preconditions"] == {"uid": "u1", "resourceVersion": "7"}
    assert script.bodies[0]["propagationPolicy"] == "Background"


def page(*names: str, token: str = "", version: str = "9") -> Answer:
    items: list[dict[str, Any]] = [{"metadata": {"name": name}} for name in names]
    return Answer(200, {"kind": "List", "metadata": {"continue": token, "resourceVersion": version}, "items": items})


async def test_a_list_is_read_page_by_page_and_its_objects_know_their_kind() -> None:
    async with scripted(page("a", token="t"), page("b")) as (cluster, script):
        objects = await cluster.list(SERVICE, labels={"x": "y", "k": "v"})
    assert [(o["apiVersion"], o["kind"], o["metadata"]["name"]) for o in objects] == [
        ("v1", "Service", "a"),
        ("v1", "Service", "b"),
    ]
    assert script.requests[0].query["labelSelector"] == "k=v,x=y"
    assert script.requests[1].query["continue"] == "t"


async def test_a_list_that_expires_half_way_is_begun_anew() -> None:
    async with scripted(page("a", token="t"), status(410, "Expired"), page("b")) as (cluster, _):
        assert [o["metadata"]["name"] for o in await cluster.list(SERVICE)] == ["b"]


async def test_an_expired_watch_asks_for_a_new_list() -> None:
    expired = Answer(200, '{"type": "ERROR", "object": {"kind": "Status", "code": 410}}\n')
    async with scripted(expired) as (cluster, _):
        with pytest.raises(ApiError) as raised:
            await anext(cluster.watch(SCOPE, since="1"))
    assert raised.value.status == 410


async def test_a_watch_ends_when_the_server_ends_it() -> None:
    event = '{"type": "ADDED", "object": {"metadata": {"name": "key"}}}\n'
    async with scripted(Answer(200, event)) as (cluster, _):
        events = [event async for event in cluster.watch(SCOPE, since="1")]
    assert events == [("ADDED", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}})]


@pytest.mark.parametrize(("proxy", "trusts"), [("", False), ("http://proxy.example.com:3128", True)])
async def test_the_environment_is_asked_for_proxies_and_without_one_not_at_each_call(
    proxy: str, trusts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, "https://kubernetes.example.com", token="t")
    configuration = await load(Access(kubeconfig=kubeconfig))
    assert configuration.client_session_kwargs == {"trust_env": trusts}

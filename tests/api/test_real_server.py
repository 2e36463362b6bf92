"""A real API server takes the CRDs and agrees with the models on the corpus."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from maas_operator.api.crd import DEFINITIONS, crd_manifests
from maas_operator.api.parse import parse
from maas_operator.sandbox.control_plane import ControlPlane, without_new_words
from tests.api import server
from tests.api.corpus import BAD, GOOD, SERVICE, Bad, Document, Good
from tests.api.test_verdicts import all_validations

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PLURALS = {definition.model.__name__: definition.plural for definition in DEFINITIONS}
SCOPES = {definition.model.__name__: definition.scope for definition in DEFINITIONS}
Create = Callable[[Document], httpx.Response]


def is_judged_by_rules_only(document: Document) -> bool:
    """Return whether only CEL refuses a document; the oldest servers that the tests start do not know CEL."""
    rules = [rule["message"] for rule in all_validations()]
    return all(any(rule in text for rule in rules) for _, text in server.problems(document))


def without_indices(path: str) -> str:
    # Servers before 1.26 name `spec.plans.name` where later ones name `spec.plans[1].name`.
    return re.sub(r"\[\d+\]", "", path).removeprefix(".")


@pytest.fixture(scope="module")
def client(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {control_plane.token}"}
    with httpx.Client(base_url=control_plane.url, verify=control_plane.tls(), headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def installed(client: httpx.Client) -> Iterator[list[httpx.Response]]:
    """Install the CRDs until the end of this module; the answers say what the server thought of them."""
    answers = [client.post(CRDS, json=without_new_words(manifest)[0]) for manifest in crd_manifests()]
    deadline = time.monotonic() + 30
    for definition in DEFINITIONS:
        while client.get(f"/apis/maas-operator.io/v1alpha1/{definition.plural}").status_code != 200:
            assert time.monotonic() < deadline, f"{definition.plural} is not served"
    yield answers
    for definition in DEFINITIONS:
        client.delete(f"{CRDS}/{definition.name}")


@pytest.fixture(scope="module")
def create(client: httpx.Client, installed: list[httpx.Response]) -> Create:
    """Return how to create a document as a dry run."""
    for document in (case.document for case in GOOD):
        client.post("/api/v1/namespaces", json={"metadata": {"name": document["metadata"].get("namespace", "other")}})

    def create(document: Document) -> httpx.Response:
        kind, namespace = document["kind"], document["metadata"].get("namespace")
        place = f"namespaces/{namespace}/" if SCOPES[kind] == "Namespaced" else ""
        return client.post(
            f"/apis/maas-operator.io/v1alpha1/{place}{PLURALS[kind]}", params={"dryRun": "All"}, json=document
        )

    return create


def test_the_crds_install_without_a_warning(installed: list[httpx.Response]) -> None:
    assert [(answer.status_code, answer.headers.get("warning")) for answer in installed] == [(201, None)] * 3


def test_the_server_finds_no_fault_in_schemas_and_names(client: httpx.Client, installed: list[httpx.Response]) -> None:
    for definition in DEFINITIONS:
        conditions: list[dict[str, Any]] = client.get(f"{CRDS}/{definition.name}").json()["status"]["conditions"]
        assert {condition["type"]: condition["status"] for condition in conditions} == {
            "NamesAccepted": "True",
            "Established": "True",
        }


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.title)
def test_a_good_document_is_accepted_and_read_back_as_the_models_read_it(case: Good, create: Create) -> None:
    answer = create(case.document)
    assert answer.status_code == 201, answer.text
    assert parse(case.document).spec == _spec(answer.json())


def _spec(stored: Document) -> Any:
    metadata = {key: stored["metadata"][key] for key in ("name", "namespace") if key in stored["metadata"]}
    return parse({**stored, "metadata": metadata}).spec


@pytest.mark.parametrize(
    "case", [case for case in BAD if not is_judged_by_rules_only(case.document)], ids=lambda case: case.title
)
def test_a_bad_document_is_refused_at_the_same_place(case: Bad, create: Create) -> None:
    answer = create(case.document)
    assert answer.status_code == 422, answer.text
    paths = [without_indices(cause.get("field", "")) for cause in answer.json()["details"]["causes"]]
    assert any(path.startswith(without_indices(case.path)) for path in paths), paths


def test_scaling_changes_the_replicas(client: httpx.Client, create: Create) -> None:
    url = "/apis/maas-operator.io/v1alpha1/namespaces/llm-hosting/modelservices"
    assert client.post(url, json=SERVICE).status_code == 201
    scaled = client.patch(
        f"{url}/llama/scale",
        content='{"spec": {"replicas": 3}}',
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert scaled.status_code == 200, scaled.text
    assert client.get(f"{url}/llama").json()["spec"]["serving"]["replicas"] == 3
    assert client.delete(f"{url}/llama").status_code == 200

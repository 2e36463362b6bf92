"""Models, structural schema and CEL rules say the same about every document."""

from collections.abc import Iterator
from typing import Any

import pytest
from cel_expr_python import cel

from maas_operator.api.crd import crd_manifests
from maas_operator.api.parse import InvalidObject, parse
from tests.api import server
from tests.api.corpus import BAD, CHANGES, GOOD, SERVICE, UNKNOWN_FIELDS, Bad, Change, Good, changed


def refusals(document: dict[str, Any]) -> list[str]:
    """Return the paths at which the models refuse a document."""
    try:
        parse(document)
    except InvalidObject as error:
        return [problem.path for problem in error.problems]
    return []


def validations(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield every CEL rule of a schema."""
    yield from schema.get("x-kubernetes-validations", ())
    for child in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if child is not None:
            yield from validations(child)


def all_validations() -> list[dict[str, str]]:
    return [
        rule
        for manifest in crd_manifests()
        for rule in validations(manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    ]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.title)
def test_a_good_document_is_accepted_by_models_and_server(case: Good) -> None:
    assert refusals(case.document) == []
    assert server.problems(case.document) == []
    assert server.unknown_fields(case.document) == []


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.title)
def test_a_bad_document_is_refused_by_models_and_server_at_the_same_place(case: Bad) -> None:
    by_models = refusals(case.document)
    by_server = [path for path, _ in server.problems(case.document)]
    assert by_models
    assert by_server
    assert all(path.startswith(case.path) for path in (*by_models, *by_server)), (by_models, by_server)


@pytest.mark.parametrize("case", UNKNOWN_FIELDS, ids=lambda case: case.title)
def test_an_unknown_field_is_refused_in_a_file_and_dropped_by_the_server(case: Bad) -> None:
    assert refusals(case.document) == [case.path]
    assert server.unknown_fields(case.document) == [case.path]


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.title)
def test_an_update_of_an_immutable_field_is_refused_by_the_rules(case: Change) -> None:
    assert refusals(case.new) == []
    assert [path for path, _ in server.problems(case.new, old=case.old)] == ([case.path] if case.path else [])


def test_moving_away_from_the_default_platform_is_refused_although_it_was_never_named() -> None:
    ((path, message),) = server.problems(changed(SERVICE, "spec.platformRef", {"name": "other"}), old=SERVICE)
    assert path == "spec.platformRef"
    assert "create it" in message


def test_every_rule_is_broken_by_some_document_of_the_corpus() -> None:
    texts = [text for case in BAD for _, text in server.problems(case.document)]
    texts += [text for change in CHANGES for _, text in server.problems(change.new, old=change.old)]
    assert [rule["message"] for rule in all_validations() if not any(rule["message"] in text for text in texts)] == []


@pytest.mark.parametrize("rule", {rule["rule"] for rule in all_validations()})
def test_a_rule_is_a_truth_value_for_a_cel_library(rule: str) -> None:
    environment = cel.NewEnv(variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN})
    assert environment.compile(rule).return_type() in (cel.Type.BOOL, cel.Type.DYN)

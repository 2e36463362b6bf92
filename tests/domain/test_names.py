"""Names of children."""

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.domain.names import (
    deployment_ref,
    internal_url,
    model_id,
    name_violation,
    product_ref,
    promotion_ref,
    system_name,
)
from tests.domain.children import PLATFORM, a_service


def service_at(namespace: str, name: str) -> ModelService:
    return ModelService.model_validate(
        {"metadata": {"name": name, "namespace": namespace}, "spec": {"model": {"source": {"uri": "oci://r"}}}}
    )


def test_a_system_name_is_the_name_and_a_hash_of_its_address() -> None:
    assert system_name(service_at("llm-hosting", "llama-32-1b-instruct-cpu")) == "llama-32-1b-instruct-cpu-33fe68"


def test_one_name_in_two_namespaces_gives_two_system_names() -> None:
    assert system_name(service_at("a", "llama")) != system_name(service_at("b", "llama"))


def test_a_hyphen_can_not_make_two_addresses_one() -> None:
    first, second = service_at("a-b", "c"), service_at("a", "b-c")
    assert product_ref(first, PLATFORM) != product_ref(second, PLATFORM)
    assert product_ref(first, PLATFORM).name == "a-b.c"


def test_each_configuration_has_its_own_promotion() -> None:
    service = service_at("llm", "tiny")
    assert promotion_ref(service, PLATFORM, "0123456789abcdef").name == "llm.tiny-01234567"


def test_clients_send_the_model_name_and_by_default_the_services_name() -> None:
    assert model_id(a_service()) == "tiny"
    assert model_id(a_service(model={"name": "org/Model-1", "source": {"uri": "oci://r"}})) == "org/Model-1"


def test_the_deployment_has_the_name_that_kserve_gives_it() -> None:
    assert str(deployment_ref(a_service())) == "Deployment llm/tiny-predictor"


def test_the_internal_url_names_our_service_and_its_port() -> None:
    assert internal_url(a_service()) == "http://tiny-api.llm.svc.cluster.local:8080"


@pytest.mark.parametrize(("namespace_length", "fits"), [(16, True), (17, False)])
def test_name_and_namespace_fit_into_one_dns_label(namespace_length: int, *, fits: bool) -> None:
    violation = name_violation(service_at("n" * namespace_length, "m" * 36))
    assert (violation is None) is fits
    assert fits or "at most 35 characters" in str(violation)

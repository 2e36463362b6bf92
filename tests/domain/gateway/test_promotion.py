"""What a promotion publishes."""

from copy import deepcopy

import pytest

from maas_operator.domain.gateway.promotion import config_hash
from maas_operator.domain.objects import Manifest
from tests.domain.children import a_service, children_of


def rendered() -> tuple[Manifest, Manifest]:
    children = children_of(a_service())
    return children["Product"], children["Backend"]


@pytest.mark.parametrize("field", ["deployment", "backendUsages", "mappingRules", "policies", "systemName"])
def test_what_the_gateways_read_changes_the_hash(field: str) -> None:
    product, backend = rendered()
    changed = deepcopy(product)
    changed["spec"][field] = None
    assert config_hash(changed, backend, product_id=1) != config_hash(product, backend, product_id=1)


@pytest.mark.parametrize(
    "field", ["name", "description", "applicationPlans", "metrics", "methods", "providerAccountRef"]
)
def test_what_acts_at_once_does_not(field: str) -> None:
    product, backend = rendered()
    changed = deepcopy(product)
    changed["spec"][field] = None
    assert config_hash(changed, backend, product_id=1) == config_hash(product, backend, product_id=1)


def test_another_target_changes_the_hash() -> None:
    product, backend = rendered()
    changed = deepcopy(backend)
    changed["spec"]["privateBaseURL"] = "http://elsewhere:8080"
    assert config_hash(product, changed, product_id=1) != config_hash(product, backend, product_id=1)


def test_a_product_that_3scale_made_anew_is_promoted_anew() -> None:
    product, backend = rendered()
    assert config_hash(product, backend, product_id=2) != config_hash(product, backend, product_id=1)


def test_a_promotion_goes_to_production_and_is_kept() -> None:
    assert children_of(a_service())["ProxyConfigPromote"]["spec"] == {"productCRName": "llm.tiny", "production": True}

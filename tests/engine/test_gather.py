"""What a pass is given: fresh secrets, the Secrets to read, and a clear word about objects that can not be read."""

from __future__ import annotations

import re

import pytest

from maas_operator.api.model_service import ModelService
from maas_operator.domain.kinds import PRODUCT, SECRET
from maas_operator.domain.objects import Ref
from maas_operator.engine.errors import InvalidSpec
from maas_operator.engine.gather import random_secret, read, secret_refs
from maas_operator.engine.lookup import of_product
from tests.domain.worlds import a_platform, a_subscription

GIVEN = {"user": {"username": "dev1", "email": "dev1@example.com", "passwordSecretRef": {"name": "mine"}}}


def test_a_fresh_secret_has_256_bits_in_characters_that_3scale_takes() -> None:
    one, other = (random_secret().get_secret_value() for _ in range(2))
    assert re.fullmatch(r"[\w-]{43}", one)
    assert one != other


def test_an_object_that_this_version_can_not_read_is_named_with_its_fields() -> None:
    stored = {
        "apiVersion": "maas-operator.io/v1alpha1",
        "kind": "ModelService",
        "metadata": {"name": "old", "namespace": "llm"},
        "spec": {"model": {"source": {"uri": "ftp://canary"}}},
    }
    with pytest.raises(InvalidSpec, match=r"ModelService llm/old is not valid: spec\.model\.source\.uri") as caught:
        read(ModelService, stored)
    assert "canary" not in str(caught.value)


def test_an_application_of_no_product_which_the_api_takes_uses_none() -> None:
    applications = [{"spec": {"productCR": product}} for product in ({}, {"name": "one"}, {"name": "another"})]
    assert of_product(applications, Ref(PRODUCT, "3scale", "one")) == [applications[1]]


def test_a_given_password_is_looked_for_in_the_consumers_namespace() -> None:
    refs = set(secret_refs(a_subscription(**GIVEN), a_platform()))
    assert Ref(SECRET, "llm", "mine") in refs
    assert Ref(SECRET, "3scale", "llm.tiny-dev1.key") in refs


def test_a_subscription_that_leaves_needs_no_secret() -> None:
    leaving = a_subscription(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}, **GIVEN)
    assert list(secret_refs(leaving, a_platform())) == []

"""What is said of where files come from: the object and the field that belong to it."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.domain.serving.origins import origins_of
from tests.domain.children import a_service

FIELD = "spec.model.credentialsSecretRef"
S3, HF, HTTPS = "s3://models/llama/", "hf://org/llama", "https://example.com/llama.zip"


def a_model(uri: str, *, secret: bool) -> dict[str, Any]:
    return {"source": {"uri": uri}, **({"credentialsSecretRef": {"name": "mine"}} if secret else {})}


@pytest.mark.parametrize(
    ("uri", "secret", "keys"),
    [
        (S3, True, f"correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in Secret llm/mine of {FIELD}"),
        (S3, False, f"name a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in {FIELD}"),
        (HF, True, f"correct HF_TOKEN in Secret llm/mine of {FIELD}"),
        (HF, False, f"name a Secret with HF_TOKEN in {FIELD}"),
        (HTTPS, True, f"correct https-host and headers in Secret llm/mine of {FIELD}"),
    ],
)
def test_credentials_are_those_of_the_scheme_and_the_secret_is_named(uri: str, secret: bool, keys: str) -> None:
    origin = origins_of(a_service(model=a_model(uri, secret=secret)), None)["storage-initializer"]
    assert origin.keys == keys
    assert (
        origin.access == f"let the account of the credentials list and read what spec.model.source.uri names; or {keys}"
    )
    assert "the path in spec.model.source.uri" in origin.path


def test_adapters_come_from_elsewhere_than_the_model() -> None:
    model = {**a_model(S3, secret=False), "adapters": [{"name": "legal", "uri": "hf://org/legal"}]}
    found = origins_of(a_service(model=model), None)
    assert found["modelcar-init"] == found["storage-initializer"] != found["fetch-adapters"]
    assert found["fetch-adapters"].account.endswith(f"name a Secret with HF_TOKEN in {FIELD}")
    assert "the repository in the uri in spec.model.adapters" in found["fetch-adapters"].repository


def test_a_model_in_a_bucket_has_that_of_its_backend() -> None:
    origin = origins_of(a_service(), None)["fetch-adapters"]
    assert origins_of(a_service(), origin)["storage-initializer"] is origin

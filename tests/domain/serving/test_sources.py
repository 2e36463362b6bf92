"""Sources: what the InferenceService says of them, and what must be there first."""

from __future__ import annotations

from typing import Any

import pytest

from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.model_service import decide
from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.inference_service import CONFIG_HASH, inference_service
from maas_operator.domain.serving.prerequisites import prerequisite_problem
from maas_operator.domain.serving.sources import Prerequisites, source_of
from maas_operator.domain.storage.bucket import Bucket
from tests.domain.children import profile_of
from tests.domain.worlds import a_model_world, a_service, condition_of, kept, kinds, settle

STORAGE_SECRET = "serving.kserve.io/storageSecretName"
OF_THE_CHART = "serving.kserve.io/secretName"
S3, HF, ARCHIVE, CLAIM = "s3://models/llama", "hf://org/llama:v1", "https://example.com/llama.tar.gz", "pvc://weights/a"
OCI = "oci://registry.example.com/models/tiny:1"
AWS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})


def a_model(uri: str, secret: str | None = None, **more: Any) -> dict[str, Any]:
    return {"source": {"uri": uri}} | ({"credentialsSecretRef": {"name": secret}} if secret else {}) | more


def a_claim(*modes: str, **spec: Any) -> Manifest:
    return {"metadata": {"name": "weights"}, "spec": {"accessModes": list(modes), **spec}}


def rendered(model: dict[str, Any], found: Prerequisites | None = None, **spec: Any) -> Manifest:
    service = a_service(model=model, **spec)
    source = source_of(service, found or Prerequisites())
    return inference_service(service, profile_of(service), deployment_mode=None, source=source)


def problem(found: Prerequisites, model: dict[str, Any], **spec: Any) -> tuple[Reason, str] | None:
    verdict = prerequisite_problem(a_service(model=model, **spec), found)
    return (verdict.reason, verdict.message) if verdict else None


@pytest.mark.parametrize("uri", [OCI, S3, HF, ARCHIVE, CLAIM])
def test_a_uri_reaches_kserve_as_it_is(uri: str) -> None:
    child = rendered(a_model(uri))
    assert child["spec"]["predictor"]["model"]["storageUri"] == uri
    assert STORAGE_SECRET not in child["metadata"]["annotations"]


@pytest.mark.parametrize("uri", [S3, HF, ARCHIVE])
def test_kserve_is_told_the_secrets_name_and_nothing_else_of_it(uri: str) -> None:
    child = rendered(a_model(uri, "token"))
    without = rendered(a_model(uri))
    for annotation in (STORAGE_SECRET, OF_THE_CHART):
        assert child["metadata"]["annotations"].pop(annotation) == "token"
    child["spec"]["predictor"].pop("annotations"), without["spec"]["predictor"].pop("annotations")
    assert child == without


def test_a_path_in_the_services_own_bucket_brings_its_secret() -> None:
    bucket = Bucket(name="llm-tiny", endpoint="https://s3.example.com", region="us-east-1", secret="tiny-bucket")
    service = a_service(model={"source": {"bucketPath": "models/llama"}}, storage={"backend": "MinIO"})
    source = source_of(service, bucket=bucket)
    assert source.uri == "s3://llm-tiny/models/llama/"
    assert set(source.annotations) == {STORAGE_SECRET, OF_THE_CHART}
    assert set(source.annotations.values()) == {"tiny-bucket"}


def test_another_secret_is_another_configuration_of_the_pods() -> None:
    hashes = {
        rendered(a_model(S3, secret))["spec"]["predictor"]["annotations"][CONFIG_HASH] for secret in (None, "a", "b")
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("modes", "strategy"),
    [
        (("ReadWriteOnce",), "Recreate"),
        (("ReadWriteOncePod",), "Recreate"),
        (("ReadWriteOnce", "ReadWriteMany"), "RollingUpdate"),
        (("ReadOnlyMany",), "RollingUpdate"),
    ],
)
def test_files_that_one_node_holds_are_given_back_before_they_are_taken_again(
    modes: tuple[str, ...], strategy: str
) -> None:
    child = rendered(a_model(CLAIM), Prerequisites(claims={"weights": a_claim(*modes)}))
    assert child["spec"]["predictor"]["deploymentStrategy"] == {"type": strategy}


@pytest.mark.parametrize(
    ("uri", "keys"), [(S3, AWS), (HF, frozenset({"HF_TOKEN"})), (ARCHIVE, frozenset({"https-host", "headers"}))]
)
def test_each_scheme_has_its_keys(uri: str, keys: frozenset[str]) -> None:
    assert problem(Prerequisites(keys=keys), a_model(uri, "token")) is None
    for key in keys:
        assert problem(Prerequisites(keys=keys - {key}), a_model(uri, "token")) == (
            Reason.CREDENTIALS_INVALID,
            f"spec.model.credentialsSecretRef: Secret llm/token has no {key}, which {uri.partition(':')[0]}:// needs:"
            " add what is missing",
        )


def test_a_secret_that_does_not_exist_is_told_with_its_keys() -> None:
    assert problem(Prerequisites(), a_model(S3, "models-s3")) == (
        Reason.CREDENTIALS_MISSING,
        "spec.model.credentialsSecretRef: there is no Secret llm/models-s3: create it with AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY, or correct the name",
    )


@pytest.mark.parametrize(
    ("uri", "keys", "misleading"),
    [
        (HF, AWS | {"HF_TOKEN"}, "AWS_SECRET_ACCESS_KEY"),
        (HF, frozenset({"https-host", "HF_TOKEN"}), "https-host"),
        (ARCHIVE, frozenset({"https-host", "headers", "AZURE_CLIENT_ID"}), "AZURE_CLIENT_ID"),
    ],
)
def test_a_secret_that_kserve_takes_for_another_kind_is_told(uri: str, keys: frozenset[str], misleading: str) -> None:
    found = problem(Prerequisites(keys=keys), a_model(uri, "all"))
    assert found
    assert found[0] is Reason.CREDENTIALS_INVALID
    assert f"also has {misleading}" in found[1]
    assert "use a Secret of its own" in found[1]


def test_keys_of_lower_rank_do_no_harm() -> None:
    assert problem(Prerequisites(keys=AWS | {"HF_TOKEN", "AWS_S3_ENDPOINT"}), a_model(S3, "all")) is None


@pytest.mark.parametrize("uri", [OCI, CLAIM])
def test_beside_a_mounted_model_the_secret_is_the_adapters(uri: str) -> None:
    model = a_model(uri, "token", adapters=[{"name": "legal", "uri": "hf://org/legal"}])
    claims = {"weights": a_claim("ReadWriteOnce")}
    assert problem(Prerequisites(keys=frozenset({"HF_TOKEN"}) | AWS, claims=claims), model) is None
    found = problem(Prerequisites(keys=frozenset(), claims=claims), model)
    assert found
    assert "has no HF_TOKEN" in found[1]
    assert STORAGE_SECRET not in rendered(model)["metadata"]["annotations"]


def test_a_claim_that_does_not_exist_is_told_with_the_field_that_names_it() -> None:
    assert problem(Prerequisites(), a_model(CLAIM)) == (
        Reason.CLAIM_MISSING,
        "spec.model.source.uri: there is no PersistentVolumeClaim llm/weights: create it with the files in it, or"
        " correct the URI",
    )
    adapter = problem(Prerequisites(), a_model(OCI, adapters=[{"name": "legal", "uri": "pvc://adapters/legal"}]))
    assert adapter
    assert adapter[1].startswith("spec.model.adapters[legal].uri: there is no PersistentVolumeClaim llm/adapters")


def test_a_claim_of_one_node_serves_one_replica() -> None:
    found = Prerequisites(claims={"weights": a_claim("ReadWriteOnce")})
    assert problem(found, a_model(CLAIM)) is None
    assert problem(found, a_model(CLAIM), serving={"replicas": 2}) == (
        Reason.CLAIM_UNFIT,
        "spec.model.source.uri: PersistentVolumeClaim llm/weights has access mode ReadWriteOnce, so that one node at a"
        " time can mount it: use a claim with ReadWriteMany or ReadOnlyMany, or have one replica",
    )
    scaled = {"autoscaling": {"maxReplicas": 2, "metric": "CPU"}}
    assert problem(found, a_model(CLAIM), serving=scaled) is not None
    shared = Prerequisites(claims={"weights": a_claim("ReadWriteMany")})
    assert problem(shared, a_model(CLAIM), serving=scaled) is None
    assert problem(shared, a_model(CLAIM), serving={"replicas": 2}) is None


def test_a_block_device_holds_no_files() -> None:
    found = problem(Prerequisites(claims={"weights": a_claim("ReadWriteMany", volumeMode="Block")}), a_model(CLAIM))
    assert found
    assert found[0] is Reason.CLAIM_UNFIT
    assert "volumeMode Filesystem" in found[1]


def test_a_stopped_model_needs_nothing() -> None:
    assert problem(Prerequisites(), a_model(S3, "gone"), serving={"replicas": 0}) is None


def test_without_its_credentials_nothing_is_written_and_nothing_is_taken_away() -> None:
    decision = settle(decide, a_model_world(a_service(model=a_model(S3, "gone"))))
    condition = condition_of(decision, ConditionType.MODEL_READY)
    assert (condition.status, condition.reason) == ("False", Reason.CREDENTIALS_MISSING)
    assert condition_of(decision, ConditionType.STALLED).reason is Reason.CREDENTIALS_MISSING
    assert not {"ServingRuntime", "InferenceService"} & set(kinds(decision))
    assert {"ServingRuntime", "InferenceService", "Service", "NetworkPolicy"} <= kept(decision)


def test_with_them_the_model_is_served() -> None:
    found = Prerequisites(keys=AWS)
    decision = settle(decide, a_model_world(a_service(model=a_model(S3, "there")), prerequisites=found))
    assert "InferenceService" in kinds(decision)

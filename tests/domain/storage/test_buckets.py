"""A model's bucket as a decision: what is written, what is said, and what nobody may take away."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maas_operator.api.model_service import ModelService
from maas_operator.api.storage import ExistingBucket
from maas_operator.domain.child_state import state_of
from maas_operator.domain.kinds import CONFIG_MAP, OBJECT_BUCKET_CLAIM, SECRET, STORAGE_CLASS
from maas_operator.domain.labels import is_left_behind, owner_labels
from maas_operator.domain.model_service import ModelServiceWorld, decide
from maas_operator.domain.objects import Children, Manifest, Ref, Refusal, RefusalReason
from maas_operator.domain.serving.words import HIDDEN, LIMIT
from maas_operator.domain.storage.backend import Findings
from maas_operator.domain.storage.bucket import bucket_secret
from maas_operator.domain.storage.odf import ClaimedBucket
from maas_operator.domain.storage.progress import BucketStorage
from tests.domain.worlds import a_model_world, a_platform, a_service, stored
from tests.strategies import existing_buckets
from tests.upstream import needs_crds, objections

CLAIM = Ref(OBJECT_BUCKET_CLAIM, "llm", "tiny-bucket")
THEIR_SECRET, ADDRESS = Ref(SECRET, "llm", "tiny-bucket"), Ref(CONFIG_MAP, "llm", "tiny-bucket")
SERVICE_CA = Ref(CONFIG_MAP, "llm", "openshift-service-ca.crt")
CLASS = Ref(STORAGE_CLASS, "", "openshift-storage.noobaa.io")
OURS = Ref(SECRET, "llm", "tiny-storage")
KEYS = stored(AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="canary-key")
PLATFORM = a_platform(storage={"odf": {}})
EXISTING = {"endpoint": "https://s3.example.com", "bucket": "models", "credentialsSecretRef": {"name": "keys"}}


def in_bucket(path: str = "models/tiny", **storage: Any) -> ModelService:
    return a_service(model={"source": {"bucketPath": path}}, storage={"backend": "ODF", **storage})


def an_address(**data: str) -> Manifest:
    known = {"BUCKET_NAME": "tiny-1", "BUCKET_HOST": "s3.openshift-storage.svc", "BUCKET_PORT": "443"}
    return {"metadata": {"name": ADDRESS.name}, "data": known | data}


def a_claim(phase: str, *, class_: str = CLASS.name) -> Manifest:
    metadata = {"name": CLAIM.name, "namespace": CLAIM.namespace, "uid": "uid-claim"}
    known = {"apiVersion": CLAIM.kind.api_version, "kind": CLAIM.kind.name, "metadata": metadata}
    return {**known, "spec": {"storageClassName": class_}, "status": {"phase": phase} if phase else {}}


def found(**known: Any) -> Findings:
    """Return what is there once a claim is bound."""
    objects = {ADDRESS: an_address(), CLASS: {"provisioner": "openshift-storage.noobaa.io/obc"}}
    return Findings(**{"secrets": {THEIR_SECRET: KEYS}, "objects": objects, **known})


def claimed(phase: str = "Bound", *, findings: Findings | None = None, **storage: Any) -> BucketStorage:
    world = a_model_world(in_bucket(**storage), seen={CLAIM: a_claim(phase)} if phase != "absent" else {})
    findings = found() if findings is None else findings
    return BucketStorage(service=world.service, platform=PLATFORM, world=world, found=findings)


def existing(findings: Findings, **fields: Any) -> BucketStorage:
    service = in_bucket(backend="Existing", existing={**EXISTING, **fields})
    return BucketStorage(service=service, platform=PLATFORM, world=a_model_world(service), found=findings)


def verdict(storage: BucketStorage, failure: str = "") -> tuple[str, str]:
    (condition,) = storage.conditions(failure)
    return condition.reason, condition.message


@needs_crds
@pytest.mark.parametrize("quota", [None, "50Gi"])
def test_a_claim_is_what_the_real_crd_accepts(quota: str | None) -> None:
    storage = claimed(quota=quota)
    assert objections(storage.children[0]) == []
    assert storage.children[0]["spec"].get("additionalConfig") == ({"maxSize": quota} if quota else None)


@pytest.mark.parametrize(
    ("phase", "reason", "words"),
    [
        ("absent", "BucketPending", "waits for openshift-storage.noobaa.io/obc"),
        ("", "BucketPending", "waits for openshift-storage.noobaa.io/obc"),
        ("Pending", "BucketPending", "is Pending: its provisioner said NotReady: no room"),
        ("Failed", "BucketFailed", "is Failed"),
        ("Released", "BucketFailed", "is Released"),
        ("Bound", "Ready", "can be used"),
    ],
)
def test_the_phase_of_a_claim_is_told(phase: str, reason: str, words: str) -> None:
    told = verdict(claimed(phase, findings=found(words={CLAIM: "NotReady: no room"})))
    assert told[0] == reason
    assert words in told[1]


@pytest.mark.parametrize("phase", ["", "Pending", "Failed"])
def test_what_a_provisioner_says_is_cleaned_and_cut(phase: str) -> None:
    said = f"NotReady: GET https://me:swordfish@s3.example.com\n{'and so on ' * 200}"
    _, message = verdict(claimed(phase, findings=found(words={CLAIM: said})))
    assert f"its provisioner said NotReady: GET https://{HIDDEN}@s3.example.com and so on" in message
    assert len(message) < LIMIT + 300


def test_a_class_that_is_missing_is_told_until_a_provisioner_has_the_claim() -> None:
    without = found(objects={})
    assert verdict(claimed("", findings=without))[0] == "StorageClassMissing"
    assert verdict(claimed("Pending", findings=without))[0] == "BucketPending"


@pytest.mark.parametrize(
    ("findings", "what"),
    [
        (found(objects={}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_HOST="")}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: {"metadata": {}}}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_NAME="{{.Name}}")}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_NAME="tiny/../other")}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_NAME="tiny-1\n")}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_HOST="user@example.com")}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_HOST="example.com/path?x")}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_HOST="a" * 600)}), "ConfigMap llm/tiny-bucket"),
        (found(objects={ADDRESS: an_address(BUCKET_PORT="443@example.com")}), "ConfigMap llm/tiny-bucket"),
        (found(secrets={}), "Secret llm/tiny-bucket"),
        (found(secrets={THEIR_SECRET: stored(AWS_ACCESS_KEY_ID="id")}), "Secret llm/tiny-bucket"),
    ],
)
def test_a_bound_claim_without_all_of_its_objects_is_waited_for(findings: Findings, what: str) -> None:
    storage = claimed(findings=findings)
    assert f"is Bound, but its {what} is not there" in verdict(storage)[1]
    assert [child["kind"] for child in storage.children] == ["ObjectBucketClaim"]
    assert storage.bucket is None
    assert storage.status == {}


@pytest.mark.parametrize(
    ("data", "endpoint"),
    [
        ({}, "https://s3.openshift-storage.svc"),
        ({"BUCKET_PORT": "80"}, "http://s3.openshift-storage.svc"),
        ({"BUCKET_PORT": "8080"}, "http://s3.openshift-storage.svc:8080"),
        ({"BUCKET_PORT": "8443", "BUCKET_SSL": "true"}, "https://s3.openshift-storage.svc:8443"),
        ({"BUCKET_HOST": "s3.example.com"}, "https://s3.example.com"),
    ],
)
def test_the_endpoint_is_the_provisioners(data: dict[str, str], endpoint: str) -> None:
    objects = {ADDRESS: an_address(**data), SERVICE_CA: {"metadata": {}}}
    storage = claimed(findings=found(objects=objects, has_secret=True))
    assert storage.backend is not None
    bucket = storage.backend.bucket
    assert bucket is not None
    assert bucket.endpoint == endpoint
    annotations = storage.children[1]["metadata"]["annotations"]
    assert annotations["serving.kserve.io/s3-usehttps"] == ("1" if endpoint.startswith("https:") else "0")
    inside = endpoint.startswith("https") and ".svc" in endpoint
    assert (bucket.authority is not None) == inside


@pytest.mark.parametrize(
    ("told", "region"), [("eu", "eu"), ("", "us-east-1"), ("{{.Name}}", "us-east-1"), ("a" * 64, "us-east-1")]
)
def test_a_region_is_taken_over_where_there_is_one(told: str, region: str) -> None:
    storage = claimed(findings=found(objects={ADDRESS: an_address(BUCKET_REGION=told)}))
    assert storage.backend is not None
    assert storage.backend.bucket is not None
    assert storage.backend.bucket.region == region


def test_a_claim_that_was_taken_up_keeps_its_class() -> None:
    platform = a_platform(storage={"odf": {"storageClassName": "other"}})
    for phase, class_ in {"": "other", "Pending": "mine"}.items():
        world = a_model_world(in_bucket(), seen={CLAIM: a_claim(phase, class_="mine")})
        storage = BucketStorage(service=world.service, platform=platform, world=world, found=found())
        assert storage.children[0]["spec"]["storageClassName"] == class_


def test_a_claim_is_listened_to_and_its_objects_are_needed() -> None:
    assert set(ClaimedBucket.needs(in_bucket(), PLATFORM)) == {THEIR_SECRET, ADDRESS, SERVICE_CA, CLASS}
    assert list(ClaimedBucket.listens(in_bucket())) == [CLAIM]


@pytest.mark.parametrize(
    ("phase", "ready", "failed", "reason"),
    [("Bound", True, False, ""), ("", False, False, "Pending"), ("Failed", False, True, "Failed")],
)
def test_the_inventory_tells_how_a_claim_does(phase: str, ready: bool, failed: bool, reason: str) -> None:
    state = state_of(a_claim(phase))
    assert (state.ready, state.failed, state.reason) == (ready, failed, reason)


def test_the_bucket_is_used_once_its_secret_is_written_and_while_it_stays() -> None:
    storage = claimed()
    assert storage.bucket is None
    written = Children({OURS: storage.children[1]}, {})
    after = replace(storage, world=replace(storage.world, children=written))
    assert after.bucket is not None
    assert after.status == {
        "bucket": "tiny-1",
        "endpoint": "https://s3.openshift-storage.svc",
        "secretName": "tiny-storage",
    }
    # With a Secret that is there and not as it should be nothing is served before it is.
    assert claimed(findings=found(has_secret=True)).bucket is None
    lost = claimed(findings=found(secrets={}, has_secret=True))
    assert lost.bucket is not None
    assert OURS in lost.keep()


def test_a_secret_that_could_not_be_written_is_told() -> None:
    storage = claimed()
    refused = Children({}, {OURS: Refusal(RefusalReason.CONFLICT, "Secret llm/tiny-storage exists and is not ours")})
    told = verdict(replace(storage, world=replace(storage.world, children=refused)))
    assert told == ("Conflict", "Secret llm/tiny-storage exists and is not ours")


@pytest.mark.parametrize(
    ("findings", "fields", "reason"),
    [
        (Findings(), {}, "StorageSecretMissing"),
        (Findings(secrets={Ref(SECRET, "llm", "keys"): stored(AWS_ACCESS_KEY_ID="id")}), {}, "StorageSecretInvalid"),
        (
            Findings(secrets={Ref(SECRET, "llm", "keys"): KEYS}),
            {"caConfigMapRef": {"name": "ca", "key": "ca.crt"}},
            "StorageAuthorityMissing",
        ),
        (
            Findings(
                secrets={Ref(SECRET, "llm", "keys"): KEYS}, objects={Ref(CONFIG_MAP, "llm", "ca"): {"data": {"x": "y"}}}
            ),
            {"caConfigMapRef": {"name": "ca", "key": "ca.crt"}},
            "StorageAuthorityMissing",
        ),
    ],
)
def test_what_an_existing_bucket_lacks_is_told_and_no_secret_is_half_made(
    findings: Findings, fields: dict[str, Any], reason: str
) -> None:
    storage = existing(findings, **fields)
    assert verdict(storage)[0] == reason
    assert storage.children == ()
    assert OURS in storage.keep()
    assert "canary" not in verdict(storage)[1]


def test_an_existing_bucket_needs_its_secret_and_its_authority() -> None:
    storage = existing(Findings(), caConfigMapRef={"name": "ca", "key": "ca.crt"})
    assert storage.backend is not None
    needed = set(type(storage.backend).needs(storage.service, PLATFORM))
    assert needed == {Ref(SECRET, "llm", "keys"), Ref(CONFIG_MAP, "llm", "ca")}
    assert list(type(storage.backend).listens(storage.service)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    bucket=existing_buckets,
    path=st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9._]{0,20}(/[A-Za-z0-9]{1,5}){0,3}", fullmatch=True),
)
def test_nothing_of_a_bucket_leads_elsewhere_or_becomes_a_template(bucket: ExistingBucket, path: str) -> None:
    service, authority = in_bucket(path, backend="Existing", existing=bucket.dump()), bucket.ca_config_map_ref
    objects = {Ref(CONFIG_MAP, "llm", authority.name): {"data": {authority.key: "PEM"}}} if authority else {}
    findings = Findings(secrets={Ref(SECRET, "llm", bucket.credentials_secret_ref.name): KEYS}, objects=objects)
    storage = BucketStorage(service=service, platform=PLATFORM, world=a_model_world(service), found=findings)
    (secret,) = storage.children
    annotations = secret["metadata"]["annotations"]
    assert "{" not in "".join(annotations.values())
    assert annotations["serving.kserve.io/s3-endpoint"] == bucket.endpoint.partition("://")[2]
    mounted = annotations.get("serving.kserve.io/s3-cabundle", "/etc/ssl/custom-certs/none")
    assert PurePosixPath(mounted).parent == PurePosixPath("/etc/ssl/custom-certs")
    assert storage.backend is not None
    assert storage.backend.bucket is not None
    assert storage.backend.bucket.uri(path) == f"s3://{bucket.bucket}/{path}/"


def test_a_secret_is_complete_or_not_there() -> None:
    storage = claimed()
    assert storage.backend is not None
    assert storage.backend.bucket is not None
    with pytest.raises(AssertionError, match="complete or not at all"):
        bucket_secret(OURS, storage.backend.bucket, stored(AWS_ACCESS_KEY_ID="id"))


@pytest.mark.parametrize("backend", ["ODF", "MinIO"])
def test_a_backend_that_is_not_offered_is_told_and_data_stays(backend: str) -> None:
    world = a_model_world(in_bucket(backend=backend), seen={CLAIM: a_claim("Bound")})
    storage = BucketStorage(service=world.service, platform=a_platform(), world=world, found=Findings())
    assert verdict(storage) == (
        "StorageNotOffered",
        f"spec.storage.backend: ModelPlatform default does not offer {backend}: set its spec.storage.{backend.lower()},"
        " or choose another backend",
    )
    assert CLAIM in storage.keep()
    assert storage.children == ()


def test_a_service_without_storage_has_no_condition_and_keeps_the_data_of_before() -> None:
    world = a_model_world(a_service(), seen={CLAIM: a_claim("Bound")})
    storage = BucketStorage(service=world.service, platform=PLATFORM, world=world, found=Findings())
    assert storage.conditions("") == ()
    assert storage.keep() == {CLAIM}
    assert storage.bucket is None


@pytest.mark.parametrize(("failure", "reason"), [("pod tiny-1: (403); mend it", "BucketDenied"), ("", "Ready")])
def test_why_a_pod_can_not_have_the_model_is_told_of_the_bucket_that_it_is_in(failure: str, reason: str) -> None:
    storage = claimed()
    usable = replace(storage, world=replace(storage.world, children=Children({OURS: storage.children[1]}, {})))
    told = verdict(usable, failure)
    assert told[0] == reason
    assert failure in told[1]


def test_a_pods_words_say_nothing_of_a_bucket_besides() -> None:
    service = a_service(storage={"backend": "ODF"})
    world = a_model_world(service, seen={CLAIM: a_claim("Bound")})
    storage = BucketStorage(service=service, platform=PLATFORM, world=world, found=found())
    assert verdict(storage, "(403) Forbidden")[0] == "Ready"


def in_minio() -> BucketStorage:
    world = a_model_world(in_bucket(backend="MinIO"))
    platform = a_platform(storage={"minio": {"namespace": "minio", "size": "1Ti"}})
    return BucketStorage(service=world.service, platform=platform, world=world, found=found())


USED = Findings(
    secrets={Ref(SECRET, "llm", "keys"): KEYS}, objects={Ref(CONFIG_MAP, "llm", "ca"): {"data": {"x": "y"}}}
)


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        (
            existing(USED),
            {
                "keys": "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in Secret llm/keys of"
                " spec.storage.existing.credentialsSecretRef",
                "access": "let the user of Secret llm/keys list and read bucket models; or correct",
                "bucket": "correct spec.storage.existing.bucket or spec.storage.existing.endpoint, or create bucket",
                "certificate": "into a ConfigMap, and name it in spec.storage.existing.caConfigMapRef",
                "endpoint": "correct spec.storage.existing.endpoint",
            },
        ),
        (
            existing(USED, caConfigMapRef={"name": "ca", "key": "x"}),
            {"certificate": "into ConfigMap llm/ca of spec.storage.existing.caConfigMapRef"},
        ),
        (
            claimed(),
            {
                "keys": "see the provisioner of ObjectBucketClaim llm/tiny-bucket",
                "bucket": "wrote the keys into Secret llm/tiny-bucket",
                "certificate": "have KServe trust the authority",
                "endpoint": "see whether https://s3.openshift-storage.svc answers",
            },
        ),
        (in_minio(), {"keys": "delete Job minio/tiny-", "bucket": "it runs again"}),
    ],
)
def test_each_backend_says_what_to_do_about_its_own_bucket(storage: BucketStorage, told: dict[str, str]) -> None:
    assert storage.backend is not None
    bucket = storage.backend.bucket
    assert bucket is not None
    origin = asdict(storage.backend.origin(bucket, "models/tiny"))
    assert (
        origin["path"]
        == f"upload the model to models/tiny in bucket {bucket.name}, or correct spec.model.source.bucketPath"
    )
    assert {name: origin[name] for name in told if told[name] not in origin[name]} == {}
    assert not any("spec.model.credentialsSecretRef" in words for words in origin.values())


def leaving(service: ModelService) -> ModelServiceWorld:
    world = a_model_world(service, seen={CLAIM: a_claim("Bound")})
    metadata = world.owner["metadata"] | {"deletionTimestamp": "2026-01-01T11:59:00Z"}
    return replace(world, owner=world.owner | {"metadata": metadata})


@pytest.mark.parametrize(
    ("service", "stays"),
    [
        (in_bucket(), True),
        (in_bucket(deletionPolicy="Delete"), False),
        (a_service(), True),
    ],
)
def test_data_goes_with_its_service_only_where_that_says_so(service: ModelService, stays: bool) -> None:
    assert (CLAIM in decide(leaving(service)).keep) == stays


def test_only_data_of_the_same_name_is_left_behind_for_an_owner() -> None:
    owner = {"kind": "ModelService", "metadata": {"name": "tiny", "namespace": "llm", "uid": "new"}}
    labels = owner_labels(owner)
    claim = a_claim("Bound")
    former = {**labels, "maas-operator.io/owner-uid": "old"}
    assert is_left_behind({**claim, "metadata": {**claim["metadata"], "labels": former}}, labels)
    for changed in (
        {"maas-operator.io/owner-name": "other"},
        {"maas-operator.io/owner-namespace": "other"},
        {"maas-operator.io/owner-kind": "ModelPlatform"},
        {"app.kubernetes.io/managed-by": "helm"},
    ):
        assert not is_left_behind({**claim, "metadata": {**claim["metadata"], "labels": {**former, **changed}}}, labels)
    assert not is_left_behind(claim, labels)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "llm", "labels": former}}
    assert not is_left_behind(secret, labels)


def test_values_are_masked_wherever_they_are_on_their_way() -> None:
    assert "canary" not in repr(claimed())

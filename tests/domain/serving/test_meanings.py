"""What KServe, boto, Hugging Face, vLLM, Kubernetes and OpenShift say, and what it means."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from maas_operator.domain.serving.meanings import (
    meaning_of_crash,
    meaning_of_load,
    meaning_of_refusal,
    meaning_of_waiting,
)
from maas_operator.domain.serving.origins import Origin

ORIGIN = Origin(
    keys="mend the keys",
    access="give access",
    bucket="make the bucket",
    path="fill the path",
    certificate="name the authority",
    endpoint="open the way",
    account="accept the licence",
    repository="find the repository",
)
LOADS = [
    # Up to 0.19: what the libraries raise.
    ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", "ModelAccessDenied", ORIGIN.keys),
    ("An error occurred (InvalidAccessKeyId) when calling the ListObjects operation: The Access Key Id you"
     " provided does not exist in our records.", "ModelAccessDenied", ORIGIN.keys),
    ("An error occurred (SignatureDoesNotMatch) when calling the ListObjects operation", "ModelAccessDenied",
     ORIGIN.keys),
    ("An error occurred (AccessDenied) when calling the ListObjects operation: Access Denied.",
     "ModelAccessDenied", ORIGIN.access),
    ("An error occurred (403) when calling the HeadObject operation: Forbidden", "ModelAccessDenied",
     ORIGIN.access),
    ("An error occurred (NoSuchBucket) when calling the ListObjects operation: The specified bucket does not"
     " exist", "ModelNotFound", ORIGIN.bucket),
    ("Failed to fetch model. No model found in models/absent.", "ModelNotFound", ORIGIN.path),
    ("An error occurred (404) when calling the HeadObject operation: Not Found", "ModelNotFound", ORIGIN.path),
    ("An error occurred (404) when calling the HeadBucket operation: Not Found", "ModelNotFound", ORIGIN.bucket),
    ("SSLError: SSL validation failed for https://minio:9000/ [SSL: CERTIFICATE_VERIFY_FAILED] certificate:"
     " self-signed certificate in certificate chain", "ModelLoadFailed", ORIGIN.certificate),
    ("Failed to find ca bundle file(/etc/ssl/custom-certs/cabundle.crt).", "ModelLoadFailed", ORIGIN.certificate),
    ('EndpointConnectionError: Could not connect to the endpoint URL: "http://minio:9000/models"', "ModelLoadFailed",
     ORIGIN.endpoint),
    ("huggingface_hub.errors.GatedRepoError: 401 Client Error. Cannot access gated repo for url https://huggingface.co/x",
     "ModelAccessDenied", ORIGIN.account),
    ("huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. Repository Not Found for url", "ModelNotFound",
     ORIGIN.repository),
    ("HfHubHTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/x", "ModelAccessDenied",
     ORIGIN.keys),
    ("OSError: [Errno 28] No space left on device", "ModelLoadFailed", "ephemeral storage"),
    ("Exception: Cannot recognize storage type for oci://registry.example.com/x", "ModelLoadFailed", "enableModelcar"),
    # Since 0.20: KServe's own.
    ("S3 authentication failed. Set AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY", "ModelAccessDenied", ORIGIN.keys),
    ("Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.", "ModelAccessDenied", ORIGIN.keys),
    ("Access denied to S3 resource 'models'. Verify permissions.", "ModelAccessDenied", ORIGIN.access),
    ("S3 bucket 'models' does not exist.", "ModelNotFound", ORIGIN.bucket),
    ("S3 resource 'models' not found.", "ModelNotFound", ORIGIN.bucket),
    ("S3 error [403]: Forbidden", "ModelAccessDenied", ORIGIN.access),
    ("S3 error [404]: Not Found", "ModelNotFound", ORIGIN.bucket),
    ("Failed to connect to S3 endpoint 'models'.", "ModelLoadFailed", ORIGIN.endpoint),
    ("HuggingFace authentication failed. Set HF_TOKEN or request access to the gated repository.", "ModelAccessDenied",
     ORIGIN.account),
    ("HuggingFace resource 'x/y' not found.", "ModelNotFound", ORIGIN.repository),
    ("HTTP authentication failed for 'https://example.com/x'. Verify credentials.", "ModelAccessDenied", ORIGIN.keys),
    ("HTTP access denied for 'https://example.com/x'. Verify permissions.", "ModelAccessDenied", ORIGIN.access),
    ("HTTP resource not found at 'https://example.com/x'.", "ModelNotFound", ORIGIN.path),
    # The modelcar's.
    ("NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)", "ModelNotFound", ORIGIN.path),
    ("something else", "ModelLoadFailed", "spec.model.source"),
]  # fmt: skip
CRASHES = [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "OutOfMemory", "GPUs"),
    ("ValueError: To serve at least one request with the model's max seq len (131072), 16.00 GiB KV cache is needed",
     "ContainerCrashed", "spec.model.contextLength"),
    ("api_server.py: error: unrecognized arguments: --enable-force-include-usage", "ContainerCrashed", "arguments"),
    ("OSError: Can't load the configuration of '/mnt/models'. no file named config.json", "ContainerCrashed",
     "spec.model.source"),
    ("Segmentation fault", "ContainerCrashed", "last words"),
]  # fmt: skip
REFUSALS = [
    ('pods "x" is forbidden: exceeded quota: compute, requested: requests.memory=6Gi', "ResourceQuota"),
    (
        'pods "x" is forbidden: unable to validate against any security context constraint: [provider "anyuid"]',
        "policy",
    ),
    ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "policy"),
    ('Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.pod-mutator"', "webhook"),
    ('pods "x" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi', "LimitRange"),
    ('CreateContainerConfigError: secret "hf-token" not found', "create it"),
    ("CreateContainerConfigError: couldn't find key HF_TOKEN in Secret llm/hf-token", "create it"),
    ("something else", "spec.serving"),
]
WAITS = [
    ('0/3 nodes are available: persistentvolumeclaim "models" not found.', "VolumeNotReady"),
    ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "VolumeNotReady"),
    ("0/3 nodes are available: 3 node(s) had volume node affinity conflict.", "VolumeNotReady"),
    ("0/3 nodes are available: 2 Insufficient nvidia.com/gpu.", "Unschedulable"),
]


@pytest.mark.parametrize(("words", "reason", "remedy"), LOADS)
def test_why_a_model_is_not_fetched_is_told_with_the_field_to_change(words: str, reason: str, remedy: str) -> None:
    found = meaning_of_load(words, ORIGIN)
    assert found.reason == reason
    assert remedy in found.remedy
    assert found.of_origin == (remedy in astuple(ORIGIN))


@pytest.mark.parametrize(("words", "reason", "remedy"), CRASHES)
def test_why_a_server_ends_is_told_with_the_field_to_change(words: str, reason: str, remedy: str) -> None:
    found = meaning_of_crash(words)
    assert found.reason == reason
    assert remedy in found.remedy


@pytest.mark.parametrize(("words", "remedy"), REFUSALS)
def test_why_a_pod_is_refused_is_told_with_the_way_out(words: str, remedy: str) -> None:
    found = meaning_of_refusal(words)
    assert found.reason == "PodsRefused"
    assert remedy in found.remedy


@pytest.mark.parametrize(("words", "reason"), WAITS)
def test_a_pod_waits_for_a_node_or_for_a_volume(words: str, reason: str) -> None:
    assert meaning_of_waiting(words).reason == reason

"""What to do about a pod that can not read from its bucket, by its words: KServe's of all versions, and boto's."""

from __future__ import annotations

import re
from typing import Final

_REMEDIES: Final = (
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|Invalid AWS credentials|authentication failed|NoCredentialsError",
        "the store does not accept the keys of {keys}: correct them",
    ),
    (
        r"\(403\)|AccessDenied|Access denied|S3 error \[403\]|Forbidden",
        "the store does not let the keys of {keys} into bucket {bucket}: correct them, or what they may read",
    ),
    (
        r"NoSuchBucket|\(404\)|S3 error \[404\]|S3 bucket .* does not exist|S3 resource .* not found",
        "the store has no bucket {bucket} at {endpoint}: correct the name or the endpoint",
    ),
    (
        r"No model found",
        "bucket {bucket} has no file in spec.model.source.bucketPath {path}: upload the model, or correct the path",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSL validation failed|ca bundle file",
        "the certificate of {endpoint} is not trusted: name its authority",
    ),
    (
        r"Could not connect|Connect timeout|Failed to connect|EndpointConnectionError",
        "the pod does not reach {endpoint}: correct the endpoint, or let the namespace's traffic out to it",
    ),
)
"""Patterns of a pod's words, with what to do; the first that fits decides."""


def remedy_of(words: str) -> str | None:
    """Return what to do about a pod that could not load, with {keys}, {bucket}, {endpoint} and {path} to be filled in.

    None if its words do not speak of the bucket.
    """
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, words)), None)

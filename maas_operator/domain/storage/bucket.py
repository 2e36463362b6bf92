"""A bucket as its users see it, and the Secret by which they reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.people.secrets import StoredSecret, secret

ACCESS_KEY: Final = "AWS_ACCESS_KEY_ID"
SECRET_KEY: Final = "AWS_SECRET_ACCESS_KEY"
CREDENTIALS: Final = (ACCESS_KEY, SECRET_KEY)
"""The keys of a Secret that lets somebody into a bucket."""

_ANNOTATION: Final = "serving.kserve.io/s3-"
_MOUNT: Final = "/etc/ssl/custom-certs"
"""Where KServe mounts the ConfigMap with the authority."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who vouches for an endpoint's certificate: a key of a ConfigMap in the service's namespace."""

    config_map: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket: `endpoint` is the URL of its S3 API, `secret` the Secret with its keys in the service's namespace."""

    name: str
    endpoint: str
    region: str
    secret: str
    authority: Authority | None = None

    def uri(self, path: str) -> str:
        """Return the address of a folder in it: without the slash KServe takes `llama-70b` for a part of `llama`."""
        return f"s3://{self.name}/{path}/"


def bucket_secret(ref: Ref, bucket: Bucket, credentials: StoredSecret) -> Manifest:
    """Build the Secret of a bucket, complete: KServe reads its annotations, S3 clients take its keys as they are."""
    values = {key: value for key in CREDENTIALS if (value := credentials.get(key)) is not None}
    assert len(values) == len(CREDENTIALS), "a Secret appears complete or not at all"
    address = {
        "AWS_DEFAULT_REGION": bucket.region,
        "AWS_ENDPOINT_URL": bucket.endpoint,
        # No AWS_S3_ENDPOINT: on OpenShift AI it would count more than the annotations, and before 3.1 with a scheme put
        # before its own.
        "AWS_S3_BUCKET": bucket.name,
    }
    manifest = secret(ref, values | {key: SecretStr(value) for key, value in address.items()})
    return manifest | {"metadata": manifest["metadata"] | {"annotations": _annotations(bucket)}}


def _annotations(bucket: Bucket) -> Mapping[str, str]:
    return {f"{_ANNOTATION}{name}": value for name, value in _settings(bucket)}


def _settings(bucket: Bucket) -> Iterator[tuple[str, str]]:
    scheme, _, host = bucket.endpoint.partition("://")
    yield "endpoint", host
    yield "usehttps", "1" if scheme == "https" else "0"
    yield "region", bucket.region
    if bucket.authority is not None:
        yield "cabundle-configmap", bucket.authority.config_map
        yield "cabundle", f"{_MOUNT}/{bucket.authority.key}"

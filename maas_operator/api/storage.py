"""Object storage: the bucket that a ModelService asks for, and where a ModelPlatform has buckets made."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from maas_operator.api.base import ApiModel, Rule, immutable, text
from maas_operator.api.fields import ObjectName
from maas_operator.api.meta import ConfigMapKey, SecretReference
from maas_operator.api.minio import MINIO_RULES, MinIO


class StorageBackend(StrEnum):
    """Who has the bucket."""

    MINIO = "MinIO"
    ODF = "ODF"
    EXISTING = "Existing"


class DeletionPolicy(StrEnum):
    """What becomes of the data when the ModelService is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class ExistingBucket(ApiModel):
    """A bucket that somebody else has made. Only the model's pods call its endpoint, the operator never does."""

    # A host and a port, and nothing else: no user, path, query or fragment can be smuggled in.
    endpoint: Annotated[
        str,
        text(
            r"^https?://[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[0-9]{1,5})?$", max_length=253
        ),
    ]
    """Where its S3 API is, such as https://s3.eu-central-1.amazonaws.com: a host and a port, without a path."""
    region: Annotated[str, text(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)] = "us-east-1"
    """Its region; stores without regions take any."""
    bucket: Annotated[str, text(r"^[a-z0-9][-a-z0-9.]*[a-z0-9]$", min_length=3, max_length=63)]
    """Its name."""
    credentials_secret_ref: SecretReference
    """A Secret in this namespace with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    ca_config_map_ref: ConfigMapKey | None = None
    """A ConfigMap in this namespace with the authority (PEM) of the endpoint's certificate; public ones if absent."""


class Storage(ApiModel):
    """A bucket for this ModelService."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.backend == 'Existing') == has(self.existing)",
            message="existing goes with backend Existing: set both, or neither",
            holds=lambda storage: (storage.backend is StorageBackend.EXISTING) == (storage.existing is not None),
        ),
        Rule(
            cel="self.backend != 'Existing' || !has(self.quota)",
            message="quota can not be set on an Existing bucket: set it where the bucket was made",
            holds=lambda storage: storage.backend is not StorageBackend.EXISTING or storage.quota is None,
        ),
        Rule(
            cel="self.backend != 'ODF' || !has(self.quota) || !self.quota.endsWith('Mi')",
            message="quota of backend ODF must be in Gi or Ti: NooBaa takes no smaller one, and does not say so",
            holds=lambda storage: storage.backend is not StorageBackend.ODF or not (storage.quota or "").endswith("Mi"),
        ),
        # A claim's map that loses its last entry becomes null on servers before Kubernetes 1.35, which then refuse it.
        Rule(
            cel="!has(oldSelf.quota) || has(self.quota)",
            message="quota can not be taken out of a bucket that has one: set a larger one",
        ),
        Rule(
            cel="self.backend != 'Existing' || self.deletionPolicy == 'Retain'",
            message="deletionPolicy can only be Retain for an Existing bucket: who made it has to delete it",
            holds=lambda storage: (
                storage.backend is not StorageBackend.EXISTING or storage.deletion_policy is DeletionPolicy.RETAIN
            ),
        ),
    )

    backend: Annotated[
        StorageBackend,
        immutable("spec.storage.backend", "to move to another one, take spec.storage out first; the data stays"),
    ]
    """MinIO and ODF make a bucket, as the ModelPlatform has them; Existing takes one that is there."""
    # Six digits: neither NooBaa nor MinIO takes more than an Ei.
    quota: Annotated[str, text(r"^[1-9][0-9]{0,5}(Mi|Gi|Ti)$", max_length=16)] | None = None
    """The most that the bucket may hold, such as 50Gi; no limit if absent."""
    existing: ExistingBucket | None = None
    """The bucket of backend Existing."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """Retain: the data stays when the ModelService goes, and a later one of the same name finds it again.
    Delete: bucket and data go with the ModelService."""


class StorageStatus(ApiModel):
    """The bucket, for whoever puts a model into it."""

    bucket: Annotated[str, Field(max_length=253)] | None = None
    """Its name."""
    endpoint: Annotated[str, Field(max_length=512)] | None = None
    """Where its S3 API is."""
    secret_name: Annotated[str, Field(max_length=253)] | None = None
    """The Secret in this namespace with everything that an S3 client needs."""


class Odf(ApiModel):
    """Buckets by ObjectBucketClaims: OpenShift Data Foundation, NooBaa or Rook."""

    storage_class_name: ObjectName = "openshift-storage.noobaa.io"
    """The StorageClass of the claims."""


class PlatformStorage(ApiModel):
    """Where buckets come from; a backend that is absent is not offered."""

    RULES: ClassVar[tuple[Rule, ...]] = MINIO_RULES

    minio: MinIO | None = None
    """Offers backend MinIO, which the operator runs: for trials and small installations."""
    odf: Odf | None = None
    """Offers backend ODF."""

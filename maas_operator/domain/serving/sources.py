"""The model's own files: what KServe is told, so that they lie in /mnt/models when the server starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from maas_operator.api.model_service import ModelService
from maas_operator.domain.objects import Manifest
from maas_operator.domain.storage.bucket import Bucket

MODEL_DIRECTORY: Final = "/mnt/models"
"""Where KServe mounts the model, whatever its source."""

KEYS: Final = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "hf": ("HF_TOKEN",),
    "https": ("https-host", "headers"),
}
"""The keys of a Secret with credentials, by the scheme that they are for."""
CREDENTIALS_FIELD: Final = "spec.model.credentialsSecretRef"

# KServe and its fork in OpenShift AI look up the Secret by the first name in the model's namespace, and by the second
# where KServe's Helm chart is installed. Of `storage.key`, the other way, only OpenShift AI makes what it needs.
_STORAGE_SECRET: Final = ("serving.kserve.io/storageSecretName", "serving.kserve.io/secretName")
_FETCHED: Final = ("s3", "hf", "https")
_MANY_NODES: Final = frozenset({"ReadWriteMany", "ReadOnlyMany"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where KServe takes the model from.

    `secret`: what it fetches with, by name; it reads the keys itself. `one_node`: the files can only be mounted on one
    node at a time, so that the pods before must go before new ones come.
    """

    uri: str
    secret: str = ""
    one_node: bool = False

    @property
    def annotations(self) -> dict[str, str]:
        """Return what the InferenceService says besides; KServe copies it to the pods."""
        fetched = scheme_of(self.uri) in _FETCHED
        return dict.fromkeys(_STORAGE_SECRET, self.secret) if self.secret and fetched else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisites:
    """What a model refers to, as it was found: keys of the Secret, never values; None when there is no Secret.

    `claims`: the PersistentVolumeClaims that exist, by name.
    """

    keys: frozenset[str] | None = None
    claims: Mapping[str, Manifest] = field(default_factory=dict)


NO_PREREQUISITES: Final = Prerequisites()


def source_of(service: ModelService, found: Prerequisites = NO_PREREQUISITES, bucket: Bucket | None = None) -> Source:
    """Return the source that a service names; `bucket`: where a model of spec.model.source.bucketPath is."""
    credentials, path = service.spec.model.credentials_secret_ref, service.spec.model.source.bucket_path
    if bucket is not None and path is not None:
        return Source(uri=bucket.uri(path), secret=bucket.secret, one_node=_on_one_node(found))
    return Source(
        uri=service.spec.model.source.uri or "",
        secret=credentials.name if credentials else "",
        one_node=_on_one_node(found),
    )


def _on_one_node(found: Prerequisites) -> bool:
    return any(is_one_node(claim) for claim in found.claims.values())


def scheme_of(uri: str) -> str:
    """Return the scheme of a URI; empty for an empty one."""
    return uri.partition("://")[0]


def claim_of(uri: str) -> tuple[str, str]:
    """Return the claim of a pvc:// URI, and the directory in it."""
    name, _, directory = uri.removeprefix("pvc://").partition("/")
    return name, directory.strip("/")


def claim_names(service: ModelService) -> dict[str, str]:
    """Return the claims that a model refers to, each with the field that names it."""
    return {claim_of(uri)[0]: path for path, uri in _uris(service) if scheme_of(uri) == "pvc"}


def is_one_node(claim: Manifest) -> bool:
    """Tell whether a claim can only be mounted on one node at a time."""
    return not _MANY_NODES & set(claim["spec"].get("accessModes") or ())


def _uris(service: ModelService) -> Iterator[tuple[str, str]]:
    model = service.spec.model
    for adapter in model.adapters:
        yield f"spec.model.adapters[{adapter.name}].uri", adapter.uri or ""
    yield "spec.model.source.uri", model.source.uri or ""

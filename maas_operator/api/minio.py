"""The MinIO that a ModelPlatform brings along."""

from typing import Annotated, Final

from maas_operator.api.base import ApiModel, Rule, text
from maas_operator.api.fields import DnsLabel, ObjectName, Quantity


class MinIO(ApiModel):
    """One MinIO for all models of the platform; it has a namespace of its own."""

    namespace: DnsLabel
    """Where it runs: a namespace that exists, and in which nothing else is called minio. Immutable."""
    size: Quantity
    """Size of its volume. It may grow, if the StorageClass allows that, and never shrinks."""
    storage_class_name: ObjectName | None = None
    """StorageClass of the volume; the cluster's default class if absent. Immutable."""
    image: Annotated[str, text(r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$", max_length=512)] = (
        "quay.io/minio/minio:RELEASE.2024-12-18T13-15-44Z"
    )
    """Image with the programs `minio`, `mc` and `sh`, which run as any user but root."""


_BOTH: Final = "!has(self.minio) || !has(oldSelf.minio)"
_REMEDY: Final = "take spec.storage.minio out, which needs that no model has a bucket there, and put in another"
# They stand above the optional object, so that they are the same for one that comes and goes.
MINIO_RULES: Final = (
    Rule(
        cel=f"{_BOTH} || self.minio.__namespace__ == oldSelf.minio.__namespace__",
        message=f"spec.storage.minio.namespace is immutable: {_REMEDY}",
    ),
    Rule(
        cel=(
            f"{_BOTH} || (has(self.minio.storageClassName) == has(oldSelf.minio.storageClassName)"
            " && (!has(self.minio.storageClassName)"
            " || self.minio.storageClassName == oldSelf.minio.storageClassName))"
        ),
        message=f"spec.storage.minio.storageClassName is immutable, as that of a volume is: {_REMEDY}",
    ),
)

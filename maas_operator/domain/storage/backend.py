"""The interface of all backends: whoever has the bucket, a pure class tells what to write and what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.storage import Storage
from maas_operator.domain.conditions import Verdict
from maas_operator.domain.decision import World
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.serving.origins import Origin

from .bucket import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was read for a backend: what it `needs` and is there, and what was said last of what it `listens` to.

    `words` are also those about the service's Jobs that go on.
    `has_secret`: the Secret of the bucket is there, and ours.
    `pods`: those of the service's Jobs that have not done their work. `fresh`: a random key, where none is stored.
    """

    has_secret: bool = False
    secrets: Mapping[Ref, StoredSecret] = field(default_factory=dict)
    objects: Mapping[Ref, Manifest] = field(default_factory=dict)
    words: Mapping[Ref, str] = field(default_factory=dict)
    pods: tuple[Manifest, ...] = ()
    fresh: SecretStr | None = None


NOTHING_FOUND = Findings()


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """A bucket of one backend. The Secret for its users is made of `bucket` and `credentials`, for all in one way."""

    service: ModelService
    platform: ModelPlatform
    world: World
    found: Findings

    @classmethod
    @abstractmethod
    def needs(cls, service: ModelService, platform: ModelPlatform) -> Iterable[Ref]:
        """Return what must be read in each pass: Secrets, and objects that no watch tells of."""

    @classmethod
    def listens(cls, service: ModelService) -> Iterable[Ref]:
        """Return the children whose controller speaks in Events while they are not ready."""
        return ()

    @property
    @abstractmethod
    def children(self) -> tuple[Manifest, ...]:
        """Return what must exist; what holds data is of a kind in `RETAINED`."""

    @property
    def kept(self) -> frozenset[Ref]:
        """Return the children that stay as they are where they are not written."""
        return frozenset()

    @property
    @abstractmethod
    def problem(self) -> Verdict | None:
        """Return why the bucket can not be used; None when it can, as far as can be seen without calling it."""

    @property
    @abstractmethod
    def bucket(self) -> Bucket | None:
        """Return the bucket; None while its address is not known."""

    @property
    @abstractmethod
    def credentials(self) -> StoredSecret | None:
        """Return a Secret with both keys of `CREDENTIALS`; None while there is none."""

    @property
    @abstractmethod
    def renewal(self) -> str:
        """Return what to do about keys, or a bucket, that the store does not know."""

    def origin(self, bucket: Bucket, path: str) -> Origin:
        """Return where a model in the bucket comes from."""
        return Origin(
            keys=self.renewal,
            access=self.renewal,
            bucket=self.renewal,
            path=f"upload the model to {path} in bucket {bucket.name}, or correct spec.model.source.bucketPath",
            certificate=f"have KServe trust the authority that signed the certificate of {bucket.endpoint}",
            endpoint=f"see whether {bucket.endpoint} answers, and let the traffic of the namespace out to it",
            account=self.renewal,
            repository=self.renewal,
        )

    @cached_property
    def storage(self) -> Storage:
        """Return what is asked for."""
        storage = self.service.spec.storage
        assert storage is not None, "nobody asks for a backend without spec.storage"
        return storage

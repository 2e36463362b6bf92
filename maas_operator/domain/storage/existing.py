"""Backend Existing: a bucket that somebody else has made, with keys in a Secret of the service's namespace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.api.storage import ExistingBucket
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.kinds import CONFIG_MAP, SECRET
from maas_operator.domain.names import storage_secret_ref
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.serving.origins import Origin

from .backend import Backend
from .bucket import CREDENTIALS, Authority, Bucket

_FIELD = "spec.storage.existing"


class Existing(Backend):
    """Checks that all is there that a client needs. Nothing is called: maybe only the pods reach the bucket."""

    @classmethod
    def needs(cls, service: ModelService, platform: ModelPlatform) -> Iterable[Ref]:
        """Return the user's Secret and, if there is one, the ConfigMap with the authority."""
        existing, namespace = _existing(service), service.metadata.namespace
        yield Ref(SECRET, namespace, existing.credentials_secret_ref.name)
        if existing.ca_config_map_ref is not None:
            yield Ref(CONFIG_MAP, namespace, existing.ca_config_map_ref.name)

    @property
    def children(self) -> tuple[Manifest, ...]:
        """Return nothing: the bucket is there."""
        return ()

    @property
    def problem(self) -> Verdict | None:
        """Return what of Secret and ConfigMap is missing."""
        return self._secret_missing or self._secret_incomplete or self._authority_missing

    @property
    def bucket(self) -> Bucket:
        """Return the bucket as the spec names it."""
        existing = _existing(self.service)
        ca = existing.ca_config_map_ref
        return Bucket(
            name=existing.bucket,
            endpoint=existing.endpoint,
            region=existing.region,
            secret=storage_secret_ref(self.service).name,
            authority=Authority(ca.name, ca.key) if ca is not None else None,
        )

    @cached_property
    def credentials(self) -> StoredSecret | None:
        """Return the user's Secret; None while it is not complete, so that ours stays as it was."""
        return self._stored if self.problem is None else None

    @property
    def renewal(self) -> str:
        """Return that the user's Secret is to be corrected."""
        return f"correct {' and '.join(CREDENTIALS)} in {self.keys} of {_FIELD}.credentialsSecretRef"

    def origin(self, bucket: Bucket, path: str) -> Origin:
        """Return where a model in the bucket comes from."""
        ca, where = _existing(self.service).ca_config_map_ref, f"{_FIELD}.caConfigMapRef"
        signed = f"the authority that signed the certificate of {bucket.endpoint}"
        told = f"put {signed} into a ConfigMap, and name it in {where}"
        if ca is not None:
            told = f"put {signed} into {Ref(CONFIG_MAP, self.service.metadata.namespace, ca.name)} of {where}"
        return replace(
            super().origin(bucket, path),
            access=f"let the user of {self.keys} list and read bucket {bucket.name}; or {self.renewal}",
            bucket=f"correct {_FIELD}.bucket or {_FIELD}.endpoint, or create bucket {bucket.name} at {bucket.endpoint}",
            certificate=told,
            endpoint=f"correct {_FIELD}.endpoint, or let the traffic of the namespace out to {bucket.endpoint}",
        )

    @property
    def keys(self) -> Ref:
        """Return the user's Secret."""
        return Ref(SECRET, self.service.metadata.namespace, _existing(self.service).credentials_secret_ref.name)

    @property
    def _stored(self) -> StoredSecret | None:
        return self.found.secrets.get(self.keys)

    @property
    def _secret_missing(self) -> Verdict | None:
        if self._stored is not None:
            return None
        return false(
            Reason.STORAGE_SECRET_MISSING,
            f"{_FIELD}.credentialsSecretRef: {self.keys} does not exist: create it with the keys"
            f" {' and '.join(CREDENTIALS)}",
        )

    @property
    def _secret_incomplete(self) -> Verdict | None:
        missing = [key for key in CREDENTIALS if self._stored is None or self._stored.get(key) is None]
        if not missing:
            return None
        return false(
            Reason.STORAGE_SECRET_INVALID,
            f"{_FIELD}.credentialsSecretRef: {self.keys} lacks the key {' and '.join(missing)}: add it",
        )

    @property
    def _authority_missing(self) -> Verdict | None:
        wanted = _existing(self.service).ca_config_map_ref
        if wanted is None:
            return None
        ref = Ref(CONFIG_MAP, self.service.metadata.namespace, wanted.name)
        found = self.found.objects.get(ref)
        if found is not None and (found.get("data") or {}).get(wanted.key):
            return None
        what = "does not exist" if found is None else f"lacks the key {wanted.key}"
        return false(
            Reason.STORAGE_AUTHORITY_MISSING,
            f"{_FIELD}.caConfigMapRef: {ref} {what}: put the authority of the endpoint's certificate there, as PEM",
        )


def _existing(service: ModelService) -> ExistingBucket:
    storage = service.spec.storage
    existing = storage.existing if storage is not None else None
    assert existing is not None, "it goes with the backend"
    return existing

"""Backend ODF: a bucket by an ObjectBucketClaim, as OpenShift Data Foundation, NooBaa and Rook make it.

The provisioner writes bucketName, objectBucketName, labels and a finalizer into the claim: those are never ours. Of
what we write it takes changes of `additionalConfig` only; a claim whose class it does not know it passes by in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict, false
from maas_operator.domain.decision import ChildState
from maas_operator.domain.emitted import Emitted, manifest
from maas_operator.domain.kinds import CONFIG_MAP, SECRET, STORAGE_CLASS
from maas_operator.domain.names import bucket_claim_ref, storage_secret_ref
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.serving.words import quoted

from .backend import Backend
from .bucket import CREDENTIALS, Authority, Bucket

BOUND: Final = "Bound"
GIVEN_UP: Final = frozenset({"Failed", "Released"})
DEFAULT_REGION: Final = "us-east-1"
"""What clients sign with where a store has no regions."""

_SERVICE_CA: Final = Authority("openshift-service-ca.crt", "service-ca.crt")
"""The ConfigMap that OpenShift puts into every namespace: it vouches for Services of the cluster."""
_ADDRESS: Final = {
    "BUCKET_NAME": re.compile(r"[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]"),
    "BUCKET_HOST": re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?"),
    "BUCKET_PORT": re.compile(r"[0-9]{1,5}"),
}
"""What a provisioner writes. Whoever may edit ConfigMaps in the namespace can write there, too, and else much more."""
_REGION: Final = re.compile(r"[a-z0-9][-a-z0-9]{0,62}")


class ObjectBucketClaimSpec(Emitted):
    """The part of a claim that is ours."""

    storage_class_name: str
    generate_bucket_name: str
    additional_config: dict[str, str] | None


class ClaimedBucket(Backend):
    """A claim, and what its provisioner makes of it: a ConfigMap with the address, and a Secret with the keys."""

    @classmethod
    def needs(cls, service: ModelService, platform: ModelPlatform) -> Iterable[Ref]:
        """Return what the provisioner makes, the class, and who may vouch for its endpoint."""
        odf = platform.spec.storage.odf
        assert odf is not None, "a backend that is not offered is never asked"
        claim = bucket_claim_ref(service)
        yield Ref(SECRET, claim.namespace, claim.name)
        yield Ref(CONFIG_MAP, claim.namespace, claim.name)
        yield Ref(CONFIG_MAP, claim.namespace, _SERVICE_CA.config_map)
        yield Ref(STORAGE_CLASS, "", odf.storage_class_name)

    @classmethod
    def listens(cls, service: ModelService) -> Iterable[Ref]:
        """Return the claim."""
        return (bucket_claim_ref(service),)

    @property
    def children(self) -> tuple[Manifest, ...]:
        """Return the claim."""
        quota = self.storage.quota
        spec = ObjectBucketClaimSpec(
            storage_class_name=self._class_name,
            generate_bucket_name=self.service.metadata.name,
            additional_config={"maxSize": quota} if quota else None,
        )
        return (manifest(bucket_claim_ref(self.service), spec),)

    @property
    def problem(self) -> Verdict | None:
        """Return what keeps the claim from being bound."""
        return self._given_up or self._class_missing or self._pending or self._incomplete

    @cached_property
    def bucket(self) -> Bucket | None:
        """Return the bucket by the provisioner's ConfigMap, once the claim is bound."""
        address = self._address
        if self._phase != BOUND or not all(form.fullmatch(address.get(key, "")) for key, form in _ADDRESS.items()):
            return None
        host, port = address["BUCKET_HOST"], address["BUCKET_PORT"]
        secure = address.get("BUCKET_SSL") == "true" or port == "443"
        return Bucket(
            name=address["BUCKET_NAME"],
            endpoint=_url(host, port, secure=secure),
            region=region if _REGION.fullmatch(region := address.get("BUCKET_REGION", "")) else DEFAULT_REGION,
            secret=storage_secret_ref(self.service).name,
            authority=self._authority if secure else None,
        )

    @property
    def credentials(self) -> StoredSecret | None:
        """Return the provisioner's Secret, once the claim is bound."""
        claim = bucket_claim_ref(self.service)
        stored = self.found.secrets.get(Ref(SECRET, claim.namespace, claim.name))
        complete = stored is not None and all(stored.get(key) is not None for key in CREDENTIALS)
        return stored if complete and self._phase == BOUND else None

    @property
    def renewal(self) -> str:
        """Return that its provisioner has made all of it."""
        claim = bucket_claim_ref(self.service)
        secret = Ref(SECRET, claim.namespace, claim.name)
        return f"see the provisioner of {claim}: it made the bucket, and wrote the keys into {secret}"

    @property
    def _claim(self) -> Manifest | None:
        return self.world.child(bucket_claim_ref(self.service))

    @property
    def _phase(self) -> str:
        return str(status_of(self._claim or {}).get("phase") or "")

    @property
    def _class_name(self) -> str:
        """Return the class: a claim that a provisioner has taken up keeps its own, whatever the platform says later."""
        odf = self.platform.spec.storage.odf
        assert odf is not None, "a backend that is not offered is never asked"
        if self._claim is None or not self._phase:
            return odf.storage_class_name
        return str(self._claim["spec"]["storageClassName"])

    @property
    def _address(self) -> dict[str, str]:
        claim = bucket_claim_ref(self.service)
        return (self.found.objects.get(Ref(CONFIG_MAP, claim.namespace, claim.name)) or {}).get("data") or {}

    @property
    def _authority(self) -> Authority | None:
        host = self._address["BUCKET_HOST"]
        ref = Ref(CONFIG_MAP, self.service.metadata.namespace, _SERVICE_CA.config_map)
        inside = host.endswith((".svc", ".svc.cluster.local"))
        return _SERVICE_CA if inside and ref in self.found.objects else None

    @property
    def _given_up(self) -> Verdict | None:
        if self._phase not in GIVEN_UP:
            return None
        return false(
            Reason.BUCKET_FAILED,
            f"{bucket_claim_ref(self.service)} is {self._phase}{self._words}: see its provisioner, then delete the"
            " claim; it is made again",
        )

    @property
    def _class_missing(self) -> Verdict | None:
        if self._phase or Ref(STORAGE_CLASS, "", self._class_name) in self.found.objects:
            return None
        return false(
            Reason.STORAGE_CLASS_MISSING,
            f"spec.storage.odf.storageClassName of ModelPlatform {self.platform.metadata.name}:"
            f" there is no StorageClass {self._class_name}: correct it, or install what brings it",
        )

    @property
    def _pending(self) -> Verdict | None:
        if self._phase == BOUND:
            return None
        claim = bucket_claim_ref(self.service)
        if self._phase:
            return false(Reason.BUCKET_PENDING, f"{claim} is {self._phase}{self._words}")
        class_ = self.found.objects[Ref(STORAGE_CLASS, "", self._class_name)]
        return false(
            Reason.BUCKET_PENDING,
            f"{claim} waits for {class_.get('provisioner')}, the provisioner of StorageClass {self._class_name}, which"
            f" has not taken it up{self._words}",
        )

    @property
    def _incomplete(self) -> Verdict | None:
        if self.bucket is not None and self.credentials is not None:
            return None
        claim = bucket_claim_ref(self.service)
        what = "ConfigMap" if self.bucket is None else "Secret"
        return false(
            Reason.BUCKET_PENDING,
            f"{claim} is {BOUND}, but its {what} {claim.namespace}/{claim.name} is not there, not complete, or"
            " not what a provisioner writes",
        )

    @property
    def _words(self) -> str:
        words = self.found.words.get(bucket_claim_ref(self.service))
        return f": its provisioner said {quoted(words)}" if words else ""


def claim_state(claim: Manifest) -> ChildState:
    """Read a claim: nothing but its phase says how it does."""
    phase = str(status_of(claim).get("phase") or "Pending")
    return ChildState(ready=phase == BOUND, failed=phase in GIVEN_UP, reason="" if phase == BOUND else phase)


def _url(host: str, port: str, *, secure: bool) -> str:
    scheme, default = ("https", "443") if secure else ("http", "80")
    return f"{scheme}://{host}" if port == default else f"{scheme}://{host}:{port}"

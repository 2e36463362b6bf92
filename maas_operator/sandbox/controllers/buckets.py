"""An object bucket provisioner as NooBaa is one: silent about the claims of other classes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from maas_operator.domain.kinds import CONFIG_MAP, OBJECT_BUCKET_CLAIM, SECRET, STORAGE_CLASS, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.serving.resources import amount
from maas_operator.engine.errors import Conflict, NotFound

from .client import Client
from .conditions import Clock, write_status
from .faults import Faults
from .minio.volumes import tell
from .runner import Retry, Trigger, itself
from .violations import Rule, Violations

CLASS: Final = "openshift-storage.noobaa.io"
PROVISIONER: Final = "openshift-storage.noobaa.io/obc"
FINALIZER: Final = "objectbucket.io/finalizer"
HOST: Final = "s3.openshift-storage.svc"
_LABELS: Final = {"app": "noobaa", "bucket-provisioner": PROVISIONER.replace("/", "."), "noobaa-domain": CLASS}
_GIVEN_UP: Final = frozenset({"Failed", "Released"})
_LONGEST_PREFIX: Final = 26
_SMALLEST, _LARGEST = 2**30, 1023 * 2**50


def object_storage_class() -> Manifest:
    """Return the class of the claims that this provisioner takes up."""
    return {
        "apiVersion": STORAGE_CLASS.api_version,
        "kind": STORAGE_CLASS.name,
        "metadata": {"name": CLASS},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
    }


class ObjectBuckets:
    """A controller for `Runner`. `buckets`: the quota of each bucket that is there, by its name."""

    def __init__(self, client: Client, *, violations: Violations, faults: Faults, clock: Clock) -> None:
        self._client = client
        self._violations = violations
        self._faults = faults
        self._clock = clock
        self._bound: dict[str, Mapping[str, Any]] = {}
        self.buckets: dict[str, str] = {}

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The claims; for a class that is missing it looks again and again."""
        return {OBJECT_BUCKET_CLAIM: itself}

    async def reconcile(self, ref: Ref) -> float | None:
        """Make a claim's bucket, or take it away."""
        try:
            claim = await self._client.get(ref)
        except NotFound:
            return None
        class_ = await self._class(claim)
        if class_["provisioner"] != PROVISIONER:
            return None
        if "deletionTimestamp" in claim["metadata"]:
            await self._release(claim, class_)
            return None
        if claim.get("status", {}).get("phase") in _GIVEN_UP:
            return None
        if not claim.get("status", {}).get("phase"):
            claim = await write_status(self._client, claim, {"phase": "Pending"})
        await self._provision(await self._marked(claim))
        return None

    async def _class(self, claim: Manifest) -> Manifest:
        name = claim["spec"]["storageClassName"]
        try:
            return await self._client.get(Ref(STORAGE_CLASS, "", name))
        except NotFound as error:
            raise Retry(f"error getting StorageClass {name}") from error

    async def _marked(self, claim: Manifest) -> Manifest:
        """Put the finalizer and the labels on a claim, and a name for the bucket into its spec, by a full write."""
        metadata, spec = claim["metadata"], claim["spec"]
        others = metadata.get("finalizers") or []
        marks = {
            "labels": {**(metadata.get("labels") or {}), **_LABELS},
            "finalizers": [*others, *([] if FINALIZER in others else [FINALIZER])],
        }
        name = spec.get("bucketName") or _generated(spec.get("generateBucketName", ""), metadata["uid"])
        wanted = {**claim, "metadata": {**metadata, **marks}, "spec": {**spec, "bucketName": name}}
        return claim if wanted == claim else await self._client.replace(wanted)

    async def _provision(self, claim: Manifest) -> None:
        metadata, spec = claim["metadata"], claim["spec"]
        self._check(claim)
        quota = str((spec.get("additionalConfig") or {}).get("maxSize", ""))
        if quota and not _SMALLEST <= amount(quota) <= _LARGEST:
            raise Retry(f"invalid obcMaxSizeValue value {quota}: min 1Gi, max 1023Pi")
        if claim["status"]["phase"] == "Bound":
            self.buckets[spec["bucketName"]] = quota
            return
        if self._faults.buckets:
            reason, _, note = self._faults.buckets.partition(": ")
            await tell(self._client, claim, reason, note, self._clock)
            raise Retry(self._faults.buckets)
        self.buckets[spec["bucketName"]] = quota
        await self._make(_secret(claim))
        await self._make(_config_map(claim))
        named = {**spec, "objectBucketName": f"obc-{metadata['namespace']}-{metadata['name']}"}
        claim = await self._client.replace({**claim, "spec": named})
        self._bound[metadata["uid"]] = claim["spec"]
        await write_status(self._client, claim, {"phase": "Bound"})

    def _check(self, claim: Manifest) -> None:
        """Write down what the provisioner would pass over: of a bound claim it takes changes of `additionalConfig`."""
        bound = self._bound.get(claim["metadata"]["uid"])
        changed = {key for key in (bound or {}) | claim["spec"] if (bound or {}).get(key) != claim["spec"].get(key)}
        for key in sorted(changed - {"additionalConfig"}) if bound else ():
            self._violations.add(Rule.CLAIM_CHANGED, ref_of(claim), f"{key} of a bound claim is not taken over")

    async def _make(self, manifest: Manifest) -> None:
        try:
            await self._client.create(manifest)
        except Conflict as error:
            raise Retry(f"{ref_of(manifest)} already exists") from error

    async def _release(self, claim: Manifest, class_: Mapping[str, Any]) -> None:
        metadata = claim["metadata"]
        if class_.get("reclaimPolicy", "Delete") == "Delete":
            self.buckets.pop(claim["spec"].get("bucketName", ""), None)
        for kind in (SECRET, CONFIG_MAP):
            await self._let_go(Ref(kind, metadata["namespace"], metadata["name"]))
        await self._let_go(ref_of(claim))

    async def _let_go(self, ref: Ref) -> None:
        try:
            finalizers = (await self._client.get(ref))["metadata"].get("finalizers") or []
            others = [name for name in finalizers if name != FINALIZER]
            await self._client.merge_patch(ref, {"metadata": {"finalizers": others}})
        except NotFound:
            return


def _generated(prefix: str, uid: str) -> str:
    if not prefix:
        raise Retry("expected either bucketName or generateBucketName defined")
    return f"{prefix[:_LONGEST_PREFIX]}-{uid}"


def _secret(claim: Manifest) -> Manifest:
    # Random in the original: here a second run must make the same.
    text = hashlib.sha256(claim["metadata"]["uid"].encode()).hexdigest()
    keys = {"AWS_ACCESS_KEY_ID": text[:20].upper(), "AWS_SECRET_ACCESS_KEY": f"canary{text[:34]}"}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()}
    return _beside(claim, SECRET) | {"data": data}


def _config_map(claim: Manifest) -> Manifest:
    name = claim["spec"]["bucketName"]
    address = {"BUCKET_NAME": name, "BUCKET_HOST": HOST, "BUCKET_PORT": "443"}
    return _beside(claim, CONFIG_MAP) | {"data": {**address, "BUCKET_REGION": "", "BUCKET_SUBREGION": ""}}


def _beside(claim: Manifest, kind: Kind) -> Manifest:
    metadata = claim["metadata"]
    owner = {
        "apiVersion": claim["apiVersion"], "kind": claim["kind"], "name": metadata["name"], "uid": metadata["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    named = {"name": metadata["name"], "namespace": metadata["namespace"], "labels": dict(_LABELS)}
    marks = {"finalizers": [FINALIZER], "ownerReferences": [owner]}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {**named, **marks}}

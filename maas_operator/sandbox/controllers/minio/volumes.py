"""The volume controllers: a claim is bound if its class is there, and Events tell why it is not."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from maas_operator.domain.kinds import EVENT, PERSISTENT_VOLUME_CLAIM, POD, STORAGE_CLASS, Kind
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import Conflict, NotFound

from ..client import Client
from ..conditions import Clock, write_status
from ..faults import Faults
from ..runner import Trigger, itself

_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
_PROTECTION: Final = "kubernetes.io/pvc-protection"
_POLL_SECONDS: Final = 5.0


def default_storage_class() -> Manifest:
    """Return the class of volumes for who names none."""
    return {
        "apiVersion": STORAGE_CLASS.api_version,
        "kind": STORAGE_CLASS.name,
        "metadata": {"name": "standard", "annotations": {_DEFAULT: "true"}},
        "provisioner": "sandbox.maas-operator.io/volumes",
        "allowVolumeExpansion": True,
    }


class Volumes:
    """A controller for `Runner`."""

    def __init__(self, client: Client, *, faults: Faults, clock: Clock) -> None:
        self._client = client
        self._faults = faults
        self._clock = clock

    @property
    def watches(self) -> Mapping[Kind, Trigger]:
        """The claims; classes are looked for again and again."""
        return {PERSISTENT_VOLUME_CLAIM: itself}

    async def reconcile(self, ref: Ref) -> float | None:
        """Bind a claim, or let its volume grow."""
        try:
            claim = await self._client.get(ref)
        except NotFound:
            return None
        if "deletionTimestamp" in claim["metadata"]:
            return await self._release(claim)
        claim = await self._with_class(claim)
        if claim.get("status", {}).get("phase") != "Bound" and (problem := await self._problem(claim)):
            await write_status(self._client, claim, {"phase": "Pending"})
            await tell(self._client, claim, "ProvisioningFailed", problem, self._clock)
            return _POLL_SECONDS
        size = claim["spec"]["resources"]["requests"]["storage"]
        modes = claim["spec"]["accessModes"]
        await write_status(self._client, claim, {"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}})
        return None

    async def _release(self, claim: Manifest) -> float | None:
        """Let a claim go that no pod uses."""
        ref = ref_of(claim)
        pods = await self._client.list(POD, namespace=ref.namespace)
        volumes = (volume for pod in pods for volume in pod["spec"].get("volumes") or ())
        if any(one.get("persistentVolumeClaim", {}).get("claimName") == ref.name for one in volumes):
            return _POLL_SECONDS
        others = [name for name in claim["metadata"].get("finalizers") or () if name != _PROTECTION]
        await self._client.merge_patch(ref, {"metadata": {"finalizers": others}})
        return None

    async def _with_class(self, claim: Manifest) -> Manifest:
        """Give a claim without a class the default one, as soon as there is one."""
        if claim["spec"].get("storageClassName"):
            return claim
        for one in await self._client.list(STORAGE_CLASS):
            if (one["metadata"].get("annotations") or {}).get(_DEFAULT) == "true":
                patch = {"spec": {"storageClassName": one["metadata"]["name"]}}
                return await self._client.merge_patch(ref_of(claim), patch)
        return claim

    async def _problem(self, claim: Manifest) -> str:
        name = claim["spec"].get("storageClassName")
        if not name:
            return "no persistent volumes available for this claim and no storage class is set"
        try:
            await self._client.get(Ref(STORAGE_CLASS, "", name))
        except NotFound:
            return f'storageclass.storage.k8s.io "{name}" not found'
        return self._faults.volumes


async def tell(client: Client, about: Manifest, reason: str, note: str, clock: Clock) -> None:
    """Write a Warning about an object; the same one only once."""
    metadata, ref = about["metadata"], ref_of(about)
    digest = hashlib.sha256(f"{metadata['uid']}/{reason}/{note}".encode()).digest()
    name = f"{ref.name}.{base64.b32encode(digest)[:10].decode().lower()}"
    at = clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    event: dict[str, Any] = {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": name, "namespace": ref.namespace},
        "regarding": {
            "apiVersion": ref.kind.api_version,
            "kind": ref.kind.name,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": metadata["uid"],
        },
        "eventTime": at,
        "reason": reason,
        "note": note,
        "type": "Warning",
        "action": reason,
        "reportingController": "sandbox",
        "reportingInstance": "sandbox",
    }
    try:
        await client.create(event)
    except Conflict:
        return


def of_claims(names: Iterable[str], namespace: str) -> list[Ref]:
    """Return the addresses of claims."""
    return [Ref(PERSISTENT_VOLUME_CLAIM, namespace, name) for name in names]

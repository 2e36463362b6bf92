"""What the operator needs in a cluster before it starts, and the way to take it out again."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from maas_operator.api.crd import crd_manifests
from maas_operator.app.rbac import MINIO_NAMESPACE, NAMESPACE, rbac_files
from maas_operator.domain.kinds import (
    API_MANAGER,
    CUSTOM_RESOURCE_DEFINITION,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    SECRET,
    STORAGE_CLASS,
    Kind,
)
from maas_operator.domain.kinds import NAMESPACE as NAMESPACE_KIND
from maas_operator.domain.labels import OPERATOR, labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import NotFound

from .control_plane import without_new_words
from .controllers.buckets import object_storage_class
from .controllers.clients import APPLY_PATCH, HttpClient, path_of
from .controllers.minio.volumes import default_storage_class
from .controllers.surroundings import THREESCALE_NAMESPACE
from .controllers.threescale.context import DEFAULT_SECRET
from .crds import third_party_crds

ADMIN_URL: Final = "https://3scale-admin.apps.sandbox.example.com"
_STAND_IN: Final = "sandbox.maas-operator.io/stand-in"
_CEL_SINCE: Final = 25
_SERVED_SECONDS: Final = 30.0
_GONE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_RBAC: Final = "rbac.authorization.k8s.io"
_OWN: Final = (MODEL_SERVICE, MODEL_SUBSCRIPTION, MODEL_PLATFORM)
_KINDS: Final = {
    "CustomResourceDefinition": CUSTOM_RESOURCE_DEFINITION,
    "Namespace": NAMESPACE_KIND,
    "Secret": SECRET,
    API_MANAGER.name: API_MANAGER,
    STORAGE_CLASS.name: STORAGE_CLASS,
    "ServiceAccount": Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    "ClusterRole": Kind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    "Role": Kind(_RBAC, "v1", "Role", "roles"),
    "RoleBinding": Kind(_RBAC, "v1", "RoleBinding", "rolebindings"),
}

_API_MANAGER: Final = {
    "apiVersion": API_MANAGER.api_version,
    "kind": API_MANAGER.name,
    "metadata": {"name": "apimanager", "namespace": THREESCALE_NAMESPACE},
    "spec": {"wildcardDomain": "apps.example.com"},
}


class ForeignCluster(Exception):
    """The cluster has KServe or 3scale of its own, which stand-ins would fight."""


class LeftBehind(Exception):
    """Objects of ours are left, and without the operator nobody would delete what they stand for."""


class Installation:
    """What was put into one cluster. `unenforced_rules` counts CEL rules that its server is too old for."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._new: list[Ref] = []
        self.unenforced_rules = 0
        self.provider_token = secrets.token_hex(16)

    async def base(self) -> None:
        """Install what the operator brings along: CRDs, namespaces, RBAC; and 3scale's provider account."""
        await self._definitions(crd_manifests())
        for name in (NAMESPACE, THREESCALE_NAMESPACE, MINIO_NAMESPACE):
            await self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for text in rbac_files().values():
            for manifest in yaml.safe_load_all(text):
                await self.apply(manifest)
        await self.apply(_provider_account(self.provider_token))

    async def surroundings(self, folder: Path | None = None) -> None:
        """Install 3scale's APIManager and the CRDs, real ones if `folder` has them; ForeignCluster if some are there.

        Those of a sandbox before are no obstacle.
        """
        definitions = third_party_crds(folder, old_server=await self._is_old())
        for definition in definitions:
            await self._refuse_foreign(_ref(definition))
            definition["metadata"].setdefault("labels", {})[_STAND_IN] = "true"
        await self._definitions(definitions)
        await self.apply(_API_MANAGER)
        await self.apply(default_storage_class())
        await self.apply(object_storage_class())

    async def token(self) -> str:
        """Return a token of the operator's own service account."""
        ref = Ref(_KINDS["ServiceAccount"], NAMESPACE, OPERATOR)
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        answer = await self._client.call("POST", ref, path_of(ref, "token"), body=request)
        return str(answer["status"]["token"])

    async def apply(self, manifest: Manifest) -> None:
        """Apply an object, and remember it if it is new."""
        ref = _ref(manifest)
        if not await self._find(ref):
            self._new.append(ref)
        query = {"fieldManager": "sandbox", "force": "true"}
        await self._client.call("PATCH", ref, path_of(ref), query, manifest, APPLY_PATCH)

    async def remove(self) -> None:
        """Delete what was new, last first, and wait until it is gone; LeftBehind, and all stays, if it is in use."""
        if left := [ref_of(one) for kind in _OWN for one in await self._client.list(kind)]:
            objects = ", ".join(map(str, left))
            raise LeftBehind(f"the cluster is left as it is: start the sandbox there again and delete {objects}")
        for ref in reversed(self._new):
            if await self._find(ref):
                await self._client.call("DELETE", ref, path_of(ref))
        async with asyncio.timeout(_GONE_SECONDS):
            while self._new:
                if await self._find(self._new[-1]):
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    self._new.pop()

    async def _definitions(self, definitions: Iterable[Manifest]) -> None:
        old = await self._is_old()
        known = list(definitions)
        for definition in known:
            stripped, rules = without_new_words(definition)
            self.unenforced_rules += rules if old else 0
            await self.apply(stripped if old else definition)
        for definition in known:
            await self._served(definition["spec"])

    async def _served(self, spec: Manifest) -> None:
        version = next(version["name"] for version in spec["versions"] if version["served"])
        kind = Kind(spec["group"], version, spec["names"]["kind"], spec["names"]["plural"])
        async with asyncio.timeout(_SERVED_SECONDS):
            while True:
                if await self._find(Ref(kind, "", "")):
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    async def _find(self, ref: Ref) -> Manifest | None:
        try:
            return await self._client.call("GET", ref, path_of(ref))
        except NotFound:
            return None

    async def _refuse_foreign(self, ref: Ref) -> None:
        found = await self._find(ref)
        if found and _STAND_IN not in labels_of(found):
            raise ForeignCluster(f"CRD {ref.name} is there already: run the operator itself with `maas-operator run`")

    async def _is_old(self) -> bool:
        nothing = Ref(NAMESPACE_KIND, "", "")
        version: dict[str, Any] = await self._client.call("GET", nothing, "/version")
        return int(version["minor"].rstrip("+")) < _CEL_SINCE


def _ref(manifest: Manifest) -> Ref:
    metadata = manifest["metadata"]
    return Ref(_KINDS[manifest["kind"]], metadata.get("namespace", ""), metadata["name"])


def _provider_account(token: str) -> Manifest:
    values = {"adminURL": ADMIN_URL, "token": token}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": DEFAULT_SECRET, "namespace": THREESCALE_NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}

"""The ActiveDoc controller. It sets no finalizer: what is in 3scale outlives the custom resource."""

from __future__ import annotations

import json
from typing import Any, Final

from maas_operator.domain.kinds import PRODUCT
from maas_operator.domain.objects import Manifest

from ..conditions import is_true
from .context import (
    REMOTE_ERRORS,
    Context,
    ProviderAccount,
    is_invalid,
    is_orphan,
    retry_unless_invalid,
    secret_data,
    status_conditions,
)
from .documents import Document, Documents, fault_of
from .errors import SpecError

_PATH: Final = "spec.activeDocOpenAPIRef.secretRef"


class ActiveDocs:
    """Keeps documents of the developer portal like their custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Sync one ActiveDoc, unless somebody deletes it."""
        if "deletionTimestamp" in manifest["metadata"]:
            return
        defaulted = _with_defaults(manifest)
        if defaulted != manifest:
            await self._context.client.replace(defaulted)
            return
        account = await self._context.provider(manifest)
        document, error = None, None
        try:
            product = await self._product(manifest, account)
            documents = self._context.connect(account, "active_docs").documents
            document = _sync(documents, manifest["spec"], product, await self._text(manifest))
        except REMOTE_ERRORS as caught:
            error = caught
        fields = {
            "activeDocId": document.id if document else None,
            "providerAccountHost": account.admin_url,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        flags = {"Orphan": is_orphan(error), "Invalid": is_invalid(error), "Failed": error is not None}
        conditions = [*status_conditions(None, Ready=error is None), *status_conditions(error, **flags)]
        await self._context.write_status(manifest, fields, conditions)
        retry_unless_invalid(error)

    async def _product(self, manifest: Manifest, account: ProviderAccount) -> int | None:
        """Return the product's id; SpecError (orphan) if no Product of this name is Synced in the same tenant."""
        wanted = manifest["spec"].get("productSystemName")
        if wanted is None:
            return None
        for product in await self._context.client.list(PRODUCT, namespace=manifest["metadata"]["namespace"]):
            same = (product.get("status") or {}).get("providerAccountHost") == account.admin_url
            if product["spec"].get("systemName") == wanted and same and is_true(product, "Synced"):
                return int(product["status"]["productId"])
        raise SpecError("spec.productSystemName", "not a valid reference", orphan=True)

    async def _text(self, manifest: Manifest) -> str:
        """Return the document; SpecError if it is none that the original takes."""
        reference = manifest["spec"]["activeDocOpenAPIRef"]["secretRef"]
        secret = await self._context.secret(reference["namespace"], reference["name"])
        if secret is None:
            raise SpecError(_PATH, "Secret not found")
        data = secret_data(secret)
        if len(data) != 1:
            raise SpecError(_PATH, "Secret was empty or contains too many fields. Only one is required.")
        (text,) = data.values()
        try:
            body = json.loads(text)
        except ValueError as error:
            raise SpecError(_PATH, str(error)) from None
        # The original's library knows 3.0 only: in 3.1 it trips over types that are lists, and over webhooks.
        fault = fault_of(body) if str(body.get("openapi", "")).startswith("3.0.") else "unsupported version of OpenAPI"
        if fault:
            raise SpecError(_PATH, fault)
        return text


def _with_defaults(manifest: Manifest) -> Manifest:
    spec = manifest["spec"]
    name = spec.get("systemName") or "".join(filter(str.isalnum, spec["name"])).lower()
    reference = {"namespace": manifest["metadata"]["namespace"], **spec["activeDocOpenAPIRef"]["secretRef"]}
    return {**manifest, "spec": {**spec, "systemName": name, "activeDocOpenAPIRef": {"secretRef": reference}}}


def _sync(documents: Documents, spec: dict[str, Any], product: int | None, text: str) -> Document:
    """Find a document by its name, whoever made it, or make one; then bring it in line."""
    wanted = {
        "name": spec["name"],
        "description": spec.get("description", ""),
        "published": spec.get("published", False),
        "skip_validations": spec.get("skipSwaggerValidations", False),
        "product_id": product,
    }
    found = next((one for one in documents if one.system_name == spec["systemName"]), None)
    if found is None:
        return documents.create(spec["systemName"], body=text, **wanted)
    changed = {name: value for name, value in wanted.items() if getattr(found, name) != value}
    if json.loads(found.body) != json.loads(text):
        changed["body"] = text
    if changed:
        documents.update(found, **changed)
    return documents.find(found.id)

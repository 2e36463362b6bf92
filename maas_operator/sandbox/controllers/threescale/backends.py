"""The Backend controller."""

from __future__ import annotations

import re
from typing import Any, Final

from maas_operator.domain.kinds import PRODUCT
from maas_operator.domain.objects import Manifest

from ..runner import Retry
from . import apis
from .catalogue import Backend, Catalogue
from .context import (
    REMOTE_ERRORS,
    Context,
    NoProvider,
    ProviderAccount,
    is_invalid,
    retry_unless_invalid,
    status_conditions,
    status_id,
    with_finalizer,
    without_finalizer,
)
from .errors import PortaError
from .validation import check_api

FINALIZER: Final = "backend.capabilities.3scale.net/finalizer"


class Backends:
    """Keeps backends of 3scale like their custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Sync one Backend; deleting one edits the Products that use it."""
        if "deletionTimestamp" in manifest["metadata"]:
            await self._delete(manifest)
            return
        finalized = with_finalizer(manifest, FINALIZER)
        if finalized is not manifest:
            await self._context.client.replace(finalized)
            return
        account = await self._context.provider(manifest)
        defaulted = _with_defaults(manifest)
        if defaulted != manifest:
            await self._context.client.replace(defaulted)
            return
        await self._sync(manifest, account)

    async def _sync(self, manifest: Manifest, account: ProviderAccount) -> None:
        backend, error = None, None
        try:
            check_api(manifest["spec"], "Backend")
            catalogue = self._context.connect(account, "backend_apis").catalogue
            backend = _sync_backend(catalogue, manifest["spec"])
        except REMOTE_ERRORS as caught:
            error = caught
        fields = {
            "backendId": backend.id if backend else None,
            "providerAccountHost": account.admin_url,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        flags = {"Synced": error is None, "Invalid": is_invalid(error), "Failed": error is not None}
        await self._context.write_status(manifest, fields, status_conditions(error, **flags))
        retry_unless_invalid(error)

    async def _delete(self, manifest: Manifest) -> None:
        if FINALIZER not in (manifest["metadata"].get("finalizers") or []):
            return
        await self._drop_references(manifest)
        await self._delete_remote(manifest)
        await self._context.client.replace(without_finalizer(manifest, FINALIZER))

    async def _drop_references(self, manifest: Manifest) -> None:
        """Take this backend out of all Products of the namespace: the original edits their specs."""
        namespace = manifest["metadata"]["namespace"]
        edited = False
        for product in await self._context.client.list(PRODUCT, namespace=namespace):
            spec = _without_backend(product["spec"], manifest["spec"].get("systemName"))
            if spec != product["spec"]:
                await self._context.client.replace({**product, "spec": spec})
                edited = True
        if edited:
            raise Retry("backend references removed from Products")

    async def _delete_remote(self, manifest: Manifest) -> None:
        backend_id = status_id(manifest, "backendId")
        if backend_id is None:
            return
        try:
            account = await self._context.provider(manifest)
        except NoProvider as error:
            if error.missing:
                return
            raise
        try:
            self._context.connect(account, f"backend_apis/{backend_id}").catalogue.delete_backend(backend_id)
        except REMOTE_ERRORS as error:
            if not (isinstance(error, PortaError) and error.code == 404):
                raise Retry(str(error)) from error


def _sync_backend(catalogue: Catalogue, spec: dict[str, Any]) -> Backend:
    name, description = spec["name"], spec.get("description", "")
    try:
        backend = catalogue.find_backend(spec["systemName"]) or catalogue.create_backend(
            name=name, system_name=spec["systemName"], endpoint=spec["privateBaseURL"]
        )
        catalogue.update_backend(backend, name=name, description=description, endpoint=spec["privateBaseURL"])
        apis.sync_methods(catalogue, backend, spec)
        apis.sync_metrics(catalogue, backend, spec)
        apis.sync_rules(catalogue, backend, spec)
    except PortaError as error:
        raise apis.failed("SyncBackend", error) from error
    return backend


def _with_defaults(manifest: Manifest) -> Manifest:
    spec = manifest["spec"]
    name = spec.get("systemName") or re.sub(r"[^a-zA-Z0-9]+", "", spec["name"])
    metrics = {**(spec.get("metrics") or {})}
    metrics.setdefault("hits", dict(apis.HITS))
    return {**manifest, "spec": {**spec, "systemName": name, "metrics": metrics}}


def _without_backend(spec: dict[str, Any], system_name: str | None) -> dict[str, Any]:
    usages = {name: usage for name, usage in (spec.get("backendUsages") or {}).items() if name != system_name}
    plans = {}
    for name, plan in (spec.get("applicationPlans") or {}).items():
        kept = dict(plan)
        for key in ("limits", "pricingRules"):
            if key in plan:
                kept[key] = [entry for entry in plan[key] if entry["metricMethodRef"].get("backend") != system_name]
        plans[name] = kept
    edited = {"backendUsages": usages, "applicationPlans": plans}
    return {**spec, **{key: value for key, value in edited.items() if key in spec}}

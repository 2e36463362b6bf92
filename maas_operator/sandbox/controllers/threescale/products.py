"""The Product controller."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from maas_operator.domain.kinds import BACKEND
from maas_operator.domain.objects import Manifest

from ..conditions import is_true
from ..runner import Retry
from . import apis
from .catalogue import Product
from .context import (
    REMOTE_ERRORS,
    Context,
    NoProvider,
    ProviderAccount,
    is_invalid,
    is_orphan,
    retry_unless_invalid,
    secret_data,
    status_conditions,
    status_id,
    with_finalizer,
    without_finalizer,
)
from .errors import Crash, PortaError, SpecError, SyncError
from .product_sync import ProductSync
from .validation import check_api, check_plans

FINALIZER: Final = "product.capabilities.3scale.net/finalizer"


class Products:
    """Keeps products of 3scale like their custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Sync one Product; every write of the original is a full one, with its defaults."""
        if "deletionTimestamp" in manifest["metadata"]:
            await self._delete(manifest)
            return
        finalized = with_finalizer(manifest, FINALIZER)
        if finalized is not manifest:
            await self._context.client.replace(_as_go_writes(finalized))
            return
        account = await self._context.provider(manifest)
        _check_for_nil(manifest["spec"])
        defaulted = _with_defaults(manifest)
        if defaulted != manifest:
            await self._context.client.replace(_as_go_writes(defaulted))
            return
        await self._sync(manifest, account)

    async def _sync(self, manifest: Manifest, account: ProviderAccount) -> None:
        product, error = None, None
        try:
            check_api(manifest["spec"], "Product")
            check_plans(manifest["spec"])
            await self._check_references(manifest, account)
            product = await self._sync_remote(manifest, account)
        except REMOTE_ERRORS as caught:
            error = caught
        fields = {
            "productId": product.id if product else None,
            "providerAccountHost": account.admin_url,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        flags = {
            "Synced": error is None, "Orphan": is_orphan(error), "Invalid": is_invalid(error),
            "Failed": error is not None,
        }  # fmt: skip
        await self._context.write_status(manifest, fields, status_conditions(error, **flags))
        retry_unless_invalid(error)

    async def _sync_remote(self, manifest: Manifest, account: ProviderAccount) -> Product:
        catalogue = self._context.connect(account, "backend_apis").catalogue
        sync = ProductSync(catalogue, manifest["spec"])
        configurations = [await self._configuration(manifest, p) for p in manifest["spec"].get("policies") or []]
        return sync.run(configurations)

    async def _configuration(self, manifest: Manifest, policy: dict[str, Any]) -> dict[str, Any]:
        """Return a policy with its configuration: inline, or from a Secret that nobody watches."""
        reference = policy.get("configurationRef") or {}
        configuration = policy.get("configuration") or {}
        if not configuration and reference.get("name"):
            namespace = reference.get("namespace") or manifest["metadata"]["namespace"]
            secret = await self._context.secret(namespace, reference["name"])
            if secret is None:
                raise SyncError(f'task failed SyncPolicies: secrets "{reference["name"]}" not found')
            configuration = _configuration_in(secret)
        chain = {"name": policy["name"], "version": policy["version"], "enabled": policy["enabled"]}
        return {**chain, "configuration": configuration}

    async def _check_references(self, manifest: Manifest, account: ProviderAccount) -> None:
        """SpecError (orphan) for a backend that is not a Synced one of the same namespace and admin URL."""
        spec = manifest["spec"]
        backends = {
            b["spec"].get("systemName"): b
            for b in await self._context.client.list(BACKEND, namespace=manifest["metadata"]["namespace"])
            if is_true(b, "Synced") and (b.get("status") or {}).get("providerAccountHost") == account.admin_url
        }
        for name in spec.get("backendUsages") or {}:
            if name not in backends:
                message = "backend usage does not have valid backend reference."
                raise SpecError(f"spec.backendUsages[{name}]", message, orphan=True)
        for plan, path, ref in _backend_references(spec):
            used = backends.get(ref["backend"]) if ref["backend"] in (spec.get("backendUsages") or {}) else None
            known = {
                **(used or {}).get("spec", {}).get("metrics", {}),
                **(used or {}).get("spec", {}).get("methods", {}),
            }
            if ref["systemName"] not in known:
                field = f"spec.applicationPlans[{plan}].{path}"
                raise SpecError(field, "plan has invalid backend metric or method reference.", orphan=True)

    async def _delete(self, manifest: Manifest) -> None:
        if FINALIZER not in (manifest["metadata"].get("finalizers") or []):
            return
        async with self._context.deleting(manifest, "product"):
            await self._delete_remote(manifest)
        await self._context.client.replace(_as_go_writes(without_finalizer(manifest, FINALIZER)))

    async def _delete_remote(self, manifest: Manifest) -> None:
        product_id = status_id(manifest, "productId")
        if product_id is None:
            return
        try:
            account = await self._context.provider(manifest)
        except NoProvider as error:
            if error.missing:
                return
            raise
        try:
            self._context.connect(account, f"services/{product_id}").catalogue.delete_product(product_id)
        except REMOTE_ERRORS as error:
            if not (isinstance(error, PortaError) and error.code == 404):
                raise Retry(str(error)) from error


def _configuration_in(secret: Manifest) -> dict[str, Any]:
    """Return a policy's configuration; SyncError in the original's words where there is none."""
    data, metadata = secret_data(secret), secret["metadata"]
    if "configuration" not in data:
        where = f"secret (ns: {metadata['namespace']}, name: {metadata['name']}) field: configuration"
        raise SyncError(f"task failed SyncPolicies: not found configuration field in {where}")
    try:
        configuration = json.loads(data["configuration"])
    except ValueError:
        configuration = None
    if not isinstance(configuration, dict):
        raise SyncError("task failed SyncPolicies: json: cannot unmarshal into a map[string]interface {}")
    return configuration


def _check_for_nil(spec: dict[str, Any]) -> None:
    """Crash where the original reads through a nil pointer, because a union has no member."""
    deployment = spec.get("deployment")
    if deployment is None:
        return
    if not deployment:
        raise Crash("spec.deployment has no member")
    for option in deployment.values():
        if "authentication" in option and not option["authentication"]:
            raise Crash("spec.deployment.*.authentication has no member")


def _backend_references(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    return [
        (name, f"{key}[{index}].metricMethodRef", entry["metricMethodRef"])
        for name, plan in (spec.get("applicationPlans") or {}).items()
        for key in ("limits", "pricingRules")
        for index, entry in enumerate(plan.get(key) or [])
        if "backend" in entry["metricMethodRef"]
    ]


def _with_defaults(manifest: Manifest) -> Manifest:
    spec = manifest["spec"]
    metrics = {**(spec.get("metrics") or {})}
    metrics.setdefault("hits", dict(apis.HITS))
    policies = [{**policy, "configuration": policy.get("configuration") or {}} for policy in spec.get("policies") or []]
    if not any(policy["name"] == "apicast" for policy in policies):
        policies.append({"name": "apicast", "version": "builtin", "enabled": True, "configuration": {}})
    name = spec.get("systemName") or re.sub(r"[^a-zA-Z0-9]+", "", spec["name"])
    return {**manifest, "spec": {**spec, "systemName": name, "metrics": metrics, "policies": policies}}


def _as_go_writes(manifest: Manifest) -> Manifest:
    """Return the Product as the original serialises it: an empty configurationRef on every policy."""
    policies = manifest["spec"].get("policies")
    if policies is None:
        return manifest
    written = [{"configurationRef": {}, **policy} for policy in policies]
    return {**manifest, "spec": {**manifest["spec"], "policies": written}}

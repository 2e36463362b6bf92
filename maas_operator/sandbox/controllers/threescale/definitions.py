"""The CustomPolicyDefinition controller. It sets no finalizer: what is registered outlives the custom resource."""

from __future__ import annotations

from maas_operator.domain.objects import Manifest

from .context import REMOTE_ERRORS, Context, is_invalid, retry_unless_invalid, status_conditions


class Definitions:
    """Keeps the registry of 3scale like its custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Register one policy."""
        if "deletionTimestamp" in manifest["metadata"]:
            return
        account = await self._context.provider(manifest)
        policy_id, error, spec = None, None, manifest["spec"]
        try:
            tenant = self._context.connect(account, "registry/policies")
            policy_id = tenant.registry.put(spec["name"], spec["version"], spec["schema"])
        except REMOTE_ERRORS as caught:
            error = caught
        fields = {
            "policyID": policy_id,
            "providerAccountHost": account.admin_url,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        flags = {"Ready": error is None, "Invalid": is_invalid(error), "Failed": bool(error) and not is_invalid(error)}
        await self._context.write_status(manifest, fields, status_conditions(error, **flags))
        retry_unless_invalid(error)

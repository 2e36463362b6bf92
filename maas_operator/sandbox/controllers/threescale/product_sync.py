"""One sync of a product, step by step in the order of the original; it stops at the first error, with one exception."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from . import apis
from .catalogue import Catalogue, Plan, Product
from .errors import PortaError, SyncError

_RESPONSES: Final = {
    f"{prefix}{kind}": f"{snake}_{kind_snake}"
    for prefix, snake in (("errorStatus", "error_status"), ("errorHeaders", "error_headers"), ("error", "error"))
    for kind, kind_snake in (
        ("AuthFailed", "auth_failed"),
        ("AuthMissing", "auth_missing"),
        ("NoMatch", "no_match"),
        ("LimitsExceeded", "limits_exceeded"),
    )
}


class ProductSync:
    """Makes a product of 3scale look like the spec of its custom resource."""

    def __init__(self, catalogue: Catalogue, spec: Mapping[str, Any]) -> None:
        self._catalogue = catalogue
        self._spec = spec
        self._name = spec["systemName"]

    def run(self, policies: Sequence[dict[str, Any]]) -> Product:
        """Return the product in its new state; SyncError names the step that failed."""
        product = self._product()
        blocked = False
        for step, action in self._steps(product, policies):
            try:
                action()
            except PortaError as error:
                if not apis.is_method_in_use(error):
                    raise apis.failed(step, error) from error
                blocked = True
        if blocked:
            raise SyncError(apis.METHOD_IN_USE)
        return product

    def _product(self) -> Product:
        try:
            return self._catalogue.find_product(self._name) or self._catalogue.create_product(
                name=self._spec["name"], system_name=self._name
            )
        except PortaError as error:
            raise SyncError(f"reconcile3scaleProduct product [{self._name}]: {error}") from error

    def _steps(self, product: Product, policies: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Callable[[], None]]]:
        catalogue, spec = self._catalogue, self._spec
        yield "SyncProduct", lambda: self._describe(product)
        yield "SyncBackendUsage", lambda: self._sync_usages(product)
        yield "SyncProxy", lambda: self._sync_proxy(product)
        yield "SyncMethods", lambda: apis.sync_methods(catalogue, product, spec)
        yield "SyncMetrics", lambda: apis.sync_metrics(catalogue, product, spec)
        yield "SyncMappingRules", lambda: apis.sync_rules(catalogue, product, spec)
        yield "SyncApplicationPlans", lambda: self._sync_plans(product)
        yield "SyncPolicies", lambda: self._sync_policies(product, policies)

    def _describe(self, product: Product) -> None:
        product.name, product.description = self._spec["name"], self._spec.get("description", "")

    def _sync_usages(self, product: Product) -> None:
        usages = {}
        for name, usage in (self._spec.get("backendUsages") or {}).items():
            backend = self._catalogue.find_backend(name)
            if backend is None:
                raise SyncError(f"backend SystemName {name} not found in 3scale backend index")
            usages[backend.id] = usage["path"]
        if usages != product.usages:
            self._catalogue.set_usages(product, usages)

    def _sync_proxy(self, product: Product) -> None:
        wanted = proxy_settings(self._spec.get("deployment") or {})
        changed = {name: value for name, value in wanted.items() if product.proxy.get(name) != value}
        if changed:
            self._catalogue.update_proxy(product, changed)

    def _sync_plans(self, product: Product) -> None:
        """Plans that are not wanted go first: one that is in use blocks the new ones for good."""
        wanted = self._spec.get("applicationPlans") or {}
        for name in [name for name in product.plans if name not in wanted]:
            self._catalogue.delete_plan(product, name)
        for name, spec in wanted.items():
            plan = self._catalogue.put_plan(product, name, **_plan_attributes(spec))
            self._sync_limits(plan, spec)

    def _sync_limits(self, plan: Plan, spec: Mapping[str, Any]) -> None:
        limits = {}
        for limit in spec.get("limits") or []:
            ref = limit["metricMethodRef"]
            backend = self._catalogue.find_backend(ref["backend"]) if "backend" in ref else None
            limits[ref["systemName"], backend.id if backend else 0, limit["period"]] = limit["value"]
        self._catalogue.set_limits(plan, limits)
        self._catalogue.set_prices(plan, spec.get("pricingRules") or [])

    def _sync_policies(self, product: Product, policies: Sequence[dict[str, Any]]) -> None:
        if list(policies) != product.policies:
            self._catalogue.set_policies(product, policies)


def _plan_attributes(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sync writes of a plan. But for `published`, what is absent is left as it was."""
    names = {
        "name": "name", "appsRequireApproval": "approval_required", "trialPeriod": "trial_days",
        "setupFee": "setup_fee", "costMonth": "month_fee",
    }  # fmt: skip
    return {**_renamed(spec, names), "published": spec.get("published", False)}


def proxy_settings(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the proxy that a deployment asks for; what it leaves out is left alone."""
    settings: dict[str, Any] = {}
    for option, content in deployment.items():
        settings["deployment_option"] = "hosted" if option == "apicastHosted" else "self_managed"
        for source, target in (("stagingPublicBaseURL", "sandbox_endpoint"), ("productionPublicBaseURL", "endpoint")):
            settings |= {target: content[source]} if source in content else {}
        for kind, authentication in (content.get("authentication") or {}).items():
            settings |= _authentication(kind, authentication)
    return settings


def _authentication(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "authUserKey": "auth_user_key", "appID": "auth_app_id", "appKey": "auth_app_key",
        "credentials": "credentials_location", "issuerEndpoint": "oidc_issuer_endpoint",
        "issuerType": "oidc_issuer_type",
    }  # fmt: skip
    security = {"hostHeader": "hostname_rewrite", "secretToken": "secret_token"}
    return {
        "authentication": kind,
        **_renamed(spec, names),
        **_renamed(spec.get("security") or {}, security),
        **_renamed(spec.get("gatewayResponse") or {}, _RESPONSES),
    }


def _renamed(spec: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names[key]: value for key, value in spec.items() if key in names}

"""The ProxyConfigPromote controller: acts once, and words its failures misleadingly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from maas_operator.domain.kinds import PRODUCT
from maas_operator.domain.objects import Manifest, Ref, ref_of

from ..conditions import condition, conditions_of, is_true
from ..runner import Retry
from . import apis
from .catalogue import Catalogue, Product
from .context import REMOTE_ERRORS, Context, is_invalid
from .errors import PortaError, SpecError, SyncError, not_found

_DONE: Final = (
    "3scale product has been successfully promoted, any further interactions with this CR (apart from deletion) "
    "won't be applied"
)
_NO_CHANGES: Final = (
    "cannot promote to {} as no product changes detected. Delete this proxyConfigPromote CR, then introduce changes "
    "to configuration, and then create a new proxyConfigPromote CR"
)


@dataclass
class _Outcome:
    """What the status will say."""

    product_id: str
    production: int = 0
    staging: int = 0
    error: Exception | None = None


class Promotions:
    """Deploys products to staging and production."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Promote once. Generations are not compared, and what is Ready is never looked at again."""
        namespace = manifest["metadata"]["namespace"]
        product = await self._context.find(Ref(PRODUCT, namespace, manifest["spec"]["productCRName"]))
        if product is None:
            message = f'Product.capabilities.3scale.net "{manifest["spec"]["productCRName"]}" not found'
            await self._write(manifest, _Outcome("product not found", error=SyncError(message)))
            raise Retry(message)
        account = await self._context.provider(product)
        if not is_true(manifest, "Ready"):
            outcome = self._promote(manifest, product, account)
            await self._write(manifest, outcome)
            if outcome.error and not is_invalid(outcome.error):
                raise Retry(str(outcome.error))
            if outcome.error:
                return
        if manifest["spec"].get("deleteCR"):
            await self._context.client.delete(ref_of(manifest), uid=manifest["metadata"]["uid"])

    def _promote(self, manifest: Manifest, product: Manifest, account: Any) -> _Outcome:
        if not _may_promote(product):
            return _Outcome("", error=SyncError("product CR is not ready"))
        product_id = product["status"]["productId"]
        outcome = _Outcome(str(product_id))
        try:
            path = f"services/{product_id}/proxy/configs/sandbox/latest"
            catalogue = self._context.connect(account, path).catalogue
            remote = catalogue.product(product_id)
            promote = _to_production if manifest["spec"].get("production") else _to_staging
            promote(catalogue, remote, outcome)
        except REMOTE_ERRORS as error:
            outcome.error = error
        return outcome

    async def _write(self, manifest: Manifest, outcome: _Outcome) -> None:
        error = outcome.error
        known = {
            "productId": outcome.product_id,
            "latestProductionVersion": outcome.production,
            "latestStagingVersion": outcome.staging,
        }
        conditions = [
            condition("Ready", error is None, message="" if error else _DONE),
            condition("Failed", error is not None, message=str(error or "")),
        ]
        # A later failure wipes what an earlier one told; zero and empty are left out.
        fields = {key: value for key, value in known.items() if value}
        await self._context.write_status(manifest, fields, conditions, fresh=True)


def _may_promote(product: Manifest) -> bool:
    failure = conditions_of(product).get("Failed", {})
    return is_true(product, "Synced") or (
        failure.get("status") == "True"
        and failure.get("message") == apis.METHOD_IN_USE
        and "productId" in product["status"]
    )


def _to_staging(catalogue: Catalogue, product: Product, outcome: _Outcome) -> None:
    before = product.staging[-1].version if product.staging else 0
    catalogue.deploy(product)
    latest = _latest_staging(product)
    outcome.staging = latest
    outcome.production = product.production[-1].version if product.production else 0
    if before == latest:
        # The original mixes up its arguments here: the staging version lands in the other field.
        outcome.production, outcome.staging = latest, 0
        raise SpecError("<nil>", _NO_CHANGES.format("staging"))


def _to_production(catalogue: Catalogue, product: Product, outcome: _Outcome) -> None:
    catalogue.deploy(product)
    outcome.staging = _latest_staging(product)
    outcome.production = product.production[-1].version if product.production else 0
    try:
        catalogue.promote(product, outcome.staging)
    except PortaError as error:
        # Whatever went wrong, the original says this.
        raise SpecError("<nil>", _NO_CHANGES.format("production")) from error
    outcome.production = outcome.staging


def _latest_staging(product: Product) -> int:
    if not product.staging:
        raise not_found()
    return product.staging[-1].version

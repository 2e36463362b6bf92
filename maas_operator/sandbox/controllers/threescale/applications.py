"""The Application and ApplicationAuth controllers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from maas_operator.domain.kinds import APPLICATION, DEVELOPER_ACCOUNT, PRODUCT, SECRET
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.engine.errors import ApiError

from ..conditions import condition, is_true
from ..runner import Retry
from ..violations import Rule
from .catalogue import Plan, Product
from .context import (
    REMOTE_ERRORS,
    Context,
    ProviderAccount,
    annotation,
    retry_unless_invalid,
    secret_data,
    status_id,
    with_finalizer,
    with_id_annotation,
    with_owner,
    without_finalizer,
)
from .errors import Crash, PortaError, SpecError, SyncError, not_found
from .people import Application, People
from .porta import Tenant

FINALIZER: Final = "application.capabilities.3scale.net/finalizer"
_RANDOM_KEY_LENGTH: Final = 32


class Applications:
    """Keeps applications of 3scale like their custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Sync one Application."""
        if "deletionTimestamp" in manifest["metadata"]:
            await self._delete(manifest)
            return
        account = await self._find(manifest, DEVELOPER_ACCOUNT, "accountCR")
        if account is None:
            error = SyncError(f'DeveloperAccount "{manifest["spec"]["accountCR"]["name"]}" not found')
            await self._write(manifest, error)
            raise Retry(str(error))
        written = with_id_annotation(manifest, "applicationID", status_id(manifest, "applicationID"))
        written = with_owner(with_finalizer(written, FINALIZER), account)
        if written is not manifest:
            await self._context.client.replace(written)
            return
        await self._sync(manifest, account, await self._context.provider(account))

    async def _sync(self, manifest: Manifest, account: Manifest, provider: ProviderAccount) -> None:
        application, state, error = None, None, None
        try:
            product = await self._find(manifest, PRODUCT, "productCR")
            if product is None:
                raise SyncError(f'Product "{manifest["spec"]["productCR"]["name"]}" not found')
            _check_parents(account, product)
            tenant = self._context.connect(provider, f"accounts/{account['status']['accountID']}/applications")
            application, state = _sync_application(tenant, manifest, account, product)
        except REMOTE_ERRORS as caught:
            error = caught
        await self._write(manifest, error, application=application, state=state, host=provider.admin_url)
        retry_unless_invalid(error)

    async def _write(
        self,
        manifest: Manifest,
        error: Exception | None,
        *,
        application: Application | None = None,
        state: str | None = None,
        host: str | None = None,
    ) -> None:
        fields = {
            "applicationID": application.id if application else None,
            "state": state,
            "providerAccountHost": host,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        conditions = [condition("Ready", error is None, message=str(error or ""))]
        await self._context.write_status(manifest, fields, conditions)

    async def _find(self, manifest: Manifest, kind: Any, field: str) -> Manifest | None:
        return await self._context.find(Ref(kind, manifest["metadata"]["namespace"], manifest["spec"][field]["name"]))

    async def _delete(self, manifest: Manifest) -> None:
        if FINALIZER not in (manifest["metadata"].get("finalizers") or []):
            return
        account = await self._find(manifest, DEVELOPER_ACCOUNT, "accountCR")
        application_id = status_id(manifest, "applicationID")
        if account is not None and application_id is not None:
            async with self._context.deleting(manifest, "application"):
                await self._delete_remote(account, application_id)
        await self._context.client.replace(without_finalizer(manifest, FINALIZER))

    async def _delete_remote(self, account: Manifest, application_id: int) -> None:
        account_id = status_id(account, "accountID")
        if account_id is None:
            name = account["metadata"]["name"]
            raise Retry(f"ID is missing in the status of developer account {name}")
        provider = await self._context.provider(account)
        try:
            path = f"accounts/{account_id}/applications/{application_id}"
            self._context.connect(provider, path).people.delete_application(account_id, application_id)
        except REMOTE_ERRORS as error:
            if not (isinstance(error, PortaError) and error.code == 404):
                raise Retry(str(error)) from error


def _check_parents(account: Manifest, product: Manifest) -> None:
    """SpecError (orphan) while account or product have no id, are invalid, or belong to different tenants."""
    for manifest, field, key, what in (
        (account, "spec.accountCRName", "accountID", "account"),
        (product, "spec.productCRName", "productId", "product"),
    ):
        if status_id(manifest, key) is None:
            message = f"{what}CR name doesnt have a valid {what} reference"
            raise SpecError(field, message, orphan=True)
        if is_true(manifest, "Invalid"):
            raise SpecError(field, f"{what} CR is in an invalid state", orphan=True)
    if account["status"]["providerAccountHost"] != product["status"]["providerAccountHost"]:
        raise SpecError("spec.productCRName", "product and account providerAccounts dont match", orphan=True)


def _sync_application(
    tenant: Tenant, manifest: Manifest, account: Manifest, product: Manifest
) -> tuple[Application, str]:
    """Return the application, and the state in which the sync found it: that is the one the status tells."""
    spec = manifest["spec"]
    account_id = account["status"]["accountID"]
    try:
        remote = tenant.catalogue.product(product["status"]["productId"])
        plan = _plan(remote, spec, product["metadata"]["name"])
        application = _known_application(tenant.people, manifest, remote)
        if application is None:
            application = tenant.people.create_application(
                account_id, remote, plan, name=spec["name"], description=spec["description"]
            )
        state = application.state
        _update(tenant.people, application, plan, spec)
    except PortaError as error:
        raise SyncError(f"task failed SyncApplication: error sync application [{spec['name']}]: {error}") from error
    return application, state


def _plan(product: Product, spec: Mapping[str, Any], product_name: str) -> Plan:
    plan = product.plans.get(spec["applicationPlanName"])
    if plan is None:
        raise SyncError(
            f"task failed SyncApplication: error sync application [{spec['name']}]: "
            f"plan [{spec['applicationPlanName']}] doesnt exist in product [{product_name}]"
        )
    return plan


def _known_application(people: People, manifest: Manifest, product: Product) -> Application | None:
    known = status_id(manifest, "applicationID") or int(annotation(manifest, "applicationID") or 0)
    application = people.applications.get(known)
    if application and application.product_id != product.id:
        people.delete_application(application.account_id, application.id)
        return None
    return application


def _update(people: People, application: Application, plan: Plan, spec: Mapping[str, Any]) -> None:
    application.name, application.description = spec["name"], spec["description"]
    if application.plan is not plan:
        people.change_plan(application, plan)
    match application.state, bool(spec.get("suspend")):
        case "live", True:
            application.state = "suspended"
        case "suspended", False:
            application.state = "live"


@dataclass(frozen=True)
class _Keys:
    """What the Secret of an ApplicationAuth holds."""

    user_key: str
    application_key: str
    application_id: str = ""


class ApplicationAuths:
    """Pushes keys into applications, once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Push the keys of the Secret; Crash where the original dereferences nil."""
        namespace, spec = manifest["metadata"]["namespace"], manifest["spec"]
        application = await self._require(manifest, Ref(APPLICATION, namespace, spec["applicationCRName"]))
        account = await self._require(
            manifest, Ref(DEVELOPER_ACCOUNT, namespace, application["spec"]["accountCR"]["name"])
        )
        product = await self._require(manifest, Ref(PRODUCT, namespace, application["spec"]["productCR"]["name"]))
        provider = await self._context.provider(manifest)
        secret = await self._require(manifest, Ref(SECRET, namespace, spec["authSecretRef"]["name"]))
        if is_true(manifest, "Ready"):
            return
        error: Exception | None = None
        try:
            keys = self._push(manifest, secret, provider, (application, account, product))
            await self._write_back(secret, keys)
        except (*REMOTE_ERRORS, ApiError) as caught:
            error = caught
        await self._write(manifest, error)
        retry_unless_invalid(error)

    async def _require(self, manifest: Manifest, ref: Ref) -> Manifest:
        """Return an object; if there is none, say so in the status, and try again."""
        found = await self._context.find(ref)
        if found is None:
            error = SyncError(f'{ref.kind} "{ref.name}" not found')
            await self._write(manifest, error)
            raise Retry(str(error))
        return found

    async def _write(self, manifest: Manifest, error: Exception | None) -> None:
        conditions = [
            condition("Ready", error is None),
            condition("Failed", error is not None, message=str(error or "")),
        ]
        await self._context.write_status(manifest, {}, conditions)

    def _push(
        self, manifest: Manifest, secret: Manifest, provider: ProviderAccount, parents: tuple[Manifest, ...]
    ) -> _Keys:
        application, account, product = parents
        keys = self._wanted_keys(manifest, secret)
        application_id = status_id(application, "applicationID")
        # Without an id nothing is pushed, and the status says Ready all the same.
        if application_id is None or _has_auth_user_key(product["spec"]):
            self._context.violations.add(Rule.KEY_NOT_PUSHED, ref_of(manifest), "it turns Ready without any effect")
        if application_id is not None:
            tenant = self._context.connect(provider, f"accounts/{status_id(account, 'accountID')}/applications")
            remote = tenant.people.applications.get(application_id)
            if remote is None:
                raise not_found()
            keys = _push_keys(
                tenant.people, remote, keys, product, generate=bool(manifest["spec"].get("generateSecret"))
            )
        if not secret.get("data"):
            raise Crash("assignment to entry in nil map: the Secret has no data")
        return keys

    def _wanted_keys(self, manifest: Manifest, secret: Manifest) -> _Keys:
        data, generate = secret_data(secret), manifest["spec"].get("generateSecret")
        user_key = data.get("UserKey", "")
        if not user_key:
            if generate is None:
                raise Crash("nil dereference: UserKey is empty and generateSecret is not set")
            if generate:
                seconds = int(self._context.clock().timestamp())
                user_key = hashlib.sha256(str(seconds).encode()).hexdigest()
        return _Keys(user_key, data.get("ApplicationKey", ""))

    async def _write_back(self, secret: Manifest, keys: _Keys) -> None:
        values = {
            "UserKey": keys.user_key,
            "ApplicationID": keys.application_id,
            "ApplicationKey": keys.application_key,
        }
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
        await self._context.client.replace({**secret, "data": {**secret["data"], **encoded}})


def _push_keys(people: People, application: Application, keys: _Keys, product: Manifest, *, generate: bool) -> _Keys:
    # Under another parameter name, as with authUserKey, porta ignores the key.
    if keys.user_key and not _has_auth_user_key(product["spec"]):
        people.set_user_key(application, keys.user_key)
    if keys.application_key:
        people.add_key(application, keys.application_key)
        keys = replace(keys, application_id=application.application_id)
    if generate:
        number = f"{application.id}/{len(application.keys)}"
        people.add_key(application, hashlib.sha256(number.encode()).hexdigest()[:_RANDOM_KEY_LENGTH])
        keys = replace(keys, application_id=application.application_id, application_key=application.keys[-1])
    return keys


def _has_auth_user_key(spec: Mapping[str, Any]) -> bool:
    options = (spec.get("deployment") or {}).values()
    return any("authUserKey" in ((o.get("authentication") or {}).get("userkey") or {}) for o in options)

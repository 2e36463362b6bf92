"""The DeveloperAccount and DeveloperUser controllers: the account signs up with an orphan admin user."""

from __future__ import annotations

from typing import Any, Final

from maas_operator.domain.kinds import DEVELOPER_ACCOUNT, DEVELOPER_USER
from maas_operator.domain.objects import Manifest, Ref

from ..conditions import is_true
from ..runner import Retry
from .context import (
    REMOTE_ERRORS,
    Context,
    NoProvider,
    ProviderAccount,
    annotation,
    is_invalid,
    is_orphan,
    retry_unless_invalid,
    secret_data,
    status_conditions,
    status_id,
    with_finalizer,
    with_id_annotation,
    with_owner,
    without_finalizer,
)
from .errors import PortaError, SpecError, SyncError, Waiting
from .people import Account, People, User

ACCOUNT_FINALIZER: Final = "developeraccount.capabilities.3scale.net/finalizer"
USER_FINALIZER: Final = "developeruser.capabilities.3scale.net/finalizer"
_PASSWORD: Final = "password"


class Accounts:
    """Keeps developer accounts of 3scale like their custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Sync one DeveloperAccount."""
        if "deletionTimestamp" in manifest["metadata"]:
            await self._delete(manifest)
            return
        written = with_id_annotation(manifest, "accountID", status_id(manifest, "accountID"))
        written = with_finalizer(written, ACCOUNT_FINALIZER)
        if written is not manifest:
            await self._context.client.replace(written)
            return
        await self._sync(manifest, await self._context.provider(manifest))

    async def _sync(self, manifest: Manifest, provider: ProviderAccount) -> None:
        account, error = None, None
        try:
            people = self._context.connect(provider, "accounts").people
            account = _known_account(people, manifest) or await self._sign_up(people, manifest, provider)
            _update_account(account, manifest["spec"])
        except REMOTE_ERRORS as caught:
            error = caught
        fields = {
            "accountID": account.id if account else None,
            "accountState": account.state if account else None,
            "creditCardStored": False if account else None,
            "providerAccountHost": provider.admin_url,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        waiting = isinstance(error, Waiting)
        failed = error is not None and not waiting and not is_invalid(error)
        flags = {"Invalid": is_invalid(error), "Ready": error is None, "Waiting": waiting, "Failed": failed}
        await self._context.write_status(manifest, fields, status_conditions(error, **flags))
        retry_unless_invalid(error)

    async def _sign_up(self, people: People, manifest: Manifest, provider: ProviderAccount) -> Account:
        user = await self._orphan_admin(manifest, provider)
        password = await _password(self._context, user)
        if password is None:
            raise SyncError(f'secrets "{user["spec"]["passwordCredentialsRef"]["name"]}" not found')
        spec = user["spec"]
        return people.sign_up(
            org_name=manifest["spec"]["orgName"], username=spec["username"], email=spec["email"], password=password
        )

    async def _orphan_admin(self, manifest: Manifest, provider: ProviderAccount) -> Manifest:
        """Return an admin user that waits for this account; Waiting if there is none yet."""
        metadata = manifest["metadata"]
        for user in await self._context.client.list(DEVELOPER_USER, namespace=metadata["namespace"]):
            spec = user["spec"]
            refers = spec["developerAccountRef"]["name"] == metadata["name"] and spec.get("role") == "admin"
            if refers and is_true(user, "Orphan"):
                try:
                    if (await self._context.provider(user)).admin_url == provider.admin_url:
                        return user
                except NoProvider:
                    continue
        raise Waiting("valid admin developer user CR not found")

    async def _delete(self, manifest: Manifest) -> None:
        if ACCOUNT_FINALIZER not in (manifest["metadata"].get("finalizers") or []):
            return
        async with self._context.deleting(manifest, "developer account"):
            await self._delete_remote(manifest)
        await self._context.client.replace(without_finalizer(manifest, ACCOUNT_FINALIZER))

    async def _delete_remote(self, manifest: Manifest) -> None:
        account_id = status_id(manifest, "accountID")
        provider = await _provider_unless_missing(self._context, manifest)
        if account_id is not None and provider is not None:
            try:
                self._context.connect(provider, f"accounts/{account_id}").people.delete_account(account_id)
            except REMOTE_ERRORS as error:
                _ignore_not_found(error)


class Users:
    """Keeps developer users of 3scale like their custom resources."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def reconcile(self, manifest: Manifest) -> None:
        """Sync one DeveloperUser."""
        if "deletionTimestamp" in manifest["metadata"]:
            await self._delete(manifest)
            return
        written = with_id_annotation(manifest, "userID", status_id(manifest, "developerUserID"))
        written = with_finalizer(written, USER_FINALIZER)
        if written is manifest and (parent := await self._parent(manifest)):
            written = with_owner(written, parent)
        if written is not manifest:
            await self._context.client.replace(written)
            return
        await self._sync(manifest, await self._context.provider(manifest))

    async def _parent(self, manifest: Manifest) -> Manifest | None:
        name = manifest["spec"]["developerAccountRef"]["name"]
        return await self._context.find(Ref(DEVELOPER_ACCOUNT, manifest["metadata"]["namespace"], name))

    async def _sync(self, manifest: Manifest, provider: ProviderAccount) -> None:
        user, account_id, error = None, None, None
        try:
            account_id = await self._ready_account(manifest, provider)
            people = self._context.connect(provider, f"accounts/{account_id}/users").people
            account = people.account(account_id)
            if account is None:
                raise PortaError(404, {"status": "Not found"})
            user = await self._remote_user(people, account, manifest)
            _update_user(people, user, manifest["spec"])
        except REMOTE_ERRORS as caught:
            error = caught
        await self._write_status(manifest, provider, user, account_id, error)
        retry_unless_invalid(error)

    async def _write_status(
        self,
        manifest: Manifest,
        provider: ProviderAccount | None,
        user: User | None,
        account_id: int | None,
        error: Exception | None,
    ) -> None:
        fields = {
            "developerUserID": user.id if user else None,
            "developerUserState": user.state if user else None,
            "accoundID": account_id,  # the original's spelling
            "providerAccountHost": provider.admin_url if provider else None,
            "observedGeneration": manifest["metadata"]["generation"],
        }
        failed = error is not None and not is_invalid(error) and not is_orphan(error)
        flags = {"Invalid": is_invalid(error), "Ready": error is None, "Orphan": is_orphan(error), "Failed": failed}
        await self._context.write_status(manifest, fields, status_conditions(error, **flags))

    async def _ready_account(self, manifest: Manifest, provider: ProviderAccount) -> int:
        """Return the id of the parent account; SpecError (orphan) while it is not there or not ready."""
        parent = await self._parent(manifest)
        if parent is None:
            raise SpecError("spec.developerAccountRef", "parent account resource not found", orphan=True)
        if (await self._context.provider(parent)).admin_url != provider.admin_url:
            message = "parent account resource does not belong to the same provider account"
            raise SpecError("spec.developerAccountRef", message, orphan=True)
        account_id = status_id(parent, "accountID")
        if not is_true(parent, "Ready") or account_id is None:
            raise SpecError("spec.developerAccountRef", "parent account resource not ready", orphan=True)
        return account_id

    async def _remote_user(self, people: People, account: Account, manifest: Manifest) -> User:
        spec = manifest["spec"]
        known = status_id(manifest, "developerUserID") or int(annotation(manifest, "userID") or 0)
        if known in account.users:
            return account.users[known]
        for user in account.users.values():
            if (user.username, user.email) == (spec["username"], spec["email"]):
                return user
        password = await _password(self._context, manifest)
        if password is None:
            raise SpecError("spec.passwordCredentialsRef", "developeruser password reference not found")
        return people.create_user(
            account, username=spec["username"], email=spec["email"], password=password, role=spec.get("role", "member")
        )

    async def _delete(self, manifest: Manifest) -> None:
        if USER_FINALIZER not in (manifest["metadata"].get("finalizers") or []):
            return
        async with self._context.deleting(manifest, "developer user"):
            await self._delete_remote(manifest)
        await self._context.client.replace(without_finalizer(manifest, USER_FINALIZER))

    async def _delete_remote(self, manifest: Manifest) -> None:
        user_id, account_id = status_id(manifest, "developerUserID"), status_id(manifest, "accoundID")
        provider = await _provider_unless_missing(self._context, manifest)
        if user_id is not None and account_id is not None and provider is not None:
            try:
                path = f"accounts/{account_id}/users/{user_id}"
                self._context.connect(provider, path).people.delete_user(account_id, user_id)
            except REMOTE_ERRORS as error:
                if not (isinstance(error, PortaError) and error.code == 404):
                    await self._write_status(manifest, None, None, None, error)
                _ignore_not_found(error)


def _known_account(people: People, manifest: Manifest) -> Account | None:
    known = status_id(manifest, "accountID") or int(annotation(manifest, "accountID") or 0)
    return people.account(known)


def _update_account(account: Account, spec: dict[str, Any]) -> None:
    account.org_name = spec["orgName"]
    account.billing = spec.get("monthlyBillingEnabled", True)
    account.charging = spec.get("monthlyChargingEnabled", True)


def _update_user(people: People, user: User, spec: dict[str, Any]) -> None:
    if (user.username, user.email) != (spec["username"], spec["email"]):
        people.rename_user(user, username=spec["username"], email=spec["email"])
    user.role = spec.get("role", "member")
    user.state = "suspended" if spec.get("suspended") else "active"


async def _password(context: Context, user: Manifest) -> str | None:
    """Return the password of a user; None if there is no Secret, SyncError if it lacks the key."""
    ref = user["spec"]["passwordCredentialsRef"]
    namespace = ref.get("namespace") or user["metadata"]["namespace"]
    secret = await context.secret(namespace, ref["name"])
    if secret is None:
        return None
    if _PASSWORD not in secret_data(secret):
        raise SyncError(f"not found password field in secret (ns: {namespace}, name: {ref['name']}) field: {_PASSWORD}")
    return secret_data(secret)[_PASSWORD]


async def _provider_unless_missing(context: Context, manifest: Manifest) -> ProviderAccount | None:
    """Return the provider account of an object under deletion; None if its Secret is gone: the remote one leaks."""
    try:
        return await context.provider(manifest)
    except NoProvider as error:
        if error.missing:
            return None
        raise


def _ignore_not_found(error: Exception) -> None:
    if not (isinstance(error, PortaError) and error.code == 404):
        raise Retry(str(error)) from error

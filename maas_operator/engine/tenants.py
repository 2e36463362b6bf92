"""From a ModelPlatform to the provider account by which its 3scale is called."""

from __future__ import annotations

from dataclasses import dataclass

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.kinds import CONFIG_MAP, SECRET
from maas_operator.domain.model_platform import ADMIN_URL, TOKEN, account_problem
from maas_operator.domain.objects import Ref
from maas_operator.domain.people.secrets import read_secret

from .errors import AuthorityMissing, RemoteRefused
from .lookup import Lookup
from .threescale import Tenant


@dataclass(frozen=True, slots=True)
class Tenants:
    """Finds tenants by the objects that describe them."""

    lookup: Lookup

    async def of(self, platform: ModelPlatform) -> Tenant:
        """Return a platform's tenant; a ThreescaleError if Secret or ConfigMap can not be used."""
        threescale = platform.spec.threescale
        ref = Ref(SECRET, threescale.namespace, threescale.provider_account_secret_ref.name)
        found = await self.lookup.find(ref)
        account = read_secret(found) if found else None
        url, token = (account.get(ADMIN_URL), account.get(TOKEN)) if account else (None, None)
        if url is None or token is None or account_problem(account):
            raise RemoteRefused(f"{ref} is no usable provider account: see ModelPlatform {platform.metadata.name}")
        return Tenant(url.get_secret_value(), token, await self._authority(platform))

    async def _authority(self, platform: ModelPlatform) -> str:
        threescale = platform.spec.threescale
        wanted = threescale.ca_config_map_ref
        if wanted is None:
            return ""
        found = await self.lookup.live(Ref(CONFIG_MAP, threescale.namespace, wanted.name))
        authority: str = ((found or {}).get("data") or {}).get(wanted.key, "")
        if not authority:
            where = f"{threescale.namespace}/{wanted.name}"
            raise AuthorityMissing(f"there is no ConfigMap {where} with the key {wanted.key}: create it")
        return authority

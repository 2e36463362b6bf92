"""ModelPlatform: whether 3scale and KServe can be used, and the gateways count tokens, as one pure decision.

3scale-operator stays silent about a provider account that it can not use, so that we check it ourselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from maas_operator.api.meta import ConditionStatus
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType, Reason

from .conditions import Condition, Verdict, decide_condition, false, summarise, true
from .decision import Decision, World
from .farewell import is_forced
from .kinds import INFERENCE_SERVICE, PRODUCT, Kind
from .metering.package import PolicyPackage
from .metering.progress import Metering
from .minio.progress import NO_EVIDENCE, MinIOEvidence
from .minio.storage import PlatformMinIO
from .objects import Manifest, Ref
from .people.secrets import StoredSecret
from .policies.platform import PlatformPolicies
from .serving.kserve import TOO_OLD_MESSAGE, KServe, Release

ADMIN_URL: Final = "adminURL"
TOKEN: Final = "token"
POLL: Final = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class ModelPlatformWorld(World):
    """What a pass knows.

    `served`: whether the CRDs of KServe and 3scale are installed, by one kind of each.
    `kserve`: what of KServe tells its release and how it is set up.
    `provider_account`: the Secret of `providerAccountSecretRef`; None if it does not exist.
    `admin_api`: what is wrong with our own calls to 3scale; None if nothing is, or if they can not be made yet.
    `tenants`: the ModelServices and ModelSubscriptions that still need this platform, as `namespace/name`.
    `portal_host`: the host of the developer portal's Route; empty while there is none.
    `policies`: those of `spec.gateway.policies`. `copies_in_use`: copies of configurations that a Product refers to and
        that are not wanted any more.
    `minio`: see `MinIOEvidence`.
    `policy`: the metering policy that comes with this operator. `installation`, `gateways`, `policies_in_use`: see
        `Metering`.
    """

    platform: ModelPlatform
    served: Mapping[Kind, bool]
    kserve: KServe
    namespace_exists: bool
    provider_account: StoredSecret | None
    admin_api: Verdict | None
    tenants: tuple[str, ...]
    portal_host: str
    policies: PlatformPolicies
    copies_in_use: frozenset[Ref]
    policy: PolicyPackage
    installation: Manifest | None
    gateways: tuple[Manifest, ...]
    policies_in_use: frozenset[str]
    minio: MinIOEvidence = NO_EVIDENCE

    @property
    def leaving(self) -> bool:
        """Tell whether the platform goes, and nobody needs it any more."""
        return self.deleting and not self.tenants


def decide(world: ModelPlatformWorld) -> Decision:
    """Return what must be true of one platform; while models need it, it can not go."""
    threescale = decide_condition(
        ConditionType.THREESCALE_READY,
        (
            _threescale_missing,
            _namespace_missing,
            _secret_missing,
            _secret_incomplete,
            _admin_url_unusable,
            _admin_api_unusable,
        ),
        world,
        otherwise=true(Reason.READY, "3scale can be used"),
    )
    metering = _metering(world)
    policies, storage = world.policies.condition, _minio(world)
    stages = (threescale, policies, *storage.conditions, *_kserve(world))
    if world.deleting:
        stages = (_in_use(world, metering), *stages)
    settled = all(stage.status is ConditionStatus.TRUE for stage in stages)
    return Decision(
        # Limits of requests work without the metering policy: it is no part of Ready.
        conditions=(
            *summarise(stages, ready="KServe and 3scale can be used"),
            threescale,
            policies,
            *storage.conditions,
            metering.condition,
        ),
        children=(*metering.children(), *(() if world.leaving else world.policies.children()), *storage.children),
        patches=tuple(metering.patches()),
        keep=metering.keep() | world.copies_in_use | storage.keep,
        namespaces=frozenset({world.platform.spec.threescale.namespace}) | storage.namespaces,
        status=_status(world, metering),
        releasable=not world.tenants and metering.blocked is None,
        forced=is_forced(world.owner) and not world.tenants,
        wake_after=metering.wake_after if settled else POLL,
    )


def _metering(world: ModelPlatformWorld) -> Metering:
    return Metering(
        platform=world.platform,
        world=world,
        package=world.policy,
        leaving=world.leaving,
        found=world.installation,
        gateways=world.gateways,
        in_use=world.policies_in_use,
    )


def _minio(world: ModelPlatformWorld) -> PlatformMinIO:
    return PlatformMinIO(platform=world.platform, world=world, evidence=world.minio, leaving=world.leaving)


def _status(world: ModelPlatformWorld, metering: Metering) -> dict[str, object]:
    account = world.provider_account
    admin_url = account.get(ADMIN_URL) if account else None
    # A URL with something secret in it is none that we accept, so it must not show up either.
    shown = admin_url if admin_url and _unusable(admin_url.get_secret_value()) is None else None
    return {
        "capabilities": {
            "kserve": world.served[INFERENCE_SERVICE],
            **world.kserve.capabilities,
            "threescale": world.served[PRODUCT],
        },
        **({"adminURL": shown.get_secret_value()} if shown else {}),
        **({"portalURL": f"https://{world.portal_host}"} if world.portal_host else {}),
        **({"tokenPolicyVersion": metering.version} if metering.version else {}),
    }


def _kserve(world: ModelPlatformWorld) -> tuple[Condition, ...]:
    """Return what KServe adds to Ready: it has no condition of its own."""
    if not world.served[INFERENCE_SERVICE]:
        return (_stage(Reason.DEPENDENCY_MISSING, _not_installed(INFERENCE_SERVICE, "KServe")),)
    if world.kserve.release is Release.TOO_OLD:
        return (_stage(Reason.KSERVE_TOO_OLD, TOO_OLD_MESSAGE),)
    return ()


def _in_use(world: ModelPlatformWorld, metering: Metering) -> Condition:
    if metering.blocked is not None:
        return _stage(Reason.DELETION_BLOCKED, metering.blocked)
    if not world.tenants:
        return _stage(Reason.DELETING, "nothing needs this platform any more")
    first = ", ".join(world.tenants[:3])
    return _stage(
        Reason.DELETION_BLOCKED,
        f"{len(world.tenants)} objects still need this platform; delete them first: {first}",
    )


def _stage(reason: Reason, message: str) -> Condition:
    return Condition(ConditionType.READY, ConditionStatus.FALSE, reason, message)


def _threescale_missing(world: ModelPlatformWorld) -> Verdict | None:
    if world.served[PRODUCT]:
        return None
    return false(Reason.DEPENDENCY_MISSING, _not_installed(PRODUCT, "the 3scale-operator"))


def _namespace_missing(world: ModelPlatformWorld) -> Verdict | None:
    if world.namespace_exists:
        return None
    namespace = world.platform.spec.threescale.namespace
    return false(Reason.NAMESPACE_MISSING, f"spec.threescale.namespace: there is no namespace {namespace}")


def _secret_missing(world: ModelPlatformWorld) -> Verdict | None:
    if world.provider_account is not None:
        return None
    return false(
        Reason.PROVIDER_SECRET_MISSING,
        f"Secret {_secret_name(world)} does not exist: create it with the keys {ADMIN_URL} and {TOKEN}",
    )


def _secret_incomplete(world: ModelPlatformWorld) -> Verdict | None:
    account = world.provider_account
    missing = [key for key in (ADMIN_URL, TOKEN) if account is None or account.get(key) is None]
    if not missing:
        return None
    return false(Reason.PROVIDER_SECRET_INVALID, f"Secret {_secret_name(world)} lacks the key {' and '.join(missing)}")


def _admin_url_unusable(world: ModelPlatformWorld) -> Verdict | None:
    url = world.provider_account.get(ADMIN_URL) if world.provider_account else None
    problem = _unusable(url.get_secret_value()) if url else None
    if problem is None:
        return None
    return false(Reason.PROVIDER_SECRET_INVALID, f"Secret {_secret_name(world)}: {ADMIN_URL} {problem}")


def _admin_api_unusable(world: ModelPlatformWorld) -> Verdict | None:
    return world.admin_api


def account_problem(account: StoredSecret | None) -> str | None:
    """Return why no call to 3scale can be made with a provider account; None if one can."""
    url = account.get(ADMIN_URL) if account else None
    if url is None or account is None or account.get(TOKEN) is None:
        return "incomplete"
    return _unusable(url.get_secret_value())


def _unusable(url: str) -> str | None:
    """Return what is wrong with an admin URL. 3scale compares them as text: one slash more is another tenant."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme != "https" or not parts.hostname or url != url.strip():
        return "must be an https URL such as https://3scale-admin.apps.example.com"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "must be a plain https URL, without user, query or fragment"
    if parts.path:
        return "must end after the host: 3scale takes a trailing slash or a path for another tenant"
    return "must not name port 443: 3scale takes that for another tenant" if port == 443 else None


def _secret_name(world: ModelPlatformWorld) -> str:
    threescale = world.platform.spec.threescale
    return f"{threescale.namespace}/{threescale.provider_account_secret_ref.name}"


def _not_installed(kind: Kind, who: str) -> str:
    return f"CRD {kind.plural}.{kind.group} is not installed: install {who}"

"""Gathers what one pass decides on: from the cache, and live where absence in the cache would count."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Final

from pydantic import SecretStr

from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.model_service import ManagementPolicy, ModelService
from maas_operator.api.model_subscription import ModelSubscription
from maas_operator.api.parse import InvalidObject, R
from maas_operator.api.parse import read as read_object
from maas_operator.domain import names
from maas_operator.domain.farewell import NO_OBSTACLES, Obstacles, is_forced
from maas_operator.domain.gateway.routes import ROUTE_TO, host_of, leads_to_gateways
from maas_operator.domain.gateway.status import product_state
from maas_operator.domain.kinds import (
    API_MANAGER,
    APPLICATION,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    MODEL_PLATFORM,
    MODEL_SERVICE,
    MODEL_SUBSCRIPTION,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    PRODUCT,
    ROUTE,
    SCALED_OBJECT,
    SECRET,
    STATEFUL_SET,
    Kind,
)
from maas_operator.domain.labels import is_owned_by, labels_of
from maas_operator.domain.metering import mounts
from maas_operator.domain.metering.package import NAME, PolicyPackage, version_of, wanted_version
from maas_operator.domain.model_platform import ADMIN_URL, ModelPlatformWorld, account_problem
from maas_operator.domain.model_service import ModelServiceWorld, needs_document_name
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.people import access, accounts
from maas_operator.domain.people.secrets import StoredSecret, keys_of, read_secret
from maas_operator.domain.people.world import FreshSecrets, ModelSubscriptionWorld
from maas_operator.domain.policies.platform import PlatformPolicies, is_copy, referred_to, secret_names
from maas_operator.domain.serving.autoscaling import (
    Autoscalers,
    horizontal_pod_autoscaler_ref,
    needs_keda,
    needs_kubernetes,
    scaled_object_ref,
    tells_keda,
)
from maas_operator.domain.serving.chat_template import config_map_ref as template_ref
from maas_operator.domain.serving.referred_runtime import candidates
from maas_operator.domain.serving.sources import NO_PREREQUISITES, Prerequisites, claim_names

from .cache import Cache
from .cluster import Cluster
from .errors import InvalidSpec
from .inquiries import Inquiries
from .kserve import KServeLookup
from .lookup import Lookup, of_product
from .minio_evidence import MinIOEvidenceFinder
from .packed_policy import packed_policy
from .storage import StorageReader, is_looked_at
from .triggers import ServiceId

TENANT_ID: Final = "3scale.net/tenant_id"


def random_secret() -> SecretStr:
    """Return 256 random bits in the characters that 3scale takes for keys and passwords."""
    return SecretStr(secrets.token_urlsafe(32))


def read(model: type[R], manifest: Manifest) -> R:
    """Return a stored object of ours; InvalidSpec when it is none that this version knows how to read."""
    try:
        return read_object(model, manifest)
    except InvalidObject as error:
        raise InvalidSpec(ref_of(manifest), str(error)) from None


@dataclass(frozen=True, kw_only=True)
class Gatherer:
    """Builds the worlds of our three kinds; `now` and `fresh` are the only sources of time and chance."""

    cache: Cache
    cluster: Cluster
    inquiries: Inquiries
    now: Callable[[], datetime]
    fresh: Callable[[], SecretStr] = random_secret
    policy: PolicyPackage = field(default_factory=packed_policy)

    async def model_service(self, owner: Manifest) -> ModelServiceWorld:
        """Gather for a ModelService."""
        service = read(ModelService, owner)
        platform = await self._platform(service)
        routes = self._routes(service, platform) if platform else ()
        policies = await self._policies(platform, self._installed(platform)) if platform else None
        seen = self._seen(service.metadata.uid)
        inference_service = await self._lookup.find(names.inference_service_ref(service))
        world = ModelServiceWorld(
            owner=owner,
            now=self.now(),
            seen=seen,
            service=service,
            platform=platform,
            threescale_namespaces=self._threescale_namespaces(),
            release=(await self._kserve.find()).release,
            inference_service=inference_service,
            deployment=self.cache.get(names.deployment_ref(service)),
            pods=self._referring(names.inference_service_ref(service), POD),
            routes=routes,
            endpoint=await self._endpoint(service, platform) if platform and not routes else "",
            remote=await self.inquiries.about_service(service, platform),
            policy_secrets=policies.secrets if policies else {},
            installation=policies.installation if policies else None,
            copied=await self._copied(policies) if policies else frozenset(),
            applications=await self._users(service, platform, forced=is_forced(owner)),
            obstacles=await self._obstacles(owner, seen),
            config_map=await self._config_map(service, document_ref(service)),
            chat_template=await self._config_map(service, template_ref(service)),
            runtimes=await self._runtimes(service),
            prerequisites=await self._prerequisites(service),
            storage=await StorageReader(self._lookup, self.fresh).find(service, platform),
            storage_namespaces=self._storage_namespaces(),
            autoscalers=await self._autoscalers(service, inference_service),
        )
        return await self._with_document_name(world)

    async def model_subscription(self, owner: Manifest) -> ModelSubscriptionWorld:
        """Gather for a ModelSubscription."""
        subscription = read(ModelSubscription, owner)
        namespace = subscription.metadata.namespace
        model = subscription.spec.model_ref
        found = await self._lookup.find(Ref(MODEL_SERVICE, model.namespace or namespace, model.name))
        service = read(ModelService, found) if found else None
        platform = await self._platform(service) if service else None
        namespace_uid = await self._namespace_uid(namespace)
        seen = self._seen(subscription.metadata.uid) | self._seen(namespace_uid)
        world = ModelSubscriptionWorld(
            owner=owner,
            now=self.now(),
            seen=seen,
            subscription=subscription,
            service=service,
            platform=platform,
            product=self._product(service, platform) if service and platform else None,
            siblings=await self._siblings(subscription),
            namespace_uid=namespace_uid,
            threescale_namespaces=self._threescale_namespaces(),
            secrets=await self._secrets(secret_refs(subscription, platform)),
            fresh=FreshSecrets(key=self.fresh(), password=self.fresh()),
            obstacles=await self._obstacles(owner, seen),
        )
        return replace(world, findings=await self.inquiries.about_subscription(world))

    async def model_platform(self, owner: Manifest) -> ModelPlatformWorld:
        """Gather for a ModelPlatform."""
        platform = read(ModelPlatform, owner)
        threescale = platform.spec.threescale
        account = Ref(SECRET, threescale.namespace, threescale.provider_account_secret_ref.name)
        provider_account = (await self._secrets([account])).get(account)
        tenants = await self._tenants(platform)
        has_old, installation = await self._installation(platform, tenants)
        policies = await self._policies(platform, installation)
        can_ask = account_problem(provider_account) is None and platform.metadata.deletion_timestamp is None
        seen = self._seen(platform.metadata.uid)
        return ModelPlatformWorld(
            owner=owner,
            now=self.now(),
            seen=seen,
            platform=platform,
            served={kind: await self._is_served(kind) for kind in (INFERENCE_SERVICE, PRODUCT)},
            kserve=await self._kserve.find(),
            namespace_exists=await self._lookup.find(Ref(NAMESPACE, "", threescale.namespace)) is not None,
            provider_account=provider_account,
            admin_api=await self.inquiries.platform_problem(platform) if can_ask else None,
            tenants=tenants,
            portal_host=self._portal_host(threescale.namespace, provider_account),
            policies=policies,
            copies_in_use=await self._copies_in_use(policies),
            minio=await MinIOEvidenceFinder(lookup=self._lookup, fresh=self.fresh).find(platform, seen),
            policy=self.policy,
            installation=installation,
            gateways=await self._gateways(platform) if installation else (),
            policies_in_use=await self._policies_in_use(threescale.namespace) if has_old else frozenset(),
        )

    @property
    def _lookup(self) -> Lookup:
        return Lookup(self.cache, self.cluster)

    def _seen(self, uid: str) -> dict[Ref, Manifest]:
        return {ref_of(child): child for child in self.cache.owned_by(uid)}

    def _referring(self, target: Ref, kind: Kind) -> tuple[Manifest, ...]:
        return tuple(user for user in self.cache.referring_to(target) if ref_of(user).kind == kind)

    def _threescale_namespaces(self) -> frozenset[str]:
        platforms = self.cache.of_kind(MODEL_PLATFORM)
        return frozenset(platform["spec"]["threescale"]["namespace"] for platform in platforms)

    def _storage_namespaces(self) -> frozenset[str]:
        """Return where a MinIO is or is to be: there lie the keys of buckets."""
        wanted = (one["spec"].get("storage", {}).get("minio") for one in self.cache.of_kind(MODEL_PLATFORM))
        there = (ref_of(one).namespace for one in self.cache.of_kind(STATEFUL_SET))
        return frozenset(one["namespace"] for one in wanted if one) | frozenset(there)

    async def _platform(self, service: ModelService) -> ModelPlatform | None:
        found = await self._lookup.find(Ref(MODEL_PLATFORM, "", service.spec.platform_ref.name))
        return read(ModelPlatform, found) if found else None

    def _product(self, service: ModelService, platform: ModelPlatform) -> Manifest | None:
        """Return the service's Product, but nobody else's of its name."""
        return self._seen(service.metadata.uid).get(names.product_ref(service, platform))

    async def _namespace_uid(self, name: str) -> str:
        namespace = await self._lookup.find(Ref(NAMESPACE, "", name))
        return namespace["metadata"]["uid"] if namespace else ""

    def _routes(self, service: ModelService, platform: ModelPlatform) -> tuple[Manifest, ...]:
        """Return the product's Routes: those where gateways are, since elsewhere anybody may make one that says so."""
        number = product_state(self._product(service, platform)).remote_id
        found = self.cache.referring_to(ServiceId(str(number))) if number else []
        namespaces = {platform.spec.threescale.namespace, *platform.spec.gateway.namespaces}
        routes = [one for one in found if ref_of(one).kind == ROUTE and ref_of(one).namespace in namespaces]
        return tuple(sorted((one for one in routes if leads_to_gateways(one)), key=ref_of))

    async def _endpoint(self, service: ModelService, platform: ModelPlatform) -> str:
        number = product_state(self._product(service, platform)).remote_id
        looks = (
            service.metadata.deletion_timestamp is None and service.spec.management_policy is ManagementPolicy.ACTIVE
        )
        return await self.inquiries.endpoint(service, platform, number) if number and looks else ""

    async def _users(self, service: ModelService, platform: ModelPlatform | None, *, forced: bool) -> tuple[str, ...]:
        """Return the Applications that use a product; asked for only before its deletion.

        Who does not wait for 3scale does not wait for those either that 3scale is to delete.
        """
        if platform is None or service.metadata.deletion_timestamp is None:
            return ()
        product = names.product_ref(service, platform)
        found = await self._lookup.find(product)
        # Once it is going, nothing holds it back. And a list of all Applications is the dearest call that there is.
        if found is None or "deletionTimestamp" in found["metadata"]:
            return ()
        users = of_product(self.cache.of_kind(APPLICATION, product.namespace), product)
        # One that is there holds the product as well as all of them. That there is none, only a list of all proves.
        if forced or not users or await self._lookup.live(ref_of(users[0])) is None:
            users = of_product(await self._lookup.list(APPLICATION, product.namespace), product)
        if forced:
            users = [one for one in users if "deletionTimestamp" not in one["metadata"]]
        return tuple(sorted(str(ref_of(one)) for one in users))

    async def _config_map(self, service: ModelService, wanted: Ref | None) -> Manifest | None:
        """Return a ConfigMap of the user's: it is read in each pass, and watched by nobody."""
        return await self._lookup.live(wanted) if wanted is not None and is_looked_at(service) else None

    async def _runtimes(self, service: ModelService) -> tuple[Manifest, ...]:
        """Return what there is where the runtime may be that a service refers to."""
        refs = candidates(service) if is_looked_at(service) else ()
        found = [await self._lookup.find(ref) for ref in refs]
        return tuple(runtime for runtime in found if runtime is not None)

    async def _prerequisites(self, service: ModelService) -> Prerequisites:
        """Return what a model refers to in its namespace; read in each pass where it does, and watched by nobody."""
        if not is_looked_at(service):
            return NO_PREREQUISITES
        namespace, credentials = service.metadata.namespace, service.spec.model.credentials_secret_ref
        secret = await self._lookup.live(Ref(SECRET, namespace, credentials.name)) if credentials else None
        claims = [
            await self._lookup.live(Ref(PERSISTENT_VOLUME_CLAIM, namespace, name)) for name in claim_names(service)
        ]
        return Prerequisites(
            keys=keys_of(secret) if secret else None,
            claims={claim["metadata"]["name"]: claim for claim in claims if claim is not None},
        )

    async def _autoscalers(self, service: ModelService, told: Manifest | None) -> Autoscalers:
        of_kubernetes = told is not None and needs_kubernetes(service) and is_looked_at(service)
        return Autoscalers(
            keda=needs_keda(service) and await self._is_served(SCALED_OBJECT),
            scaled_object=self.cache.get(scaled_object_ref(service)),
            horizontal_pod_autoscaler=await self._lookup.live(horizontal_pod_autoscaler_ref(service))
            if of_kubernetes
            else None,
            leftover=await self._leftover(service, told),
        )

    async def _leftover(self, service: ModelService, told: Manifest | None) -> Ref | None:
        """Return the autoscaler of a class that is not wanted any more, once the InferenceService says so as well."""
        if told is None or tells_keda(told) != needs_keda(service):
            return None
        if needs_keda(service):
            ref = horizontal_pod_autoscaler_ref(service)
            return ref if await self._lookup.live(ref) is not None else None
        ref = scaled_object_ref(service)
        return ref if self.cache.get(ref) is not None else None

    async def _with_document_name(self, world: ModelServiceWorld) -> ModelServiceWorld:
        """Ask 3scale for the name of a document that is about to be written for the first time."""
        if world.platform is None or not needs_document_name(world):
            return world
        barrier = await self.inquiries.document_barrier(world.service, world.platform)
        remote = replace(world.remote, document_barrier=barrier, document_is_free=barrier is None)
        return replace(world, remote=remote)

    async def _obstacles(self, owner: Manifest, seen: Mapping[Ref, Manifest]) -> Obstacles:
        leaving = "deletionTimestamp" in owner["metadata"]
        return await self.inquiries.obstacles(seen.values()) if leaving else NO_OBSTACLES

    async def _siblings(self, subscription: ModelSubscription) -> tuple[ModelSubscription, ...]:
        namespace = subscription.metadata.namespace
        leaving = subscription.metadata.deletion_timestamp is not None
        # The last one to leave takes the account along: that it is the last one must be a live fact.
        found = (
            await self._lookup.list(MODEL_SUBSCRIPTION, namespace)
            if leaving
            else self.cache.of_kind(MODEL_SUBSCRIPTION, namespace)
        )
        same = [one for one in found if one["spec"]["account"] == subscription.spec.account]
        staying = [one for one in same if "deletionTimestamp" not in one["metadata"]]
        siblings = {one["metadata"]["name"]: read(ModelSubscription, one) for one in staying}
        return tuple((siblings if leaving else siblings | {subscription.metadata.name: subscription}).values())

    async def _secrets(self, refs: Iterable[Ref]) -> dict[Ref, StoredSecret]:
        found = {ref: await self._lookup.find(ref) for ref in refs}
        return {ref: read_secret(manifest) for ref, manifest in found.items() if manifest is not None}

    async def _is_served(self, kind: Kind) -> bool:
        return await self._lookup.find(Ref(CUSTOM_RESOURCE_DEFINITION, "", f"{kind.plural}.{kind.group}")) is not None

    @cached_property
    def _kserve(self) -> KServeLookup:
        return KServeLookup(self._lookup, self.now)

    async def _tenants(self, platform: ModelPlatform) -> tuple[str, ...]:
        """Return who still needs a platform; asked for, and live, only when it is being deleted."""
        if platform.metadata.deletion_timestamp is None:
            return ()
        services = [read(ModelService, one) for one in await self._lookup.list(MODEL_SERVICE)]
        users = [one for one in services if one.spec.platform_ref.name == platform.metadata.name]
        namespace = platform.spec.threescale.namespace
        subscriptions = [read(ModelSubscription, one) for one in await self._lookup.list(MODEL_SUBSCRIPTION)]
        guests = [one for one in subscriptions if any(child.namespace == namespace for child in one.status.children)]
        return tuple(f"{one.kind} {one.metadata.namespace}/{one.metadata.name}" for one in (*users, *guests))

    async def _installation(self, platform: ModelPlatform, tenants: Collection[str]) -> tuple[bool, Manifest | None]:
        """Return whether a version of the metering policy may have to go, and the APIManager: live if so."""
        namespace = platform.spec.threescale.namespace
        found = self.cache.of_kind(API_MANAGER, namespace)
        leaving = platform.metadata.deletion_timestamp is not None and not tenants
        made = {version_of(child.name) for child in platform.status.children}
        mounted = frozenset().union(*map(mounts.mounted_versions, found))
        has_old = bool((made | mounted) - {None, wanted_version(platform, self.policy, leaving=leaving)})
        found = await self._lookup.list(API_MANAGER, namespace) if has_old else found
        return has_old, _first_of(found)

    def _installed(self, platform: ModelPlatform) -> Manifest | None:
        return _first_of(self.cache.of_kind(API_MANAGER, platform.spec.threescale.namespace))

    async def _policies(self, platform: ModelPlatform, installation: Manifest | None) -> PlatformPolicies:
        """Return the platform's policies, with the Secrets that their configurations are in."""
        namespace = platform.spec.threescale.namespace
        found = await self._secrets(Ref(SECRET, namespace, name) for name in secret_names(platform))
        secrets = {ref.name: stored for ref, stored in found.items()}
        return PlatformPolicies(platform=platform, secrets=secrets, installation=installation)

    async def _copied(self, policies: PlatformPolicies) -> frozenset[Ref]:
        """Return the copies of configurations that are there, and the platform's."""
        found = {ref: await self._lookup.find(ref) for ref in policies.copies}
        uid = policies.platform.metadata.uid
        return frozenset(ref for ref, copy in found.items() if copy is not None and is_owned_by(copy, uid))

    async def _copies_in_use(self, policies: PlatformPolicies) -> frozenset[Ref]:
        """Return the copies that are wanted no more and that a Product refers to; looked for only if there is one."""
        platform = policies.platform
        namespace = platform.spec.threescale.namespace
        told = {Ref(SECRET, namespace, one.name) for one in platform.status.children if one.kind == SECRET.name}
        known = told | self._seen(platform.metadata.uid).keys()
        stale = {ref for ref in known - policies.copies.keys() if ref.kind == SECRET and is_copy(ref.name)}
        products = await self._lookup.list(PRODUCT, namespace) if stale else []
        used = {name for product in products for name in referred_to(product)}
        return frozenset(ref for ref in stale if ref.name in used)

    async def _gateways(self, platform: ModelPlatform) -> tuple[Manifest, ...]:
        """Return the gateways' Deployments; asked for only while Products are to switch to another version."""
        if platform.status.token_policy_version == self.policy.version:
            return ()
        namespace = platform.spec.threescale.namespace
        found = [await self._lookup.find(Ref(DEPLOYMENT, namespace, name)) for name in mounts.DEPLOYMENTS]
        return tuple(gateway for gateway in found if gateway is not None)

    async def _policies_in_use(self, namespace: str) -> frozenset[str]:
        """Return the versions of the metering policy that a Product asks for, or that gateways may still hold."""
        products, services = await self._lookup.list(PRODUCT, namespace), await self._lookup.list(MODEL_SERVICE)
        chains = [policy for product in products for policy in product["spec"].get("policies") or ()]
        asked = {policy["version"] for policy in chains if policy["name"] == NAME}
        held = {one.get("status", {}).get("gateway", {}).get("tokenPolicyVersion") for one in services}
        return frozenset(asked | held - {None})

    def _portal_host(self, namespace: str, provider_account: StoredSecret | None) -> str:
        """Return the host of the developer portal: of the tenant whose admin portal the provider account names."""
        admin_url = provider_account.get(ADMIN_URL) if provider_account else None
        host = admin_url.get_secret_value().removeprefix("https://") if admin_url else ""
        routes = self.cache.of_kind(ROUTE, namespace)
        tenants = {labels_of(route).get(TENANT_ID, "") for route in routes if route["spec"].get("host") == host}
        return next((host_of(routes, {ROUTE_TO: "system-developer", TENANT_ID: tenant}) for tenant in tenants), "")


def document_ref(service: ModelService) -> Ref | None:
    """Return the ConfigMap with the user's own document; None for a service that names none."""
    wanted = service.spec.api.open_api.config_map_ref
    return Ref(CONFIG_MAP, service.metadata.namespace, wanted.name) if wanted else None


def _first_of(installations: Iterable[Manifest]) -> Manifest | None:
    return min(installations, key=lambda one: str(one["metadata"]["name"]), default=None)


def secret_refs(subscription: ModelSubscription, platform: ModelPlatform | None) -> Iterable[Ref]:
    """Return the Secrets that a subscription may have to read; one that leaves needs none."""
    if subscription.metadata.deletion_timestamp is not None:
        return
    if platform is not None:
        namespace = platform.spec.threescale.namespace
        yield access.key_ref(subscription, namespace)
        yield accounts.password_ref(subscription, namespace)
    if subscription.spec.user.password_secret_ref is not None:
        yield Ref(SECRET, subscription.metadata.namespace, subscription.spec.user.password_secret_ref.name)

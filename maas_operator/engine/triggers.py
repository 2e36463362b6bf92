"""Which owners must look again when an object changes: small pure functions over the cache."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from maas_operator.domain.gateway.status import product_state
from maas_operator.domain.kinds import (
    API_MANAGER,
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
    SECRET,
    TABLE,
    Kind,
    Use,
)
from maas_operator.domain.labels import OWNER_KIND, OWNER_NAME, OWNER_NAMESPACE, labels_of
from maas_operator.domain.objects import Manifest, Ref, ref_of
from maas_operator.domain.observed import status_of

from .cache import Cache, version_of
from .status import inventory_of

OWN_KINDS: Final = tuple(kind for kind, use in TABLE.items() if Use.STATUS in use)
_OWN_BY_NAME: Final = {kind.name: kind for kind in OWN_KINDS}
_OURS_BY_TYPE: Final = {(kind.group, kind.plural) for kind in TABLE}

_BOOKKEEPING: Final = frozenset({"children", "observedGeneration", "pendingChanges", "pendingConsequences"})

INFERENCE_SERVICE_LABEL: Final = "serving.kserve.io/inferenceservice"
SERVICE_ID_LABEL: Final = "3scale.net/service_id"


@dataclass(frozen=True, slots=True)
class ServiceId:
    """3scale's number of a product: a Product and its Routes meet there."""

    value: str


def references(manifest: Manifest) -> Iterable[Hashable]:
    """Return what an object refers to, by our rules for its kind."""
    ref = ref_of(manifest)
    rule = _REFERENCES.get(ref.kind)
    return rule(ref, manifest) if rule else ()


def named_secrets(platform: Manifest) -> frozenset[Ref]:
    """Return the Secrets that a ModelPlatform names: the provider account, and what policies are configured by."""
    spec = platform.get("spec", {})
    threescale, policies = spec.get("threescale", {}), spec.get("gateway", {}).get("policies") or ()
    named = [threescale.get("providerAccountSecretRef"), *(policy.get("configurationSecretRef") for policy in policies)]
    return frozenset(Ref(SECRET, threescale.get("namespace", ""), one["name"]) for one in named if one)


def affected(cache: Cache, before: Manifest | None, after: Manifest | None) -> set[Ref]:
    """Return the owners for whom the change of an object may matter: those of what it was and of what it is."""
    versions = [version for version in (before, after) if version is not None]
    keys = {key for version in versions for key in _near(cache, version)}
    if _shown(before) != _shown(after):
        keys |= {key for version in versions for key in _beholders(cache, version)}
    if _claimed(before) != _claimed(after):
        keys |= {key for version in versions for key in _targets(cache, version)}
    return keys


def _near(cache: Cache, manifest: Manifest) -> set[Ref]:
    """Return the object itself, and who owns it or what it bears witness of."""
    ref = ref_of(manifest)
    rule = _EVIDENCE.get(ref.kind)
    own = {ref} if ref.kind in OWN_KINDS else set()
    return own | _owners(cache, manifest) | (rule(cache, manifest) if rule else set())


def _beholders(cache: Cache, manifest: Manifest) -> set[Ref]:
    """Return who refers to the object; a Product is looked at by those who subscribe to its model."""
    ref = ref_of(manifest)
    if ref.kind == PRODUCT:
        return set().union(*(_dependents(cache, owner) for owner in _owners(cache, manifest)))
    return _dependents(cache, ref)


def _targets(cache: Cache, manifest: Manifest) -> set[Ref]:
    """Return what may wait for an object: what one of ours refers to, and the platform whose policies a Product has."""
    if ref_of(manifest).kind == PRODUCT:
        return _platforms_of_namespace(cache, manifest)
    known = (cache.get(target) for target in references(manifest) if isinstance(target, Ref))
    return {target for found in known if found is not None and (target := ref_of(found)).kind in OWN_KINDS}


def _shown(manifest: Manifest | None) -> object:
    """Return what others go by who refer to an object: of ours not all the words that change with every child."""
    return manifest and _SHOWN.get(ref_of(manifest).kind, version_of)(manifest)


def _claimed(manifest: Manifest | None) -> object:
    """Return what others wait for who are referred to: a model asks little of its platform."""
    return manifest and _CLAIMED.get(ref_of(manifest).kind, _nothing)(manifest)


def _state_and_plans(product: Manifest) -> Hashable:
    state = product_state(product)
    return state.phase, state.remote_id, frozenset(product.get("spec", {}).get("applicationPlans") or ())


def _policies(product: Manifest) -> object:
    return product.get("spec", {}).get("policies")


def _settings_and_address(service: Manifest) -> Manifest:
    status = status_of(service)
    return _settings(service) | {name: status.get(name) for name in ("url", "modelName")}


def _asked_of_platform(service: Manifest) -> Manifest:
    gateway = status_of(service).get("gateway") or {}
    spec = service.get("spec", {})
    return {"policy": gateway.get("tokenPolicyVersion"), **{key: spec.get(key) for key in ("platformRef", "storage")}}


def _settings_and_outcome(manifest: Manifest) -> Manifest:
    status = status_of(manifest)
    # Older servers say null where nothing is.
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    told = {key: value for key, value in status.items() if key not in _BOOKKEEPING}
    return _settings(manifest) | {"status": told | {"conditions": conditions}}


def _nothing(_manifest: Manifest) -> None:
    return None


def _settings(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {key: value for key, value in manifest.items() if key != "status"} | {"metadata": metadata}


def _owners(cache: Cache, child: Manifest) -> set[Ref]:
    labels = labels_of(child)
    name, namespace = labels.get(OWNER_NAME, ""), labels.get(OWNER_NAMESPACE, "")
    if labels.get(OWNER_KIND) == NAMESPACE.name:
        return {ref_of(sharer) for sharer in cache.referring_to(ref_of(child))}
    kind = _OWN_BY_NAME.get(labels.get(OWNER_KIND, ""))
    return _controllers(child) | ({Ref(kind, namespace, name)} if kind else set())


def _controllers(child: Manifest) -> set[Ref]:
    # A rival may have taken the labels off, and the ownerReference still leads to the owner.
    metadata = child["metadata"]
    return {
        Ref(kind, metadata.get("namespace", ""), reference["name"])
        for reference in metadata.get("ownerReferences", ())
        if reference.get("controller") and (kind := _OWN_BY_NAME.get(reference["kind"])) is not None
    }


def _dependents(cache: Cache, ref: Ref) -> set[Ref]:
    direct = {other for user in cache.referring_to(ref) if (other := ref_of(user)).kind in OWN_KINDS}
    return direct.union(*(_dependents(cache, other) for other in direct))


def _owners_of_inference_service(cache: Cache, evidence: Manifest) -> set[Ref]:
    services = (cache.get(ref) for ref in _inference_service(ref_of(evidence), evidence))
    return {key for service in services if service is not None for key in _owners(cache, service)}


def _owners_of_product(cache: Cache, route: Manifest) -> set[Ref]:
    users = (user for number in _service_id(ref_of(route), route) for user in cache.referring_to(number))
    return {key for user in users for key in _owners(cache, user)}


def _platforms_of_namespace(cache: Cache, installation: Manifest) -> set[Ref]:
    namespace = Ref(NAMESPACE, "", ref_of(installation).namespace)
    return {ref for user in cache.referring_to(namespace) if (ref := ref_of(user)).kind == MODEL_PLATFORM}


def _everybody(cache: Cache, definition: Manifest) -> set[Ref]:
    spec = definition.get("spec", {})
    if (spec.get("group"), spec.get("names", {}).get("plural")) not in _OURS_BY_TYPE:
        return set()
    return {ref_of(owner) for kind in OWN_KINDS for owner in cache.of_kind(kind)}


def _platform(ref: Ref, service: Manifest) -> Iterable[Hashable]:
    yield Ref(MODEL_PLATFORM, "", service.get("spec", {}).get("platformRef", {}).get("name", "default"))


def _model(ref: Ref, subscription: Manifest) -> Iterable[Hashable]:
    model = subscription.get("spec", {}).get("modelRef", {})
    yield Ref(MODEL_SERVICE, model.get("namespace", ref.namespace), model.get("name", ""))
    # What an account's subscriptions share belongs to their namespace: only the inventories tell whose it is.
    yield from inventory_of(subscription)


def _installation(ref: Ref, platform: Manifest) -> Iterable[Hashable]:
    yield Ref(NAMESPACE, "", platform.get("spec", {}).get("threescale", {}).get("namespace", ""))
    minio = platform.get("spec", {}).get("storage", {}).get("minio") or {}
    yield Ref(NAMESPACE, "", minio.get("namespace", ""))
    yield from named_secrets(platform)
    # Models wait for the copies of configurations; the claim of a volume belongs to its Namespace.
    yield from (child for child in inventory_of(platform) if child.kind in (SECRET, PERSISTENT_VOLUME_CLAIM))


def _inference_service(ref: Ref, evidence: Manifest) -> Iterable[Ref]:
    name = labels_of(evidence).get(INFERENCE_SERVICE_LABEL)
    if name:
        yield Ref(INFERENCE_SERVICE, ref.namespace, name)


def _service_id(ref: Ref, route: Manifest) -> Iterable[ServiceId]:
    number = labels_of(route).get(SERVICE_ID_LABEL)
    if number:
        yield ServiceId(number)


def _product_id(ref: Ref, product: Manifest) -> Iterable[ServiceId]:
    number = status_of(product).get("productId")
    if number:
        yield ServiceId(str(number))


_REFERENCES: Final[dict[Kind, Callable[[Ref, Manifest], Iterable[Hashable]]]] = {
    MODEL_SERVICE: _platform,
    MODEL_SUBSCRIPTION: _model,
    MODEL_PLATFORM: _installation,
    POD: _inference_service,
    DEPLOYMENT: _inference_service,
    ROUTE: _service_id,
    PRODUCT: _product_id,
}

_EVIDENCE: Final[dict[Kind, Callable[[Cache, Manifest], set[Ref]]]] = {
    POD: _owners_of_inference_service,
    DEPLOYMENT: _owners_of_inference_service,
    ROUTE: _owners_of_product,
    API_MANAGER: _platforms_of_namespace,
    CUSTOM_RESOURCE_DEFINITION: _everybody,
}

_SHOWN: Final[dict[Kind, Callable[[Manifest], object]]] = {
    MODEL_PLATFORM: _settings_and_outcome,
    MODEL_SUBSCRIPTION: _settings_and_outcome,
    MODEL_SERVICE: _settings_and_address,
    PRODUCT: _state_and_plans,
}

_CLAIMED: Final[dict[Kind, Callable[[Manifest], object]]] = {
    MODEL_PLATFORM: _settings_and_outcome,
    MODEL_SUBSCRIPTION: _settings_and_outcome,
    MODEL_SERVICE: _asked_of_platform,
    PRODUCT: _policies,
}

"""What follows from changes, for models and for the people who use them: read from the objects before and after.

Each says no more than is certain; what a controller would answer is told as what follows, and never made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from maas_operator.domain.gateway.promotion import PUBLISHED_OF_PRODUCT
from maas_operator.domain.kinds import (
    API_MANAGER,
    INFERENCE_SERVICE,
    MODEL_SUBSCRIPTION,
    NETWORK_POLICY,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SERVING_RUNTIME,
)
from maas_operator.domain.objects import Manifest
from maas_operator.domain.serving.inference_service import CONFIG_HASH, STOP

from .changes import Write, changes

_SERVED_NAME: Final = "--served-model-name="
_NOT_IN_PODS: Final = (
    "spec.predictor.minReplicas",
    "spec.predictor.maxReplicas",
    "spec.predictor.scaleMetric",
    "spec.predictor.scaleTarget",
    "spec.predictor.autoScaling",
    "spec.predictor.deploymentStrategy",
    "spec.predictor.model.runtime",
)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows, in a type of its own for programs, and as text for people."""

    subject: str

    def details(self) -> dict[str, Any]:
        """Return its parts as JSON, with its type and its text."""
        return {"type": type(self).__name__, **asdict(self), "message": str(self)}


@dataclass(frozen=True, slots=True)
class StopsModel(Consequence):
    """The pods go."""

    def __str__(self) -> str:
        return f"{self.subject} stops: it answers nobody until it has replicas again"


@dataclass(frozen=True, slots=True)
class RestartsModel(Consequence):
    """Other pods take the place of those that run."""

    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.subject} restarts with other pods: {', '.join(self.fields)}"


@dataclass(frozen=True, slots=True)
class RenamesModel(Consequence):
    """Clients must send another model id."""

    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.subject} is called {self.after}: requests with the model {self.before} fail"


@dataclass(frozen=True, slots=True)
class LosesAccess(Consequence):
    """A consumer's key stops working."""

    def __str__(self) -> str:
        return f"{self.subject} loses access: its application and its key are deleted"


@dataclass(frozen=True, slots=True)
class MovesPlan(Consequence):
    """A consumer gets another plan."""

    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.subject} moves from plan {self.before} to plan {self.after}"


@dataclass(frozen=True, slots=True)
class ClosesPlan(Consequence):
    """Nobody can choose a plan any more; `users`: who is on it, in words, empty if nobody is known to be."""

    plan: str
    users: str

    def __str__(self) -> str:
        stays = f"; it stays for those who are on it: {self.users}" if self.users else ""
        return f"{self.subject}: plan {self.plan} can not be chosen any more{stays}"


@dataclass(frozen=True, slots=True)
class LowersLimit(Consequence):
    """Those who are on a plan may do less; `before` is None where there was no limit."""

    plan: str
    metric: str
    period: str
    before: int | None
    after: int

    def __str__(self) -> str:
        was = "no limit" if self.before is None else f"{self.before}"
        limit = f"{self.metric} per {self.period}"
        return f"{self.subject}: plan {self.plan} gets a lower limit of {limit}: {was} -> {self.after}"


@dataclass(frozen=True, slots=True)
class ClosesPath(Consequence):
    """Calls that were answered get a 404."""

    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.subject} does not answer any more: {', '.join(self.paths)}"


@dataclass(frozen=True, slots=True)
class OpensModel(Consequence):
    """The way around the gateway is open."""

    def __str__(self) -> str:
        return f"{self.subject} goes: who can reach the pods needs no key, and nothing counts"


@dataclass(frozen=True, slots=True)
class RollsGateways(Consequence):
    """All gateways of 3scale roll out."""

    def __str__(self) -> str:
        return f"{self.subject} changes: 3scale's gateways roll out, for all APIs"


@dataclass(frozen=True, slots=True)
class NeedsPromotion(Consequence):
    """The gateways serve what was before, until this is promoted; hashes are None where they are not known yet.

    `approval`: what spec.api.promotion.approved must be before; None if nobody must approve it.
    """

    before: str | None
    after: str | None
    approval: str | None = None

    def __str__(self) -> str:
        if self.approval is not None:
            return f"{self.subject} needs a promotion, which waits for spec.api.promotion.approved: {self.approval}"
        if self.after is None:
            return f"{self.subject} needs a promotion: it follows when 3scale has taken the change"
        was = f"{self.before} -> " if self.before else ""
        return f"{self.subject} needs a promotion: configuration {was}{self.after}"


def consequences(
    writes: Iterable[Write], *, plans_in_use: Mapping[str, str] | None = None, approval: str | None = None
) -> tuple[Consequence, ...]:
    """Return what follows from writes, the gravest kinds first.

    `plans_in_use`: who uses each plan that goes, in words. `approval`: the hash that a promotion waits for.
    """
    known = _Known(tuple(write for write in writes if changes([write])), plans_in_use or {}, approval)
    found = [one for rule in _RULES for one in rule(known)]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (_ORDER.index(type(one)), str(one))))


@dataclass(frozen=True, slots=True)
class _Known:
    writes: tuple[Write, ...]
    plans_in_use: Mapping[str, str]
    approval: str | None

    def of(self, *kinds: Any) -> Iterator[Write]:
        return (write for write in self.writes if write.ref.kind in kinds)


def _models(known: _Known) -> Iterator[Consequence]:
    runtimes = {write.ref.name: write for write in known.of(SERVING_RUNTIME)}
    for write in known.of(INFERENCE_SERVICE):
        if write.before is None or write.after is None:
            continue
        subject = str(write.ref)
        if _is_stopped(write.after):
            yield from [] if _is_stopped(write.before) else [StopsModel(subject)]
            continue
        fields = _pod_fields(write, _runtime_of(write.before, write.after, runtimes))
        if fields and not _is_stopped(write.before):
            yield RestartsModel(subject, fields)
        before, after = _served_name(write.before), _served_name(write.after)
        if before and after and before != after:
            yield RenamesModel(subject, before, after)


def _runtime_of(before: Manifest, after: Manifest, runtimes: Mapping[str, Write]) -> Write | None:
    """Return what becomes of the ServingRuntime; one of another name is another content of it."""
    gone, made = runtimes.get(_runtime_name(before)), runtimes.get(_runtime_name(after))
    if made is None or gone is None or gone is made:
        return made
    return Write(gone.before, made.after)


def _runtime_name(inference_service: Manifest) -> str:
    return str(inference_service["spec"].get("predictor", {}).get("model", {}).get("runtime", ""))


def _pod_fields(write: Write, runtime: Write | None) -> tuple[str, ...]:
    """Return the fields that are part of the pods; that another hash is among them is a mere sign of the others."""
    written = [write, runtime] if runtime is not None else [write]
    # Of the runtime only the spec comes to the pods; of the InferenceService KServe copies labels and annotations too.
    paths = [
        field.path
        for change in changes(written)
        for field in change.fields
        if change.ref == write.ref or field.path.startswith("spec")
    ]
    told = [path for path in paths if not path.startswith(_NOT_IN_PODS)]
    mark = f"spec.predictor.annotations[{CONFIG_HASH}]"
    others = [path for path in told if path != mark and not path.endswith(f"[{STOP}]")]
    mine = [field.path for change in changes([write]) for field in change.fields if field.path in others]
    if not mine and mark not in told:
        return ()
    return tuple(dict.fromkeys(others)) or (mark,)


def _is_stopped(inference_service: Manifest) -> bool:
    return STOP in (inference_service["metadata"].get("annotations") or {})


def _served_name(inference_service: Manifest) -> str:
    model = inference_service["spec"].get("predictor", {}).get("model", {})
    named = [str(one) for one in model.get("args") or () if str(one).startswith(_SERVED_NAME)]
    return named[0].removeprefix(_SERVED_NAME) if named else ""


def _people(known: _Known) -> Iterator[Consequence]:
    for write in known.of(MODEL_SUBSCRIPTION):
        if write.before is None:
            continue
        if write.after is None:
            yield LosesAccess(str(write.ref))
            continue
        before, after = write.before["spec"]["plan"], write.after["spec"]["plan"]
        if before != after:
            yield MovesPlan(str(write.ref), before, after)


def _plans(known: _Known) -> Iterator[Consequence]:
    for write in known.of(PRODUCT):
        if write.before is None or write.after is None:
            continue
        before, after = _plans_of(write.before), _plans_of(write.after)
        for name, plan in before.items():
            now = after.get(name)
            if now is None or (plan.get("published") and not now.get("published")):
                yield ClosesPlan(str(write.ref), name, known.plans_in_use.get(name, ""))
            if now is not None:
                yield from _lower_limits(str(write.ref), name, plan, now)


def _plans_of(product: Manifest) -> Mapping[str, Manifest]:
    return product["spec"].get("applicationPlans") or {}


def _lower_limits(subject: str, plan: str, before: Manifest, after: Manifest) -> Iterator[Consequence]:
    old, new = _limits(before), _limits(after)
    for (metric, period), value in new.items():
        was = old.get((metric, period))
        if was is None or value < was:
            yield LowersLimit(subject, plan, metric, period, was, value)


def _limits(plan: Manifest) -> dict[tuple[str, str], int]:
    return {
        (limit["metricMethodRef"]["systemName"], limit["period"]): limit["value"] for limit in plan.get("limits") or ()
    }


def _paths(known: _Known) -> Iterator[Consequence]:
    for write in known.of(PRODUCT):
        if write.before is None or write.after is None:
            continue
        open_now = set(_open_paths(write.after))
        closed = tuple(path for path in _open_paths(write.before) if path not in open_now)
        if closed:
            yield ClosesPath(str(write.ref), closed)


def _open_paths(product: Manifest) -> list[str]:
    rules = product["spec"].get("mappingRules") or ()
    return [f"{rule['httpMethod']} {rule['pattern'].removesuffix('$')}" for rule in rules]


def _promotions(known: _Known) -> Iterator[Consequence]:
    made = [write for write in known.of(PROXY_CONFIG_PROMOTE) if write.before is None]
    gone = {_product_of(write.before): write for write in known.of(PROXY_CONFIG_PROMOTE) if write.after is None}
    for write in made:
        product = _product_of(write.after)
        old = gone.get(product)
        yield NeedsPromotion(f"{PRODUCT} {product}", _hash_of(old) if old else None, _hash_of(write))
    promoted = {_product_of(write.after) for write in made}
    for write in known.of(PRODUCT):
        name = f"{write.ref.namespace}/{write.ref.name}"
        if write.after is not None and name not in promoted and _published(write.before) != _published(write.after):
            yield NeedsPromotion(str(write.ref), None, None, known.approval)


def _product_of(promotion: Manifest | None) -> str:
    assert promotion is not None, "asked only where there is one"
    return f"{promotion['metadata']['namespace']}/{promotion['spec']['productCRName']}"


def _hash_of(write: Write) -> str:
    return write.ref.name.rpartition("-")[2]


def _published(product: Manifest | None) -> list[Any]:
    return [product["spec"].get(key) for key in PUBLISHED_OF_PRODUCT] if product else []


def _ways(known: _Known) -> Iterator[Consequence]:
    yield from (OpensModel(str(write.ref)) for write in known.of(NETWORK_POLICY) if write.after is None)
    yield from (RollsGateways(str(write.ref)) for write in known.of(API_MANAGER) if write.after is not None)


_RULES: Final[tuple[Callable[[_Known], Iterator[Consequence]], ...]] = (
    _people,
    _plans,
    _paths,
    _models,
    _ways,
    _promotions,
)
_ORDER: Final[tuple[type[Consequence], ...]] = (
    LosesAccess,
    StopsModel,
    RenamesModel,
    ClosesPath,
    ClosesPlan,
    LowersLimit,
    MovesPlan,
    OpensModel,
    RestartsModel,
    RollsGateways,
    NeedsPromotion,
)

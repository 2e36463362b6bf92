import pytest

from maas_operator.domain.kinds import (
    APPLICATION,
    APPLICATION_AUTH,
    BACKEND,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    MODEL_PLATFORM,
    POD,
    PRODUCT,
    PROXY_CONFIG_PROMOTE,
    SECRET,
    SERVING_RUNTIME,
    Kind,
)
from maas_operator.domain.labels import MANAGED_BY, OPERATOR, OWNER_UID
from maas_operator.domain.objects import Manifest, Ref, Refusal, RefusalReason
from maas_operator.engine.errors import Forbidden, Unavailable
from maas_operator.engine.pruner import Pruned, Pruner
from maas_operator.sandbox.kubeapi import errors as api
from maas_operator.sandbox.kubeapi.faults import Call, Moment, Verb
from tests.engine.stage import GATEWAY, HOME, Stage, manifest

UID = "owner-uid"


class Bench:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.pruner = Pruner(stage.cluster)
        self.guarded = 0

    async def add(self, kind: Kind, name: str = "x", namespace: str = GATEWAY, *, uid: str = UID) -> Ref:
        ref = Ref(kind, namespace, name)
        found = manifest(ref) if kind == SECRET else manifest(ref, spec={})
        found["metadata"]["labels"] = {MANAGED_BY: OPERATOR, OWNER_UID: uid}
        await self.stage.user.apply(found)
        return ref

    async def prune(self, *refs: Ref, uid: str = UID, at_once: bool = False) -> Pruned:
        self.stage.calls.clear()
        return await self.pruner.prune(dict.fromkeys(refs, uid), {HOME, GATEWAY}, self._guard, at_once=at_once)

    async def leave(self) -> tuple[Ref, str]:
        """Make what KServe leaves behind of an InferenceService; return its address, and the latter's uid."""
        maker = await self.stage.user.apply(manifest(Ref(INFERENCE_SERVICE, HOME, "x"), spec={"predictor": {}}))
        uid = str(maker["metadata"]["uid"])
        reference = {key: maker[key] for key in ("apiVersion", "kind")} | {"name": "x", "uid": uid, "controller": True}
        ref = Ref(HORIZONTAL_POD_AUTOSCALER, HOME, "x")
        found = manifest(ref, spec={"maxReplicas": 1})
        found["metadata"]["ownerReferences"] = [reference]
        await self.stage.user.apply(found)
        return ref, uid

    async def sweep(self, *refs: Ref, uid: str) -> dict[Ref, Refusal]:
        self.stage.calls.clear()
        return await self.pruner.sweep(dict.fromkeys(refs, uid), {HOME, GATEWAY}, self._guard)

    @property
    def deleted(self) -> list[str]:
        return [call.kind for call in self.stage.calls if call.verb is Verb.DELETE]

    def fail(self, verb: Verb, error: Exception) -> None:
        async def fail(call: Call) -> None:
            if (call.verb, call.moment) == (verb, Moment.BEFORE):
                raise error

        self.stage.kubeapi.faults.add(fail)

    async def _guard(self) -> None:
        self.guarded += 1


@pytest.fixture
def bench(stage: Stage) -> Bench:
    stage.gateway_works = False
    return Bench(stage)


async def test_what_is_ours_and_unwanted_is_deleted_and_seen_to_be_gone(bench: Bench) -> None:
    ref = await bench.add(BACKEND)
    assert await bench.prune(ref) == Pruned()
    assert await bench.stage.find(ref) is None
    assert bench.guarded == 1


async def test_what_is_gone_already_costs_one_look(bench: Bench) -> None:
    assert await bench.prune(Ref(BACKEND, GATEWAY, "gone")) == Pruned()
    assert [call.verb for call in bench.stage.calls] == [Verb.GET]
    assert bench.guarded == 0


@pytest.mark.parametrize("uid", ["other-uid", ""])
async def test_what_is_not_this_owners_is_left_alone_and_not_waited_for(bench: Bench, uid: str) -> None:
    ref = await bench.add(BACKEND, uid=uid)
    assert await bench.prune(ref) == Pruned()
    assert await bench.stage.find(ref) is not None


async def test_without_our_managed_by_label_nothing_is_deleted(bench: Bench) -> None:
    ref = Ref(BACKEND, GATEWAY, "x")
    theirs = manifest(ref, spec={})
    theirs["metadata"]["labels"] = {OWNER_UID: UID}
    await bench.stage.user.apply(theirs)
    assert await bench.prune(ref) == Pruned()
    assert await bench.stage.find(ref) is not None


async def test_outside_the_allowed_namespaces_nothing_is_even_looked_at(bench: Bench) -> None:
    ref = await bench.add(BACKEND, namespace="default")
    assert await bench.prune(ref) == Pruned()
    assert bench.stage.calls == []


@pytest.mark.parametrize("kind", [POD, MODEL_PLATFORM])
async def test_kinds_that_we_do_not_write_are_never_deleted(bench: Bench, kind: Kind) -> None:
    assert await bench.prune(Ref(kind, GATEWAY, "x")) == Pruned()
    assert bench.stage.calls == []


async def test_children_go_in_the_order_of_the_table(bench: Bench) -> None:
    refs = [
        await bench.add(kind)
        for kind in (BACKEND, SECRET, PRODUCT, APPLICATION, PROXY_CONFIG_PROMOTE, APPLICATION_AUTH, SERVING_RUNTIME)
    ]
    refs.append(await bench.add(INFERENCE_SERVICE))
    assert await bench.prune(*refs) == Pruned()
    order = bench.deleted
    for first, then in (
        ("ProxyConfigPromote", "Product"),
        ("Product", "Backend"),
        ("ApplicationAuth", "Application"),
        ("Application", "Secret"),
        ("InferenceService", "ServingRuntime"),
    ):
        assert order.index(first) < order.index(then), order


async def test_what_must_go_later_waits_for_what_does_not_go_yet(bench: Bench) -> None:
    product, backend = await bench.add(PRODUCT), await bench.add(BACKEND)
    await bench.stage.hold(product)
    pruned = await bench.prune(product, backend)
    assert pruned.remaining.keys() == {product, backend}
    assert "deletionTimestamp" in pruned.remaining[product]["metadata"]
    assert bench.deleted == ["Product"]
    assert (await bench.prune(product, backend)).remaining.keys() == {product, backend}
    assert bench.deleted == []
    await bench.stage.let_go(product)
    assert await bench.prune(product, backend) == Pruned()


async def test_a_namesake_that_appears_meanwhile_survives(bench: Bench) -> None:
    ref = await bench.add(BACKEND)
    successor: list[Manifest] = []

    async def replace(call: Call) -> None:
        if call.verb is Verb.DELETE and call.moment is Moment.BEFORE and not successor:
            successor.append({})
            await bench.stage.user.delete(ref)
            successor[0] = await bench.stage.user.apply(manifest(ref, spec={"theirs": True}))

    bench.stage.kubeapi.faults.add(replace)
    assert await bench.prune(ref) == Pruned()
    assert await bench.stage.find(ref) == successor[0]


async def test_what_somebody_deletes_meanwhile_is_gone(bench: Bench) -> None:
    ref = await bench.add(BACKEND)

    async def overtake(call: Call) -> None:
        if call.verb is Verb.DELETE and call.moment is Moment.BEFORE:
            await bench.stage.user.delete(ref)

    bench.stage.kubeapi.faults.add(overtake)
    assert await bench.prune(ref) == Pruned()


@pytest.mark.parametrize("verb", [Verb.GET, Verb.DELETE])
async def test_a_refusal_is_told_and_the_object_counts_as_there(bench: Bench, verb: Verb) -> None:
    ref, other = await bench.add(BACKEND), Ref(PRODUCT, GATEWAY, "gone")
    bench.fail(verb, api.ApiError(403, "Forbidden", "no"))
    pruned = await bench.prune(ref, other)
    assert pruned.refused[ref].reason is RefusalReason.FORBIDDEN
    assert (ref in pruned.remaining) is (verb is Verb.DELETE)
    assert bench.deleted == ([] if verb is Verb.GET else ["Backend"])


@pytest.mark.parametrize("verb", [Verb.GET, Verb.DELETE])
async def test_what_may_pass_later_is_raised(bench: Bench, verb: Verb) -> None:
    ref = await bench.add(BACKEND)
    bench.fail(verb, api.ApiError(503, "ServiceUnavailable", "busy"))
    with pytest.raises(Unavailable):
        await bench.prune(ref)


async def test_a_kind_whose_definition_is_gone_has_no_objects_left(bench: Bench) -> None:
    bench.fail(Verb.GET, api.ApiError(404, "NotFound", "the server could not find the requested resource"))
    assert await bench.prune(Ref(BACKEND, GATEWAY, "x")) == Pruned()


async def test_a_shared_object_goes_by_the_uid_of_its_true_owner(bench: Bench) -> None:
    ref = await bench.add(SECRET, uid="namespace-uid")
    await bench.prune(ref)
    assert await bench.stage.find(ref) is not None
    await bench.prune(ref, uid="namespace-uid")
    assert await bench.stage.find(ref) is None


async def test_at_once_nobody_waits_for_another(bench: Bench) -> None:
    backend, product = await bench.add(BACKEND), await bench.add(PRODUCT)
    theirs = await bench.add(BACKEND, "theirs", uid="other-uid")
    await bench.stage.hold(product)
    pruned = await bench.prune(backend, product, theirs, at_once=True)
    assert sorted(bench.deleted) == ["Backend", "Product"]
    assert pruned.remaining.keys() == {product}
    assert await bench.stage.find(theirs) is not None


async def test_what_kserve_made_of_ours_and_forgot_is_swept(bench: Bench) -> None:
    ref, uid = await bench.leave()
    assert await bench.sweep(ref, uid=uid) == {}
    assert await bench.stage.find(ref) is None
    assert bench.guarded == 1


async def test_nothing_is_swept_that_another_object_controls_or_that_is_gone(bench: Bench) -> None:
    ref, _ = await bench.leave()
    assert await bench.sweep(ref, Ref(HORIZONTAL_POD_AUTOSCALER, HOME, "gone"), uid="another") == {}
    assert (bench.deleted, bench.guarded) == ([], 0)


async def test_nothing_is_swept_of_other_kinds_or_in_other_namespaces(bench: Bench) -> None:
    ours = await bench.add(BACKEND)
    assert await bench.sweep(ours, Ref(HORIZONTAL_POD_AUTOSCALER, "elsewhere", "x"), uid=UID) == {}
    assert bench.stage.calls == []


async def test_what_can_not_be_swept_is_told(bench: Bench) -> None:
    ref, uid = await bench.leave()
    bench.fail(Verb.DELETE, Forbidden("no"))
    refused = await bench.sweep(ref, uid=uid)
    assert refused[ref].reason is RefusalReason.FORBIDDEN

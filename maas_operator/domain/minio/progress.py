"""StorageReady of a platform: whether its MinIO answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import SecretStr

from maas_operator.api.minio import MinIO
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.api.reasons import ConditionType, Reason
from maas_operator.domain.conditions import Condition, Verdict, decide_condition, false, refused, true
from maas_operator.domain.decision import ChildState, World
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of
from maas_operator.domain.people.secrets import StoredSecret
from maas_operator.domain.serving.pods import find_trouble
from maas_operator.domain.serving.resources import amount
from maas_operator.domain.serving.words import quoted

from . import names, server
from .pod import PodSecurity

_USER = SecretStr("maas-operator")


@dataclass(frozen=True, kw_only=True)
class MinIOEvidence:
    """What a pass knows about a platform's MinIO.

    `namespace_uid`: empty if there is no such namespace. `security`: as whom its pods run.
    `claim`: the claim of the volume, if there is one.
    `root`: the stored credentials; `fresh`: a random password, used only where none is stored.
    `users`: the namespaces of the models that have a bucket here.
    Known only while it is not ready: its `pods`; `has_class`, whether the claim's StorageClass is there; and by `words`
    what was said last of the claim and of the StatefulSet.
    """

    namespace_uid: str = ""
    security: PodSecurity = field(default_factory=PodSecurity)
    claim: Manifest | None = None
    root: StoredSecret | None = None
    fresh: SecretStr | None = None
    users: frozenset[str] = frozenset()
    pods: tuple[Manifest, ...] = ()
    has_class: bool = True
    words: Mapping[Ref, str] = field(default_factory=dict)


NO_EVIDENCE = MinIOEvidence()


@dataclass(frozen=True, kw_only=True)
class Server:
    """The MinIO of one platform, and how far it has come."""

    platform: ModelPlatform
    minio: MinIO
    world: World
    evidence: MinIOEvidence = field(default=NO_EVIDENCE)

    @property
    def children(self) -> tuple[Manifest, ...]:
        """Return what must be there; the pod starts when its credentials are known.

        Volume and credentials belong to the namespace: they are for the platform that has the Service there.
        """
        return tuple(self._children())

    def _children(self) -> Iterable[Manifest]:
        minio, uid, stored = self.minio, self.evidence.namespace_uid, self.evidence.root
        if not uid:
            return
        user = (stored.get(names.ROOT_USER) if stored else None) or _USER
        password = (stored.get(names.ROOT_PASSWORD) if stored else None) or self.evidence.fresh
        assert password is not None, "who looks into the namespace brings a fresh one along"
        yield server.root_secret(minio, uid, user, password)
        yield server.service(self.platform, minio)
        yield server.network_policy(self.platform, minio, self.evidence.users)
        root, place = self.world.children.get(names.root_ref(minio.namespace)), names.service_ref(minio.namespace)
        if root is None or self.world.children.get(place) is None:
            return
        if not self.shrinks:
            yield server.claim(minio, uid)
        yield server.stateful_set(self.platform, minio, self.evidence.security, _uid(root))

    @property
    def keep(self) -> frozenset[Ref]:
        """Return what stays as it is: a volume that is to shrink, and the pod while its credentials are unknown."""
        minio = self.minio
        return frozenset({names.claim_ref(minio.namespace), names.stateful_set_ref(minio.namespace)})

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Return the addresses of the children, but for the claim."""
        place = self.minio.namespace
        return (
            names.root_ref(place),
            names.service_ref(place),
            names.network_policy_ref(place),
            names.stateful_set_ref(place),
        )

    @cached_property
    def size(self) -> str:
        """Return the size that the volume was asked for at last; empty if there is none."""
        spec = (self.evidence.claim or {}).get("spec", {})
        return str(spec.get("resources", {}).get("requests", {}).get("storage", ""))

    @property
    def shrinks(self) -> bool:
        """Tell whether the spec wants less than there is."""
        return bool(self.size) and amount(self.size) > amount(self.minio.size)

    @property
    def condition(self) -> Condition:
        """Decide StorageReady."""
        return decide_condition(
            ConditionType.STORAGE_READY,
            (_namespace_missing, _shrinks, _claim_refused, _refused, _class_missing, _pending, _broken, _starting),
            self,
            otherwise=true(Reason.READY, f"MinIO answers at {names.endpoint(self.minio)}"),
        )

    @property
    def stateful_set(self) -> Manifest | None:
        """Return the StatefulSet as this pass knows it."""
        return self.world.child(names.stateful_set_ref(self.minio.namespace))

    @property
    def claim_is_bound(self) -> bool:
        """Tell whether the volume is there."""
        found = self.world.children.get(names.claim_ref(self.minio.namespace)) or self.evidence.claim or {}
        return bool(status_of(found).get("phase") == "Bound")


def is_ready(stateful_set: Manifest | None) -> bool:
    """Tell whether the pod of a StatefulSet is ready, and of its newest revision."""
    if stateful_set is None:
        return False
    status = status_of(stateful_set)
    seen = status.get("observedGeneration") == stateful_set["metadata"].get("generation")
    return bool(seen and status.get("readyReplicas") == 1 and status.get("updatedReplicas") == 1)


def stateful_set_state(stateful_set: Manifest) -> ChildState:
    """Read a StatefulSet by its ready pods."""
    ready = is_ready(stateful_set)
    return ChildState(ready=ready, reason="" if ready else "Pending")


def claim_state(claim: Manifest) -> ChildState:
    """Read a claim of a volume by its phase."""
    phase = str(status_of(claim).get("phase") or "Pending")
    return ChildState(ready=phase == "Bound", reason="" if phase == "Bound" else phase)


def _namespace_missing(it: Server) -> Verdict | None:
    if it.evidence.namespace_uid:
        return None
    place = it.minio.namespace
    return false(
        Reason.STORAGE_NAMESPACE_MISSING,
        f"spec.storage.minio.namespace: there is no namespace {place}: create it, the operator does not",
    )


def _shrinks(it: Server) -> Verdict | None:
    if not it.shrinks:
        return None
    return false(
        Reason.VOLUME_SHRINKS,
        f"spec.storage.minio.size: {names.claim_ref(it.minio.namespace)} has {it.size}, and a volume never shrinks:"
        f" set it to {it.size} or more",
    )


def _claim_refused(it: Server) -> Verdict | None:
    """Say that the volume does not grow; the MinIO itself goes on as it is."""
    ref = names.claim_ref(it.minio.namespace)
    refusal = it.world.children.refused.get(ref)
    if refusal is None or not it.size or amount(it.size) == amount(it.minio.size):
        return refused(it.world.children, (ref,))
    return false(
        Reason.VOLUME_NOT_GROWN,
        f"spec.storage.minio.size: {ref} stays at {it.size}: {refusal.message}; or set the size back to {it.size}",
    )


def _refused(it: Server) -> Verdict | None:
    return refused(it.world.children, it.refs)


def _class_missing(it: Server) -> Verdict | None:
    if it.claim_is_bound or it.evidence.has_class:
        return None
    ref, wanted = names.claim_ref(it.minio.namespace), it.minio.storage_class_name
    if wanted is None:
        return false(
            Reason.STORAGE_CLASS_MISSING,
            f"{ref}: the cluster has no default StorageClass: mark one as the default",
        )
    return false(
        Reason.STORAGE_CLASS_MISSING,
        f"spec.storage.minio.storageClassName: there is no StorageClass {wanted}, and {ref} waits for it: create it",
    )


def _pending(it: Server) -> Verdict | None:
    ref = names.claim_ref(it.minio.namespace)
    if it.claim_is_bound or ref not in it.evidence.words:
        return None
    return false(Reason.VOLUME_PENDING, f"{ref}: {quoted(it.evidence.words[ref])}")


def _broken(it: Server) -> Verdict | None:
    if is_ready(it.stateful_set):
        return None
    root = it.world.children.get(names.root_ref(it.minio.namespace))
    wanted = server.config_hash(it.minio, it.evidence.security, _uid(root)) if root else ""
    if (trouble := find_trouble(it.evidence.pods, config_hash=wanted)) is not None:
        return false(trouble.reason, f"MinIO: {trouble.words}")
    ref = names.stateful_set_ref(it.minio.namespace)
    said = it.evidence.words.get(ref)
    return false(Reason.PODS_REFUSED, f"{ref}: {quoted(said)}") if said and not it.evidence.pods else None


def _starting(it: Server) -> Verdict | None:
    if is_ready(it.stateful_set):
        return None
    return false(
        Reason.STORAGE_STARTING, f"{names.stateful_set_ref(it.minio.namespace)} has no ready pod of this spec yet"
    )


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("uid", ""))

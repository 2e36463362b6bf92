"""Gathers what is known about a platform's MinIO; pods and Events are asked for only while something is not ready."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import SecretStr

from maas_operator.api.minio import MinIO
from maas_operator.api.model_platform import ModelPlatform
from maas_operator.domain.kinds import MODEL_SERVICE, POD, STATEFUL_SET
from maas_operator.domain.minio import names
from maas_operator.domain.minio.pod import pod_security
from maas_operator.domain.minio.progress import NO_EVIDENCE, MinIOEvidence, is_ready
from maas_operator.domain.minio.server import pod_labels
from maas_operator.domain.objects import Manifest, Ref
from maas_operator.domain.observed import status_of
from maas_operator.domain.people.secrets import read_secret

from .hearsay import said_in, words_of
from .lookup import Lookup

BACKEND: Final = "MinIO"
"""The word in spec.storage.backend of models that have a bucket here."""
_NO_NEWS: Final = frozenset({"WaitForFirstConsumer", "SuccessfulCreate"})
"""Events that tell of no trouble: the volume waits for the pod, and the pod is made."""


@dataclass(frozen=True, kw_only=True)
class MinIOEvidenceFinder:
    """Looks at the MinIO's namespace; `fresh` is the source of random passwords."""

    lookup: Lookup
    fresh: Callable[[], SecretStr]

    async def find(self, platform: ModelPlatform, seen: Mapping[Ref, Manifest]) -> MinIOEvidence:
        """Return what is known."""
        minio = platform.spec.storage.minio
        orphaned = any(ref.kind == STATEFUL_SET and (minio is None or ref.namespace != minio.namespace) for ref in seen)
        if minio is None:
            return MinIOEvidence(users=await self._users(platform, (), live=True)) if orphaned else NO_EVIDENCE
        namespace = await self.lookup.find(names.place_ref(minio.namespace))
        if namespace is None:
            return NO_EVIDENCE
        root = await self.lookup.find(names.root_ref(minio.namespace))
        claim = await self.lookup.find(names.claim_ref(minio.namespace))
        evidence = MinIOEvidence(
            namespace_uid=namespace["metadata"]["uid"],
            security=pod_security(namespace),
            claim=claim,
            root=read_secret(root) if root else None,
            fresh=self.fresh(),
            users=await self._users(
                platform, _admitted(seen.get(names.network_policy_ref(minio.namespace)), minio), live=orphaned
            ),
        )
        settled = is_ready(seen.get(names.stateful_set_ref(minio.namespace)))
        return evidence if settled else await self._with_troubles(evidence, platform, minio)

    async def _with_troubles(self, evidence: MinIOEvidence, platform: ModelPlatform, minio: MinIO) -> MinIOEvidence:
        pods = await self.lookup.list(POD, minio.namespace, pod_labels(platform))
        return replace(
            evidence,
            pods=tuple(pods),
            has_class=await self._has_class(minio, evidence.claim),
            words=await self._words(minio),
        )

    async def _users(self, platform: ModelPlatform, known: Collection[str], *, live: bool) -> frozenset[str]:
        """Return the namespaces of models with a bucket here; that one is not there any more, only a list proves."""
        users = _users_of(platform, self.lookup.cache.of_kind(MODEL_SERVICE))
        if live or set(known) - users:
            return _users_of(platform, await self.lookup.list(MODEL_SERVICE))
        return users

    async def _has_class(self, minio: MinIO, claim: Manifest | None) -> bool:
        if claim is None or status_of(claim).get("phase") == "Bound":
            return True
        name = minio.storage_class_name or claim["spec"].get("storageClassName")
        return bool(name) and await self.lookup.live(names.class_ref(name)) is not None

    async def _words(self, minio: MinIO) -> dict[Ref, str]:
        """Return what was said last of the claim and of the StatefulSet; nothing where Events may not be read."""
        news = [one for one in await said_in(minio.namespace, self.lookup) if one.get("reason") not in _NO_NEWS]
        about = {
            (ref.kind.name, ref.name): ref
            for ref in (names.claim_ref(minio.namespace), names.stateful_set_ref(minio.namespace))
        }
        return {about[key]: words_of(one) for one in news if (key := _subject(one)) in about}


def _users_of(platform: ModelPlatform, services: Iterable[Manifest]) -> frozenset[str]:
    return frozenset(
        service["metadata"]["namespace"]
        for service in services
        if service["spec"].get("platformRef", {}).get("name", "default") == platform.metadata.name
        and (service["spec"].get("storage") or {}).get("backend") == BACKEND
    )


def _admitted(policy: Manifest | None, minio: MinIO) -> frozenset[str]:
    """Return the namespaces that a NetworkPolicy of ours lets in for their models."""
    rules = (policy or {}).get("spec", {}).get("ingress") or ()
    peers = (peer for rule in rules for peer in rule.get("from") or ())
    wanted = (one for peer in peers for one in peer.get("namespaceSelector", {}).get("matchExpressions") or ())
    return frozenset(value for one in wanted for value in one.get("values") or ()) - {minio.namespace}


def _subject(event: Manifest) -> tuple[str, str]:
    regarding = event.get("regarding") or {}
    return str(regarding.get("kind", "")), str(regarding.get("name", ""))

"""What must be there before KServe is asked for a model: its credentials and its claims.

Without them KServe makes pods that never start, or takes pods that serve away for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from maas_operator.api.model_service import ModelService
from maas_operator.api.reasons import Reason
from maas_operator.domain.conditions import Verdict, false

from .adapters import needs_token
from .autoscaling import most_replicas
from .sources import CREDENTIALS_FIELD, KEYS, Prerequisites, claim_names, is_one_node, scheme_of

_BY_RANK: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "gcloud-application-credentials.json",
    "AZ_CLIENT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_ACCESS_TOKEN",
    "AZURE_STORAGE_ACCESS_KEY",
    "https-host",
    "HDFS_NAMENODE",
    "HF_TOKEN",
)
"""The keys by which KServe knows what a Secret is for: the first that is there, and no other."""

_TELLING: Final = {"s3": "AWS_SECRET_ACCESS_KEY", "hf": "HF_TOKEN", "https": "https-host"}


def prerequisite_problem(service: ModelService, found: Prerequisites) -> Verdict | None:
    """Return what keeps KServe from being asked; None when nothing does. A stopped model needs nothing."""
    if service.spec.serving.replicas == 0:
        return None
    return _credentials_problem(service, found) or next(_claim_problems(service, found), None)


def _credentials_problem(service: ModelService, found: Prerequisites) -> Verdict | None:
    credentials = service.spec.model.credentials_secret_ref
    if credentials is None:
        return None
    secret = f"Secret {service.metadata.namespace}/{credentials.name}"
    scheme, needed = _needed_keys(service)
    if found.keys is None:
        return false(
            Reason.CREDENTIALS_MISSING,
            f"{CREDENTIALS_FIELD}: there is no {secret}: create it with {_and(needed)}, or correct the name",
        )
    if missing := [key for key in needed if key not in found.keys]:
        return false(
            Reason.CREDENTIALS_INVALID,
            f"{CREDENTIALS_FIELD}: {secret} has no {_and(missing)}, which {scheme}:// needs: add what is missing",
        )
    if misleading := _misleading_key(scheme_of(service.spec.model.source.uri or ""), found.keys):
        return false(
            Reason.CREDENTIALS_INVALID,
            f"{CREDENTIALS_FIELD}: {secret} also has {misleading}, and KServe would take it for that kind of"
            f" credentials only: use a Secret of its own for {scheme}://",
        )
    return None


def _needed_keys(service: ModelService) -> tuple[str, tuple[str, ...]]:
    scheme = scheme_of(service.spec.model.source.uri or "")
    if scheme not in KEYS and needs_token(service):
        scheme = "hf"
    return scheme, KEYS.get(scheme, ())


def _misleading_key(scheme: str, keys: frozenset[str]) -> str | None:
    """Return the key for whose sake KServe overlooks the one of this scheme."""
    before = _BY_RANK[: _BY_RANK.index(_TELLING[scheme])] if scheme in _TELLING else ()
    return next((key for key in before if key in keys), None)


def _claim_problems(service: ModelService, found: Prerequisites) -> Iterator[Verdict]:
    for name, path in claim_names(service).items():
        claim = f"PersistentVolumeClaim {service.metadata.namespace}/{name}"
        if name not in found.claims:
            yield false(
                Reason.CLAIM_MISSING, f"{path}: there is no {claim}: create it with the files in it, or correct the URI"
            )
        elif found.claims[name]["spec"].get("volumeMode") == "Block":
            yield false(
                Reason.CLAIM_UNFIT,
                f"{path}: {claim} has volumeMode Block, which holds no files: use a claim with volumeMode Filesystem",
            )
        elif is_one_node(found.claims[name]) and most_replicas(service) > 1:
            modes = _and(found.claims[name]["spec"].get("accessModes") or ())
            yield false(
                Reason.CLAIM_UNFIT,
                f"{path}: {claim} has access mode {modes}, so that one node at a time can mount it: use a claim with"
                " ReadWriteMany or ReadOnlyMany, or have one replica",
            )


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)
